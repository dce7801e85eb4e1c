using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Recovery;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Tools;

/// <summary><c>weir format dmcache</c>: metadata of an empty cache.</summary>
/// <param name="device">Where they are going to be.</param>
/// <param name="version">1 or 2.</param>
/// <param name="blockBytes">Bytes of a cache block: 32 KiB to 1 GiB in steps of 32 KiB.</param>
public sealed class CacheFormat(MetadataDevice device, int version, long blockBytes)
{
    /// <summary>Sizes of cache blocks are multiples of the one, and at most the other.</summary>
    public const int BlockBytesStep = (int)CacheGeometry.MinBlockBytes,
        BlockBytesMax = (int)CacheGeometry.MaxBlockBytes;

    private const int MemoryBlocks = 1024;

    /// <summary>The cache device, for messages; if not said, the metadata are on it.</summary>
    public string CacheName { get; init; } = device.Device.Name;

    /// <summary>Called when everything is checked and nothing is written; what it throws ends it.</summary>
    public Action Reserve { get; init; } = static () => { };

    /// <summary>
    /// Makes them, for as many places as the cache device has room for. <paramref name="isAtHead"/>: the metadata are
    /// at its head. One line that says what was made.
    /// </summary>
    public string Run(long cacheBytes, bool isAtHead)
    {
        CacheSizes.CheckBlockBytes(blockBytes);
        if (isAtHead) device.Limit(CacheRegion.BlocksFor(cacheBytes / blockBytes));
        long dataBytes = cacheBytes - (isAtHead ? device.Blocks * BlockKind.BlockBytes : 0);
        uint places = CacheSizes.CheckPlaces(dataBytes / blockBytes, CacheName, cacheBytes, blockBytes);
        CacheShape shape = new(version, (uint)(blockBytes / 512), places, device.Blocks);
        try
        {
            using CacheMetadata metadata = CacheMetadata.Create(shape, MemoryBlocks);
            // Of no policy yet: cache_dump and cache_repair fail where there are none at all.
            device.Run(metadata, () => metadata.TryBeginHints("", CacheMetadata.HintBytes, default));
            metadata.Head.Mark = new WriterMark(Guid.NewGuid(), IsInDoubt: false);
            Reserve();
            device.Commit(metadata);
        }
        catch (MetadataFullException full)
        {
            throw new UserErrorException($"{device.Device.Name}: {full.Message}; {places} places need "
                + $"{CacheMetadata.BlocksFor(version, places)}");
        }
        return $"version {version}, {places} places of {ByteSize.Format(blockBytes)}, metadata of {device.Blocks} "
            + "blocks of 4 KiB" + (isAtHead ? " at its head" : "");
    }
}
