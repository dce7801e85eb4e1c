using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>A process that may have few files open: whoever runs it is told, and who is connected is served.</summary>
public sealed class FileLimitTests : IDisposable
{
    private const int Limit = 64;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private WeirProcess Serve(string limit, params string[] more)
    {
        string backing = _folder.File("disk", 1 << 20), control = _folder.PathOf("control");
        WeirProcess weir = WeirProcess.StartProgram(
            ["sh", "-c", limit + "; exec \"$@\"", "sh", WeirProcess.Binary, "serve", "passthrough",
                "--backing", backing, "--listen", "unix:" + _folder.PathOf("nbd"), "--control", control, .. more],
            control);
        Assert.StartsWith("weir: ready ", weir.FirstLine(), StringComparison.Ordinal);
        return weir;
    }

    private static string[] About(WeirProcess weir, string words) =>
        [.. weir.Error.Split('\n').Where(line => line.Contains(words, StringComparison.Ordinal))];

    [Fact]
    public void ClientsThatDoNotFindRoomAreForeseen()
    {
        using WeirProcess weir = Serve($"ulimit -n {Limit}");
        weir.Stop();
        string line = Assert.Single(About(weir, "--max-connections"));
        Assert.Contains("--max-connections 128", line, StringComparison.Ordinal);
        Assert.Contains($" {Limit} files", line, StringComparison.Ordinal);
    }

    [Fact]
    public void AndNotWhereTheyDo()
    {
        using WeirProcess weir = Serve($"ulimit -n {Limit}", "--max-connections", "8");
        weir.Stop();
        Assert.Empty(About(weir, "--max-connections"));
    }

    [Fact]
    public void TheSoftLimitIsRaised()
    {
        using WeirProcess weir = Serve($"ulimit -S -n {Limit}; ulimit -H -n 1000");
        string line = File.ReadLines($"/proc/{weir.Id}/limits")
            .Single(row => row.StartsWith("Max open files", StringComparison.Ordinal));
        Assert.Equal(["1000", "1000"], line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3..5]);
        weir.Stop();
        Assert.Empty(About(weir, "--max-connections"));
    }

    /// <summary>Said once, while it is tried again and again; when one goes, the next is served.</summary>
    [Fact]
    public void AClientThatCannotBeAcceptedIsSaid()
    {
        using WeirProcess weir = Serve($"ulimit -n {Limit}");
        List<NbdClient> served = [];
        while (About(weir, "Too many open files").Length == 0 && served.Count < Limit)
        {
            NbdClient client = new(_folder.PathOf("nbd"));
            bool isGreeted = client.Socket.Poll(TimeSpan.FromSeconds(1), SelectMode.SelectRead);
            if (isGreeted) served.Add(client);
            else client.Dispose();
        }
        Assert.InRange(served.Count, 8, Limit);
        Assert.Contains("(ulimit -n)", About(weir, "Too many open files")[0], StringComparison.Ordinal);
        using NbdClient waits = new(_folder.PathOf("nbd"));
        served[0].Dispose();
        waits.Greet();
        waits.Go("");
        Assert.Equal(new byte[512], waits.Read(0, 512));
        foreach (NbdClient client in served) client.Dispose();
        Assert.Single(About(weir, "Too many open files"));
        WeirProcess.Until(() => Open(weir) < Limit / 2, "the end of the clients");
        weir.Stop();
    }

    private static int Open(WeirProcess weir) => Directory.GetFileSystemEntries($"/proc/{weir.Id}/fd").Length;
}
