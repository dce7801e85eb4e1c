using System;
using System.IO;

namespace Weir.Core.Devices;

/// <summary>Whether a block device gains anything from being told what nobody needs, from sysfs.</summary>
internal static class DiscardSupport
{
    /// <summary>
    /// The kernel's word for "discards mean something here" is that they have a granularity; yes where it says nothing.
    /// </summary>
    public static bool Of(uint major, uint minor)
    {
        string link = $"/sys/dev/block/{major}:{minor}";
        // A partition's queue is its disk's; .NET would take ".." as text, not as the folder above the link's target.
        string disk = Path.GetDirectoryName(new FileInfo(link).ResolveLinkTarget(true)?.FullName) ?? link;
        return Says(link + "/queue/discard_granularity") ?? Says(disk + "/queue/discard_granularity") ?? true;
    }

    private static bool? Says(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim() != "0";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
