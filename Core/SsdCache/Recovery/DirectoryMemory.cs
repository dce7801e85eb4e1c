using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;

namespace Weir.Core.SsdCache.Recovery;

/// <summary>
/// The directory in memory that outlives the process (B5): as a dead process has left it, or a new one. Where there is
/// no such memory it is the process's own, and what the cache alone has is acknowledged when it is committed.
/// </summary>
internal sealed unsafe class DirectoryMemory : IDisposable
{
    private readonly IRamStore _store;
    private readonly string _name;
    private IRamRegion? _region;

    private DirectoryMemory(IRamStore store, string name, SsdGeometry geometry) =>
        (_store, _name, Geometry) = (store, name, geometry);

    /// <summary>Sizes.</summary>
    public SsdGeometry Geometry { get; }

    /// <summary>The directory.</summary>
    public SetTable Table { get; private set; } = null!;

    /// <summary>What a dead process had in it is still there.</summary>
    public bool IsFound { get; private set; }

    /// <summary>It outlives this process.</summary>
    public bool OutlivesProcess { get; private set; }

    /// <summary>Where it is, for people.</summary>
    public string Place => _region?.Place ?? "the process's own";

    /// <summary>This boot of the machine.</summary>
    public string BootId => _store.BootId;

    /// <summary>The folder in which the next process has to look.</summary>
    public string Folder => _region?.Folder ?? "";

    /// <summary>
    /// That of the cache <paramref name="head"/>: as it was left in this boot, or empty. Nothing but memory is written.
    /// </summary>
    public static DirectoryMemory Open(
        IRamStore store, in SsdSuperblock head, SsdGeometry geometry, int assoc, bool readOnly, Action<string> log)
    {
        if (head.RamFolder != "") store.AlsoSearch(head.RamFolder);
        DirectoryMemory memory = new(store, $"ssdcache-{head.CacheId:N}", geometry);
        if (memory.TryFind(head, assoc)) return memory;
        if (head.BootId == store.BootId)
            log($"its last run acknowledged writes from memory, in this boot of the machine, and that memory is gone "
                + $"(looked in {store.Places}): writes that no flush followed may be lost");
        if (!readOnly) memory.TryMake(assoc, log);
        memory.Table ??= new SetTable(geometry, assoc, null);
        return memory;
    }

    /// <summary>
    /// The life that begins: one after that of the memory. A start that was cut between superblock and memory begins
    /// the same life again.
    /// </summary>
    public long NextEpoch(in SsdSuperblock head) =>
        IsFound ? ((MemoryHead*)_region!.Pointer)->Epoch + 1 : head.Epoch + 1;

    /// <summary>
    /// It is of the life <paramref name="head"/> from here on. New memory before the superblock says so, found memory
    /// after: in between either is still what it was.
    /// </summary>
    public void Publish(in SsdSuperblock head, string cachePath)
    {
        if (_region == null) return;
        MemoryHead* own = (MemoryHead*)_region.Pointer;
        if (IsFound)
        {
            System.Threading.Volatile.Write(ref own->Epoch, head.Epoch);
            return;
        }
        (own->CacheId, own->Epoch, own->BlockBytes, own->Sets) = (head.CacheId, head.Epoch, head.BlockBytes, head.Sets);
        (own->Version, own->BootId, own->CachePath) = (MemoryHead.VersionValue, _store.BootId, cachePath);
        Mutant.Point();
        System.Threading.Volatile.Write(ref own->Magic, MemoryHead.MagicValue);
    }

    /// <summary>Nobody needs it any more: the device has all of it.</summary>
    public void Forget()
    {
        if (_region != null) _store.Delete(_name);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Table?.Dispose();
        _region?.Dispose();
    }

    private bool TryFind(in SsdSuperblock head, int assoc)
    {
        IReadOnlyList<IRamRegion> found = _store.Open(_name);
        foreach (IRamRegion region in found)
        {
            bool isIt = _region == null && region.SizeBytes >= SizeBytes
                && ((MemoryHead*)region.Pointer)->IsOf(head, _store.BootId);
            if (isIt) _region = region;
            else region.Dispose();
        }
        if (_region == null) return false;
        Table = new SetTable(Geometry, assoc, _region.Pointer + MemoryHead.Bytes);
        return IsFound = OutlivesProcess = true;
    }

    private void TryMake(int assoc, Action<string> log)
    {
        if (!_store.OutlivesProcess) return;
        try
        {
            _region = _store.Create(_name, SizeBytes);
        }
        catch (UserErrorException e)
        {
            log($"{e.Message}: what only the cache has is acknowledged once it is durable");
            return;
        }
        Table = new SetTable(Geometry, assoc, _region.Pointer + MemoryHead.Bytes);
        OutlivesProcess = true;
    }

    private long SizeBytes => MemoryHead.Bytes + SetTable.SharedBytesFor(Geometry);
}
