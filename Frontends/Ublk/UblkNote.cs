using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Native;
using Weir.Native.Ublk;

namespace Weir.Frontends.Ublk;

/// <summary>
/// What is known of a ublk device of Weir's beside what the driver knows: a small file in memory,
/// <c>/run/weir/ublkN</c> (of users without rights, below XDG_RUNTIME_DIR), that dies with the machine as the device
/// does. It says whose device it is, so that a server that comes after a dead one finds it; a token that the driver
/// keeps proves that file and device belong together.
/// </summary>
/// <param name="Info">What the driver says.</param>
/// <param name="Name">Of the export.</param>
/// <param name="Identity">Of the volume, as <see cref="IdentityOf"/> says it.</param>
internal sealed record UblkNote(ublksrv_ctrl_dev_info Info, string Name, string Identity)
{
    // Null: there is no place that is ours and dies with the machine. Then nobody but its server knows the device.
    private static readonly string? s_folder = FindFolder();

    private const char Separator = '\t';

    /// <summary>The paths of what a volume stands on, in one line; memory has none.</summary>
    public static string IdentityOf(IEnumerable<string> paths) =>
        string.Join(Separator, paths.Where(static path => !path.StartsWith("ram:", StringComparison.Ordinal))
            .Select(Path.GetFullPath));

    /// <summary>What the volume stands on, for people.</summary>
    public string StandsOn => Identity.Replace(Separator.ToString(), ", ", StringComparison.Ordinal);

    /// <summary>Both volumes stand on one and the same file or device, under whatever names.</summary>
    public bool Shares(string identity) => identity.Split(Separator).Any(
        path => Identity.Split(Separator).Any(own => DeviceOpener.IsSame(own, path)));

    /// <summary>No process serves it.</summary>
    public bool IsLeft => !Directory.Exists($"/proc/{Info.ublksrv_pid}") || Info.state == UblkConst.UBLK_S_DEV_QUIESCED;

    /// <summary>Whoever uses it waits until a server takes it over.</summary>
    public bool IsWaiting => IsLeft && Info.state != UblkConst.UBLK_S_DEV_DEAD
        && (Info.flags & UblkConst.UBLK_F_USER_RECOVERY) != 0;

    /// <summary>Nobody serves it, and nobody waits for it: only its number is taken.</summary>
    public bool IsOver => IsLeft && !IsWaiting;

    /// <summary>Its state in words.</summary>
    public string State => (Info.state, IsLeft) switch
    {
        (UblkConst.UBLK_S_DEV_LIVE, false) => $"served by process {Info.ublksrv_pid}",
        (UblkConst.UBLK_S_DEV_DEAD, false) => "starting or stopping",
        (UblkConst.UBLK_S_DEV_DEAD, true) => "served by nobody",
        _ => IsWaiting ? "left behind: its users wait" : "going",
    };

    /// <summary>What tells one device from a later one of the same number.</summary>
    public static ulong NewToken() => (ulong)Random.Shared.NextInt64() | 1;

    /// <summary>Notes whose a device is.</summary>
    public static void Write(in ublksrv_ctrl_dev_info info, string name, string identity)
    {
        if (s_folder == null) return;
        string token = info.ublksrv_flags.ToString("x", CultureInfo.InvariantCulture);
        string temporary = PathOf(info.dev_id) + ".new";
        try
        {
            Directory.CreateDirectory(s_folder);
            File.WriteAllText(temporary, $"{token}\n{name}\n{identity}\n");
            File.Move(temporary, PathOf(info.dev_id), overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"ublk: cannot note whose the device is: {e.Message}");
        }
    }

    /// <summary>The device is gone.</summary>
    public static void Delete(uint id)
    {
        try
        {
            if (s_folder != null) File.Delete(PathOf(id));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A note without its device is nobody's: its token is no device's.
        }
    }

    /// <summary>There may be devices of Weir's.</summary>
    public static bool AnyThere => Directory.Exists(s_folder) && Directory.GetFiles(s_folder, "ublk*").Length > 0
        && File.Exists(ControlDevice.Path);

    /// <summary>Every device of Weir's that there is.</summary>
    public static List<UblkNote> All(ControlDevice control)
    {
        List<UblkNote> notes = [];
        if (!Directory.Exists(s_folder)) return notes;
        foreach (string path in Directory.GetFiles(s_folder, "ublk*"))
        {
            bool isDevice = uint.TryParse(Path.GetFileName(path)[4..], out uint id);
            if (isDevice && Find(control, id) is { } note) notes.Add(note);
        }
        notes.Sort(static (a, b) => a.Info.dev_id.CompareTo(b.Info.dev_id));
        return notes;
    }

    /// <summary>The device of this number, or null when there is none, or it is not Weir's.</summary>
    public static UblkNote? Find(ControlDevice control, uint id)
    {
        int result = control.GetInfo(id, out ublksrv_ctrl_dev_info info);
        if (result == -Errno.ENODEV) return null;
        // Not to know is not to be sure that nobody waits.
        if (result < 0)
            throw new UserErrorException($"{UblkDevice.PathOf(id)}: cannot be asked for: {Errno.Text(result)}");
        string[] lines = Lines(id);
        if (lines is not [var token, var name, var identity, ..]) return null;
        if (token != info.ublksrv_flags.ToString("x", CultureInfo.InvariantCulture)) return null;
        return new UblkNote(info, name, identity);
    }

    private static string[] Lines(uint id)
    {
        try
        {
            return File.ReadAllLines(PathOf(id));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{PathOf(id)}: cannot be read: {e.Message}");
        }
    }

    private static string? FindFolder()
    {
        if (Environment.IsPrivilegedProcess) return "/run/weir";
        return Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } own ? own + "/weir" : null;
    }

    private static string PathOf(uint id) => $"{s_folder}/ublk{id}";
}
