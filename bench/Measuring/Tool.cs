using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Weir.Bench.Measuring;

/// <summary>Other programs, run to their end.</summary>
internal static class Tool
{
    /// <summary>Where every command line is noted; null: nowhere.</summary>
    public static string? Journal { get; set; }

    /// <summary>Starts a program. Throws <see cref="InvalidOperationException"/> when it is not there.</summary>
    public static Process Start(ProcessStartInfo start)
    {
        string line = start.FileName + " " + string.Join(' ', start.ArgumentList.Select(Quote)) + "\n";
        if (Journal != null) lock (s_latch) File.AppendAllText(Journal, line);
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException($"{start.FileName} cannot be started: {e.Message}", e);
        }
    }

    private static readonly Lock s_latch = new();

    private static string Quote(string word) =>
        word.Length > 0 && word.All(static c => char.IsAsciiLetterOrDigit(c) || "-_=./,:+".Contains(c))
            ? word : "'" + word.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    /// <summary>Standard output. Throws with the tool's own words when it fails.</summary>
    public static string Run(string program, IEnumerable<string> arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using Process process = Start(start);
        using Running running = new(process);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"{program} {string.Join(' ', start.ArgumentList)}: "
                + $"exit code {process.ExitCode}: {error.Result}{output}");
    }

    // Killed when the bench is interrupted.
    private sealed class Running : IDisposable
    {
        private readonly Process _process;

        public Running(Process process)
        {
            _process = process;
            LeftOvers.Add(this);
        }

        public void Dispose()
        {
            LeftOvers.Remove(this);
            if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        }
    }
}
