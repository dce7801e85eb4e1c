using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.Io;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Recovery;

/// <summary>
/// Gives metadata the blocks they want at the start: each call waits, and a block that cannot be read ends it (the
/// tools' MetadataDevice goes on with zeroes).
/// </summary>
internal sealed unsafe class MetadataReader(CacheMetadata metadata, BlockingIo io, Device device) : IDisposable
{
    /// <summary>Blocks that are read at a time where many are known beforehand.</summary>
    private const int BatchBlocks = 64;

    private readonly DeviceQueue _queue = io.QueueOf(device);
    private readonly AlignedMemory _buffer = new(BatchBlocks * CacheMetadata.BlockBytes);

    /// <summary>Calls <paramref name="attempt"/> until it has all blocks that it wants.</summary>
    /// <exception cref="UserErrorException">The device fails, or what is on it is no metadata of this kind.</exception>
    public void Run(Func<bool> attempt)
    {
        try
        {
            while (!attempt()) Fetch(metadata.MissingBlock);
        }
        catch (Exception e) when (e is DamagedMetadataException or RefusedMetadataException or MetadataFullException)
        {
            string advice = e is MetadataFullException ? MetadataAdvice.WhenFull : "'weir check dmcache' says more";
            throw new UserErrorException($"{device.Name}: {e.Message}; {advice}");
        }
    }

    private void Fetch(long block)
    {
        CheckInside(block);
        io.Start(_queue, IoKind.Read, block * CacheMetadata.BlockBytes, _buffer.Pointer, CacheMetadata.BlockBytes);
        io.WaitOrFail($"reading metadata block {block}", device);
        metadata.Supply(block, new ReadOnlySpan<byte>(_buffer.Pointer, CacheMetadata.BlockBytes));
    }

    /// <summary>Reads blocks whose numbers are known, many at a time, and supplies them.</summary>
    public void Fetch(ReadOnlySpan<ArrayBlock> blocks)
    {
        for (int first = 0; first < blocks.Length; first += BatchBlocks)
            FetchBatch(blocks.Slice(first, Math.Min(BatchBlocks, blocks.Length - first)));
    }

    /// <inheritdoc/>
    public void Dispose() => _buffer.Dispose();

    private void FetchBatch(ReadOnlySpan<ArrayBlock> blocks)
    {
        for (int i = 0; i < blocks.Length; i++)
        {
            CheckInside(blocks[i].Block);
            io.Start(_queue, IoKind.Read, blocks[i].Block * CacheMetadata.BlockBytes,
                _buffer.Pointer + ((long)i * CacheMetadata.BlockBytes), CacheMetadata.BlockBytes);
        }
        io.WaitOrFail("reading metadata", device);
        for (int i = 0; i < blocks.Length; i++)
            metadata.Supply(blocks[i].Block,
                new ReadOnlySpan<byte>(
                    _buffer.Pointer + ((long)i * CacheMetadata.BlockBytes), CacheMetadata.BlockBytes));
    }

    private void CheckInside(long block)
    {
        if (block >= 0 && (block + 1) * CacheMetadata.BlockBytes <= device.SizeBytes) return;
        throw new UserErrorException($"{device.Name}: metadata block {block} is named, but the device ends at block "
            + $"{device.SizeBytes / CacheMetadata.BlockBytes}");
    }
}
