using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.Io;
using Weir.Core.Metadata;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Tools;

/// <summary>
/// <c>weir repair dmcache</c>: writes anew what can be read, into blocks that nothing refers to, and the superblock
/// last: until then everything is as it was. What was dirty stays so, and what cannot be told is taken for dirty.
/// </summary>
public sealed class CacheRepairer(MetadataDevice device, IItemWriter items)
{
    private const int MemoryBlocks = 1024;
    private readonly Findings _findings = new(items);
    private bool _mustDecide;

    /// <summary>Does it; else it only says what it would do.</summary>
    public bool Write { get; init; }

    /// <summary>
    /// Mappings that cannot be read, or cannot be right, are dropped, with the data that only they name.
    /// </summary>
    public bool DropsLost { get; init; }

    /// <summary>
    /// Bytes of the backing device; 0: not known, then the discard marks say how many there are at most.
    /// </summary>
    public long BackingBytes { get; init; }

    /// <summary>False when more must be decided first. Throws <see cref="UserErrorException"/>.</summary>
    public bool Run()
    {
        using CacheSurvey survey = CacheSurvey.Run(device, _findings.Problem);
        ulong[] mappings = Mappings(survey);
        if (_mustDecide)
        {
            Say("decide", "--drop-lost drops these mappings; dirty data that only they name is lost then");
            return false;
        }
        if (_findings.Problems == 0 && !survey.Head.NeedsCheck)
        {
            Say("note", "nothing to repair");
            return true;
        }
        Describe(survey);
        if (Write) Rebuild(survey, mappings);
        return true;
    }

    // What the new metadata map; and what has to be decided for that.
    private ulong[] Mappings(CacheSurvey survey)
    {
        ulong[] mappings = new ulong[survey.Head.Places];
        for (long place = 0; place < mappings.Length; place++) mappings[place] = Clean(survey, place);
        DropPastEnd(survey, mappings);
        if (survey.Mappings.LostCount > 0)
            Decide($"{survey.Mappings.LostCount} places: what they hold cannot be read");
        DropDoubles(survey, mappings);
        return mappings;
    }

    private ulong Clean(CacheSurvey survey, long place)
    {
        Mapping mapping = survey.At(place);
        if (!mapping.IsValid)
        {
            if (mapping.Word != 0 || (survey.HasDirtyFlag(place) && survey.Dirty?.IsLost(place / 64) == false))
                Problem($"place {place}: flags, and nothing is there");
            return 0;
        }
        bool isOdd = mapping.UnknownFlags != 0 || (survey.Head.Version == 2 && mapping.IsDirty);
        if (isOdd) Problem($"place {place}: unknown flags in {mapping.Word:x}: it is taken for dirty");
        return Mapping.WordOf(mapping.Home, isOdd || survey.HasDirtyFlag(place));
    }

    // No volume can serve it, and no write-back can take it home.
    private void DropPastEnd(CacheSurvey survey, ulong[] mappings)
    {
        long homes = survey.HomesOf(BackingBytes);
        for (long place = 0; place < mappings.Length; place++)
        {
            Mapping mapping = new(mappings[place]);
            if (!mapping.IsValid || mapping.Home < homes) continue;
            Decide($"place {place}: home {mapping.Home} is past the end of the backing device, of {homes} blocks");
            mappings[place] = 0;
        }
    }

    // One of several dirty ones is right at most; the clean ones hold what is at home.
    private void DropDoubles(CacheSurvey survey, ulong[] mappings)
    {
        Dictionary<long, long> places = [];
        bool isTrusted = survey.Head is { IsClean: true, Mark.IsInDoubt: false };
        for (long place = 0; place < mappings.Length; place++)
        {
            Mapping mapping = new(mappings[place]);
            if (!mapping.IsValid || places.TryAdd(mapping.Home, place)) continue;
            long other = places[mapping.Home];
            bool isOtherDirty = new Mapping(mappings[other]).IsDirty;
            string what = $"places {other} and {place} both hold home {mapping.Home}";
            if (isTrusted && !(mapping.IsDirty && isOtherDirty)) Problem(what + ": the clean one is dropped");
            else Decide(what);
            bool dropsOther = mapping.IsDirty && !isOtherDirty;
            mappings[dropsOther ? other : place] = 0;
            if (dropsOther) places[mapping.Home] = place;
        }
    }

    private void Decide(string what)
    {
        Problem(what);
        _mustDecide |= !DropsLost;
    }

    private void Describe(CacheSurvey survey)
    {
        string does = Write ? "" : "would be ";
        if (_findings.Problems > 0)
            Say("repair", $"mappings, dirty flags, hints, discards and space map {does}written anew");
        if (survey.Dirty is { LostCount: > 0 } lost)
            Say("repair", $"dirty bits of {lost.LostCount * 64} places cannot be read: what is mapped there {does}"
                + "marked dirty");
        if (survey.Head.NeedsCheck) Say("repair", $"the flag needs_check {does}cleared");
        if (!Write) Say("note", "nothing was written; --write does it");
    }

    private void Rebuild(CacheSurvey survey, ulong[] mappings)
    {
        try
        {
            long blocks = Math.Min(survey.Blocks, device.Blocks);
            using CacheMetadata metadata = CacheMetadata.CreateBeside(
                device.Read(0), blocks, block => survey.References[block] > 0, MemoryBlocks);
            CopyMappings(survey, metadata, mappings);
            CopyHints(survey, metadata);
            CopyDiscards(survey, metadata);
            metadata.Head.NeedsCheck = false;
            // Whoever was trusted before is, but what was damaged may have been a dirty bit: clean blocks are compared.
            if (metadata.Head.Mark is { } mark && _findings.Problems > 0)
                metadata.Head.Mark = mark with { IsInDoubt = true };
            device.Commit(metadata);
        }
        catch (MetadataFullException full)
        {
            throw new UserErrorException($"{device.Device.Name}: no room to write the metadata anew beside the old "
                + $"ones ({full.Message}); dump them, and restore them on a larger device");
        }
    }

    private static void CopyMappings(CacheSurvey survey, CacheMetadata metadata, ulong[] mappings)
    {
        bool isSeparate = survey.Head.Version == 2;
        for (uint place = 0; place < mappings.Length; place++)
        {
            ulong word = mappings[place];
            if (word != 0) Must(metadata.TrySetMapping(place, isSeparate ? word & ~Mapping.Dirty : word));
        }
        for (uint word = 0; isSeparate && word < Bitset.WordsOf(mappings.Length); word++)
        {
            ulong bits = 0;
            for (int i = 0; i < 64 && word * 64L + i < mappings.Length; i++)
                if (new Mapping(mappings[word * 64 + i]).IsDirty) bits |= 1UL << i;
            if (bits != 0) Must(metadata.TrySetDirtyWord(word, bits));
        }
    }

    private static void CopyHints(CacheSurvey survey, CacheMetadata metadata)
    {
        Superblock head = metadata.Head;
        // The kernel's tools cannot read metadata that have none at all.
        Must(metadata.TryBeginHints(head.PolicyName, CacheMetadata.HintBytes, head.PolicyVersion));
        if (survey.Hints is not { } hints) return;
        for (uint place = 0; place < Math.Min(head.Places, hints.Count); place++)
            if (hints[place] != 0) Must(metadata.TrySetHint(place, hints[place]));
    }

    private static void CopyDiscards(CacheSurvey survey, CacheMetadata metadata)
    {
        Must(metadata.TryResizeDiscards(survey.Head.DiscardBlockSectors, survey.Head.DiscardBlocks));
        for (long word = 0; word < survey.Discards.Count; word++)
        {
            long left = survey.Head.DiscardBlocks - word * 64;
            ulong bits = survey.Discards[word] & (left >= 64 ? ulong.MaxValue : (1UL << (int)left) - 1);
            if (bits != 0) Must(metadata.TrySetDiscardWord(word, bits));
        }
    }

    // Nothing of new metadata is missing.
    private static void Must(bool isDone) => Invariant.Check(isDone);

    private void Problem(string text) => _findings.Problem(text);

    private void Say(string kind, string text) => _findings.Say(kind, text);
}
