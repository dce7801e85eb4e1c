using System;
using System.Globalization;
using System.Text;
using Weir.Core.DmCache.Format;
using Weir.Core.Io;

namespace Weir.Core.DmCache.Tools;

/// <summary>
/// <c>weir dump dmcache</c>: the XML that <c>cache_dump</c> writes, byte for byte. It has no room for version, flags,
/// statistics and discards; as items, everything is told.
/// </summary>
public sealed class CacheDumper(CacheSurvey survey)
{
    private const int FlushChars = 1 << 16;

    /// <summary>
    /// What XML does not say and a restore would forget, for people; null: nothing. Dirty flags of an interrupted
    /// writer are stale.
    /// </summary>
    public string? Warning => survey.Head.IsClean ? null
        : "the last writer was interrupted: the dirty flags of this dump say nothing, every mapped block counts as "
            + "dirty; restore it with --omit-clean-shutdown";

    /// <summary>
    /// The discard marks too, in an element that <see cref="CacheRestorer"/> knows. The kernel's tools do not.
    /// </summary>
    public bool WithDiscards { get; init; }

    /// <summary>Writes the XML, piece by piece.</summary>
    public void WriteXml(Action<string> write)
    {
        StringBuilder text = new();
        Superblock head = survey.Head;
        text.Append(CultureInfo.InvariantCulture,
            $"<superblock uuid=\"\" block_size=\"{head.BlockSectors}\" nr_cache_blocks=\"{head.Places}\" ");
        text.Append(CultureInfo.InvariantCulture,
            $"policy=\"{Escape(head.PolicyName)}\" hint_width=\"{HintWidth}\">\n  <mappings>\n");
        ForEachMapped(text, write, place => text.Append(CultureInfo.InvariantCulture,
            $"    <mapping cache_block=\"{place}\" origin_block=\"{survey.At(place).Home}\" "
                + $"dirty=\"{(survey.HasDirtyFlag(place) ? "true" : "false")}\"/>\n"));
        text.Append("  </mappings>\n  <hints>\n");
        ForEachMapped(text, write, place =>
        {
            if (survey.Hints is not { } hints || place >= hints.Count || hints.IsLost(place)) return;
            string data = Convert.ToBase64String(BitConverter.GetBytes(hints[place]));
            text.Append(CultureInfo.InvariantCulture, $"    <hint cache_block=\"{place}\" data=\"{data}\"/>\n");
        });
        text.Append("  </hints>\n");
        if (WithDiscards) AppendDiscards(text);
        text.Append("</superblock>");
        write(text.ToString());
    }

    /// <summary>Tells each mapping and each run of discards as an item.</summary>
    public void WriteItems(IItemWriter items)
    {
        for (long place = 0; place < survey.Head.Places && items.WantsMore; place++)
        {
            if (!survey.At(place).IsValid) continue;
            items.Begin("mapping");
            items.Number("cache_block", place);
            items.Number("origin_block", survey.At(place).Home);
            items.Text("dirty", survey.HasDirtyFlag(place) ? "true" : "false");
            if (survey.Hints is { } hints && place < hints.Count) items.Number("hint", hints[place]);
            items.End();
        }
        DiscardRuns.ForEach(survey, (first, end) =>
        {
            items.Begin("discard");
            items.Number("first_block", first);
            items.Number("end_block", end);
            items.End();
        });
    }

    // Where there are no hints yet, what they will have, as 0.9 has it (1.1 cannot read such metadata).
    private uint HintWidth => survey.Hints == null ? CacheMetadata.HintBytes : survey.Head.HintBytes;

    private void AppendDiscards(StringBuilder text)
    {
        Superblock head = survey.Head;
        text.Append(CultureInfo.InvariantCulture,
            $"  <discards block_size=\"{head.DiscardBlockSectors}\" nr_blocks=\"{head.DiscardBlocks}\">\n");
        DiscardRuns.ForEach(survey, (first, end) => text.Append(
            CultureInfo.InvariantCulture, $"    <discard dbegin=\"{first}\" dend=\"{end}\"/>\n"));
        text.Append("  </discards>\n");
    }

    private void ForEachMapped(StringBuilder text, Action<string> write, Action<long> append)
    {
        for (long place = 0; place < survey.Head.Places; place++)
        {
            if (survey.At(place).IsValid) append(place);
            if (text.Length < FlushChars) continue;
            write(text.ToString());
            text.Clear();
        }
    }

    private static string Escape(string text) => text.Replace("&", "&amp;").Replace("<", "&lt;")
        .Replace(">", "&gt;").Replace("\"", "&quot;").Replace("'", "&apos;");
}

/// <summary>Runs of discard blocks that are marked.</summary>
internal static class DiscardRuns
{
    /// <summary>Tells each run: its first block, and the one behind it.</summary>
    public static void ForEach(CacheSurvey survey, Action<long, long> tell)
    {
        long first = -1;
        for (long block = 0; block < survey.Head.DiscardBlocks; block++)
        {
            bool isMarked = (survey.Discards[block / 64] >> (int)(block % 64) & 1) != 0;
            if (isMarked && first < 0) first = block;
            if (isMarked || first < 0) continue;
            tell(first, block);
            first = -1;
        }
        if (first >= 0) tell(first, survey.Head.DiscardBlocks);
    }
}
