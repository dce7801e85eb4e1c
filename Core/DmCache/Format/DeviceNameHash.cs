using System.Text;

namespace Weir.Core.DmCache.Format;

/// <summary>Names of devices, as the mark has room for them: FNV-1a of 64 bits, never 0.</summary>
internal static class DeviceNameHash
{
    private const ulong Basis = 0xcbf29ce484222325, Prime = 0x100000001b3;

    /// <summary>That of one of <see cref="Io.Device.Identities"/>.</summary>
    public static ulong Of(string identity)
    {
        ulong hash = Basis;
        foreach (byte one in Encoding.UTF8.GetBytes(identity)) hash = (hash ^ one) * Prime;
        return hash == 0 ? 1 : hash;
    }
}
