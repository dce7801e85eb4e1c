using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;

namespace Weir.Frontends.Status;

/// <summary>
/// How far a tool has come: one line that is drawn again and again on a terminal, as wide as that is at the moment,
/// else a plain line every two seconds. No escape codes: a carriage return, and blanks over what was longer.
/// </summary>
/// <param name="output">Where to.</param>
/// <param name="columns">Columns of the terminal now; null when it is none, or cannot go back in a line.</param>
/// <param name="seconds">A clock.</param>
internal sealed class ProgressLine(TextWriter output, Func<int>? columns, Func<double> seconds)
{
    private const int MostBarColumns = 40, FewestBarColumns = 8, UsualColumns = 80;

    /// <summary>What takes no longer is not worth a line.</summary>
    private const double PlainIntervalS = 1.8, DrawIntervalS = 0.1, PatienceS = 0.3;

    /// <summary>Standard error is a terminal on which a line can be drawn again.</summary>
    public static bool HasTerminal => Terminal.CanRedraw(Terminal.StandardError);

    /// <summary>The rate is that of the last so many seconds, a sample each.</summary>
    private const int RateSamples = 16;

    private readonly (double AtS, long Done)[] _samples = new (double, long)[RateSamples];
    private string _unit = "";
    private int _sampleCount;
    private double _nextS = seconds() + (columns == null ? PlainIntervalS : PatienceS);
    private int _drawn;

    /// <summary>One for this process, on standard error.</summary>
    public static ProgressLine OnStandardError()
    {
        long start = Stopwatch.GetTimestamp();
        ProgressLine line = new(
            HasTerminal ? new PlainWriter(Program.Errors.Write) : new PlainLines(), HasTerminal ? ColumnsNow : null,
            () => Stopwatch.GetElapsedTime(start).TotalSeconds);
        Output.BeforeLine = line.Clear;
        return line;
    }

    /// <summary>As last reported.</summary>
    public long Done { get; private set; }

    /// <summary>As last reported.</summary>
    public long Total { get; private set; }

    /// <summary><paramref name="done"/> of <paramref name="total"/> blocks, say, are done.</summary>
    public void Report(string unit, long done, long total)
    {
        if (unit != _unit) (_unit, _sampleCount) = (unit, 0);
        (Done, Total) = (Math.Clamp(done, 0, total), total);
        double nowS = seconds();
        Sample(nowS);
        bool isEnd = Done == Total && _drawn > 0;
        if (nowS < _nextS && !isEnd) return;
        _nextS = nowS + (columns == null ? PlainIntervalS : DrawIntervalS);
        if (columns == null) output.WriteLine("weir: " + Text(nowS, int.MaxValue));
        else Draw(nowS, Math.Max(1, columns() - 1));
    }

    /// <summary>Ends the line: from now on nothing of it is in the way of others.</summary>
    public void Finish()
    {
        Output.BeforeLine = null;
        if (_drawn > 0) output.WriteLine();
        _drawn = 0;
    }

    /// <summary>Makes room for another line; the next report draws it again.</summary>
    public void Clear()
    {
        if (_drawn > 0) output.Write("\r" + new string(' ', _drawn) + "\r");
        _drawn = 0;
    }

    // The last column stays free: some terminals begin a line there.
    private void Draw(double nowS, int room)
    {
        string line = Text(nowS, room);
        int left = room - line.Length - 3;
        if (left >= FewestBarColumns) line = $"{Bar(Math.Min(left, MostBarColumns))} {line}";
        if (line.Length > room) line = line[..room];
        output.Write("\r" + line.PadRight(Math.Min(room, Math.Max(_drawn, line.Length))));
        output.Flush();
        _drawn = line.Length;
    }

    private string Bar(int width)
    {
        int filled = (int)(Share * width);
        return $"[{new string('=', filled)}{new string(' ', width - filled)}]";
    }

    private double Share => Total == 0 ? 1 : (double)Done / Total;

    // As much as there is room for; the least is the share.
    private string Text(double nowS, int room)
    {
        string share = string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(Share * 1000) / 10:F1}%");
        double rate = Rate(nowS);
        string left = Done == Total ? "0 s" : rate > 0 ? TimeOf((Total - Done) / rate) : "?";
        string pace = string.Create(CultureInfo.InvariantCulture, $"{rate:F0}/s");
        string all = $"{share}  {Done} of {Total} {_unit}, {pace}, {left} left";
        if (all.Length <= room) return all;
        string some = $"{share} {Done}/{Total} {left}";
        if (some.Length <= room) return some;
        string few = $"{share} {left} left";
        return few.Length <= room ? few : share;
    }

    private void Sample(double nowS)
    {
        bool isNew = _sampleCount == 0 || nowS - _samples[(_sampleCount - 1) % RateSamples].AtS >= 1;
        if (isNew) _samples[_sampleCount++ % RateSamples] = (nowS, Done);
    }

    private double Rate(double nowS)
    {
        (double atS, long done) = _samples[_sampleCount > RateSamples ? _sampleCount % RateSamples : 0];
        return nowS - atS < 0.1 ? 0 : Math.Max(0, Done - done) / (nowS - atS);
    }

    private static string TimeOf(double leftS)
    {
        long s = (long)Math.Ceiling(Math.Min(leftS, 1e9));
        return s < 60 ? $"{s} s" : s < 3600 ? $"{s / 60}:{s % 60:00}" : $"{s / 3600}:{s / 60 % 60:00}:{s % 60:00}";
    }

    // Asked again for every line: windows change.
    private static int ColumnsNow()
    {
        int known = Terminal.Columns(Terminal.StandardError);
        bool isKnown = known > 0;
        int columns = isKnown ? known : UsualColumns;
        bool isSet = int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), out int set) && set > 0;
        return isSet && (!isKnown || set < columns) ? set : columns;
    }

    // Who is not at a terminal may not read either.
    private sealed class PlainLines : TextWriter
    {
        public override System.Text.Encoding Encoding => System.Text.Encoding.UTF8;

        public override void WriteLine(string? value) => Program.Errors.Add(value ?? "");
    }
}
