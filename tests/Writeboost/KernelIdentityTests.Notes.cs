using System;
using System.Linq;
using System.Numerics;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <content>What is kept for the question, where, and what it costs.</content>
public sealed unsafe partial class KernelIdentityTests
{
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
}
