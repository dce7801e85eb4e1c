using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Settings;

namespace Weir.Core.SsdCache.Recovery;

/// <summary>Whether the devices are those that the superblock names (B14). Reads nothing but what is known of them.
/// </summary>
internal static class BindingCheck
{
    /// <summary>Refuses other devices, unless the user says that they are right.</summary>
    /// <exception cref="UserErrorException">One is another one, too small, or of another block size.</exception>
    public static void Run(in SsdSuperblock head, Device cache, Device backing, SsdCacheOptions options)
    {
        if (options.BlockBytes != 0 && options.BlockBytes != head.BlockBytes)
            throw new UserErrorException($"{cache.Name}: was formatted with blocks of "
                + $"{ByteSize.Format(head.BlockBytes)}; {ByteSize.Format(options.BlockBytes)} was asked for: leave it "
                + "out");
        _ = SsdGeometry.Of(head).BlocksOf(backing.SizeBytes, backing.Name);
        if (backing.SizeBytes < head.BackingBytes)
            throw new UserErrorException($"{backing.Name}: has {backing.SizeBytes} bytes; the cache on {cache.Name} "
                + $"was served with {head.BackingBytes}");
        if (options.Rebind || head.BackingName == 0 || Mutant.Is(SsdCacheMutant.B14AnyDeviceTaken)) return;
        CheckName(cache, head.CacheName, "cache device", cache);
        CheckName(backing, head.BackingName, "backing device", cache);
    }

    // A place says little: a copy of the device is found elsewhere.
    private static void CheckName(Device device, ulong name, string role, Device cache)
    {
        IReadOnlyList<string> own = device.Identities;
        foreach (string identity in own)
            if (NameHash.Of(identity) == name) return;
        throw new UserErrorException($"{device.Name}: is not the {role} that the cache on {cache.Name} was served "
            + "with; --option rebind=1 if it is right all the same: what is clean in the cache is forgotten then");
    }
}
