using System;
using System.CommandLine;
using System.IO;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Threading;
using Weir.Core.Base;
using Weir.Frontends.Control;
using Weir.Frontends.Recording;

namespace Weir.Frontends.Commands;

/// <summary><c>weir record</c>: writes a trace of what clients ask of a served volume.</summary>
internal static class RecordCommand
{
    private const int LookMs = 500;

    /// <summary>The command.</summary>
    public static Command Build()
    {
        Option<string> control = SharedOptions.Control();
        Option<string> output = new("--output")
        {
            HelpName = "FILE", Required = true, Description = "Where to: a new file, or such a trace, which goes on.",
        };
        Option<double?> seconds = new("--seconds")
        {
            HelpName = "N", Description = "How long; without it until SIGINT or SIGTERM.",
        };
        Command command = new("record", "Record what clients ask of a served volume, as a trace for 'weir simulate'. "
            + "The volume's process writes it.")
        { control, output, seconds };
        command.SetAction(result =>
            Run(result.GetValue(control)!, result.GetValue(output)!, result.GetValue(seconds)));
        return command;
    }

    private static int Run(string control, string output, double? seconds)
    {
        if (seconds is { } given && given is not (> 0 and < 1e9))
            throw new UserErrorException($"--seconds {given}: expected more than 0", Program.WrongUsage);
        if (output.Length == 0 || output.AsSpan().ContainsAny(" \t\r\n"))
            throw new UserErrorException($"--output '{output}': expected a path without blanks", Program.WrongUsage);
        using ManualResetEventSlim stop = new();
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Set();
        }
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        string path = Path.GetFullPath(output);
        Output.Write(Message(control, path));
        if (Wait(control, path, seconds, stop)) Output.Write(Message(control, "off"));
        else Output.Write($"{TraceRecorder.Key}: {path}: ended, by the volume's stop or somebody else\n");
        return Program.Done;
    }

    private static string Message(string control, string value) =>
        ControlConnection.Ask(control, $"message {TraceRecorder.Key} {value}");

    // False: it has ended before.
    private static bool Wait(string control, string path, double? seconds, ManualResetEventSlim stop)
    {
        long endMs = seconds is { } given ? Environment.TickCount64 + (long)(given * 1000) : long.MaxValue;
        while (true)
        {
            long leftMs = endMs - Environment.TickCount64;
            if (leftMs <= 0 || stop.Wait((int)Math.Min(leftMs, LookMs))) return true;
            string? state = StateOf(control);
            // What went wrong is said by the message that ends it.
            if (state?.StartsWith("failed", StringComparison.Ordinal) == true) return true;
            if (state != path) return false;
        }
    }

    // Null: the volume is no longer served.
    private static string? StateOf(string control)
    {
        try
        {
            using JsonDocument figures = JsonDocument.Parse(ControlConnection.Ask(control, "status json"));
            return figures.RootElement.GetProperty(TraceRecorder.Key).GetString();
        }
        catch (UserErrorException)
        {
            return null;
        }
    }
}
