using System;
using System.Collections.Generic;
using System.Linq;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Which device is which in layouts that keep no samples: the log knows what it has written (R13).</summary>
public sealed unsafe partial class KernelIdentityTests : IDisposable
{
    private const int Mib = 1 << 20, Segments = 6;

    private readonly RamDevice _a = new(4 * Mib), _b = new(5 * Mib);
    private readonly List<string> _log = [];
    private RamDevice? _cache;

    public static TheoryData<string> Layouts => ["writeboost2", "writeboost1", "lc1"];

    public void Dispose()
    {
        _cache?.Dispose();
        _a.Dispose();
        _b.Dispose();
    }

    /// <summary>The cache of one was written over the other.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void AnotherDiskIsRefusedAndTheRightOneIsNot(string layout)
    {
        Load(new KernelImage(layout, Segments));
        using (DirectClient client = Open(layout, _a))
        {
            client.Write(0, Filled(1, 20 * 4096));
            client.Flush();
            client.DrainAll();
            client.Write(40 * 4096, Filled(2, 4096));
            client.Flush();
            client.Stop();
        }
        byte[] before = Bytes(_cache!), disk = Bytes(_b);
        string refused = Refused(() => Open(layout, _b));
        Assert.Contains("has none of 16 blocks", refused, StringComparison.Ordinal);
        Assert.Contains("--option rebind=1", refused, StringComparison.Ordinal);
        Assert.Equal(before, Bytes(_cache!));
        Assert.Equal(disk, Bytes(_b));
        _log.Clear();
        using (DirectClient client = Open(layout, _a)) Assert.Equal(Filled(2, 4096), client.Read(40 * 4096, 4096));
        Assert.DoesNotContain(_log, static line => line.Contains("differ") || line.Contains("be known"));
        using DirectClient bound = Open(layout, _b, rebind: true);
        Assert.Equal(Filled(2, 4096), bound.Read(40 * 4096, 4096));
    }

    /// <summary>The same with a cache that the kernel has left, with its own mark.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void TheKernelsLogIsAskedToo(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 2 };
        image.Put(1, Block(8, 0xFF, 1));
        image.Put(2, Block(16, 0xFF, 2), Block(24, 0x0F, 3));
        image.Put(3, Block(80, 0xFF, 4));
        Load(image);
        Fill(_a, 8, 1, 4096);
        Fill(_a, 16, 2, 4096);
        Fill(_a, 24, 3, 2048);
        Assert.Contains("has none of", Refused(() => Open(layout, _b)), StringComparison.Ordinal);
        using DirectClient client = Open(layout, _a);
        Assert.Equal(Filled(4, 4096), client.Read(80 * 512, 4096));
    }

    /// <summary>Only of the newest record that names it is a block known, whatever that says.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void WhatANewerRecordNamesIsNotCompared(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 3 };
        // Written again and written back; written back without the log; written again; and the only one that counts.
        image.Put(2, Block(8, 0xFF, 1), Block(16, 0xFF, 1), Block(24, 0xFF, 1), Block(32, 0xFF, 5));
        image.Put(3, Block(8, 0xFF, 2), Block(16, 0, 7));
        image.Put(4, Block(24, 0xFF, 3));
        Load(image);
        Fill(_a, 8, 2, 4096);
        Fill(_a, 16, 7, 4096);
        Fill(_a, 24, 9, 4096);
        Fill(_a, 32, 5, 4096);
        using DirectClient client = Open(layout, _a);
        Assert.Equal(Filled(3, 4096), client.Read(24 * 512, 4096));
        Assert.DoesNotContain(_log, static line => line.Contains("differ") || line.Contains("be known"));
    }

    /// <summary>Inside a record too.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void OfTwoVersionsInOneRecordTheLaterCounts(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 2 };
        image.Put(2, Block(8, 0xFF, 1), Block(8, 0xFF, 2), Block(8, 0x0F, 3));
        image.Put(3, Block(80, 0xFF, 4));
        Load(image);
        Fill(_a, 8, 3, 2048);
        Fill(_a, 12, 9, 2048);
        using DirectClient client = Open(layout, _a);
        Assert.Equal(Filled(4, 4096), client.Read(80 * 512, 4096));
        Assert.DoesNotContain(_log, static line => line.Contains("differ") || line.Contains("be known"));
    }

    /// <summary>Whoever has said once that it is the right one need not say so again.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ADiskThatWasTakenAllTheSameIsTakenFromThenOn(string layout)
    {
        Load(new KernelImage(layout, Segments));
        LeaveDirty(layout, _a, flushes: 1);
        Assert.Contains("has none of 16 blocks", Refused(() => Open(layout, _b)), StringComparison.Ordinal);
        using (DirectClient client = Open(layout, _b, rebind: true)) client.Stop();
        using (DirectClient client = Open(layout, _b))
            Assert.Equal(Filled(2, 4096), client.Read(40 * 4096, 4096));
        // And now the first one is another.
        Assert.Contains("another device", Refused(() => Open(layout, _a)), StringComparison.Ordinal);
    }

    /// <summary>What the log has of the one before says nothing about one that came while nothing was dirty.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ADiskThatWasExchangedWhileNothingWasDirtyIsNotRefusedLater(string layout)
    {
        Load(new KernelImage(layout, Segments));
        using (DirectClient client = Open(layout, _a))
        {
            client.Write(0, Filled(1, 20 * 4096));
            client.Flush();
            client.DrainAll();
            client.Stop();
        }
        using (DirectClient client = Open(layout, _b))
        {
            client.Write(40 * 4096, Filled(2, 4096));
            client.Flush();
            client.Stop();
        }
        using (DirectClient client = Open(layout, _b))
            Assert.Equal(Filled(2, 4096), client.Read(40 * 4096, 4096));
        Assert.Contains("another device", Refused(() => Open(layout, _a)), StringComparison.Ordinal);
    }

    /// <summary>However many segments are dirty: an orderly stop leaves none that may be half overwritten.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void AfterAnOrderlyStopAllThatWasWrittenBackCounts(string layout)
    {
        Load(new KernelImage(layout, Segments));
        LeaveDirty(layout, _a, flushes: 4);
        Assert.Contains("has none of 16 blocks", Refused(() => Open(layout, _b)), StringComparison.Ordinal);
    }

    /// <summary>Nor does a process that died, as far as its memory tells.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void AfterAKillAllThatMemoryDoesNotNameCounts(string layout)
    {
        Load(new KernelImage(layout, Segments));
        using SimRamStore store = new(new SimWorld(1, trace: false), outlivesProcess: true);
        LeaveDirty(layout, _a, flushes: 3, store);
        store.ProcessDied();
        Assert.Contains("has none of 16 blocks", Refused(() => Open(layout, _b, store)), StringComparison.Ordinal);
        using DirectClient client = Open(layout, _a, store);
        Assert.Equal(Filled(2, 4096), client.Read(42 * 4096, 4096));
    }

    /// <summary>Nothing written back yet: where it was found is all that is known, and the way on is named.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void WhereTheLogKnowsNothingAnotherPlaceIsRefused(string layout)
    {
        Load(new KernelImage(layout, Segments));
        using (DirectClient client = Open(layout, _a))
        {
            client.Write(0, Filled(1, 4096));
            client.Flush();
            client.Stop();
        }
        byte[] before = Bytes(_cache!);
        string refused = Refused(() => Open(layout, _b));
        Assert.Contains("was another device or in another place", refused, StringComparison.Ordinal);
        Assert.Contains("--option rebind=1", refused, StringComparison.Ordinal);
        Assert.Equal(before, Bytes(_cache!));
        using (DirectClient client = Open(layout, _a)) client.Stop();
        using (DirectClient client = Open(layout, _b, rebind: true)) client.Stop();
        using DirectClient bound = Open(layout, _b);
        Assert.Equal(Filled(1, 4096), bound.Read(0, 4096));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void ADiskThatWasWrittenWithoutItsCacheIsWarnedOf(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 2 };
        image.Put(2, Block(8, 0xFF, 1), Block(16, 0xFF, 2), Block(24, 0xFF, 3));
        image.Put(3, Block(80, 0xFF, 4));
        Load(image);
        for (int i = 1; i <= 3; i++) Fill(_a, 8 * i, (byte)i, 4096);
        using (DirectClient client = Open(layout, _a)) client.Stop();
        Fill(_a, 16, 7, 4096);
        using DirectClient again = Open(layout, _a);
        Assert.Contains(_log, static line => line.Contains("1 of", StringComparison.Ordinal));
    }

    /// <summary>Two disks with file systems have blocks that are the same: then only its own name tells.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ADiskWithSomeOfTheBlocksIsRefusedUnlessItsOwnNameIsKnown(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 2 };
        image.Put(2, Block(8, 0xFF, 1), Block(16, 0xFF, 2), Block(24, 0xFF, 3));
        image.Put(3, Block(80, 0xFF, 4));
        Load(image);
        for (int i = 1; i <= 3; i++) Fill(_a, 8 * i, (byte)i, 4096);
        Fill(_b, 8, 1, 4096);
        const string Found = "does not have 2 of";
        Assert.Contains(Found, Refused(() => Open(layout, _b)), StringComparison.Ordinal);
        using (DirectClient client = OpenPlaced(layout, _a)) client.Stop();
        // Where the other one was.
        string refused = Refused(() => OpenPlaced(layout, _b));
        Assert.Contains(Found, refused, StringComparison.Ordinal);
        Assert.Contains("--option rebind=1", refused, StringComparison.Ordinal);
        using DirectClient right = OpenPlaced(layout, _a);
        Assert.Equal(Filled(4, 4096), right.Read(80 * 512, 4096));
    }

    /// <summary>To take the first of two devices must not forget what was found of the second.</summary>
    [Fact]
    public void WhatTheLogHasOfTwoDevicesCountsAfterAStartWithNothingDirty()
    {
        Load(TwoDisks());
        using (DirectClient client = Open("lc1", Given(1, "x", _a), Given(2, "y", _b)))
        {
            client.DrainAll();
            client.Stop();
        }
        using (DirectClient client = Open("lc1", Given(1, "x", _a), Given(2, "y", _b))) client.Stop();
        Assert.Equal((Place(1, 0, "ram:4194304"), Place(2, 0, "ram:5242880")), (PlaceAt(1), PlaceAt(2)));
    }

    /// <summary>dm-lc formats without zeroing: a partition table may have been there, or an older cache.</summary>
    [Fact]
    public void NotesOfSomebodyElseSayNothing()
    {
        KernelImage image = TwoDisks();
        image.Bytes.AsSpan(4096, 4096).Fill(0xA5);
        Load(image);
        (*(ulong*)(_cache!.Start + 4128), *(ulong*)(_cache.Start + 4136)) = Place(1, 1000, "ram:77");
        Assert.Contains("has none of", Refused(() => Open("lc1", Given(1, "x", _b))), StringComparison.Ordinal);
        using (DirectClient client = Open("lc1", Given(1, "x", _a), Given(2, "y", _b))) client.Stop();
        Assert.Equal((Place(1, 0, "ram:4194304"), Place(2, 0, "ram:5242880")), (PlaceAt(1), PlaceAt(2)));
        Assert.Equal(-1, new Span<byte>(_cache.Start + 4096 + 64, 4096 - 64).IndexOfAnyExcept((byte)0));
    }

    /// <summary>There are places for so many in the ring, and a start may compare each with each.</summary>
    [Fact]
    public void ADeviceIsOpenedOnceToBeLookedAt()
    {
        Load(TwoDisks());
        OpenedDevice first = new(_a), second = new(_b);
        using DirectClient client = Open("lc1", Given(1, "x", first), Given(2, "y", second));
        // For the start, and by the one queue.
        Assert.Equal((2, 2), (first.Opened, second.Opened));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void WhereNothingWasWrittenBackItSaysThatItCannotKnow(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 1 };
        // Zeroes are on every blank disk.
        image.Put(1, Block(8, 0xFF, 0));
        Load(image);
        using (DirectClient client = Open(layout, _a))
            Assert.DoesNotContain(_log, static line => line.Contains("cannot be known", StringComparison.Ordinal));
        image.Put(2, Block(80, 0xFF, 4));
        Load(image);
        using DirectClient dirty = Open(layout, _a);
        Assert.Single(_log, static line => line.Contains("cannot be known", StringComparison.Ordinal));
    }

    /// <summary>A power cut has left new data below an old header; only the checksum of one layout tells.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ASegmentThatIsHalfOverwrittenProvesNothing(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 3 };
        for (int id = 2; id <= 5; id++) image.Put(id, Block(8 * (ulong)id, 0xFF, (byte)id));
        for (int id = 2; id <= 3; id++) image.Bytes.AsSpan(image.OffsetOf(id) + 4096, 4096).Fill(77);
        Load(image);
        for (int id = 2; id <= 3; id++) Fill(_a, 8 * id, (byte)id, 4096);
        using DirectClient client = Open(layout, _a);
        Assert.Equal(Filled(5, 4096), client.Read(40 * 512, 4096));
        Assert.DoesNotContain(_log, static line => line.Contains("differ", StringComparison.Ordinal));
    }

    /// <summary>Blocks that were read into the cache are on the disk, wherever in the log they are.</summary>
    [Fact]
    public void CleanBlocksAreKnown()
    {
        KernelImage image = new("writeboost2", Segments);
        image.Put(1, Block(8, 0, 1), Block(16, 0, 2), Block(80, 0xFF, 4));
        image.Put(2, Block(16, 0xFF, 3));
        Load(image);
        Fill(_a, 8, 1, 4096);
        Assert.Contains("has none of 1 blocks", Refused(() => Open("writeboost2", _b)), StringComparison.Ordinal);
        using DirectClient client = Open("writeboost2", _a);
        Assert.DoesNotContain(_log, static line => line.Contains("differ", StringComparison.Ordinal));
    }

    [Fact]
    public void TwoThatHaveChangedNumbersAreToldApart()
    {
        Load(TwoDisks());
        string refused = Refused(() => Open("lc1", Given(1, "x", _b), Given(2, "y", _a)));
        Assert.Contains("it holds what device 2 held: give 2:NAME=", refused, StringComparison.Ordinal);
        // One has nothing dirty, the other is missed.
        refused = Refused(() => Open("lc1", Given(3, "z", _b)));
        Assert.Contains("holds what device 2 of the cache held", refused, StringComparison.Ordinal);
        using DirectClient client = Open("lc1", Given(1, "x", _a), Given(2, "y", _b));
        Assert.Equal(Filled(31, 4096), client.Read(80 * 512, 4096));
        client.Device = 1;
        Assert.Equal(Filled(32, 4096), client.Read(80 * 512, 4096));
    }

    /// <summary>Nor at a start: an unknown device is not taken as long as it may be the one that is missed.</summary>
    [Fact]
    public void ANewDeviceIsRefusedWhileOneThatItMayBeIsMissed()
    {
        KernelImage image = new("lc1", Segments);
        image.Put(1, Block(80, 0xFF, 31), Block(80, 0xFF, 32) with { Device = 2 });
        Load(image);
        using RamDevice other = new(6 * Mib), small = new(40 * 512);
        string refused = Refused(() => Open("lc1", Given(1, "x", _a), Given(3, "z", other)));
        Assert.Contains("is new to this cache", refused, StringComparison.Ordinal);
        Assert.Contains("give 2:NAME=ram:", refused, StringComparison.Ordinal);
        Assert.Contains("--option rebind=1", refused, StringComparison.Ordinal);
        using (DirectClient client = Open("lc1", Given(1, "x", _a), Given(3, "z", small)))
        {
            refused = Refused(() => Attach(client, Given(4, "w", other)));
            Assert.Contains("is new to this cache", refused, StringComparison.Ordinal);
            client.Stop();
        }
        // It has been served under its number, where it still is.
        using (DirectClient client = Open("lc1", Given(1, "x", _a), Given(2, "y", _b), Given(3, "z", other)))
            client.Stop();
        using DirectClient missing = Open("lc1", Given(1, "x", _a), Given(3, "z", other));
        Assert.Equal(Filled(31, 4096), missing.Read(80 * 512, 4096));
    }

    [Fact]
    public void AtRunTimeAMissedDeviceIsComparedToo()
    {
        Load(TwoDisks());
        using RamDevice other = new(6 * Mib);
        using DirectClient client = Open("lc1", Given(1, "x", _a));
        string refused = Refused(() => Attach(client, Given(2, "y", other)));
        Assert.Contains("has none of 2 blocks", refused, StringComparison.Ordinal);
        refused = Refused(() => Attach(client, Given(3, "z", _b)));
        Assert.Contains("holds what device 2 of the cache held", refused, StringComparison.Ordinal);
        Attach(client, Given(2, "y", _b));
        client.Device = 1;
        Assert.Equal(Filled(32, 4096), client.Read(80 * 512, 4096));
        // What is known of it has ended with that: it is served.
        client.Write(8 * 512, Filled(50, 4096));
        client.Await(() =>
        {
            client.Volume.Detach("y", static () => false);
            return true;
        });
        Assert.Equal(50, _b.Start[8 * 512]);
        Attach(client, Given(2, "y", other));
    }

    /// <summary>Without the question the other disk is written over.</summary>
    [Fact]
    public void AMutantThatDoesNotAskIsCaught()
    {
        Load(TwoDisks());
        Mutant.Active = WriteboostMutant.R13LogNotAsked;
        try
        {
            using DirectClient client = Open("lc1", Given(1, "x", _b), Given(2, "y", _a));
            client.DrainAll();
            Assert.Equal((32, 31), (_a.Start[80 * 512], _b.Start[80 * 512]));
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    /// <summary>However large the log.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void AStartReadsAFewBlocks(string layout)
    {
        const int Many = 100;
        KernelImage image = new(layout, Many) { Mark = Many - 2 };
        for (int id = 1; id < Many; id++) image.Put(id, Block(8 * (ulong)id, 0xFF, (byte)id));
        Load(image);
        for (int id = 1; id < Many - 1; id++) Fill(_a, 8 * id, (byte)id, 4096);
        CountingDevice disk = new(_a), cache = new(_cache!);
        using DirectClient client = new(cache, disk, Options(layout, false));
        // What is compared, and what becomes the samples.
        Assert.InRange(disk.Reads, 1, KnownBlocks.MostCompared + 64);
        // Each header twice, what is looked at, and the rest of recovery.
        Assert.InRange(cache.Reads, Many, (2 * Many) + KnownBlocks.MostSegments + 20);
        Assert.DoesNotContain(_log, static line => line.Contains("differ", StringComparison.Ordinal));
    }

    /// <summary>What a start writes beside the kernel's bytes, and a stop.</summary>
    [Fact]
    public void TheNotesLieWhereTheyAreSaidTo()
    {
        Assert.Equal(4096, SegmentLayout.NotesOffset);
        Assert.Equal((32, 16), (SegmentNotes.DevicesOffset, SegmentNotes.DeviceBytes));
        Assert.Equal(4096, SegmentNotes.DevicesOffset + (254 * SegmentNotes.DeviceBytes));
        Load(TwoDisks());
        using (DirectClient client = Open("lc1", Given(1, "x", _a), Given(2, "y", _b))) client.Stop();
        byte* notes = _cache!.Start + 4096;
        Assert.NotEqual(default, *(Guid*)notes);
        Assert.Equal((0L, 0L), (*(long*)(notes + 16), *(long*)(notes + 24)));
        // Nothing has forgotten what the log had of either.
        Assert.Equal((Place(1, 0, "ram:4194304"), Place(2, 0, "ram:5242880")), (PlaceAt(1), PlaceAt(2)));
        Assert.Equal(-1, new Span<byte>(notes + 64, 4096 - 64).IndexOfAnyExcept((byte)0));
        // Another one says that it is the right one: behind the log's end.
        using (DirectClient client = new(_cache, [Given(1, "x", _b)], Options("lc1", rebind: true))) client.Stop();
        Assert.Equal(Place(1, 4, "ram:5242880"), PlaceAt(1));
    }

    // As the picture says: CRC32C of UUID, number, first segment and FNV-1a of the identity.
    private (ulong First, ulong Identity) Place(byte id, ulong first, string identity)
    {
        ulong hash =
            identity.Aggregate(0xCBF29CE484222325UL, static (sum, letter) => (sum ^ letter) * 0x100000001B3UL);
        byte[] covered =
        [
            .. new Span<byte>(_cache!.Start + 4096, 16), id,
            .. BitConverter.GetBytes(first), .. BitConverter.GetBytes(hash),
        ];
        uint check = ~covered.Aggregate(~0u, static (sum, value) => BitOperations.Crc32C(sum, value));
        return (first | ((ulong)(check >> 8) << 40), hash);
    }

    private (ulong First, ulong Identity) PlaceAt(int id)
    {
        ulong* place = (ulong*)(_cache!.Start + 4096 + 32 + (16 * (id - 1)));
        return (place[0], place[1]);
    }

    // Twenty blocks written back, then one dirty one in each of some segments.
    private void LeaveDirty(string layout, RamDevice disk, int flushes, SimRamStore? killed = null)
    {
        using DirectClient client = Open(layout, disk, killed);
        client.Write(0, Filled(1, 20 * 4096));
        client.Flush();
        client.DrainAll();
        for (int i = 0; i < flushes; i++)
        {
            client.Write((40 + i) * 4096, Filled(2, 4096));
            client.Flush();
        }
        if (killed == null) client.Stop();
    }

    private KernelImage TwoDisks()
    {
        KernelImage image = new("lc1", Segments) { Mark = 2 };
        KernelBlock[] first = [Block(8, 0xFF, 11), Block(16, 0xFF, 12)];
        KernelBlock[] second = [Block(8, 0xFF, 21) with { Device = 2 }, Block(16, 0xFF, 22) with { Device = 2 }];
        // What is behind the mark is nobody's to refuse.
        KernelBlock nobodys = Block(24, 0xFF, 9);
        image.Put(2, [.. first, .. second, nobodys with { Device = 255 }, nobodys with { Device = 0 }]);
        image.Put(3, Block(80, 0xFF, 31), Block(80, 0xFF, 32) with { Device = 2 });
        foreach ((RamDevice disk, KernelBlock[] blocks) in new[] { (_a, first), (_b, second) })
            foreach (KernelBlock block in blocks) Fill(disk, (int)block.Sector, block.Data[0], 4096);
        return image;
    }

    private static int Attach(DirectClient client, BackingSpec spec) => client.Await(() =>
    {
        using RingContext io = new();
        return client.Volume.Attach(spec with { Device = new KeptDevice(spec.Device) }, io).Device;
    });

    private void Load(KernelImage image)
    {
        _cache?.Dispose();
        _cache = new RamDevice(image.Bytes.Length);
        image.Bytes.CopyTo(new Span<byte>(_cache.Start, image.Bytes.Length));
    }

    private static BackingSpec Given(int id, string name, Device device) => new(id, name, device);

    private DirectClient Open(string layout, Device disk, bool rebind = false) =>
        new(_cache!, disk, Options(layout, rebind));

    private DirectClient Open(string layout, Device disk, SimRamStore? store) =>
        new(_cache!, disk, Options(layout, false), store);

    private DirectClient Open(string layout, params BackingSpec[] disks) =>
        new(_cache!, disks, Options(layout, false));

    private DirectClient OpenPlaced(string layout, Device disk) =>
        new(_cache!, new PlacedDevice(disk, "dev:8:16"), Options(layout, false));

    private WriteboostOptions Options(string layout, bool rebind) => new()
    {
        Layout = Layout.Find(layout), AllowWriteback = false, Rebind = rebind, Log = _log.Add,
    };

    private static string Refused(Action action) => Assert.Throws<UserErrorException>(action).Message;

    private static byte[] Bytes(RamDevice device) => new Span<byte>(device.Start, (int)device.SizeBytes).ToArray();

    private static void Fill(RamDevice device, int sector, byte value, int lengthBytes) =>
        new Span<byte>(device.Start + (sector * 512L), lengthBytes).Fill(value);

    private static KernelBlock Block(ulong sector, byte dirtyBits, byte value) =>
        new(sector, dirtyBits, Filled(value, 4096));

    private static byte[] Filled(byte value, int lengthBytes) => [.. Enumerable.Repeat(value, lengthBytes)];

    private sealed class OpenedDevice(Device inner) : WrappedDevice(inner)
    {
        public int Opened { get; private set; }

        public override DeviceQueue OpenQueue(IoContext io)
        {
            Opened++;
            return base.OpenQueue(io);
        }
    }
}
