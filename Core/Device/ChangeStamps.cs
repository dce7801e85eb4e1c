using System;
using System.Globalization;
using System.IO;
using System.Text;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// What tells that a file or block device was written (<see cref="Io.Device.ChangeStamp"/>). A file: when it was
/// modified, to the nanosecond; also through a loop device. A block device: how much the kernel has written to it and
/// discarded in this boot of the machine (Documentation/block/stat.rst); not what went to a disk below it, or to the
/// whole disk of a partition. Another boot may have written anything.
/// </summary>
internal static class ChangeStamps
{
    // Fields of the device's line, from 0. Sectors are counted before whoever wrote them hears of it, requests after.
    private const int SectorsRead = 2, SectorsWritten = 6, SectorsDiscarded = 13;
    private const string SysFolder = "/sys/dev/block";

    private static readonly Lazy<uint> s_boot = new(static () => SumOf(Boot.Id()));

    /// <summary>That of the open file <paramref name="fd"/>; a new one each time where it cannot be told.</summary>
    public static ulong Of(int fd, bool isBlockDevice)
    {
        // Whoever opened it has just asked; a stop waits for nobody.
        if (Libc.KnownStatus(fd, out statx status) < 0) return Doubt();
        if (!isBlockDevice) return OfTime(status.stx_mtime.tv_sec, status.stx_mtime.tv_nsec);
        string folder = $"{SysFolder}/{status.stx_rdev_major}:{status.stx_rdev_minor}";
        try
        {
            return OfLine(File.ReadAllText(folder + "/stat"), s_boot.Value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Doubt();
        }
    }

    internal static ulong OfTime(long seconds, uint nanoseconds) =>
        (1UL << 32) | SumOf(string.Create(CultureInfo.InvariantCulture, $"{seconds}.{nanoseconds}"));

    // Weir has read from it: where not even that was counted, writes are not either (queue/iostats is 0).
    internal static ulong OfLine(string line, uint boot)
    {
        string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (fields.Length <= SectorsWritten || (fields[SectorsRead], fields[SectorsWritten]) == ("0", "0"))
            return Doubt();
        string discarded = fields.Length > SectorsDiscarded ? fields[SectorsDiscarded] : "";
        return ((ulong)(boot | 2) << 32) | SumOf($"{fields[SectorsWritten]} {discarded}");
    }

    private static ulong Doubt() => (3UL << 32) | (uint)Random.Shared.Next();

    private static uint SumOf(string text) => Crc32C.Compute(Encoding.ASCII.GetBytes(text));
}
