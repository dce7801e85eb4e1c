using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Weir.Core.DmCache.Format;
using Weir.Core.Io;
using Weir.Core.Metadata;

namespace Weir.Core.DmCache.Tools;

/// <summary>
/// <c>weir check dmcache</c>: what <c>cache_check</c> says, and beyond it: mappings past the backing device's end,
/// homes at two places, blocks that are counted wrong, and how many clean blocks are in doubt. Writes nothing.
/// </summary>
public sealed class CacheChecker(MetadataDevice device, IItemWriter items)
{
    private readonly Findings _findings = new(items);
    private long _mapped;
    private long _flagged;

    /// <summary>
    /// Bytes of the backing device; 0: not known, then the discard marks say how many there are at most.
    /// </summary>
    public long BackingBytes { get; init; }

    /// <summary>Bytes of the cache device behind the metadata; 0: not known.</summary>
    public long CacheBytes { get; init; }

    /// <summary>Checks; the number of problems.</summary>
    public long Run()
    {
        try
        {
            using CacheSurvey survey = CacheSurvey.Run(device, _findings.Problem);
            Report(survey.Head, survey.Blocks);
            CheckHead(survey);
            CheckMappings(survey);
            if (device.UnreadBlocks > 0) Problem($"{device.UnreadBlocks} blocks cannot be read: the device fails");
            Summarise(survey);
        }
        catch (Base.UserErrorException fault)
        {
            Problem(fault.Message);
            items.Begin("summary");
            items.Text("verdict", "damaged");
            items.Number("problems", _findings.Problems);
            items.End();
        }
        return _findings.Problems;
    }

    /// <summary>What the superblock says, as an item.</summary>
    internal void Report(Superblock head, long blocks)
    {
        items.Begin("superblock");
        items.Number("version", head.Version);
        items.Text("clean_shutdown", YesNo(head.IsClean));
        items.Text("needs_check", YesNo(head.NeedsCheck));
        items.Text("last_writer", head.Mark == null ? "another" : "weir");
        items.Text("policy", head.PolicyName);
        items.Number("hint_size_bytes", head.HintBytes);
        items.Number("block_size_bytes", head.BlockSectors * 512L);
        items.Number("places", head.Places);
        items.Number("discard_block_size_bytes", head.DiscardBlockSectors * 512);
        items.Number("discard_blocks", head.DiscardBlocks);
        items.Number("metadata_blocks", blocks);
        items.End();
    }

    private static string YesNo(bool value) => value ? "yes" : "no";

    private void CheckHead(CacheSurvey survey)
    {
        if (survey.Head.NeedsCheck) Note("a commit has failed: the flag needs_check is set; 'weir repair' clears it");
        if (device.Blocks < survey.Blocks)
            Note($"the device has {device.Blocks} blocks, the metadata count on {survey.Blocks}");
        long places = CacheBytes / 512 / survey.Head.BlockSectors;
        if (CacheBytes > 0 && places < survey.Head.Places)
            Problem($"the cache device has room for {places} blocks, the metadata are for {survey.Head.Places}");
    }

    private void CheckMappings(CacheSurvey survey)
    {
        long homes = survey.HomesOf(BackingBytes);
        List<(long Home, long Place)> mapped = [];
        for (long place = 0; place < survey.Head.Places; place++)
        {
            Mapping mapping = survey.At(place);
            bool isDirty = !survey.Mappings.IsLost(place) && survey.HasDirtyFlag(place);
            if (mapping.UnknownFlags != 0 || (survey.Head.Version == 2 && mapping.IsDirty))
                Problem($"place {place}: unknown flags in {mapping.Word:x}");
            if (!mapping.IsValid)
            {
                if (mapping.Word != 0) Problem($"place {place}: {mapping.Word:x}, and it is not valid");
                if (isDirty && survey.Dirty?.IsLost(place / 64) != true)
                    Problem($"place {place}: dirty, and nothing is there");
                continue;
            }
            _mapped++;
            if (isDirty) _flagged++;
            if (mapping.Home >= homes)
                Problem($"place {place}: home {mapping.Home} is past the end of the backing device, of {homes} blocks");
            mapped.Add((mapping.Home, place));
        }
        CheckBitsPastEnd(survey);
        CheckHomes(mapped);
    }

    private void CheckBitsPastEnd(CacheSurvey survey)
    {
        if (survey.Dirty is not { Count: > 0 } dirty || survey.Head.Places % 64 == 0) return;
        if (dirty[dirty.Count - 1] >> (int)(survey.Head.Places % 64) != 0)
            Problem("dirty bits: some are set past the last place");
    }

    private void CheckHomes(List<(long Home, long Place)> mapped)
    {
        CollectionsMarshal.AsSpan(mapped).Sort();
        for (int i = 1; i < mapped.Count; i++)
            if (mapped[i].Home == mapped[i - 1].Home)
                Problem($"places {mapped[i - 1].Place} and {mapped[i].Place} both hold home {mapped[i].Home}");
    }

    private void Summarise(CacheSurvey survey)
    {
        Superblock head = survey.Head;
        bool isOurs = head.Mark is { IsInDoubt: false };
        if (!head.IsClean) Note($"the last writer was interrupted: all {_mapped} mapped blocks count as dirty");
        long inDoubt = head.IsClean && !isOurs ? _mapped - _flagged : 0;
        if (inDoubt > 0)
            Note($"{inDoubt} clean blocks are in doubt: a kernel has written last, and leaves its flag set after "
                + "suspend and resume; weir compares them before it drops them");
        if (head.Mark is { LostFlush: true })
            Note("a flush of the cache device has failed: the next start forgets what is clean, and writes what is "
                + "dirty again");
        items.Begin("summary");
        items.Text("verdict", _findings.Problems == 0 ? "sound" : "damaged");
        items.Number("problems", _findings.Problems);
        items.Number("mapped_blocks", _mapped);
        items.Number("dirty_blocks", head.IsClean ? _flagged : _mapped);
        items.Number("in_doubt_blocks", inDoubt);
        items.End();
    }

    private void Note(string text) => _findings.Say("note", text);

    private void Problem(string text) => _findings.Problem(text);
}
