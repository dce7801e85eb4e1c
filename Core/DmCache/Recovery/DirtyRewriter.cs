using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;

namespace Weir.Core.DmCache.Recovery;

/// <summary>
/// After a flush of the cache device that failed: what is dirty is read and written again in its place. What the device
/// shows may otherwise be gone with the next power cut, though every flush from now on succeeds (B6). What it does not
/// give stays as it is, and nothing around that. Cut anywhere, it begins anew.
/// </summary>
internal sealed unsafe class DirtyRewriter(BlockingIo io, Device cache, CacheMap map, Action<string> log)
{
    /// <summary>Bytes that are read at a time, and where some of these cannot be read.</summary>
    private const int MostBytes = 1 << 20, PartBytes = 4096;

    private readonly DeviceQueue _queue = io.QueueOf(cache);

    /// <summary>All of it. Throws <see cref="UserErrorException"/> when the device refuses a write.</summary>
    public void Run()
    {
        long all = map.Table.DirtyCount;
        log($"{cache.Name}: a flush has failed: what is clean is forgotten, and {all} dirty blocks are written "
            + "again");
        using AlignedMemory memory = new(Math.Min(MostBytes, map.Geometry.BlockBytes));
        for (uint place = 0; place < map.Table.Places; place++)
            if ((map.Table.StateOf(place) & PlaceState.Dirty) != 0) Rewrite(place, memory);
    }

    private void Rewrite(uint place, AlignedMemory memory)
    {
        long end = map.Geometry.PlaceOffset(place) + map.Geometry.BlockBytes;
        for (long at = map.Geometry.PlaceOffset(place); at < end; at += MostBytes)
        {
            long lengthBytes = Math.Min(MostBytes, end - at);
            if (TryRewrite(at, lengthBytes, memory)) continue;
            for (long part = at; part < at + lengthBytes; part += PartBytes) TryRewrite(part, PartBytes, memory);
        }
    }

    // False: it cannot be read.
    private bool TryRewrite(long at, long lengthBytes, AlignedMemory memory)
    {
        io.Start(_queue, IoKind.Read, at, memory.Pointer, lengthBytes);
        if (io.Wait() < 0) return false;
        io.Start(_queue, IoKind.Write, at, memory.Pointer, lengthBytes);
        io.WaitOrFail("writing again what is dirty", cache);
        return true;
    }
}
