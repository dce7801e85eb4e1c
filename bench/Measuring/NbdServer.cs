using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading;

namespace Weir.Bench.Measuring;

/// <summary>
/// A program that serves one export on a Unix socket, started and ended here; how much processor it has used can be
/// asked.
/// </summary>
internal sealed class NbdServer : IDisposable
{
    private const int PatienceMs = 20_000;
    private const int TicksPerSecond = 100;

    private readonly Process _process;
    private readonly string _socket;

    private NbdServer(Process process, string socket, string export)
    {
        (_process, _socket) = (process, socket);
        Uri = $"nbd+unix:///{export}?socket={socket}";
    }

    /// <summary>Where clients go.</summary>
    public string Uri { get; }

    /// <summary>Seconds of processor time so far, the kernel's on its behalf included.</summary>
    public double CpuSeconds
    {
        get
        {
            string text = File.ReadAllText($"/proc/{_process.Id}/stat");
            string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return (long.Parse(fields[11], CultureInfo.InvariantCulture)
                + long.Parse(fields[12], CultureInfo.InvariantCulture)) / (double)TicksPerSecond;
        }
    }

    /// <summary>Starts it; returns when its socket is there.</summary>
    public static NbdServer Start(string socket, string export, string program, IEnumerable<string> arguments)
    {
        File.Delete(socket);
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        Process process = Process.Start(start)!;
        string said = "";
        process.ErrorDataReceived += (_, line) => said += line.Data + " ";
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        for (int waitedMs = 0; !File.Exists(socket); waitedMs += 5)
        {
            if (process.HasExited || waitedMs > PatienceMs)
                throw new InvalidOperationException($"{program} does not serve: {said}");
            Thread.Sleep(5);
        }
        return new NbdServer(process, socket, export);
    }

    /// <summary>Ends it in order, and waits.</summary>
    public void Dispose()
    {
        if (!_process.HasExited) Tool.Run("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        if (!_process.WaitForExit(PatienceMs)) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        File.Delete(_socket);
    }
}
