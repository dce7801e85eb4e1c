using System;
using System.IO;
using System.Text;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// Notes about a file or block device, in files: beside the file itself, or in a state folder for a device node, whose
/// own folder is gone with the next boot. A new file is written, flushed, given its name, and the folder is flushed.
/// </summary>
internal static class FileNotes
{
    /// <summary>Where notes about block devices are kept; made when the first one is left.</summary>
    public const string StateFolder = "/var/lib/weir";

    /// <summary>The path of a note about the device of <paramref name="facts"/>.</summary>
    public static string PlaceOf(FileFacts facts, string name)
    {
        if (!facts.IsBlockDevice) return Path.GetFullPath(facts.Path) + "." + name;
        return Path.Combine(StateFolder, name);
    }

    /// <summary>0, or a negative errno; the note is durable when this returns.</summary>
    public static int Leave(string path, string text)
    {
        string folder = Path.GetDirectoryName(path)!;
        string draft = path + ".new";
        try
        {
            Directory.CreateDirectory(folder);
            using (FileStream file = new(draft, FileMode.Create, FileAccess.Write))
            {
                file.Write(Encoding.UTF8.GetBytes(text));
                file.Flush(flushToDisk: true);
            }
            File.Move(draft, path, overwrite: true);
            return SyncFolder(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return -Errno.EIO;
        }
    }

    /// <summary>The path when there is a note.</summary>
    public static string? Find(string path) => File.Exists(path) ? path : null;

    private static int SyncFolder(string folder)
    {
        int fd = Libc.Open(folder, Const.O_RDONLY | Const.O_CLOEXEC);
        if (fd < 0) return fd;
        int result = Libc.DataSync(fd);
        _ = Libc.Close(fd);
        return result;
    }
}
