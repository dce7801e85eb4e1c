using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Metadata;
using Weir.Core.SsdCache.Format;
using Errno = Weir.Native.Errno;

namespace Weir.Core.SsdCache.Recovery;

/// <summary>Writes both copies of a superblock, and waits for it; nobody is served.</summary>
internal static unsafe class SuperblockUpdate
{
    /// <summary>
    /// Makes <paramref name="superblock"/> durable with the next generation, beginning with the copy that may be lost;
    /// what was written.
    /// </summary>
    /// <exception cref="UserErrorException">The device cannot be written.</exception>
    public static SsdSuperblock Write(BlockingIo io, Device cache, SsdSuperblock superblock, bool beginsWithB)
    {
        using TwoCopyWriter writer = new(SsdSuperblock.Bytes, io.QueueOf(cache), io.Context);
        superblock.Generation++;
        SsdSuperblock.Seal(&superblock);
        *(SsdSuperblock*)writer.Pointer = superblock;
        (long first, long second) = (SsdSuperblock.CopyAOffset, SsdSuperblock.CopyBOffset);
        writer.Begin(beginsWithB ? second : first, beginsWithB ? first : second);
        while (writer.IsBusy) io.Turn();
        return writer.Result >= 0 ? superblock : throw new UserErrorException(
            $"{cache.Name}: writing the superblock failed: {Errno.Text(writer.Result)}");
    }
}
