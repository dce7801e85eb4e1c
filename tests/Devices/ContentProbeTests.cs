using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using Weir.Core.Devices;
using Xunit;

namespace Weir.Tests.Devices;

public sealed class ContentProbeTests
{
    public static TheoryData<int, byte[], string> Signatures() => new()
    {
        { 1024 + 0x38, [0x53, 0xef], "an ext2 file system" },
        { 0, [0x58, 0x46, 0x53, 0x42], "an XFS file system" },
        { 0x10040, "_BHRfS_M"u8.ToArray(), "a btrfs file system" },
        { 4086, "SWAPSPACE2"u8.ToArray(), "swap space" },
        { 512, [.. "LABELONE"u8, .. new byte[16], .. "LVM2 001"u8], "an LVM physical volume" },
        { 0, [.. "LUKS"u8, 0xba, 0xbe], "a LUKS encrypted volume" },
        { 512, "EFI PART"u8.ToArray(), "a GPT partition table" },
        { 450, [0x83, .. new byte[59], 0x55, 0xaa], "an MBR partition table" },
        { 0, BitConverter.GetBytes(0x57427374), "a dm-writeboost cache" },
        { 32, BitConverter.GetBytes(0x18c403L), "dm-cache metadata" },
        { 32, BitConverter.GetBytes(27022010L), "dm-thin metadata" },
        { 0, BitConverter.GetBytes(0x23489321), "a dm-writecache cache" },
        { 4096 + 24, Convert.FromHexString("c68573f64e1a45ca8265f57f48ba6d81"), "a bcache device" },
        { 0, [.. "QFI"u8, 0xfb], "a qcow2 image" },
        { 4096, BitConverter.GetBytes(0xa92b4efc), "a Linux RAID member" },
        { 70000, [1], "unknown content" },
        { (1 << 20) - 1, [1], "unknown content" },
    };

    [Theory]
    [MemberData(nameof(Signatures))]
    public void NamesWhatItFinds(int offset, byte[] bytes, string name)
    {
        byte[] head = new byte[ContentProbe.HeadBytes];
        bytes.CopyTo(head, offset);
        Assert.Equal(name, ContentProbe.Describe(head, []).Description);
    }

    [Fact]
    public void ExtFeaturesTellTheVersion()
    {
        byte[] head = new byte[4096];
        (head[1024 + 0x38], head[1024 + 0x39]) = (0x53, 0xef);
        head[1024 + 0x5c] = 4;
        Assert.Equal("an ext3 file system", ContentProbe.Describe(head, []).Description);
        head[1024 + 0x60] = 0x40;
        Assert.Equal("an ext4 file system", ContentProbe.Describe(head, []).Description);
    }

    [Theory]
    [InlineData(512, "EFI PART", "a GPT partition table (its backup at the end)")]
    [InlineData(4096, "EFI PART", "a GPT partition table (its backup at the end)")]
    public void LooksAtTheEndToo(int before, string text, string name)
    {
        byte[] tail = new byte[ContentProbe.TailBytes];
        System.Text.Encoding.ASCII.GetBytes(text).CopyTo(tail, tail.Length - before);
        Assert.Equal(name, ContentProbe.Describe(new byte[ContentProbe.HeadBytes], tail).Description);
    }

    [Fact]
    public void ZeroesAreBlankWhateverTheLength()
    {
        byte[] head = new byte[ContentProbe.HeadBytes], tail = new byte[ContentProbe.TailBytes];
        Assert.Equal(default, ContentProbe.Describe(head, tail));
        for (int length = 0; length < 9000; length += 7)
            Assert.True(ContentProbe.Describe(new byte[length], []).IsBlank);
    }

    /// <summary>No length of noise makes the probe read outside, and noise is never blank.</summary>
    [Fact]
    public void NoiseOfAnyLengthIsSomething()
    {
        Random random = new(7);
        for (int length = 1; length < 9000; length += 13)
        {
            byte[] noise = new byte[length];
            random.NextBytes(noise);
            noise[0] |= 1;
            Assert.False(ContentProbe.Describe(noise, noise).IsBlank);
        }
    }

    /// <summary>
    /// A mark of ours tells a damaged cache, unless somebody has made something else of the device since; a partition
    /// table is no such thing.
    /// </summary>
    [Fact]
    public void AMarkTellsADamagedCache()
    {
        ContentMark mark = new("WEIRTEST"u8.ToArray(), 1 << 20, 8 << 20, "a damaged test");
        byte[] head = new byte[ContentProbe.HeadBytes];
        mark.Bytes.CopyTo(head, mark.HeadOffsetBytes);
        Assert.Equal(ContentKind.Unknown, ContentProbe.Describe(head, []).Kind);
        Assert.Equal(Content.Of(mark), ContentProbe.Describe(head, [], mark));
        "EFI PART"u8.CopyTo(head.AsSpan(512));
        Assert.Equal(ContentKind.DamagedCache, ContentProbe.Describe(head, [], mark).Kind);
        "XFSB"u8.CopyTo(head);
        Assert.Equal(ContentKind.Foreign, ContentProbe.Describe(head, [], mark).Kind);
    }

    [Fact]
    public void AgreesWithQemuImg()
    {
        string path = Path.Combine(Path.GetTempPath(), "weir-probe-" + Guid.NewGuid().ToString("N"));
        try
        {
            List<string> arguments = ["create", "-q", "-f", "qcow2", path, "1M"];
            using Process process = Process.Start(new ProcessStartInfo("qemu-img", arguments))!;
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
            Assert.Equal("a qcow2 image", ContentProbe.Describe(File.ReadAllBytes(path), []).Description);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
