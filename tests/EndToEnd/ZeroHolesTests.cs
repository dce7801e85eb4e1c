using System;
using System.Globalization;
using System.IO;
using Weir.Frontends.Nbd;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>What a sparse backing file takes on the disk when zeroes come through the real program.</summary>
public sealed class ZeroHolesTests : IDisposable
{
    private const long Mib = 1 << 20;
    private const long SizeBytes = 2048 * Mib;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static long AllocatedBytes(string path) =>
        long.Parse(WeirProcess.Tool("stat", "-c", "%b", path).Output, CultureInfo.InvariantCulture) * 512;

    // Twelve pieces of one MiB, with much between them.
    private string Image()
    {
        string path = _folder.File("image", SizeBytes);
        using FileStream file = File.OpenWrite(path);
        for (int i = 0; i < 12; i++)
        {
            file.Position = i * 150 * Mib;
            file.Write(Wire.Random((int)Mib, i));
        }
        return path;
    }

    private void Drain(string backing, params string[] layout)
    {
        Outcome drained = WeirProcess.Run(
            ["drain", "writeboost", "--cache", _folder.PathOf("cache"), "--backing", "disk=" + backing, .. layout]);
        Assert.True(drained.ExitCode == 0, drained.Error);
    }

    private static void Convert(string image, string uri) => Tool.Run(
        "qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, uri);

    [Theory]
    [InlineData("writeboost")]
    [InlineData("writeboost", "--layout", "writeboost2")]
    [InlineData("writeboost", "--layout", "lc1")]
    [InlineData("passthrough")]
    public void AConvertedImageTakesWhatItHolds(string engine, params string[] layout)
    {
        string image = Image(), backing = _folder.File("backing", SizeBytes), peer = _folder.File("peer", SizeBytes);
        string[] cache = engine == "passthrough" ? [] : ["--cache", _folder.File("cache", 64 * Mib)];
        using (WeirProcess weir = WeirProcess.Serve(
            _folder, [engine, .. cache, .. layout, "--backing", "disk=" + backing]))
        {
            Convert(image, weir.Uri);
            weir.Stop();
        }
        if (engine != "passthrough") Drain(backing, layout);
        Tool.Run("nbdkit", "-U", "-", "file", peer, "--run",
            $"qemu-img convert -n -f raw -O raw '{image}' \"$uri\"");
        Assert.InRange(AllocatedBytes(backing), 12 * Mib, AllocatedBytes(peer) + (2 * Mib));
        Tool.Run("qemu-img", "compare", "-f", "raw", "-F", "raw", image, backing);
    }

    /// <summary>NO_HOLE on a sparse file allocates.</summary>
    [Fact]
    public void SpaceThatShallBeKeptIsTaken()
    {
        string backing = _folder.File("backing", 64 * Mib);
        using (WeirProcess weir = WeirProcess.Serve(_folder,
            "writeboost", "--cache", _folder.File("cache", 32 * Mib), "--backing", "disk=" + backing))
        {
            using (NbdClient client = weir.Connect())
            {
                Assert.Equal(0, client.Ask(NbdCommand.WriteZeroes, 0, 32 * Mib, CommandFlags.NoHole));
                Assert.Equal(0, client.Ask(NbdCommand.WriteZeroes, 32 * Mib, 32 * Mib));
            }
            weir.Stop();
        }
        Drain(backing);
        Assert.InRange(AllocatedBytes(backing), 32 * Mib, 33 * Mib);
    }
}
