using System;
using System.Buffers.Binary;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// Names what is on a device, so that nothing of the user's is overwritten by mistake. Signatures and their places are
/// those of the formats' public descriptions: the kernel's UAPI headers and documentation, the UEFI and the qcow2
/// specification.
/// </summary>
public static class ContentProbe
{
    /// <summary>
    /// How much of the device's start to show: no format listed keeps its signature beyond, and a cache whose
    /// superblock region was wiped still has its first record behind it.
    /// </summary>
    public const int HeadBytes = (1 << 20) + (64 << 10);

    /// <summary>How much of its end: the backup partition table and old RAID superblocks live there.</summary>
    public const int TailBytes = 64 << 10;

    private readonly record struct Signature(int OffsetBytes, byte[] Bytes, string Name);

    private static readonly Signature[] s_signatures =
    [
        new(0, "XFSB"u8.ToArray(), "an XFS file system"),
        new(0x10040, "_BHRfS_M"u8.ToArray(), "a btrfs file system"),
        new(1024, [0x10, 0x20, 0xf5, 0xf2], "an F2FS file system"),
        new(0, "hsqs"u8.ToArray(), "a squashfs file system"),
        new(32769, "CD001"u8.ToArray(), "an ISO 9660 file system"),
        new(3, "NTFS    "u8.ToArray(), "an NTFS file system"),
        new(3, "EXFAT   "u8.ToArray(), "an exFAT file system"),
        new(54, "FAT1"u8.ToArray(), "a FAT file system"),
        new(82, "FAT32"u8.ToArray(), "a FAT file system"),
        new(4086, "SWAPSPACE2"u8.ToArray(), "swap space"),
        new(4086, "SWAP-SPACE"u8.ToArray(), "swap space"),
        new(0, [.. "LUKS"u8, 0xba, 0xbe], "a LUKS encrypted volume"),
        new(0, [.. "SKUL"u8, 0xba, 0xbe], "a LUKS encrypted volume"),
        new(0, [.. "QFI"u8, 0xfb], "a qcow2 image"),
        new(0, "KDMV"u8.ToArray(), "a VMDK image"),
        new(0, "vhdxfile"u8.ToArray(), "a VHDX image"),
        // "WBst" as a little-endian number, magic of the kernel module's superblock.
        new(0, [0x74, 0x73, 0x42, 0x57], "a dm-writeboost cache"),
        new(0, [0x21, 0x93, 0x48, 0x23], "a dm-writecache cache"),
        // The magic follows checksum, flags, block number and UUID; octal 06142003 and decimal 27022010.
        new(32, [0x03, 0xc4, 0x18, 0, 0, 0, 0, 0], "dm-cache metadata"),
        new(32, [0xba, 0x52, 0x9c, 0x01, 0, 0, 0, 0], "dm-thin metadata"),
        new(4096 + 24, Convert.FromHexString("c68573f64e1a45ca8265f57f48ba6d81"), "a bcache device"),
        new(4096 + 24, Convert.FromHexString("c68573f666ce90a9d96a60cf803df7ef"), "a bcachefs file system"),
        new(0, [0xfc, 0x4e, 0x2b, 0xa9], "a Linux RAID member"),
        new(4096, [0xfc, 0x4e, 0x2b, 0xa9], "a Linux RAID member"),
    ];

    // A table is written without a look at what is behind it.
    private static readonly Signature[] s_tables =
    [
        new(512, "EFI PART"u8.ToArray(), "a GPT partition table"),
        new(4096, "EFI PART"u8.ToArray(), "a GPT partition table"),
    ];

    /// <summary>
    /// Reads what <see cref="Describe"/> wants to see, on the thread that owns <paramref name="io"/>. Throws
    /// <see cref="UserErrorException"/> when the device cannot be read.
    /// </summary>
    public static unsafe (byte[] Head, byte[] Tail) Read(IoContext io, Device device)
    {
        int head = (int)Math.Min(HeadBytes, device.SizeBytes), tail = (int)Math.Min(TailBytes, device.SizeBytes);
        using Slab memory = new(HeadBytes + TailBytes);
        BlockingIo blocking = new(io);
        DeviceQueue queue = device.OpenQueue(io);
        blocking.Start(queue, IoKind.Read, 0, memory.Start, head);
        blocking.Start(queue, IoKind.Read, device.SizeBytes - tail, memory.Start + HeadBytes, tail);
        blocking.WaitOrFail("reading", device);
        return (new Span<byte>(memory.Start, head).ToArray(), new Span<byte>(memory.Start + HeadBytes, tail).ToArray());
    }

    /// <summary>
    /// What the device holds; blank when <paramref name="head"/> is all zero and <paramref name="tail"/> shows no
    /// signature.
    /// </summary>
    /// <param name="head">The first <see cref="HeadBytes"/>, or the whole device if it is shorter.</param>
    /// <param name="tail">The last <see cref="TailBytes"/>; may be empty.</param>
    /// <param name="marks">What tells devices of ours although their beginning is lost.</param>
    public static Content Describe(
        ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail, params ReadOnlySpan<ContentMark> marks)
    {
        if (Find(head, s_signatures) is { } known) return Foreign(known);
        foreach (ContentMark mark in marks)
            if (Has(head, mark.HeadOffsetBytes, mark.Bytes)) return Content.Of(mark);
        string? name = Find(head, s_tables) ?? Ext(head) ?? Lvm(head) ?? Mbr(head) ?? Tail(tail);
        return name != null ? Foreign(name) : IsZero(head) ? default : Content.Unknown();
    }

    /// <summary>
    /// What lies between the parts that <see cref="Read"/> shows, which looked blank; blank when nothing was found
    /// there either. See <see cref="ContentScan"/> for how much of it is looked at.
    /// </summary>
    /// <param name="io">On the thread that owns it.</param>
    /// <param name="device">What is looked at.</param>
    /// <param name="marks">What tells devices of ours although their beginning is lost.</param>
    /// <param name="progress">Is told of what, how many are done, of how many.</param>
    /// <exception cref="UserErrorException">The device cannot be read.</exception>
    public static Content DescribeMiddle(
        IoContext io, Device device, ContentMark[] marks, Action<string, long, long>? progress = null) =>
        new ContentScan(io, device) { Marks = marks, Progress = progress }.Run();

    /// <summary>The mark that is somewhere in it, or null.</summary>
    internal static ContentMark? FindMark(ReadOnlySpan<byte> spot, ContentMark[] marks)
    {
        for (int at = 0; at < spot.Length; at += ContentMark.AlignmentBytes)
            foreach (ContentMark mark in marks)
                if (Has(spot, at, mark.Bytes)) return mark;
        return null;
    }

    /// <summary>Every byte is zero.</summary>
    public static bool IsZero(ReadOnlySpan<byte> bytes) => !bytes.ContainsAnyExcept((byte)0);

    private static string? Find(ReadOnlySpan<byte> head, Signature[] signatures)
    {
        foreach (Signature signature in signatures)
            if (Has(head, signature.OffsetBytes, signature.Bytes)) return signature.Name;
        return null;
    }

    private static Content Foreign(string name) => new(ContentKind.Foreign, name);

    private static bool Has(ReadOnlySpan<byte> bytes, int offset, ReadOnlySpan<byte> what) =>
        offset >= 0 && bytes.Length >= offset + what.Length && bytes.Slice(offset, what.Length).SequenceEqual(what);

    /// <summary>ext2, 3 and 4 share superblock and magic; the feature words at 0x5c and 0x60 tell them apart.</summary>
    private static string? Ext(ReadOnlySpan<byte> head)
    {
        const int superblock = 1024, extents64BitOrFlexGroups = 0x40 | 0x80 | 0x200, journal = 0x4;
        if (!Has(head, superblock + 0x38, [0x53, 0xef])) return null;
        uint compatible = BinaryPrimitives.ReadUInt32LittleEndian(head[(superblock + 0x5c)..]);
        uint incompatible = BinaryPrimitives.ReadUInt32LittleEndian(head[(superblock + 0x60)..]);
        if ((incompatible & extents64BitOrFlexGroups) != 0) return "an ext4 file system";
        return (compatible & journal) != 0 ? "an ext3 file system" : "an ext2 file system";
    }

    /// <summary>The label of a physical volume may be in any of the first four sectors.</summary>
    private static string? Lvm(ReadOnlySpan<byte> head)
    {
        for (int offset = 0; offset < 4 * 512; offset += 512)
            if (Has(head, offset, "LABELONE"u8) && Has(head, offset + 24, "LVM2 001"u8))
                return "an LVM physical volume";
        return null;
    }

    /// <summary>
    /// The boot signature alone is also that of a boot sector; a partition entry with a type makes a table.
    /// </summary>
    private static string? Mbr(ReadOnlySpan<byte> head)
    {
        if (!Has(head, 510, [0x55, 0xaa])) return null;
        for (int entry = 446; entry < 510; entry += 16)
            if (head[entry + 4] != 0) return "an MBR partition table";
        return "a boot sector";
    }

    private static string? Tail(ReadOnlySpan<byte> tail)
    {
        if (Has(tail, tail.Length - 512, "EFI PART"u8) || Has(tail, tail.Length - 4096, "EFI PART"u8))
            return "a GPT partition table (its backup at the end)";
        // RAID metadata 1.0: 8 KiB before the end, rounded down to 4 KiB.
        return Has(tail, tail.Length - 8192, [0xfc, 0x4e, 0x2b, 0xa9]) ? "a Linux RAID member" : null;
    }
}
