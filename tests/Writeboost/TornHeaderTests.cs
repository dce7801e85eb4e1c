using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// A header over that of the lap before, any of its sectors on the device when the process dies: if it counts as the
/// whole new one, memory knows it again, and what it holds of later segments is not taken for somebody else's (R1).
/// </summary>
public sealed unsafe class TornHeaderTests
{
    private const int Segments = 6, Sectors = 8, SectorBytes = 512, Blocks = 3;
    private const long Segment = 7;

    [Theory]
    [InlineData("lc1")]
    [InlineData("writeboost1")]
    [InlineData("writeboost2")]
    public void AHeaderThatIsWholeIsKnownAgain(string name)
    {
        Layout layout = Layout.Find(name);
        using AlignedMemory made = new((Blocks + 1) * Geometry.BlockBytes), torn = new(made.SizeBytes);
        using AlignedMemory old = new(Geometry.BlockBytes);
        Write(layout, old.Pointer, Segment - Segments, 100);
        Write(layout, made.Pointer, Segment, Blocks);
        int whole = 0;
        for (int newSectors = 0; newSectors < 1 << Sectors; newSectors++)
        {
            for (int i = 0; i < Sectors; i++)
                Sector((newSectors >> i & 1) != 0 ? made.Pointer : old.Pointer, i).CopyTo(Sector(torn.Pointer, i));
            if (!Counts(layout, torn.Pointer)) continue;
            whole++;
            Assert.Equal(layout.HeaderSum(made.Pointer), layout.HeaderSum(torn.Pointer));
        }
        Assert.True(whole > 0);
        Write(layout, torn.Pointer, Segment, Blocks + 1);
        Assert.NotEqual(layout.HeaderSum(made.Pointer), layout.HeaderSum(torn.Pointer));
    }

    private static Span<byte> Sector(byte* header, int index) => new(header + (index * SectorBytes), SectorBytes);

    private static void Write(Layout layout, byte* header, long segment, int count)
    {
        Superblock superblock = layout.NewSuperblock(layout.DefaultSegmentBytes, Segments, Guid.NewGuid);
        Geometry geometry = layout.GeometryOf(superblock);
        LogEntry* entries = stackalloc LogEntry[count];
        for (int i = 0; i < count; i++)
            entries[i] = LogEntry.ForData(((ulong)Layout.OnlyDevice << 40) | (ulong)(segment + i), SectorMask.Full, 0);
        // Its blocks are zeroes: a layout with a checksum sums them.
        using AlignedMemory record = new((count + 1L) * Geometry.BlockBytes);
        RecordInfo info = new()
        {
            Position = geometry.Position(segment, 0), Sequence = segment, EntryCount = count,
        };
        layout.WriteHeader(record.Pointer, superblock, geometry, info, entries);
        Buffer.MemoryCopy(record.Pointer, header, Geometry.BlockBytes, Geometry.BlockBytes);
    }

    // As the new header, with all its blocks.
    private static bool Counts(Layout layout, byte* record)
    {
        Superblock superblock = layout.NewSuperblock(layout.DefaultSegmentBytes, Segments, Guid.NewGuid);
        Geometry geometry = layout.GeometryOf(superblock);
        return layout.TryReadHeader(record, superblock, geometry, geometry.Position(Segment, 0), out RecordInfo info)
            && info.EntryCount == Blocks && layout.IsWhole(record, info);
    }
}
