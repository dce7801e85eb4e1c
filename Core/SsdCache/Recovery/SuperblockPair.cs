using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Metadata;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Recovery;

/// <summary>Both copies of the superblock as they are on a device, and which one counts. Writes nothing.</summary>
internal sealed unsafe class SuperblockPair
{
    private readonly SsdSuperblock[] _copies = new SsdSuperblock[2];
    private readonly CopyChoice _choice;
    private readonly Device _cache;

    private SuperblockPair(Device cache, SsdSuperblock* copies)
    {
        _cache = cache;
        (_copies[0], _copies[1]) = (copies[0], copies[1]);
        _choice = new CopyChoice(SsdSuperblock.IsIntact(copies), copies->Generation,
            SsdSuperblock.IsIntact(copies + 1), copies[1].Generation);
    }

    /// <summary>Neither copy carries the magic number: this is no cache of this engine.</summary>
    public bool IsForeign => _copies[0].Magic != SsdSuperblock.MagicValue
        && _copies[1].Magic != SsdSuperblock.MagicValue;

    /// <summary>One copy is whole.</summary>
    public bool IsFound => _choice.IsFound;

    /// <summary>The copy that is not whole, "A" or "B"; null: both are.</summary>
    public string? Damaged => _choice.Damaged;

    /// <summary>The next update begins with copy B: it is damaged, or the older one.</summary>
    public bool BeginsWithB => _choice.BeginsWithB;

    /// <summary>Reads them.</summary>
    /// <exception cref="UserErrorException">The device is too small, or cannot be read.</exception>
    public static SuperblockPair Read(BlockingIo io, Device cache)
    {
        if (cache.SizeBytes < SsdGeometry.DirectoryOffset)
            throw new UserErrorException($"{cache.Name}: too small for a cache: {cache.SizeBytes} bytes");
        using AlignedMemory memory = new(2 * SsdSuperblock.Bytes);
        DeviceQueue queue = io.QueueOf(cache);
        for (int copy = 0; copy < 2; copy++)
        {
            byte* to = memory.Pointer + (copy * SsdSuperblock.Bytes);
            io.Start(queue, IoKind.Read, (long)copy * SsdSuperblock.Bytes, to, SsdSuperblock.Bytes);
            // One that cannot be read is as good as damaged: the other one may be whole.
            if (io.Wait() < 0) new Span<byte>(to, SsdSuperblock.Bytes).Clear();
        }
        return new SuperblockPair(cache, (SsdSuperblock*)memory.Pointer);
    }

    /// <summary>Copy 0 or 1, and whether it is whole.</summary>
    public ref readonly SsdSuperblock Copy(int copy, out bool isWhole)
    {
        isWhole = copy == 0 ? _choice.AIsWhole : _choice.BIsWhole;
        return ref _copies[copy];
    }

    /// <summary>The one that counts, of a version that this program knows, and possible on this device.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    public SsdSuperblock Chosen()
    {
        if (!IsFound)
            throw new UserErrorException(IsForeign
                ? $"{_cache.Name}: not an ssdcache: no superblock found"
                : $"{_cache.Name}: both superblock copies are damaged");
        ref readonly SsdSuperblock chosen = ref _copies[_choice.TakesB ? 1 : 0];
        if (chosen.Version != SsdSuperblock.VersionValue)
            throw new UserErrorException($"{_cache.Name}: format version {chosen.Version}; this version of weir knows "
                + $"{SsdSuperblock.VersionValue}");
        if (!chosen.IsConsistent)
            throw new UserErrorException($"{_cache.Name}: the superblock says what cannot be: {chosen.Sets} sets of "
                + $"blocks of {chosen.BlockBytes} bytes from byte {chosen.DataOffset} on, assoc {chosen.Assoc}, mode "
                + $"{(uint)chosen.Mode}, flags {chosen.Flags:x}, epoch {chosen.Epoch}");
        long needed = SsdGeometry.Of(chosen).EndOffset;
        return needed <= _cache.SizeBytes ? chosen : throw new UserErrorException(
            $"{_cache.Name}: has {_cache.SizeBytes} bytes; the cache on it needs {needed}");
    }
}
