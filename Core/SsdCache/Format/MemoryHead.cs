using System;
using System.Runtime.InteropServices;
using System.Text;
using Weir.Core.Base;

namespace Weir.Core.SsdCache.Format;

/// <summary>
/// The head of memory that outlives the process, 4 KiB, little endian; the directory follows
/// (<see cref="Sets.SetTable"/>): what a later weir must know to go on where a dead one was.
/// <code>
///    0  magic "WEIRSRM1"           u64   stored last: without it the process died while it made the memory
///    8  cache UUID                 16 bytes
///   24  epoch                      u64   of the superblock in this life
///   32  bytes of a block           u32
///   36  version                    u32   1
///   40  boot id                    36 characters, 4 zero bytes
///   80  sets                       u64
///   88  zero                       u32
///   92  length of the cache's path u32   bytes; 0: not known
///   96  the cache's path           512 bytes of UTF-8, cut to that
///  608  zero
/// </code>
/// </summary>
[StructLayout(LayoutKind.Explicit, Pack = 1, Size = Bytes)]
internal unsafe struct MemoryHead
{
    /// <summary>Size in memory.</summary>
    public const int Bytes = 4096;
    /// <summary>"WEIRSRM1", little endian.</summary>
    public const ulong MagicValue = 0x314D525352494557;
    /// <summary>The version that this weir writes and reads.</summary>
    public const uint VersionValue = 1;
    /// <summary>Characters of a boot id, and what follows them; room for the path.</summary>
    public const int BootIdBytes = 40, CachePathMax = 512;

    /// <summary>See the picture.</summary>
    [FieldOffset(0)] public ulong Magic;
    /// <summary>See the picture.</summary>
    [FieldOffset(8)] public Guid CacheId;
    /// <summary>See the picture.</summary>
    [FieldOffset(24)] public long Epoch;
    /// <summary>See the picture.</summary>
    [FieldOffset(32)] public int BlockBytes;
    /// <summary>See the picture.</summary>
    [FieldOffset(36)] public uint Version;
    [FieldOffset(40)] private fixed byte _bootId[BootIdBytes];
    /// <summary>See the picture.</summary>
    [FieldOffset(80)] public long Sets;
    [FieldOffset(88)] private uint _zero88;
    [FieldOffset(92)] private int _cachePathBytes;
    [FieldOffset(96)] private fixed byte _cachePath[CachePathMax];
    [FieldOffset(608)] private fixed byte _zero608[Bytes - 608];

    /// <summary>It is memory of this engine, which this weir can read.</summary>
    public readonly bool IsKnown => Magic == MagicValue && Version == VersionValue;

    /// <summary>See the picture.</summary>
    public string BootId
    {
        readonly get
        {
            fixed (byte* bytes = _bootId) return Encoding.ASCII.GetString(bytes, BootIdBytes).TrimEnd('\0');
        }
        set
        {
            Invariant.Check(value.Length <= BootIdBytes);
            fixed (byte* bytes = _bootId) Encoding.ASCII.GetBytes(value, new Span<byte>(bytes, BootIdBytes));
        }
    }

    /// <summary>See the picture; empty when it is not known.</summary>
    public string CachePath
    {
        readonly get
        {
            fixed (byte* bytes = _cachePath)
                return Encoding.UTF8.GetString(bytes, Math.Clamp(_cachePathBytes, 0, CachePathMax));
        }
        set
        {
            fixed (byte* bytes = _cachePath)
            {
                Encoding.UTF8.GetEncoder().Convert(
                    value, new Span<byte>(bytes, CachePathMax), true, out _, out int used, out _);
                _cachePathBytes = used;
            }
        }
    }

    /// <summary>
    /// It is of this cache's last life, in this boot of the machine; or of the one before, if that life died before it
    /// had served anybody.
    /// </summary>
    public readonly bool IsOf(in SsdSuperblock head, string bootId) => IsKnown && CacheId == head.CacheId
        && (Epoch == head.Epoch || (Epoch + 1 == head.Epoch && head.BootId == bootId))
        && BlockBytes == head.BlockBytes && Sets == head.Sets && BootId == bootId;
}
