using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Metadata;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Recovery;

namespace Weir.Core.SsdCache.Tools;

/// <summary>
/// <c>weir check ssdcache</c>: both superblock copies, both slots of every page, every entry, and blocks that two
/// places hold. Writes nothing.
/// </summary>
internal sealed class SsdChecker(IoContext io, Device cache, IItemWriter items)
{
    private readonly BlockingIo _io = new(io);
    private readonly Findings _findings = new(items);

    /// <summary>Told of "pages", how many were read, of how many.</summary>
    public Action<string, long, long>? Progress { get; init; }

    /// <summary>Bytes of the backing device, if it was named; 0: not known.</summary>
    public long BackingBytes { get; init; }

    /// <summary>Checks; the number of problems.</summary>
    public long Run()
    {
        SuperblockPair pair = SuperblockPair.Read(_io, cache);
        SsdSuperblockItems.Report(pair, items);
        DirectorySurvey? survey = null;
        try
        {
            SsdSuperblock superblock = pair.Chosen();
            survey = new DirectorySurvey(_io, cache, superblock) { Progress = Progress };
            CheckHead(pair, superblock);
            PageTexts texts = new(survey.Geometry, superblock);
            survey.Run((in FoundPage page) => Check(page, texts, superblock.IsClean), Check);
        }
        catch (UserErrorException fault)
        {
            _findings.Problem(fault.Message);
        }
        Summarise(survey);
        return _findings.Problems;
    }

    private void CheckHead(SuperblockPair pair, in SsdSuperblock superblock)
    {
        if (pair.Damaged is { } copy)
            _findings.Problem($"superblock copy {copy} is damaged: the next start, or repair, writes it anew");
        if (superblock.HasLostFlush)
            _findings.Say("note", "a flush has failed: the next start forgets what is clean, and writes what is dirty "
                + "again");
        if (BackingBytes != 0 && superblock.BackingBytes > BackingBytes)
            _findings.Problem($"the backing device has {BackingBytes} bytes, and had {superblock.BackingBytes} when it "
                + "was served last");
    }

    private void Check(in FoundPage page, PageTexts texts, bool wasStopped)
    {
        if (texts.Of(page) is { } text)
        {
            if (texts.IsNormal(page)) _findings.Say("note", text);
            else _findings.Problem(text);
        }
        else if (wasStopped && DirectoryPageIsOpen(page))
            _findings.Say("note", $"page {page.Number} is open although the last stop was orderly: what is clean there "
                + "is forgotten");
    }

    private static unsafe bool DirectoryPageIsOpen(in FoundPage page) => DirectoryPage.IsOpen(page.Image);

    private void Check(in EntryFault fault) =>
        _findings.Problem($"page {fault.Page}, {DirectorySurvey.Describe(fault.Slot)}: {fault.Text}");

    private void Summarise(DirectorySurvey? survey)
    {
        items.Begin("summary");
        items.Text("verdict", _findings.Problems == 0 ? "sound" : "damaged");
        items.Number("problems", _findings.Problems);
        if (survey != null)
        {
            items.Number("pages", survey.Geometry.Pages);
            items.Number("open_pages", survey.OpenPages);
            items.Number("lost_pages", survey.LostPages);
            items.Number("cached_blocks", survey.CachedBlocks);
            items.Number("dirty_blocks", survey.DirtyBlocks);
            items.Number("dirty_bytes", survey.DirtyBytes);
            items.Number("forgotten_blocks", survey.ForgottenBlocks);
        }
        items.End();
    }
}
