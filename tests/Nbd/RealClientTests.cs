using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>The clients that people use, on each engine.</summary>
public sealed class RealClientTests
{
    private const int Size = 96 << 20;

    /// <summary>Data, holes and odd edges: what images look like.</summary>
    private static byte[] Image(int seed, int size = Size)
    {
        byte[] image = new byte[size];
        Random random = new(seed);
        for (int at = 0; at < size;)
        {
            int length = Math.Min(512 * random.Next(1, 4000), size - at);
            if (random.Next(3) != 0) random.NextBytes(image.AsSpan(at, length));
            at += length;
        }
        return image;
    }

    private static void SameAsFile(byte[] expected, string path)
    {
        byte[] found = File.ReadAllBytes(path);
        int at = found.AsSpan().CommonPrefixLength(expected);
        Assert.True(at == expected.Length && found.Length == at, $"differs at {at} of {expected.Length}");
    }

    [Theory]
    [InlineData("passthrough")]
    [InlineData("writeboost")]
    public void NbdinfoTellsWhatTheVolumeCan(string engine)
    {
        using ServedVolume served = new(engine, Size);
        using NbdHost host = new(served.Volume);
        using JsonDocument document = JsonDocument.Parse(Tool.Run("nbdinfo", "--json", host.Uri));
        Assert.Equal("newstyle-fixed", document.RootElement.GetProperty("protocol").GetString());
        Assert.True(document.RootElement.GetProperty("structured").GetBoolean());
        JsonElement export = document.RootElement.GetProperty("exports")[0];
        Assert.Equal("disk", export.GetProperty("export-name").GetString());
        Assert.Equal("a test", export.GetProperty("description").GetString());
        Assert.Equal(Size, export.GetProperty("export-size").GetInt64());
        Assert.Equal("base:allocation", export.GetProperty("contexts")[0].GetString());
        string[] can = ["cache", "df", "flush", "fua", "multi_conn", "trim", "zero"];
        Assert.All(can, name => Assert.True(export.GetProperty("can_" + name).GetBoolean(), name));
        // Offered always: a volume that cannot says so in time, by ENOTSUP.
        Assert.True(export.GetProperty("can_fast_zero").GetBoolean());
        Assert.False(export.GetProperty("is_read_only").GetBoolean());
        Assert.Equal(1, export.GetProperty("block_size_minimum").GetInt32());
        Assert.Equal(4096, export.GetProperty("block_size_preferred").GetInt32());
        Assert.Equal(64 << 20, export.GetProperty("block_size_maximum").GetInt32());
    }

    [Fact]
    public void NbdinfoListsEveryExport()
    {
        using ServedVolume one = new("passthrough", Size);
        using ServedVolume two = new("writeboost", 8 << 20);
        using NbdHost host = new([new("one", "first", one.Volume), new("two/três", "second", two.Volume)]);
        string text = Tool.Run("nbdinfo", "--list", host.Uri);
        Assert.Contains("export=\"one\"", text, StringComparison.Ordinal);
        Assert.Contains("two/tr", text, StringComparison.Ordinal);
        Assert.Contains("description: second", text, StringComparison.Ordinal);
        Assert.Equal((8 << 20) + "\n", Tool.Run("nbdinfo", "--size", host.Server.Uri(0, 1)));
        (int code, _, string error) = Tool.Try("nbdinfo", host.Uri.Replace("/one", "/three", StringComparison.Ordinal));
        Assert.Equal(1, code);
        Assert.Contains("No such file or directory for export: three", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("passthrough")]
    [InlineData("writeboost")]
    public void NbdinfoMapCoversTheVolume(string engine)
    {
        using ServedVolume served = new(engine, Size);
        using NbdHost host = new(served.Volume);
        Tool.Run("qemu-io", "-f", "raw", "-c", "write -P 1 1M 3M", "-c", "discard 2M 1M", "-c", "flush", host.Uri);
        using JsonDocument map = JsonDocument.Parse(Tool.Run("nbdinfo", "--map", "--json", host.Uri));
        long end = 0;
        foreach (JsonElement extent in map.RootElement.EnumerateArray())
        {
            Assert.Equal(end, extent.GetProperty("offset").GetInt64());
            end += extent.GetProperty("length").GetInt64();
            bool data = extent.GetProperty("type").GetInt32() == 0;
            Assert.True(data || !Overlaps(extent, 1 << 20, 2 << 20), "data called a hole");
            Assert.True(data || !Overlaps(extent, 3 << 20, 4 << 20), "data called a hole");
        }
        Assert.Equal(Size, end);
    }

    private static bool Overlaps(JsonElement extent, long from, long to)
    {
        long offset = extent.GetProperty("offset").GetInt64();
        return offset < to && offset + extent.GetProperty("length").GetInt64() > from;
    }

    [Theory]
    [InlineData("passthrough", 1)]
    [InlineData("passthrough", 3)]
    [InlineData("writeboost", 1)]
    [InlineData("writeboost", 3)]
    public void NbdcopyThereAndBack(string engine, int queues)
    {
        byte[] image = Image(queues);
        using Scratch scratch = new();
        File.WriteAllBytes(scratch["in"], image);
        using ServedVolume served = new(engine, Size);
        using NbdHost host = new(served.Volume, queues);
        string[] shapes = ["--connections=1 --requests=1", "--connections=4 --requests=64 --request-size=262144",
            "--connections=2 --request-size=33554432", "--synchronous --no-extents"];
        foreach (string shape in shapes)
        {
            string[] options = shape.Split(' ');
            Tool.Run("nbdcopy", [.. options, "--flush", scratch["in"], host.Uri]);
            Tool.Run("nbdcopy", [.. options, host.Uri, scratch["out"]]);
            SameAsFile(image, scratch["out"]);
            File.Delete(scratch["out"]);
        }
    }

    [Theory]
    [InlineData("passthrough", "passthrough")]
    [InlineData("writeboost", "passthrough")]
    [InlineData("passthrough", "writeboost")]
    [InlineData("writeboost", "writeboost")]
    public void AFileSystemGoesToASecondExportAndBack(string first, string second)
    {
        using Scratch scratch = new();
        File.WriteAllBytes(scratch["image"], []);
        using (FileStream file = File.OpenWrite(scratch["image"])) file.SetLength(Size);
        Directory.CreateDirectory(scratch["root"]);
        for (int i = 0; i < 20; i++)
            File.WriteAllBytes(Path.Combine(scratch["root"], $"file{i}"), Wire.Random(i * 70_001, i));
        Tool.Run("mkfs.ext4", "-q", "-F", "-d", scratch["root"], scratch["image"]);
        byte[] image = File.ReadAllBytes(scratch["image"]);
        using ServedVolume one = new(first, Size);
        using ServedVolume two = new(second, Size);
        using NbdHost host = new([new("one", "", one.Volume), new("two", "", two.Volume)], queues: 2);
        string[] uris = [host.Server.Uri(0, 0), host.Server.Uri(0, 1)];
        Tool.Run("nbdcopy", scratch["image"], uris[0]);
        Tool.Run("nbdcopy", uris[0], uris[1]);
        Tool.Run("nbdcopy", uris[1], scratch["back"]);
        SameAsFile(image, scratch["back"]);
        Tool.Run("e2fsck", "-f", "-n", scratch["back"]);
        Identical(uris[0], uris[1]);
    }

    private static void Identical(string one, string two)
    {
        string text = Tool.Run("qemu-img", "compare", "-f", "raw", "-F", "raw", one, two);
        Assert.Contains("Images are identical", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("passthrough")]
    [InlineData("writeboost")]
    public void QemuImg(string engine)
    {
        byte[] image = Image(7);
        using Scratch scratch = new();
        File.WriteAllBytes(scratch["in"], image);
        using ServedVolume served = new(engine, Size);
        using NbdHost host = new(served.Volume);
        string[] raw = ["-f", "raw", "-O", "raw"];
        Tool.Run("qemu-img", ["convert", "-n", .. raw, scratch["in"], host.Uri]);
        Identical(scratch["in"], host.Uri);
        Tool.Run("qemu-img", ["convert", "-W", "-m", "8", .. raw, host.Uri, scratch["out"]]);
        SameAsFile(image, scratch["out"]);
        string json = Tool.Run("qemu-img", "info", "--output=json", "-f", "raw", host.Uri);
        using JsonDocument info = JsonDocument.Parse(json);
        Assert.Equal(Size, info.RootElement.GetProperty("virtual-size").GetInt64());
        Tool.Run("qemu-img", ["convert", "-n", "-W", "-m", "16", .. raw, scratch["in"], host.Uri]);
        Tool.Run("qemu-io", "-f", "raw", "-c", "write -P 7 12345k 512", host.Uri);
        (int code, string text, _) = Tool.Try("qemu-img", "compare", "-f", "raw", "-F", "raw", scratch["in"], host.Uri);
        Assert.Equal(1, code);
        Assert.Contains("Content mismatch at offset 12641280", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("passthrough")]
    [InlineData("writeboost")]
    public void QemuIo(string engine)
    {
        using ServedVolume served = new(engine, Size);
        using NbdHost host = new(served.Volume);
        string[] commands =
        [
            "write -P 0x11 0 8M", "write -f -P 0x22 1M 64k", "write -P 0x33 1049088 512", "flush",
            "write -z 2M 1M", "write -z -u 3M 1M", "write -z -f 4194816 1024", "discard 5M 1M", "flush",
            "read -P 0x11 0 1M", "read -P 0x22 1M 512", "read -P 0x33 1049088 512", "read -P 0x22 1049600 64000",
            "read -P 0 2M 2M", "read -P 0x11 4M 512", "read -P 0 4194816 1024", "read -P 0x11 4195840 4k",
            "read -P 0 5M 1M", "read -P 0x11 6M 2M", "aio_write -P 0x44 9M 1M", "aio_write -z 10M 1M",
            "aio_flush", "read -P 0x44 9M 1M", "read -P 0 10M 1M", "length",
        ];
        string[] arguments = [.. commands.SelectMany(command => new[] { "-c", command }), host.Uri];
        string text = Tool.Run("qemu-io", ["-f", "raw", "-t", "none", .. arguments]);
        Assert.DoesNotContain("failed", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("error", text, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(12, Regex.Count(text, "^read ", RegexOptions.Multiline));
        Assert.Contains("96 MiB", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("passthrough")]
    [InlineData("writeboost")]
    public void QemuIoAtOddBytes(string engine)
    {
        using ServedVolume served = new(engine, Size);
        using NbdHost host = new(served.Volume, queues: 2);
        string[] commands =
        [
            "write -P 0x11 0 1M", "write -P 0x22 1000 1", "write -P 0x33 4095 2", "write -f -P 0x44 5555 77777",
            "write -z 600001 99999", "write -z 700000 3", "discard 800001 50001", "flush",
            "read -P 0x11 0 1000", "read -P 0x22 1000 1", "read -P 0x11 1001 3094", "read -P 0x33 4095 2",
            "read -P 0x11 4097 1458", "read -P 0x44 5555 77777", "read -P 0x11 83332 516669", "read -P 0 600001 99999",
            "read -P 0 700000 3", "read -P 0x11 700003 99998", "read -P 0 800256 49664", "read -P 0x11 850002 198574",
        ];
        string[] arguments = [.. commands.SelectMany(command => new[] { "-c", command }), host.Uri];
        string text = Tool.Run("qemu-io", ["-f", "raw", "-t", "none", .. arguments]);
        Assert.DoesNotContain("failed", text, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(12, Regex.Count(text, "^read ", RegexOptions.Multiline));
    }

    [Theory]
    [InlineData("passthrough")]
    [InlineData("writeboost")]
    public void NbdcopyOfAnOddSize(string engine)
    {
        byte[] image = Image(11, (5 << 20) + 1234567);
        using Scratch scratch = new();
        File.WriteAllBytes(scratch["in"], image);
        using ServedVolume served = new(engine, Size);
        using NbdHost host = new(served.Volume, queues: 2);
        Tool.Run("nbdcopy", "--flush", scratch["in"], host.Uri);
        Tool.Run("nbdcopy", host.Uri, scratch["out"]);
        byte[] found = File.ReadAllBytes(scratch["out"]);
        Assert.True(found.AsSpan(0, image.Length).SequenceEqual(image));
        Assert.False(found.AsSpan(image.Length).ContainsAnyExcept((byte)0));
    }

    [Fact]
    public void ClientsUnderstandErrors()
    {
        using TestVolume volume = new(Size) { FailOffset = 1 << 20 };
        using NbdHost host = new(volume);
        string[] commands = ["read 1M 4k", "write 1M 4k", "read 0 4M", "discard 1M 4k", "read 2M 1M"];
        string[] arguments = [.. commands.SelectMany(command => new[] { "-c", command }), host.Uri];
        (_, string output, string error) = Tool.Try("qemu-io", ["-f", "raw", .. arguments]);
        Assert.Equal(4, Regex.Count(output + error, "failed: Input/output error"));
        Assert.Equal(1, Regex.Count(output, "^read 1048576/1048576 bytes at offset 2097152", RegexOptions.Multiline));
        using Scratch scratch = new();
        Assert.NotEqual(0, Tool.Try("nbdcopy", host.Uri, scratch["out"]).Code);
    }

    [Fact]
    public void AReadOnlyVolumeIsReadAndNotWritten()
    {
        using TestVolume volume = new(Size) { ReadOnly = true };
        using NbdHost host = new(volume);
        string list = Tool.Run("qemu-nbd", "--list", "--socket=" + host.Path);
        Assert.Contains("export: 'disk'", list, StringComparison.Ordinal);
        Tool.Run("qemu-io", "-r", "-f", "raw", "-c", "read -P 0 0 1M", host.Uri);
        Assert.NotEqual(0, Tool.Try("qemu-io", "-f", "raw", "-c", "write 0 1M", host.Uri).Code);
        Assert.Equal("", Tool.Run("nbdinfo", "--is", "read-only", host.Uri));
        Assert.NotEqual(0, Tool.Try("nbdinfo", "--can", "trim", host.Uri).Code);
    }

    [Theory]
    [InlineData("passthrough", 1)]
    [InlineData("writeboost", 1)]
    [InlineData("writeboost", 2)]
    public void FioVerifiesMixedSizes(string engine, int queues)
    {
        using ServedVolume served = new(engine, Size);
        using NbdHost host = new(served.Volume, queues);
        using Scratch scratch = new();
        Tool.Run("fio", "--name=mixed", "--ioengine=nbd", "--uri=" + host.Uri, "--rw=randrw", "--bsrange=512-256k",
            "--blockalign=512", "--size=64m", "--iodepth=32", "--verify=crc32c", "--verify_fatal=1", "--randseed=5",
            "--aux-path=" + scratch[""], "--output=" + scratch["report"]);
        Tool.Run("fio", "--name=four", "--ioengine=nbd", "--uri=" + host.Uri, "--rw=randwrite", "--bs=4k", "--size=32m",
            "--numjobs=3", "--offset_increment=32m", "--iodepth=32", "--fsync=64", "--verify=crc32c",
            "--verify_fatal=1", "--aux-path=" + scratch[""], "--output=" + scratch["report"]);
    }
}
