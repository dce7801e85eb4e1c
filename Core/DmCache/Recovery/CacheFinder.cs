using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Settings;
using Weir.Core.Io;

namespace Weir.Core.DmCache.Recovery;

/// <summary>The devices of a cache. Without <see cref="Metadata"/>, metadata lie at the head of the cache.</summary>
internal sealed record CacheDevices(Device Cache, Device? Metadata, Device Backing)
{
    /// <summary>Where the metadata lie.</summary>
    public Device Home => Metadata ?? Cache;
}

/// <summary>
/// Reads the metadata of a cache, compares them with the devices, and decides what of them counts (B13, B14). Writes
/// nothing.
/// </summary>
internal sealed class CacheFinder(BlockingIo io, CacheDevices devices, DmCacheOptions options)
{
    /// <summary>Metadata blocks kept in memory while a volume is served: one for so many places.</summary>
    private const int PlacesPerBlock = 16_384, CacheBlocksMin = 256, CacheBlocksMax = 8192;

    /// <summary>Metadata of a cache that is there. Throws when it cannot be opened, with both values.</summary>
    public FoundCache Find()
    {
        CacheMetadata metadata = new(CacheBlocks);
        MetadataReader reader = new(metadata, io, devices.Home);
        try
        {
            reader.Run(metadata.TryOpen);
            CheckHead(metadata.Head);
            CheckMetadataSize(metadata.MetadataBlocks);
            FoundCache found = new()
            {
                Metadata = metadata, Reader = reader, IsOnCache = devices.Metadata == null,
                Geometry = GeometryOf(metadata, reader),
            };
            Believe(found);
            return found;
        }
        catch
        {
            reader.Dispose();
            metadata.Dispose();
            throw;
        }
    }

    /// <summary>Blocks of metadata to keep in memory.</summary>
    private int CacheBlocks =>
        (int)Math.Clamp(devices.Cache.SizeBytes / CacheGeometry.MinBlockBytes / PlacesPerBlock, CacheBlocksMin,
            CacheBlocksMax);

    private void CheckHead(Superblock head)
    {
        if (head.NeedsCheck)
            throw new UserErrorException($"{devices.Home.Name}: a commit of these metadata has failed (needs_check): "
                + "run 'weir check dmcache', then 'weir repair dmcache --write'");
        long blockBytes = head.BlockSectors * (long)CacheGeometry.SectorBytes;
        CacheSizes.CheckBlockBytes(blockBytes);
        if (options.BlockBytes != 0 && options.BlockBytes != blockBytes)
            throw new UserErrorException($"{devices.Home.Name}: has blocks of {ByteSize.Format(blockBytes)}; "
                + $"{ByteSize.Format(options.BlockBytes)} does not change that: leave it out");
        if (options.MetadataVersion != head.Version && options.HasMetadataVersion)
            options.Log($"{devices.Home.Name}: has metadata of version {head.Version}; metadata_version="
                + $"{options.MetadataVersion} does not change that");
        if (head.Places == 0) throw new UserErrorException($"{devices.Home.Name}: names no cache block");
    }

    // Metadata stay as large as they were made.
    private void CheckMetadataSize(long blocks)
    {
        if (devices.Metadata is not { } device) return;
        long there = device.SizeBytes / CacheMetadata.BlockBytes;
        if (there < blocks)
            throw new UserErrorException($"{device.Name}: has shrunk: it has {there} blocks of 4 KiB, and was "
                + $"formatted with {blocks} of metadata; enlarge it again");
        if (there > blocks && there <= CacheMetadata.MaxBlocks)
            options.Log($"{device.Name}: has {there} blocks of 4 KiB, and was formatted with {blocks}: metadata do not "
                + "grow");
    }

    private void SayWhatChanged(long there, uint places, Superblock head)
    {
        string was = $"the metadata name {head.Places} cache blocks, and there is room for {there}";
        if (there != head.Places && places != head.Places)
            options.Log($"{devices.Cache.Name}: {was}: {places} are used");
        long pieceBytes = head.DiscardBlockSectors * CacheGeometry.SectorBytes;
        if (pieceBytes == 0 || head.DiscardBlocks == 0) return;
        long bytes = devices.Backing.SizeBytes, pieces = (bytes + pieceBytes - 1) / pieceBytes;
        if (pieces != head.DiscardBlocks && bytes / pieceBytes != head.DiscardBlocks)
            options.Log($"{devices.Backing.Name}: has {bytes} bytes, and had about "
                + $"{head.DiscardBlocks * pieceBytes} when these metadata were last used");
    }

    // A cache device that has grown is used as far as the metadata can name its places.
    private CacheGeometry GeometryOf(CacheMetadata metadata, MetadataReader reader)
    {
        long blockBytes = metadata.Head.BlockSectors * (long)CacheGeometry.SectorBytes;
        long offset = devices.Metadata == null ? metadata.MetadataBlocks * CacheMetadata.BlockBytes : 0;
        long there = (devices.Cache.SizeBytes - offset) / blockBytes;
        uint places = CacheSizes.CheckPlaces(there, devices.Cache.Name, devices.Cache.SizeBytes, blockBytes);
        places = Nameable(places, metadata, reader);
        SayWhatChanged(there, places, metadata.Head);
        return new CacheGeometry(blockBytes, places, devices.Backing.SizeBytes, offset);
    }

    private uint Nameable(uint places, CacheMetadata metadata, MetadataReader reader)
    {
        uint named = metadata.Head.Places;
        if (places <= named) return places;
        long missing = 0;
        reader.Run(() => metadata.TryCountMissing(places, out missing));
        if (missing == 0) return places;
        options.Log($"{devices.Cache.Name}: has room for {places} blocks, for which the metadata lack {missing} blocks "
            + $"of 4 KiB: {named} are used");
        return named;
    }

    private void Believe(FoundCache found)
    {
        Superblock head = found.Metadata.Head;
        // A repair leaves the mark, and says in it what it could not know.
        bool isOurs = head.Mark is { IsInDoubt: false } || Mutant.Is(DmCacheMutant.B13StrangersBelieved);
        found.IsBelieved = head.IsClean;
        found.IsInDoubt = head.IsClean && !isOurs;
        if (!head.IsClean) found.Note = "was not stopped by its last user: every cached block counts as dirty";
        else if (!isOurs)
            found.Note = "was last used by the kernel or another program: clean blocks are compared with the backing "
                + "device before they are dropped";
    }
}
