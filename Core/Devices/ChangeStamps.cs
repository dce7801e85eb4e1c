using System;
using System.Globalization;
using System.IO;
using System.Text;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// What tells that a file or block device was written (<see cref="Io.Device.ChangeStamp"/>), within one boot of the
/// machine: another one may have written anything, and a power cut may have kept what was written to a file and lost
/// the time of that. A file: when it was modified and when its inode was changed, to the nanosecond. A block device:
/// which one it is of all that the kernel has seen (diskseq, Linux 5.15; another one each time a device is attached),
/// how much the kernel has written to it and discarded (Documentation/block/stat.rst), and of a loop device the file's
/// times. Not what went to a disk below it, or to the whole disk of a partition.
/// </summary>
internal static class ChangeStamps
{
    // Fields of the device's line, from 0. Sectors are counted before whoever wrote them hears of it, requests after.
    private const int SectorsRead = 2, SectorsWritten = 6, SectorsDiscarded = 13;
    private const string SysFolder = "/sys/dev/block";

    /// <summary>Its devices are there before they are connected, and stay the same for the kernel with another
    /// server (include/uapi/linux/major.h).</summary>
    private const uint NbdMajor = 43;

    private static readonly Lazy<uint> s_boot = new(static () => SumOf(Boot.Id()));

    /// <summary>That of the open file <paramref name="fd"/>; a new one each time where it cannot be told.</summary>
    public static ulong Of(int fd, bool isBlockDevice)
    {
        // Whoever opened it has just asked; a stop waits for nobody.
        if (Libc.KnownStatus(fd, out statx status) < 0) return Doubt();
        if (!isBlockDevice) return OfTimes(TimesOf(status), s_boot.Value);
        if (status.stx_rdev_major == NbdMajor) return Doubt();
        return OfBlockDevice($"{SysFolder}/{status.stx_rdev_major}:{status.stx_rdev_minor}", s_boot.Value);
    }

    internal static ulong OfTimes(string times, uint boot) => In(boot, "file " + times);

    // Of the folder that sysfs has of it.
    internal static ulong OfBlockDevice(string folder, uint boot)
    {
        try
        {
            // A partition's folder lies in its disk's; .NET would take ".." as text, not as the folder above the
            // link's target.
            string own = new FileInfo(folder).ResolveLinkTarget(true)?.FullName ?? folder;
            string disk = File.Exists(own + "/partition") ? Path.GetDirectoryName(own)! : own;
            string sequence = File.ReadAllText(disk + "/diskseq").Trim() + TimesBelow(disk);
            return OfLine(File.ReadAllText(own + "/stat"), sequence, boot);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Doubt();
        }
    }

    // Weir has read from it: where not even that was counted, writes are not either (queue/iostats is 0).
    internal static ulong OfLine(string line, string sequence, uint boot)
    {
        string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        bool isCounted = fields.Length > SectorsWritten && (fields[SectorsRead], fields[SectorsWritten]) != ("0", "0");
        if (!isCounted || sequence == "") return Doubt();
        string discarded = fields.Length > SectorsDiscarded ? fields[SectorsDiscarded] : "";
        return In(boot, $"{sequence} {fields[SectorsWritten]} {discarded}");
    }

    private static string TimesOf(in statx status) => string.Create(CultureInfo.InvariantCulture,
        $"{status.stx_mtime.tv_sec}.{status.stx_mtime.tv_nsec} {status.stx_ctime.tv_sec}.{status.stx_ctime.tv_nsec}");

    // Of the file below a loop device, which may be written as a file too; nothing where its name leads nowhere.
    private static string TimesBelow(string disk)
    {
        string name = disk + "/loop/backing_file";
        if (!File.Exists(name)) return "";
        FileInfo file = new(File.ReadAllText(name).TrimEnd('\n'));
        return file.Exists ? string.Create(CultureInfo.InvariantCulture, $" {file.LastWriteTimeUtc.Ticks}") : "";
    }

    private static ulong In(uint boot, string text) => ((ulong)(boot | 2) << 32) | SumOf(text);

    private static ulong Doubt() => (3UL << 32) | (uint)Random.Shared.Next();

    private static uint SumOf(string text) => Crc32C.Compute(Encoding.ASCII.GetBytes(text));
}
