using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Recovery;

namespace Weir.Core.SsdCache.Tools;

/// <summary><c>weir format ssdcache</c>: a superblock and the directory of an empty cache.</summary>
internal sealed unsafe class SsdFormat(IoContext io, Device cache, int blockBytes)
{
    private const int ChunkBytes = 1 << 20;

    // Other formats have magic numbers up to here (a weir log begins at 1 MiB): the device is not theirs any more.
    private const long ErasedBytes = (1 << 20) + 4096;

    private readonly BlockingIo _io = new(io);
    private readonly SsdGeometry _geometry = SsdGeometry.For(cache.SizeBytes, blockBytes, cache.Name);

    /// <summary>Told of "bytes", how many were written, of how many.</summary>
    public Action<string, long, long>? Progress { get; init; }

    /// <summary>For a new name.</summary>
    public Func<Guid> NewGuid { get; init; } = Guid.NewGuid;

    private DeviceQueue Queue => _io.QueueOf(cache);

    private long EndOfPages => _geometry.PageOffset(0, 1);

    private long EndOfZeroes => Math.Max(_geometry.DataOffset, Math.Min(ErasedBytes, _geometry.EndOffset));

    /// <summary>
    /// Makes the cache, over whatever is there; one line that says what was made. Interrupted, it leaves no cache: the
    /// superblock goes first, and comes last.
    /// </summary>
    /// <exception cref="UserErrorException">The device is too small or too large, or cannot be written.</exception>
    public string Run()
    {
        SsdSuperblock superblock = SsdSuperblock.New(_geometry, NewGuid(), cache.Identity);
        using AlignedMemory memory = new(ChunkBytes);
        WriteZeroes(memory, 0, SsdGeometry.DirectoryOffset);
        Flush();
        WritePages(memory, superblock.CacheId);
        new Span<byte>(memory.Pointer, ChunkBytes).Clear();
        WriteZeroes(memory, EndOfPages, EndOfZeroes);
        Flush();
        SuperblockUpdate.Write(_io, cache, superblock, beginsWithB: false);
        return $"{_geometry.Sets} sets of {SsdGeometry.Ways} blocks of {ByteSize.Format(blockBytes)}, directory of "
            + ByteSize.Format(2L * _geometry.Pages * _geometry.PageBytes);
    }

    private void WritePages(AlignedMemory memory, Guid cacheId)
    {
        int most = ChunkBytes / _geometry.PageBytes;
        for (int first = 0; first < _geometry.Pages; first += most)
        {
            int count = Math.Min(most, _geometry.Pages - first);
            for (int i = 0; i < count; i++) Fill(memory.Pointer + (i * _geometry.PageBytes), cacheId, first + i);
            Write(memory, _geometry.PageOffset(first, 0), count * _geometry.PageBytes);
        }
    }

    private void Fill(byte* page, Guid cacheId, int number)
    {
        DirectoryPage.Clear(page, _geometry, cacheId, number);
        DirectoryPage.Header(page).Sequence = 1;
        DirectoryPage.Seal(page, _geometry.PageBytes);
    }

    private void WriteZeroes(AlignedMemory zeroes, long first, long end)
    {
        for (long at = first; at < end; at += ChunkBytes) Write(zeroes, at, (int)Math.Min(ChunkBytes, end - at));
    }

    private void Write(AlignedMemory from, long offset, int bytes)
    {
        _io.Start(Queue, IoKind.Write, offset, from.Pointer, bytes);
        _io.WaitOrFail("writing the directory", cache);
        Progress?.Invoke("bytes", offset + bytes, EndOfZeroes);
    }

    private void Flush()
    {
        _io.StartFlush(Queue);
        _io.WaitOrFail("flush", cache);
    }
}
