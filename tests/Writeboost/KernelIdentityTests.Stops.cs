using System;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <content>What the log knows after stops and kills, and where it knows nothing.</content>
public sealed unsafe partial class KernelIdentityTests
{
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
}
