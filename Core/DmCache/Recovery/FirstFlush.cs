using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.Io;
using Errno = Weir.Native.Errno;

namespace Weir.Core.DmCache.Recovery;

/// <summary>
/// The first flush of a start or of a tool, before anything is written where an older superblock may have something
/// (B6). A flush that failed in an earlier life, and was told to nobody who lives, may have lost what shows still:
/// every flush after it succeeds and covers nothing of that. So block 0 is written again as it was found, for this
/// flush to cover it. What it names was flushed before it was written.
/// </summary>
/// <param name="io">Waits.</param>
/// <param name="home">Where the metadata are.</param>
/// <param name="superblock">Block 0 as it was found; null: it is none.</param>
internal sealed unsafe class FirstFlush(BlockingIo io, Device home, byte* superblock)
{
    private readonly byte* _superblock = superblock;

    /// <summary>Writes block 0 again. Before <see cref="Run"/>.</summary>
    /// <exception cref="UserErrorException">The device refuses it.</exception>
    public void WriteFound()
    {
        if (_superblock == null || Mutant.Is(DmCacheMutant.B6FoundRootTrusted)) return;
        WriteRoot();
        io.WaitOrFail("writing the superblock again", home);
    }

    /// <summary>
    /// Flushes a device. <paramref name="hasData"/>: clients' data are on it, and if it fails the superblock says so
    /// from then on, because nobody else will.
    /// </summary>
    /// <exception cref="UserErrorException">It has failed.</exception>
    public void Run(Device device, bool hasData)
    {
        io.StartFlush(io.QueueOf(device));
        int result = io.Wait();
        if (result >= 0) return;
        if (hasData && _superblock != null && !Mutant.Is(DmCacheMutant.B6FirstLossNotNoted)) NoteLoss();
        throw new UserErrorException($"{device.Name}: flushing failed: {Errno.Text(result)}");
    }

    // Where that fails too, nothing else can be done.
    private void NoteLoss()
    {
        SuperblockCodec.NoteLostFlush(_superblock);
        WriteRoot();
        if (io.Wait() < 0) return;
        io.StartFlush(io.QueueOf(home));
        io.Wait();
    }

    private void WriteRoot() =>
        io.Start(io.QueueOf(home), IoKind.Write, 0, _superblock, CacheMetadata.BlockBytes);
}
