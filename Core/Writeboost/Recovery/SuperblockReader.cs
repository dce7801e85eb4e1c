using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Metadata;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>Reads both superblock copies and decides which one counts. Writes nothing.</summary>
public static unsafe class SuperblockReader
{
    /// <summary>
    /// The newer whole copy of <paramref name="cache"/>; <paramref name="damaged"/> names a copy that is not whole. The
    /// next update begins with the other one: with copy B if <paramref name="copyBFirst"/>.
    /// </summary>
    /// <exception cref="UserErrorException">Neither copy is whole.</exception>
    public static Superblock Read(
        Layout layout, BlockingIo io, DeviceQueue queue, Device cache, out string? damaged, out bool copyBFirst)
    {
        if (cache.SizeBytes < Geometry.SuperblockRegionBytes)
            throw new UserErrorException($"{cache.Name}: too small for a cache: {cache.SizeBytes} bytes");
        using AlignedMemory memory = new(3 * Superblock.Bytes);
        if (layout is SegmentLayout segments)
        {
            (damaged, copyBFirst) = (null, false);
            return ReadSegments(segments, io, queue, cache, memory.Pointer);
        }
        Superblock* a = (Superblock*)memory.Pointer;
        Superblock* b = a + 1;
        io.Start(queue, IoKind.Read, 0, a, Superblock.Bytes);
        io.Start(queue, IoKind.Read, Superblock.CopyBOffset, b, Superblock.Bytes);
        io.WaitOrFail("reading the superblock", cache);
        CopyChoice choice = new(Superblock.IsValid(a), a->Generation, Superblock.IsValid(b), b->Generation);
        (damaged, copyBFirst) = (choice.Damaged, choice.BeginsWithB);
        if (choice.IsFound) return Checked(choice.TakesB ? b : a, cache);
        bool ours = a->Magic == Superblock.MagicValue || b->Magic == Superblock.MagicValue;
        throw new UserErrorException(ours
            ? $"{cache.Name}: both superblock copies are damaged"
            : $"{cache.Name}: not a weir cache: no superblock found");
    }

    // Whole and wrong: whoever wrote it made a mistake, and the other copy has it too. Where segments lie is for
    // OpenChecks, which says more.
    private static Superblock Checked(Superblock* superblock, Device cache)
    {
        if (superblock->HasPlaces && !superblock->IsConsistent)
            throw new UserErrorException($"{cache.Name}: the superblock says what cannot be: mark "
                + $"{superblock->MarkPosition} before record {superblock->MarkSequence}, settled up to "
                + $"{superblock->SettledPosition} before record {superblock->SettledSequence}, epoch "
                + $"{superblock->Epoch}; expected positions and records from 1, the mark at the start of a segment");
        return *superblock;
    }

    private static Superblock ReadSegments(
        SegmentLayout layout, BlockingIo io, DeviceQueue queue, Device cache, byte* memory)
    {
        byte* identity = memory + Geometry.BlockBytes, mark = identity + Geometry.BlockBytes;
        io.Start(queue, IoKind.Read, 0, memory, Geometry.BlockBytes);
        io.Start(queue, IoKind.Read, SegmentLayout.NotesOffset, identity, Geometry.BlockBytes);
        io.Start(queue, IoKind.Read, layout.SuperblockOffset(0), mark, Geometry.BlockBytes);
        io.WaitOrFail("reading the superblock", cache);
        if (!new ReadOnlySpan<byte>(memory, layout.Magic.Length).SequenceEqual(layout.Magic))
            throw new UserErrorException($"{cache.Name}: not a cache of layout {layout.Name}: no magic number found");
        long segments = Geometry.SegmentsIn(cache.SizeBytes, layout.SegmentBytes);
        if (segments < Geometry.MinSegments)
            throw new UserErrorException($"{cache.Name}: too small for a cache: {cache.SizeBytes} bytes");
        int count = SegmentCounter.Find(layout, io.Context, queue, cache, (int)Math.Min(segments, int.MaxValue));
        Superblock superblock = layout.ReadSuperblock(mark, count);
        superblock.CacheId = *(Guid*)identity;
        return superblock;
    }

    /// <summary>Either copy carries the magic: this is, or was, a cache of ours.</summary>
    public static bool IsOurs(ReadOnlySpan<byte> head)
    {
        ulong a = BitConverter.ToUInt64(head);
        ulong b = head.Length >= Superblock.CopyBOffset + 8
            ? BitConverter.ToUInt64(head[(int)Superblock.CopyBOffset..])
            : 0;
        return a == Superblock.MagicValue || b == Superblock.MagicValue;
    }
}
