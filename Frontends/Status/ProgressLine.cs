using System;
using System.Diagnostics;

namespace Weir.Frontends.Status;

/// <summary>
/// How far a tool has come, on standard error: one line that is drawn again and again on a terminal, else a plain line
/// every few seconds. Drawn here, because this is all it takes.
/// </summary>
internal sealed class ProgressLine
{
    private const int BarWidth = 40;
    private const double PlainIntervalS = 5;

    private readonly bool _isTerminal = !Console.IsErrorRedirected;
    private readonly long _startedAt = Stopwatch.GetTimestamp();
    private double _nextPlainS = PlainIntervalS;
    private bool _isDrawn;

    /// <summary>Standard error is a terminal on which a line can be drawn again.</summary>
    public static bool HasTerminal =>
        !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    /// <summary>Blocks done so far.</summary>
    public long DoneBlocks { get; private set; }

    /// <summary>Blocks left.</summary>
    public long LeftBlocks { get; private set; }

    /// <summary><paramref name="left"/> of <paramref name="total"/> blocks are still to do.</summary>
    public void Report(long left, long total)
    {
        (LeftBlocks, DoneBlocks) = (left, total - left);
        double seconds = Stopwatch.GetElapsedTime(_startedAt).TotalSeconds;
        if (_isTerminal) Console.Error.Write("\r" + Line(total, seconds));
        else if (seconds >= _nextPlainS) Console.Error.WriteLine("weir: " + Line(total, seconds));
        if (seconds >= _nextPlainS) _nextPlainS = seconds + PlainIntervalS;
        _isDrawn |= _isTerminal;
    }

    /// <summary>Ends the line.</summary>
    public void Finish()
    {
        if (_isDrawn) Console.Error.WriteLine();
    }

    private string Line(long total, double seconds)
    {
        double share = total == 0 ? 1 : (double)DoneBlocks / total;
        double rate = DoneBlocks / Math.Max(seconds, 0.1);
        string text = $"{share * 100,5:F1}%  {DoneBlocks} of {total} blocks, {rate:F0}/s";
        if (!_isTerminal) return text.TrimStart();
        int filled = (int)(share * BarWidth);
        return $"[{new string('=', filled)}{new string(' ', BarWidth - filled)}] {text}\u001b[K";
    }
}
