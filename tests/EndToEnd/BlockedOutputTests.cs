using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Nobody reads what the program says: it serves, answers and stops all the same.</summary>
public sealed class BlockedOutputTests : IDisposable
{
    private const int Mib = 1 << 20;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // A pipe that is full from the start, and has no reader.
    private Process Start(string redirect)
    {
        string[] words =
        [
            WeirProcess.Binary, "serve", "writeboost", "--cache", _folder.File("cache", 32 * Mib),
            "--backing", "disk=" + _folder.File("backing", 64 * Mib),
            "--listen", "unix:" + _folder.PathOf("nbd"), "--control", _folder.PathOf("control"),
        ];
        string pipe = _folder.PathOf("pipe");
        string script = $"mkfifo '{pipe}' && exec 3<>'{pipe}' && head -c 65536 /dev/zero >&3 && exec "
            + string.Join(' ', words.Select(static word => $"'{word}'")) + " " + redirect;
        return Process.Start(new ProcessStartInfo("sh", ["-c", script]))!;
    }

    [Theory]
    [InlineData("2>&3", "TERM")]
    [InlineData("2>&3", "INT")]
    [InlineData("2>&3", "stop")]
    [InlineData(">&3", "TERM")]
    [InlineData(">&3 2>&3", "stop")]
    [InlineData(">&- 2>&-", "TERM")]
    public void ItServesAndStops(string redirect, string end)
    {
        using Process weir = Start(redirect);
        string control = _folder.PathOf("control");
        try
        {
            WeirProcess.Until(() => weir.HasExited || File.Exists(control), "the control socket");
            using (NbdClient client = new(_folder.PathOf("nbd")))
            {
                client.Greet();
                client.Go("disk");
                byte[] data = Wire.Random(8192, 1);
                client.Write(4096, data);
                Assert.Equal(data, client.Read(4096, 8192));
            }
            Outcome status = WeirProcess.Run("status", "--control", control);
            Assert.True(status.ExitCode == 0, status.Error);
            Assert.Contains("log_lines_dropped", status.Output, StringComparison.Ordinal);
            if (end == "stop") Assert.Equal(0, WeirProcess.Run("stop", "--control", control).ExitCode);
            else Assert.Equal(0, WeirProcess.Tool("sh", "-c", $"kill -{end} {weir.Id}").ExitCode);
            WeirProcess.Until(() => weir.HasExited, "the program's end");
            weir.WaitForExit();
            Assert.Equal(0, weir.ExitCode);
        }
        finally
        {
            if (!weir.HasExited) weir.Kill();
        }
    }
}
