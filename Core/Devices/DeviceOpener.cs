using System;
using System.Globalization;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// Opens a device by what the user wrote: a path, <c>ram:SIZE</c>, or <c>slow:PATH?seek=8ms&amp;bandwidth=150M</c>
/// around any of them. Throws <see cref="UserErrorException"/> with one line.
/// </summary>
public static class DeviceOpener
{
    private const string RamPrefix = "ram:";
    private const string SlowPrefix = "slow:";
    private const int UsageError = 2;
    // A common 7200 rpm disk: half a turn is 4.2 ms, the average way of the arm about as much.
    private const long DefaultSeekUs = 8000;
    private const long DefaultBytesPerSecond = 150 << 20;

    /// <summary>Opens it; a file or block device is locked until disposed.</summary>
    /// <param name="text">What the user wrote.</param>
    /// <param name="readOnly">For reading only.</param>
    /// <param name="anySize">A file may end inside a logical block: as a backing device, not as a cache.</param>
    public static Device Open(string text, bool readOnly = false, bool anySize = false)
    {
        if (text.Length == 0)
            throw new UserErrorException("an empty path; expected a file or block device", UsageError);
        if (text.StartsWith(RamPrefix, StringComparison.Ordinal))
            return new RamDevice(ByteSize.Parse(text[RamPrefix.Length..], text));
        return text.StartsWith(SlowPrefix, StringComparison.Ordinal)
            ? OpenSlow(text, readOnly, anySize)
            : FileDevice.Open(text, readOnly, anySize);
    }

    /// <summary>One line to print about a device that works, but not as well as it could; or null.</summary>
    public static string? Warning(Device device) => device switch
    {
        FileDevice file => file.Warning,
        SlowDevice slow => Warning(slow.Inner),
        _ => null,
    };

    /// <summary>Both descriptions end at one and the same file or block device, under whatever names.</summary>
    public static bool IsSame(string first, string second)
    {
        (string a, string b) = (FileOf(first), FileOf(second));
        if (a.StartsWith(RamPrefix, StringComparison.Ordinal) || b.StartsWith(RamPrefix, StringComparison.Ordinal))
            return false;
        if (Libc.Status(a, out statx one) < 0 || Libc.Status(b, out statx other) < 0) return false;
        bool areBlock = (one.stx_mode & other.stx_mode & Const.S_IFMT) == Const.S_IFBLK;
        return areBlock
            ? (one.stx_rdev_major, one.stx_rdev_minor) == (other.stx_rdev_major, other.stx_rdev_minor)
            : (one.stx_dev_major, one.stx_dev_minor, one.stx_ino)
                == (other.stx_dev_major, other.stx_dev_minor, other.stx_ino);
    }

    /// <summary>The path inside a description.</summary>
    public static string FileOf(string text)
    {
        if (!text.StartsWith(SlowPrefix, StringComparison.Ordinal)) return text;
        int question = text.LastIndexOf('?');
        return FileOf(text[SlowPrefix.Length..(question < 0 ? text.Length : question)]);
    }

    private static SlowDevice OpenSlow(string text, bool readOnly, bool anySize)
    {
        string rest = text[SlowPrefix.Length..];
        int question = rest.LastIndexOf('?');
        string path = question < 0 ? rest : rest[..question];
        long seekUs = DefaultSeekUs, bytesPerSecond = DefaultBytesPerSecond;
        if (question >= 0)
            foreach (string option in rest[(question + 1)..].Split('&'))
                ReadOption(text, option, ref seekUs, ref bytesPerSecond);
        Device inner = Open(path, readOnly, anySize);
        return new SlowDevice(inner, new DiskArm(inner.SizeBytes, seekUs, bytesPerSecond), text);
    }

    private static void ReadOption(string text, string option, ref long seekUs, ref long bytesPerSecond)
    {
        int equals = option.IndexOf('=', StringComparison.Ordinal);
        string key = equals < 0 ? option : option[..equals];
        string value = equals < 0 ? "" : option[(equals + 1)..];
        if (key == "seek" && TryParseTime(value, out long us)) seekUs = us;
        else if (key == "bandwidth" && ByteSize.TryParse(value, out long bytes) && bytes > 0) bytesPerSecond = bytes;
        else throw new UserErrorException(
            $"{text}: '{option}' is not understood; expected seek=TIME such as 8ms, bandwidth=SIZE such as 150M",
            UsageError);
    }

    /// <summary>A time of up to a minute: <c>8ms</c>, <c>500us</c>, <c>1s</c>.</summary>
    private static bool TryParseTime(string text, out long us)
    {
        (string unit, long factor) = text switch
        {
            _ when text.EndsWith("us", StringComparison.Ordinal) => ("us", 1L),
            _ when text.EndsWith("ms", StringComparison.Ordinal) => ("ms", 1000L),
            _ => ("s", 1_000_000L),
        };
        us = 0;
        if (!text.EndsWith(unit, StringComparison.Ordinal)) return false;
        if (!long.TryParse(text[..^unit.Length], NumberStyles.None, CultureInfo.InvariantCulture, out long value))
            return false;
        us = Math.Min(value, 60_000_000) * factor;
        return us <= 60_000_000;
    }
}
