using System.Text;

namespace Weir.Core.Base;

/// <summary>Names of devices, where a format has no room for more: FNV-1a of 64 bits over UTF-8, never 0.</summary>
internal static class NameHash
{
    private const ulong Basis = 0xCBF29CE484222325, Prime = 0x100000001B3;

    /// <summary>That of a name.</summary>
    public static ulong Of(string name)
    {
        ulong hash = Basis;
        foreach (byte one in Encoding.UTF8.GetBytes(name)) hash = (hash ^ one) * Prime;
        return hash == 0 ? 1 : hash;
    }
}
