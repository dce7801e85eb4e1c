using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Policies;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Tools;

/// <summary>
/// <c>weir restore dmcache</c>: makes metadata from the XML that <see cref="CacheDumper"/> or <c>cache_dump</c> has
/// written. They carry no mark of weir's: whether what the text calls clean was so, is not known, and weir compares
/// such blocks before it drops them.
/// </summary>
public sealed class CacheRestorer(MetadataDevice device)
{
    private const int MemoryBlocks = 1024;

    private CacheMetadata? _metadata;
    private ulong[] _dirty = [];
    private readonly Dictionary<long, uint> _places = [];
    private long _mapped;
    private long _dirtyCount;

    /// <summary>1 or 2.</summary>
    public int Version { get; init; } = 2;

    /// <summary>The metadata say that the last writer was interrupted: every block counts as dirty.</summary>
    public bool OmitsCleanShutdown { get; init; }

    /// <summary>They go to the head of the cache device, which has room for as many as the places need.</summary>
    public bool IsAtHead { get; init; }

    /// <summary>
    /// Reads it, and only then writes. One line that says what was made; throws <see cref="UserErrorException"/>.
    /// </summary>
    public string Run(TextReader xml)
    {
        XmlTags tags = new(xml);
        try
        {
            while (tags.TryRead())
                if (!tags.IsEnd) Take(tags);
            if (_metadata == null) throw tags.Fault("there is no <superblock>");
            WriteDirty();
            _metadata.Head.IsClean = !OmitsCleanShutdown;
            if (IsAtHead && HasLostFlush())
                _metadata.Head.Mark = new WriterMark(Guid.NewGuid(), IsInDoubt: true, LostFlush: true);
            device.Commit(_metadata);
            return $"{_metadata.Head.Places} places of {ByteSize.Format(_metadata.Head.BlockSectors * 512L)}, version "
                + $"{Version}, {_mapped} mapped, {_dirtyCount} dirty; they name no devices: serve them "
                + "with those of the dump";
        }
        catch (MetadataFullException full)
        {
            throw new UserErrorException($"{device.Device.Name}: {full.Message}");
        }
        finally
        {
            _metadata?.Dispose();
        }
    }

    private CacheMetadata Metadata(XmlTags tags) => _metadata ?? throw tags.Fault($"<{tags.Name}> before <superblock>");

    private void Take(XmlTags tags)
    {
        switch (tags.Name)
        {
            case "superblock": Begin(tags); break;
            case "mapping": Map(tags); break;
            case "hint": Hint(tags); break;
            case "discards": BeginDiscards(tags); break;
            case "discard": Discard(tags); break;
            case "mappings" or "hints": break;
            default: throw tags.Fault($"<{tags.Name}>, expected superblock, mapping, hint or discard");
        }
    }

    private void Begin(XmlTags tags)
    {
        if (_metadata != null) throw tags.Fault("a second <superblock>");
        uint places = (uint)tags.Number("nr_cache_blocks", uint.MaxValue - 1, least: 1);
        uint sectors = BlockSectors(tags);
        string policy = tags["policy"] ?? "";
        // The text does not say which version its hints are of.
        (int major, int minor, int patch) = PolicyOf(policy, tags)?.Version ?? default;
        device.IsOnCache |= IsAtHead;
        if (IsAtHead) device.Limit(CacheRegion.BlocksFor(places));
        long needed = CacheMetadata.BlocksFor(Version, places);
        if (needed > device.Blocks)
            throw new UserErrorException($"{device.Device.Name}: has room for {device.Blocks} blocks of metadata, and "
                + $"{places} cache blocks need {needed}");
        _metadata = CacheMetadata.Create(new CacheShape(Version, sectors, places, device.Blocks), MemoryBlocks);
        if (Version == 2) _dirty = new ulong[Bitset.WordsOf(places)];
        // 0.9 leaves 0 in metadata that have hints: the kernel's are of 4 bytes, whatever is said here.
        if (tags.Number("hint_width", CacheMetadata.HintBytes) is not (0 or CacheMetadata.HintBytes))
            throw tags.Fault($"hint_width=\"{tags["hint_width"]}\", expected {CacheMetadata.HintBytes}");
        Must(_metadata.TryBeginHints(policy, CacheMetadata.HintBytes, ((uint)major, (uint)minor, (uint)patch)));
    }

    // What a volume refuses, or makes nothing of, is a slip of the pen.
    private static uint BlockSectors(XmlTags tags)
    {
        const long step = CacheGeometry.MinBlockBytes / CacheGeometry.SectorBytes,
            most = CacheGeometry.MaxBlockBytes / CacheGeometry.SectorBytes;
        long sectors = tags.Number("block_size", uint.MaxValue);
        if (sectors is < step or > most || sectors % step != 0)
            throw tags.Fault($"block_size=\"{sectors}\", expected a multiple of {step} sectors from {step} to {most}");
        return (uint)sectors;
    }

    // Null: of none yet.
    private static PolicyInfo? PolicyOf(string name, XmlTags tags)
    {
        if (name.Length == 0) return null;
        return PolicyTable.Find(name) ?? throw tags.Fault(PolicyTable.TextOfUnknown(name));
    }

    private void Map(XmlTags tags)
    {
        CacheMetadata metadata = Metadata(tags);
        uint place = Place(tags);
        long home = tags.Number("origin_block", Mapping.MaxHomes - 1);
        bool isDirty = tags["dirty"] switch
        {
            "true" => true,
            "false" => false,
            _ => throw tags.Fault($"dirty=\"{tags["dirty"]}\", expected true or false"),
        };
        Must(metadata.TryReadMappings(place, out ReadOnlySpan<ulong> words));
        if (words[0] != 0) throw tags.Fault($"a second mapping of cache block {place}");
        if (!_places.TryAdd(home, place))
            throw tags.Fault($"origin_block=\"{home}\" is in cache block {_places[home]} too");
        Must(metadata.TrySetMapping(place, Mapping.WordOf(home, isDirty && Version == 1)));
        if (isDirty && Version == 2) _dirty[place / 64] |= 1UL << (int)(place % 64);
        _mapped++;
        if (isDirty) _dirtyCount++;
    }

    private void Hint(XmlTags tags)
    {
        CacheMetadata metadata = Metadata(tags);
        uint place = Place(tags);
        Span<byte> bytes = stackalloc byte[CacheMetadata.HintBytes + 4];
        if (!Convert.TryFromBase64String(tags["data"] ?? "", bytes, out int count) || count != CacheMetadata.HintBytes)
            throw tags.Fault($"data=\"{tags["data"]}\", expected 4 bytes in base 64");
        Must(metadata.TrySetHint(place, BitConverter.ToUInt32(bytes)));
    }

    private void BeginDiscards(XmlTags tags)
    {
        if (tags["block_size"] == null) return;
        long count = tags.Number("nr_blocks", device.Blocks * CacheMetadata.BlockBytes);
        Must(Metadata(tags).TryResizeDiscards(tags.Number("block_size", long.MaxValue), count));
    }

    private void Discard(XmlTags tags)
    {
        CacheMetadata metadata = Metadata(tags);
        if (metadata.Head.DiscardBlocks == 0) throw tags.Fault("a discard, and <discards> does not say of what size");
        long first = tags.Number("dbegin", metadata.Head.DiscardBlocks);
        long end = tags.Number("dend", metadata.Head.DiscardBlocks);
        for (long block = first; block < end; block++)
        {
            Must(metadata.TryReadDiscardWords(block / 64, out ReadOnlySpan<ulong> words));
            Must(metadata.TrySetDiscardWord(block / 64, words[0] | 1UL << (int)(block % 64)));
        }
    }

    // The blocks that follow are the same, whatever their metadata are made from (B6).
    private unsafe bool HasLostFlush()
    {
        ReadOnlySpan<byte> found = device.Read(0);
        if (!MetadataProbe.IsWholeSuperblock(found)) return false;
        fixed (byte* bytes = found) return SuperblockCodec.Read((DiskSuperblock*)bytes).Mark is { LostFlush: true };
    }

    private void WriteDirty()
    {
        for (uint word = 0; word < _dirty.Length; word++)
            if (_dirty[word] != 0) Must(_metadata!.TrySetDirtyWord(word, _dirty[word]));
    }

    private uint Place(XmlTags tags) => (uint)tags.Number("cache_block", (long)Metadata(tags).Head.Places - 1);

    // Nothing of new metadata is missing.
    private static void Must(bool isDone) => Invariant.Check(isDone);
}
