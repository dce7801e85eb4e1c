using System;
using System.IO;
using Weir.Core.Devices;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.Harness;

/// <summary>A folder on tmpfs, perhaps with a small one of its own mounted over it; gone afterwards.</summary>
internal sealed class TmpfsFolder : IDisposable
{
    private bool _isMounted;

    public string Path { get; } =
        Directory.CreateDirectory($"{MemoryPlaces.Shm}/weirtest-{Guid.NewGuid():n}").FullName;

    /// <summary>False, and a word why: nobody may mount here.</summary>
    public bool TryMount(string size, Action<string> say)
    {
        (int code, _, string error) = Tool.Try("mount", "-t", "tmpfs", "-o", $"size={size}", "weir-test", Path);
        _isMounted = code == 0;
        Assert.True(_isMounted || !Environment.IsPrivilegedProcess || !File.Exists("/dev/fuse"), error);
        if (!_isMounted) say("nothing can be mounted here, nothing was tested: " + error);
        return _isMounted;
    }

    public void Dispose()
    {
        if (_isMounted) Tool.Run("umount", "-l", Path);
        foreach (string path in (string[])[Path, Path + "y"])
            if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
    }
}
