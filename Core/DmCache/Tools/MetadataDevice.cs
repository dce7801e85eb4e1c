using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Recovery;
using Weir.Core.Io;
using Weir.Core.Metadata.Persistent;
using Errno = Weir.Native.Errno;

namespace Weir.Core.DmCache.Tools;

/// <summary>
/// Where metadata lie: a device of their own, or the first blocks of the cache device. Waits for every read and write.
/// </summary>
public sealed unsafe class MetadataDevice : IDisposable
{
    private const int BlockBytes = BlockKind.BlockBytes;

    // Blocks of one array mostly follow each other.
    private const int AheadBlocks = 32;

    private readonly BlockingIo _io;
    private readonly DeviceQueue _queue;
    private readonly AlignedMemory _buffer = new(AheadBlocks * BlockBytes);

    /// <summary>On <paramref name="device"/>, from its first byte on.</summary>
    public MetadataDevice(IoContext io, Device device)
    {
        Device = device;
        _io = new BlockingIo(io);
        _queue = _io.QueueOf(device);
        Blocks = Math.Min(device.SizeBytes / BlockBytes, CacheMetadata.MaxBlocks);
        if (Blocks == 0)
            throw new UserErrorException(
                $"{device.Name}: has {device.SizeBytes} bytes, a block of metadata {BlockBytes}");
    }

    /// <summary>The device.</summary>
    public Device Device { get; }

    /// <summary>Blocks of 4 KiB that there is room for.</summary>
    public long Blocks { get; private set; }

    /// <summary>Only as many of them are for metadata.</summary>
    public void Limit(long blocks) => Blocks = Math.Min(Blocks, blocks);

    /// <summary>They are at the head of the cache device: blocks of the cache follow.</summary>
    public bool IsOnCache { get; set; }

    /// <summary>Told of "blocks", how many were read, of how many at most.</summary>
    public Action<string, long, long>? Progress { get; init; }

    /// <summary>Blocks that could not be read so far; they count as zeroes.</summary>
    public long UnreadBlocks { get; private set; }

    /// <summary>Blocks that were read so far.</summary>
    public long ReadBlocks { get; private set; }

    /// <summary>One block; valid until the next read.</summary>
    public ReadOnlySpan<byte> Read(long block)
    {
        Fetch(block, 1);
        return new ReadOnlySpan<byte>(_buffer.Pointer, BlockBytes);
    }

    /// <summary>Calls until no block is missing.</summary>
    internal void Run(BlockManager blocks, Func<bool> call)
    {
        while (!call())
        {
            int count = Fetch(blocks.MissingBlock, AheadBlocks);
            blocks.BeginOperation();
            for (int i = 0; i < count; i++) blocks.Supply(blocks.MissingBlock + i, At(i));
        }
    }

    /// <summary>The same.</summary>
    internal void Run(CacheMetadata metadata, Func<bool> call)
    {
        while (!call())
        {
            long block = metadata.MissingBlock;
            int count = Fetch(block, AheadBlocks);
            for (int i = 0; i < count; i++) metadata.Supply(block + i, At(i));
        }
    }

    /// <summary>Writes what was changed, and the superblock last, each durable before what comes after it.</summary>
    internal void Commit(CacheMetadata metadata)
    {
        bool isPrepared = metadata.TryPrepareCommit();
        Invariant.Check(isPrepared);
        if (!Mutant.Is(DmCacheMutant.B6OldRootOverwritten)) FlushFound();
        for (int i = 0; i < metadata.WriteCount; i++)
        {
            long block = metadata.BlockToWrite(i, out byte* bytes);
            _io.Start(_queue, IoKind.Write, block * BlockBytes, bytes, BlockBytes);
            if (i % AheadBlocks == AheadBlocks - 1) Finish();
        }
        Finish();
        Flush();
        _io.Start(_queue, IoKind.Write, 0, metadata.SuperblockToWrite, BlockBytes);
        Finish();
        Flush();
        metadata.EndCommit(succeeded: true);
    }

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    // Free blocks are free by a superblock that may not be durable yet: the one before it may need them (B6).
    private void FlushFound()
    {
        bool isFound = TryRead(0, 1) && MetadataProbe.IsWholeSuperblock(At(0));
        FirstFlush first = new(_io, Device, isFound ? _buffer.Pointer : null);
        first.WriteFound();
        first.Run(Device, hasData: IsOnCache);
    }

    private ReadOnlySpan<byte> At(int index) =>
        new(_buffer.Pointer + (long)index * BlockBytes, BlockBytes);

    // As many blocks from this one on as can be read at once; at least this one, and if it is zeroes.
    private int Fetch(long block, int most)
    {
        int count = (int)Math.Clamp(Blocks - block, 1, most);
        if (block < Blocks && TryRead(block, count)) return Counted(count);
        new Span<byte>(_buffer.Pointer, BlockBytes).Clear();
        if (block < Blocks && !TryRead(block, 1))
        {
            UnreadBlocks++;
            new Span<byte>(_buffer.Pointer, BlockBytes).Clear();
        }
        return Counted(1);
    }

    private int Counted(int count)
    {
        ReadBlocks += count;
        Progress?.Invoke("blocks", Math.Min(ReadBlocks, Blocks), Blocks);
        return count;
    }

    private bool TryRead(long block, int count)
    {
        _io.Start(_queue, IoKind.Read, block * BlockBytes, _buffer.Pointer, (long)count * BlockBytes);
        return _io.Wait() >= 0;
    }

    private void Finish() => _io.WaitOrFail("writing metadata", Device);

    private void Flush()
    {
        _io.StartFlush(_queue);
        int error = _io.Wait();
        if (error < 0)
            throw new UserErrorException($"{Device.Name}: flushing metadata failed: {Errno.Text(error)}");
    }
}
