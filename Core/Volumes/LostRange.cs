using System;
using System.Collections.Generic;
using System.Text;
using Weir.Core.Base;

namespace Weir.Core.Volumes;

/// <summary>Sectors of a backing device that are lost: only the cache had them, and it does not give them.</summary>
/// <param name="Device">Name of the device.</param>
/// <param name="OffsetBytes">Where they begin on it.</param>
/// <param name="LengthBytes">How long they are.</param>
internal readonly record struct LostRange(string Device, long OffsetBytes, long LengthBytes)
{
    /// <summary>What <c>give_up</c> calls everything.</summary>
    public const string Everything = "all";

    /// <summary>How a user goes on, for the end of a sentence that names them.</summary>
    public const string Advice = "overwrite them, or give them up: 'weir message give_up NAME:OFFSET+LENGTH', "
        + "or 'give_up all'";

    /// <summary>Ranges that one line names, and lines of a list.</summary>
    private const int MaxInLine = 16, MaxLines = 1000;

    private const int SectorBytes = 512;

    /// <summary>As <c>give_up</c> takes it.</summary>
    public override string ToString() => $"{Device}:{OffsetBytes}+{LengthBytes}";

    /// <summary>A number of blocks in words.</summary>
    public static string Count(long blocks) => blocks == 1 ? "1 block" : $"{blocks} blocks";

    /// <summary>Some of the ranges, and how many more there are, in one line.</summary>
    public static string Describe(List<LostRange> ranges)
    {
        StringBuilder text = new();
        for (int i = 0; i < Math.Min(ranges.Count, MaxInLine); i++) text.Append(i == 0 ? "" : ", ").Append(ranges[i]);
        if (ranges.Count > MaxInLine) text.Append($" and {ranges.Count - MaxInLine} ranges more");
        return text.ToString();
    }

    /// <summary>One range in a line, then, when there are more, how many: for <c>lost_blocks</c>.</summary>
    public static string List(List<LostRange> ranges)
    {
        StringBuilder text = new(ranges.Count == 0 ? "nothing is lost\n" : "");
        for (int i = 0; i < Math.Min(ranges.Count, MaxLines); i++)
            text.Append($"{ranges[i].Device} {ranges[i].OffsetBytes} {ranges[i].LengthBytes}\n");
        if (ranges.Count > MaxLines) text.Append($"and {ranges.Count - MaxLines} ranges more\n");
        return text.ToString();
    }

    /// <summary>What <paramref name="text"/> of a <c>give_up</c> names: NAME:OFFSET+LENGTH, in bytes.</summary>
    /// <exception cref="UserErrorException">It is no such range, or none of <paramref name="sizeBytes"/>.</exception>
    public static LostRange Parse(string text, long sizeBytes = long.MaxValue)
    {
        int colon = text.LastIndexOf(':'), plus = text.LastIndexOf('+');
        bool isRange = colon > 0 && plus > colon;
        long offset = 0, length = 0;
        isRange = isRange && ByteSize.TryParse(text.AsSpan()[(colon + 1)..plus], out offset)
            && ByteSize.TryParse(text.AsSpan()[(plus + 1)..], out length) && length > 0;
        if (!isRange)
            throw new UserErrorException($"give_up '{text}': expected NAME:OFFSET+LENGTH in bytes, as 'lost_blocks' "
                + $"has them, or '{Everything}'", 2);
        if (offset > sizeBytes || length > sizeBytes - offset)
            throw new UserErrorException($"give_up '{text}': ends behind the volume, which has {sizeBytes} bytes", 2);
        if (offset % SectorBytes != 0 || length % SectorBytes != 0)
            throw new UserErrorException($"give_up '{text}': expected multiples of {SectorBytes} bytes", 2);
        return new LostRange(text[..colon], offset, length);
    }
}
