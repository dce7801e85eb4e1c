using System.IO;

namespace Weir.Native;

/// <summary>Limits of this process: getrlimit(2). The soft one holds; up to the hard one anyone may raise it.</summary>
internal static class ResourceLimit
{
    /// <summary>The soft limit; <see cref="long.MaxValue"/> for none, 0 when it cannot be asked for.</summary>
    public static long Soft(int resource)
    {
        if (Libc.GetLimit(resource, out rlimit limit) < 0) return 0;
        return limit.rlim_cur > long.MaxValue ? long.MaxValue : (long)limit.rlim_cur;
    }

    /// <summary>Raises it to the hard one. Returns what then holds.</summary>
    public static long Raise(int resource)
    {
        if (Libc.GetLimit(resource, out rlimit limit) == 0 && limit.rlim_cur < limit.rlim_max)
            _ = Libc.SetLimit(resource, new rlimit { rlim_cur = limit.rlim_max, rlim_max = limit.rlim_max });
        return Soft(resource);
    }
}

/// <summary>How many files and sockets this process may have open (<c>ulimit -n</c>).</summary>
public static class OpenFiles
{
    /// <summary>The limit; <see cref="long.MaxValue"/> for none.</summary>
    public static long Limit => ResourceLimit.Soft(Const.RLIMIT_NOFILE);

    /// <summary>How many are open now.</summary>
    public static int Count
    {
        get
        {
            try
            {
                // Less the folder itself, which is open to be listed.
                return Directory.GetFileSystemEntries("/proc/self/fd").Length - 1;
            }
            catch (IOException)
            {
                return 0;
            }
        }
    }

    /// <summary>
    /// Raises the soft limit to the hard one, which needs no right. Returns the limit that then holds.
    /// </summary>
    public static long Raise() => ResourceLimit.Raise(Const.RLIMIT_NOFILE);
}
