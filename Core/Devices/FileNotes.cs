using System;
using System.IO;
using System.Text;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// Notes about a file or block device, in files: in a state folder, and for a file beside it too. A file may be moved
/// or renamed, or go to another machine; a device node's own folder is gone with the next boot. A new note is written,
/// flushed, given its name, and the folder is flushed.
/// </summary>
internal static class FileNotes
{
    /// <summary>Where notes are kept wherever the device is; made when the first one is left.</summary>
    public const string StateFolder = "/var/lib/weir";

    /// <summary>
    /// Leaves a note about the device of <paramref name="facts"/>: 0, or a negative errno; it is durable when this
    /// returns. Beside a file it must be; the second one, in the state folder, not everybody may write.
    /// </summary>
    public static int Leave(FileFacts facts, string name, string text)
    {
        int kept = Leave(Path.Combine(StateFolder, name), text);
        return facts.IsBlockDevice ? kept : Leave(PlaceBeside(facts, name), text);
    }

    /// <summary>The path when there is a note.</summary>
    public static string? Find(FileFacts facts, string name)
    {
        string beside = PlaceBeside(facts, name), kept = Path.Combine(StateFolder, name);
        if (!facts.IsBlockDevice && File.Exists(beside)) return beside;
        return File.Exists(kept) ? kept : null;
    }

    private static string PlaceBeside(FileFacts facts, string name) => Path.GetFullPath(facts.Path) + "." + name;

    private static int Leave(string path, string text)
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

    private static int SyncFolder(string folder)
    {
        int fd = Libc.Open(folder, Const.O_RDONLY | Const.O_CLOEXEC);
        if (fd < 0) return fd;
        int result = Libc.DataSync(fd);
        _ = Libc.Close(fd);
        return result;
    }
}
