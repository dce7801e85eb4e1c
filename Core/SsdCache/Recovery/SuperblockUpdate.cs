using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Recovery;

/// <summary>Writes both copies of the superblock, one after the other, while nobody is served.</summary>
internal static unsafe class SuperblockWriter
{
    /// <summary>
    /// Seals it and writes it: a copy, flush, the other, flush. The first is the one that may be lost.
    /// </summary>
    /// <exception cref="UserErrorException">The device fails.</exception>
    public static void Write(BlockingIo io, Device cache, in SsdSuperblock superblock, bool beginsWithB)
    {
        using AlignedMemory memory = new(SsdSuperblock.Bytes);
        *(SsdSuperblock*)memory.Pointer = superblock;
        SsdSuperblock.Seal((SsdSuperblock*)memory.Pointer);
        for (int i = 0; i < 2; i++)
        {
            long offset = (i == 0) == beginsWithB ? SsdSuperblock.CopyBOffset : SsdSuperblock.CopyAOffset;
            io.Start(io.QueueOf(cache), IoKind.Write, offset, memory.Pointer, SsdSuperblock.Bytes);
            io.WaitOrFail("writing the superblock", cache);
            io.StartFlush(io.QueueOf(cache));
            io.WaitOrFail("flushing the superblock", cache);
        }
    }
}
