using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Tools;

/// <summary>
/// Finds the newest record header of layout <c>native</c> on a device that has lost its superblock, without knowing
/// where segments lie: every 4 KiB is looked at. A header vouches for itself: its checksum, the nonce that its secret
/// gives, and a place that its own geometry gives. Writes nothing.
/// </summary>
internal sealed unsafe class HeaderSearch(BlockingIo io, DeviceQueue queue, Device device)
{
    private const int ChunkBytes = 1 << 20;

    private readonly List<FoundCache> _caches = [];

    /// <summary>The caches whose headers are there: more than one where an old one was formatted over.</summary>
    public IReadOnlyList<FoundCache> Caches => _caches;

    /// <summary>Looks through the whole device.</summary>
    public void Run()
    {
        using AlignedMemory chunk = new(ChunkBytes);
        for (long offset = Geometry.SuperblockRegionBytes; offset < device.SizeBytes; offset += ChunkBytes)
        {
            long length = Math.Min(ChunkBytes, device.SizeBytes - offset);
            io.Start(queue, IoKind.Read, offset, chunk.Pointer, length);
            io.WaitOrFail("reading the log", device);
            for (long at = 0; at + RecordHeader.Bytes <= length; at += RecordHeader.Bytes)
                Look((RecordHeader*)(chunk.Pointer + at), offset + at);
        }
    }

    private void Look(RecordHeader* header, long offset)
    {
        if (header->Magic != RecordHeader.MagicValue || !IsPossible(header)) return;
        Superblock superblock = new()
        {
            Magic = Superblock.MagicValue,
            Version = header->PlacementOffset == 0 ? Superblock.VersionValue : Superblock.GrownVersion,
            CacheId = header->CacheId,
            Secret = header->Secret,
            Epoch = header->Epoch,
            SegmentBytes = header->SegmentBytes,
            SegmentCount = header->SegmentCount,
            PlacementOffset = header->PlacementOffset,
            MarkPosition = header->MarkPosition,
        };
        Geometry geometry = Layout.Native.GeometryOf(superblock);
        bool belongs = header->Position > 0 && geometry.OffsetOf(header->Position) == offset
            && RecordHeader.IsValid(header, superblock, header->Position);
        if (belongs) Note(superblock, header->Position);
    }

    // The newest header is the last one of the newest life: a stale tail may have had larger positions (R4).
    private void Note(in Superblock superblock, long position)
    {
        Guid id = superblock.CacheId;
        FoundCache? cache = _caches.Find(found => found.Superblock.CacheId == id);
        if (cache == null) _caches.Add(cache = new FoundCache());
        cache.Headers++;
        bool isNewer = superblock.Epoch > cache.Superblock.Epoch
            || (superblock.Epoch == cache.Superblock.Epoch && position >= cache.NewestPosition);
        if (isNewer) (cache.Superblock, cache.NewestPosition) = (superblock, position);
    }

    private bool IsPossible(RecordHeader* header) =>
        header->SegmentBytes is >= Geometry.MinSegmentBytes and <= Geometry.MaxSegmentBytes
        && int.IsPow2(header->SegmentBytes)
        && header->SegmentCount >= Geometry.MinSegments
        && (uint)header->PlacementOffset < (uint)header->SegmentCount
        && Geometry.SegmentsIn(device.SizeBytes, header->SegmentBytes) >= header->SegmentCount;
}

/// <summary>A cache of which record headers were found.</summary>
internal sealed class FoundCache
{
    /// <summary>What its newest header says of the superblock.</summary>
    public Superblock Superblock { get; set; }

    /// <summary>Where that header lies in the log.</summary>
    public long NewestPosition { get; set; }

    /// <summary>Headers found.</summary>
    public long Headers { get; set; }
}
