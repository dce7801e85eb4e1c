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

    private NbdServer(Process process, string socket, string export, MemoryGroup? group)
    {
        (_process, _socket, Group) = (process, socket, group);
        Uri = $"nbd+unix:///{export}?socket={socket}";
    }

    /// <summary>Where clients go.</summary>
    public string Uri { get; }

    /// <summary>What limits its memory; null: nothing does.</summary>
    public MemoryGroup? Group { get; }

    /// <summary>Seconds of processor time so far, the kernel's on its behalf included; NaN when it has died.</summary>
    public double CpuSeconds
    {
        get
        {
            if (_process.HasExited) return double.NaN;
            string text = File.ReadAllText($"/proc/{_process.Id}/stat");
            string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return (long.Parse(fields[11], CultureInfo.InvariantCulture)
                + long.Parse(fields[12], CultureInfo.InvariantCulture)) / (double)TicksPerSecond;
        }
    }

    /// <summary>
    /// Starts it; returns when its socket is there. It is in <paramref name="group"/>, which becomes this server's,
    /// before it allocates anything. Its temporary files lie beside the socket.
    /// </summary>
    public static NbdServer Start(
        string socket, string export, string program, IEnumerable<string> arguments, MemoryGroup? group = null)
    {
        File.Delete(socket);
        // The shell joins the group and becomes the program: the same process, so the same number.
        ProcessStartInfo start = group == null
            ? new(program, arguments)
            : new("sh", ["-c", "echo $$ > \"$0\" && exec \"$@\"", group.Members, program, .. arguments]);
        start.RedirectStandardOutput = start.RedirectStandardError = start.RedirectStandardInput = true;
        start.Environment["TMPDIR"] = Path.GetDirectoryName(socket);
        Process process = Tool.Start(start);
        NbdServer server = new(process, socket, export, group);
        LeftOvers.Add(server);
        string said = "";
        process.ErrorDataReceived += (_, line) => said += line.Data + " ";
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        for (int waitedMs = 0; !File.Exists(socket); waitedMs += 5)
        {
            if (process.HasExited || waitedMs > PatienceMs)
            {
                server.Dispose();
                throw new InvalidOperationException($"{program} does not serve: {said}");
            }
            Thread.Sleep(5);
        }
        return server;
    }

    /// <summary>Ends it in order, and waits.</summary>
    public void Dispose()
    {
        LeftOvers.Remove(this);
        Terminate();
        if (!_process.WaitForExit(PatienceMs)) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        File.Delete(_socket);
        Group?.Dispose();
    }

    private void Terminate()
    {
        try
        {
            if (!_process.HasExited) Tool.Run("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        }
        catch (InvalidOperationException)
        {
            // It has ended just now: what follows is the same.
        }
    }
}
