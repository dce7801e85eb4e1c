using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Weir.Tests.Nbd;
using Weir.Tests.Tidy;
using Xunit;

namespace Weir.Tests.Harness;

/// <summary>What a program left behind.</summary>
internal sealed record Outcome(int ExitCode, string Output, string Error);

/// <summary>The real binary: one <c>weir serve</c> at a time, and the short commands.</summary>
internal sealed class WeirProcess : IDisposable
{
    private const int PatienceMs = 60_000;
    private const int ToolPatienceMs = 180_000;

    private readonly Process _process;
    private readonly StringWriter _error = new();
    private readonly string? _control;

    private WeirProcess(Process process, string? control)
    {
        _process = process;
        _control = control;
        process.ErrorDataReceived += (_, line) =>
        {
            lock (_error) if (line.Data != null) _error.WriteLine(line.Data);
        };
        process.BeginErrorReadLine();
    }

    /// <summary>Built by ./build.sh: named by WEIR_BINARY, else out/weir.</summary>
    public static string Binary { get; } = FindBinary();

    /// <summary>The line that says that the volume is served.</summary>
    public string ReadyLine { get; private set; } = "";

    public string Uri => ReadyLine.Split(' ')[4];

    public long SizeBytes => long.Parse(ReadyLine.Split(' ')[3], System.Globalization.CultureInfo.InvariantCulture);

    public int Id => _process.Id;

    public string Error
    {
        get
        {
            lock (_error) return _error.ToString();
        }
    }

    /// <summary>Serves, and waits until the volume is ready. Fails with what the program said instead.</summary>
    public static WeirProcess Serve(TestFolder folder, params string[] arguments)
    {
        string control = folder.PathOf("control");
        WeirProcess weir = StartProgram(
            [Binary, "serve", .. arguments, "--listen", "unix:" + folder.PathOf("nbd"), "--control", control], control);
        if (!weir.FirstLine().StartsWith("weir: ready ", StringComparison.Ordinal))
        {
            weir._process.WaitForExit();
            Assert.Fail($"not ready: '{weir.ReadyLine}' {weir.Error}");
        }
        return weir;
    }

    /// <summary>A client ready for requests.</summary>
    public NbdClient Connect() => Connect("");

    /// <summary>A client of one export; of none yet when that is null.</summary>
    public NbdClient Connect(string? export)
    {
        string socket = Uri[(Uri.IndexOf("socket=", StringComparison.Ordinal) + 7)..];
        NbdClient client = new(System.Uri.UnescapeDataString(socket));
        client.Greet();
        if (export != null) client.Go(export);
        return client;
    }

    /// <summary>One figure of the status.</summary>
    public long Number(string name) => Status().GetProperty(name).GetInt64();

    public string Text(string name) => Status().GetProperty(name).GetString()!;

    public JsonElement Status()
    {
        Outcome outcome = Run("status", "--control", _control!, "--json");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        return JsonDocument.Parse(outcome.Output).RootElement;
    }

    /// <summary>SIGKILL, and waits until it is gone.</summary>
    public void Kill()
    {
        _process.Kill();
        Assert.True(_process.WaitForExit(PatienceMs));
    }

    /// <summary><c>weir stop</c>: it and the server must both end well.</summary>
    public void Stop()
    {
        Outcome outcome = Run("stop", "--control", _control!);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Equal(0, WaitForExit());
    }

    public int WaitForExit()
    {
        Assert.True(_process.WaitForExit(PatienceMs), "weir did not end: " + Error);
        _process.WaitForExit();
        return _process.ExitCode;
    }

    public void Signal(string name) => Assert.Equal(0, Tool("sh", "-c", $"kill -{name} {Id}").ExitCode);

    public void Dispose()
    {
        if (!_process.HasExited) Kill();
        _process.Dispose();
    }

    /// <summary>A command that ends by itself.</summary>
    public static Outcome Run(params string[] arguments) => Tool(Binary, arguments);

    /// <summary>Any program. One that is missing is a failure, not a reason to skip.</summary>
    public static Outcome Tool(string program, params string[] arguments) =>
        ToolIn(Path.GetTempPath(), program, arguments);

    public static Outcome ToolIn(string folder, string program, params string[] arguments)
    {
        using Process process = Process.Start(StartInfo(program, arguments, folder))!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        bool ended = process.WaitForExit(ToolPatienceMs);
        if (!ended) process.Kill(entireProcessTree: true);
        Assert.True(ended, $"{program} {string.Join(' ', arguments)}: does not end: {output.Result} {error.Result}");
        return new Outcome(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Starts a program that becomes the server, perhaps with fewer rights than we have.</summary>
    public static WeirProcess StartProgram(string[] words, string? control) =>
        new(Process.Start(StartInfo(words[0], words[1..], Path.GetTempPath()))!, control);

    /// <summary>The first line of standard output, or nothing when it ended without one.</summary>
    public string FirstLine() => ReadyLine = _process.StandardOutput.ReadLine() ?? "";

    private static ProcessStartInfo StartInfo(string program, IEnumerable<string> arguments, string folder) =>
        new(program, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder,
        };

    private static string FindBinary()
    {
        string path = Environment.GetEnvironmentVariable("WEIR_BINARY") ?? Path.Combine(SourceTree.Root, "out", "weir");
        Assert.True(File.Exists(path), $"{path} is missing; build it with ./build.sh");
        return path;
    }

    /// <summary>Waits for something that must come.</summary>
    public static void Until(Func<bool> condition, string what)
    {
        for (int waited = 0; waited < PatienceMs && !condition(); waited += 10) Thread.Sleep(10);
        Assert.True(condition(), "waited in vain for: " + what);
    }
}
