using System;
using System.IO;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>A backing device that grows beyond what the log's keys can name: it is served as it was.</summary>
public sealed class LargeBackingTests : IDisposable
{
    private const long Tib = 1L << 40, Pib = 1L << 50, Most = 4 * Pib;

    private const string Limit =
        "5629499534213120 bytes; a backing device of a cache has at most 4503599627370496 (4096 TiB)";

    private readonly TestFolder _folder = new();
    private readonly TmpfsFolder _large = new();

    public void Dispose()
    {
        _folder.Dispose();
        _large.Dispose();
    }

    private string Cache => _folder.PathOf("cache");

    private string Backing => Path.Combine(_large.Path, "disk");

    private void Resize(long bytes)
    {
        using FileStream file = new(Backing, FileMode.OpenOrCreate);
        file.SetLength(bytes);
    }

    private WeirProcess Serve(params string[] more)
    {
        WeirProcess weir = WeirProcess.Serve(_folder, ["writeboost", "--cache", Cache, "--backing", "disk=" + Backing,
            "--option", "allow_writeback=0", .. more]);
        _folder.Remember(weir);
        return weir;
    }

    private Outcome Message(params string[] words) =>
        WeirProcess.Run(["message", "--control", _folder.PathOf("control"), .. words]);

    [Theory]
    [InlineData("native", Tib)]
    [InlineData("native", Most)]
    [InlineData("writeboost2", Tib)]
    [InlineData("writeboost1", Tib)]
    [InlineData("lc1", Tib)]
    public void WhatItHadIsServedAndWrittenBack(string layout, long before)
    {
        _folder.File("cache", 24 << 20);
        Resize(before);
        byte[] first = Wire.Random(4096, 1), second = Wire.Random(4096, 2);
        string[] named = layout == "lc1" ? ["--layout", "lc1"] : [];
        string[] made = layout == "native" ? [] : ["--layout", layout];
        using (WeirProcess weir = Serve(made))
        {
            using NbdClient client = weir.Connect();
            client.Write(0, first);
            client.Write(before - 4096, second);
            Resize(5 * Pib);
            Outcome grow = Message("grow");
            Assert.Equal(1, grow.ExitCode);
            Assert.DoesNotContain("grown", grow.Output + grow.Error, StringComparison.Ordinal);
            Assert.Contains($"{Limit}: goes on with {before}", grow.Error, StringComparison.Ordinal);
            Assert.Equal(second, client.Read(before - 4096, 4096));
            using (NbdClient later = weir.Connect()) later.Write(4096, second);
            client.Dispose();
            weir.Stop();
        }
        using (WeirProcess weir = Serve(named))
        {
            Assert.Equal(layout == "native" ? before : Most, weir.SizeBytes);
            Assert.Contains($"{Limit}: goes on with ", weir.Error, StringComparison.Ordinal);
            Assert.Equal(3, weir.Number("dirty_blocks"));
            using NbdClient client = weir.Connect();
            Assert.Equal(first, client.Read(0, 4096));
            Assert.Equal(second, client.Read(before - 4096, 4096));
            client.Dispose();
            weir.Stop();
        }
        Outcome drain = WeirProcess.Run(
            ["drain", "writeboost", "--cache", Cache, "--backing", "disk=" + Backing, .. named]);
        Assert.True(drain.ExitCode == 0, drain.Error);
        using (WeirProcess weir = Serve(named))
        {
            Assert.Equal(layout == "native" ? before : Most, weir.SizeBytes);
            weir.Stop();
        }
        using FileStream file = File.OpenRead(Backing);
        foreach ((long at, byte[] data) in new[] { (0L, first), (before - 4096, second), (4096L, second) })
        {
            byte[] found = new byte[4096];
            file.Position = at;
            file.ReadExactly(found);
            Assert.Equal(data, found);
        }
    }

    /// <summary>One that the cache does not know has nothing that could be lost.</summary>
    [Theory]
    [InlineData("native")]
    [InlineData("writeboost2")]
    public void ANewOneIsRefused(string layout)
    {
        _folder.File("cache", 24 << 20);
        Resize(5 * Pib);
        Outcome serve = WeirProcess.Run("serve", "writeboost", "--cache", Cache, "--backing", "disk=" + Backing,
            "--layout", layout, "--listen", "unix:" + _folder.PathOf("socket"));
        Assert.Equal(1, serve.ExitCode);
        Assert.Contains(Limit, serve.Error, StringComparison.Ordinal);
    }

    /// <summary>It was away, and has grown there.</summary>
    [Fact]
    public void OneThatComesBackIsAttachedAsItWas()
    {
        _folder.File("cache", 24 << 20);
        string other = _folder.File("other", 1 << 20);
        Resize(Tib);
        byte[] data = Wire.Random(4096, 1);
        using (WeirProcess weir = Serve())
        {
            using NbdClient client = weir.Connect();
            client.Write(0, data);
            client.Dispose();
            weir.Stop();
        }
        Resize(5 * Pib);
        using WeirProcess next = WeirProcess.Serve(_folder, "writeboost", "--cache", Cache, "--backing",
            "other=" + other, "--option", "allow_writeback=0");
        _folder.Remember(next);
        Outcome attach = Message("attach", "disk=" + Backing);
        Assert.True(attach.ExitCode == 0, attach.Error);
        Assert.Contains($"{Limit}: goes on with {Tib}", next.Error, StringComparison.Ordinal);
        using (NbdClient client = next.Connect("disk")) Assert.Equal(data, client.Read(0, 4096));
        next.Stop();
    }
}
