using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Metadata;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Recovery;

namespace Weir.Core.SsdCache.Tools;

/// <summary>
/// <c>weir repair ssdcache</c>: a damaged page is written anew from its other slot, and where both are lost an empty
/// one; entries that cannot be are mended or dropped; both superblock copies are written last. What counts is never
/// written over: a page goes to its other slot, so that repair can be interrupted anywhere. Memory: a number for each
/// fault.
/// </summary>
internal sealed class SsdRepairer(IoContext io, Device cache, IItemWriter items)
{
    private readonly BlockingIo _io = new(io);
    private readonly Findings _findings = new(items);
    private readonly HashSet<int> _pages = [];
    private readonly HashSet<uint> _dropped = [];
    private bool _mustDecide;

    /// <summary>Does it; else it only says what it would do.</summary>
    public bool Write { get; init; }

    /// <summary>Dirty entries that are lost, or cannot be right, are given up.</summary>
    public bool DropsLost { get; init; }

    /// <summary>Told of "pages", how many were read, of how many.</summary>
    public Action<string, long, long>? Progress { get; init; }

    /// <summary>False when more must be decided first.</summary>
    /// <exception cref="UserErrorException">No superblock is whole, or the device fails.</exception>
    public bool Run()
    {
        SuperblockPair pair = SuperblockPair.Read(_io, cache);
        SsdSuperblock superblock = pair.Chosen();
        Plan(superblock);
        if (pair.Damaged is { } copy) _findings.Problem($"superblock copy {copy} is damaged");
        if (_mustDecide)
        {
            _findings.Say("decide", "--drop-lost goes on without these; dirty data that only they name are lost then");
            return false;
        }
        if (_findings.Problems == 0 && _pages.Count == 0)
        {
            _findings.Say("note", "nothing to repair");
            return true;
        }
        Describe(pair);
        if (Write) Apply(pair, superblock);
        return true;
    }

    private void Plan(in SsdSuperblock superblock)
    {
        DirectorySurvey survey = new(_io, cache, superblock) { Progress = Progress };
        PageTexts texts = new(survey.Geometry, superblock);
        survey.Run((in FoundPage page) => Plan(page, texts, survey.Geometry), Plan);
    }

    private void Plan(in FoundPage page, PageTexts texts, SsdGeometry geometry)
    {
        if (texts.Of(page) is not { } text) return;
        _pages.Add(page.Number);
        if (page.IsInDoubt) text += KeptOf(page, geometry);
        if (texts.IsNormal(page)) _findings.Say("note", text);
        else Problem(text, isLoss: page.IsLost && texts.MayBeDirty);
    }

    private static unsafe string KeptOf(in FoundPage page, SsdGeometry geometry)
    {
        (long dirty, long clean) = (0, 0);
        for (int entry = 0; entry < DirectoryPage.EntriesOf(geometry, page.Number); entry++)
        {
            if (!DirectoryPage.IsUsed(page.Image, geometry, entry)) continue;
            if (DirectoryPage.IsDirty(page.Image, geometry, entry)) dirty++;
            else clean++;
        }
        return $": of the older one, {dirty} dirty blocks are kept, and {clean} clean ones are forgotten";
    }

    // Clean copies can go at any time; of two dirty ones, one at most is right.
    private void Plan(in EntryFault fault)
    {
        _pages.Add(fault.Page);
        bool isTwin = fault.Twin != TagTable.None;
        string text = $"page {fault.Page}, {DirectorySurvey.Describe(fault.Slot)}: {fault.Text}";
        bool isLoss = fault.IsDirty && (fault.IsMisplaced || (isTwin && fault.IsTwinDirty));
        Problem(text, isLoss);
        if (isTwin && !fault.IsTwinDirty) _dropped.Add(fault.Twin);
        if (fault.IsMisplaced || (isTwin && (!fault.IsDirty || fault.IsTwinDirty))) _dropped.Add(fault.Slot);
    }

    private void Problem(string text, bool isLoss)
    {
        _findings.Problem(text);
        _mustDecide |= isLoss && !DropsLost;
    }

    private void Describe(SuperblockPair pair)
    {
        string does = Write ? "" : "would be ";
        if (_pages.Count > 0) _findings.Say("repair", $"{_pages.Count} pages {does}written anew");
        if (_dropped.Count > 0) _findings.Say("repair", $"{_dropped.Count} entries {does}dropped");
        if (pair.Damaged is { } copy) _findings.Say("repair", $"superblock copy {copy} {does}written anew");
        if (!Write) _findings.Say("note", "nothing was written; --write does it");
    }

    private void Apply(SuperblockPair pair, SsdSuperblock superblock)
    {
        using PageRepair repair = new(_io, cache, superblock, _pages, _dropped);
        if (_pages.Count > 0) repair.Run();
        // A page that is open now says so itself; no stop has closed it.
        if (repair.HasOpened) superblock.Flags &= ~SsdSuperblock.CleanFlag;
        SuperblockUpdate.Write(_io, cache, superblock, pair.BeginsWithB);
        _findings.Say("done", $"wrote {_pages.Count} pages and the superblock");
    }
}
