using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Recovery;
using Weir.Core.SsdCache.Settings;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Volume;

/// <content>Opening: everything is read and decided before anything is written (B13).</content>
internal sealed unsafe partial class SsdCacheVolume
{
    private string _began = "";
    private int _assoc;
    private bool _differs;

    /// <summary>
    /// Opens a formatted cache over its backing device. Synchronous, on the thread that owns <paramref name="io"/>. Can
    /// be cut at any point and started again. The devices are the volume's from here on, unless this throws.
    /// </summary>
    /// <param name="io">The thread's context.</param>
    /// <param name="cache">Directory and places.</param>
    /// <param name="backing">What is cached.</param>
    /// <param name="ram">Memory that outlives the process, or that says it does not.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="UserErrorException">It is no such cache, or not these devices'; nothing was written. Or a
    /// device fails.</exception>
    public static SsdCacheVolume Open(
        IoContext io, Device cache, Device backing, IRamStore ram, SsdCacheOptions options)
    {
        BlockingIo blocking = new(io);
        CheckDevices(cache, backing, options);
        SuperblockPair pair = SuperblockPair.Read(blocking, cache);
        SsdSuperblock head = pair.Chosen();
        SsdGeometry geometry = SsdGeometry.Of(head);
        MarkerOf(cache, head).Check(backing);
        int assoc = options.Assoc ?? (head.Mode == 0 ? SsdCacheOptions.DefaultAssoc : head.Assoc);
        BindingCheck.Run(head, cache, backing, options);
        // What a dead process has written is there after a power cut, too, if it is there now (B13).
        if (!options.ReadOnly) FlushBoth(blocking, cache, backing);
        DirectoryMemory memory =
            DirectoryMemory.Open(ram, head, geometry, assoc, options.ReadOnly, l => options.Log($"{cache.Name}: {l}"));
        SsdCacheVolume volume = new(cache, backing, head, memory, options) { _assoc = assoc };
        try
        {
            volume.Load(blocking);
            if (!options.ReadOnly) volume.ReserveAndTakeOver(blocking, pair.BeginsWithB);
            return volume;
        }
        catch
        {
            volume.DisposeStructures();
            throw;
        }
    }

    /// <summary>Nobody needs the memory any more: the device has all of it.</summary>
    internal void ForgetMemory() => _memory.Forget();

    /// <summary>What the superblock says from now on.</summary>
    internal void NoteHead(in SsdSuperblock next) => Head = next;

    private static void CheckDevices(Device cache, Device backing, SsdCacheOptions options)
    {
        foreach (Device device in new[] { cache, backing })
        {
            if (device.LogicalBlockBytes > SsdGeometry.UnitBytes)
                throw new UserErrorException($"{device.Name}: has sectors of {device.LogicalBlockBytes} bytes; "
                    + $"expected at most {SsdGeometry.UnitBytes}");
            if (!options.ReadOnly && !device.CanFlush)
                throw new UserErrorException($"{device.Name}: cannot flush its cache; nothing on it could be promised");
        }
    }

    private static void FlushBoth(BlockingIo io, Device cache, Device backing)
    {
        foreach (Device device in new[] { cache, backing })
        {
            io.StartFlush(io.QueueOf(device));
            io.WaitOrFail("the flush before it is opened", device);
        }
    }

    private void Load(BlockingIo io)
    {
        bool trusts = TrustsClean;
        DirectoryLoader loader = new(io, _cache, _memory, Pages) { TrustsClean = trusts };
        loader.Run(Head);
        _differs = loader.Differs;
        if (_differs && ReadOnly)
            throw new UserErrorException($"{_cache.Name}: was served by a process that died, whose memory is newer "
                + "than its directory: start it once without --read-only");
        _began = _memory.IsFound ? "warm: its memory was found"
            : Head.IsClean && trusts ? "warm: it was stopped in order"
            : $"after a crash: {loader.OpenPages} of {Geometry.Pages} directory pages were in use, of these only what "
                + "is dirty counts";
        if (!trusts) _began = "cold: what is clean is not trusted after a flush that failed";
        if (Options.Mode != CacheMode.Writeback && Table.DirtyCount > 0) Mode.Name(CacheMode.Writeback);
        for (uint slot = 0; slot < Geometry.Slots; slot++)
            if (Table.IsUsed(slot)) NoteLoaded(slot);
        if (Options.Preload) Table.Preload();
    }

    // What a dead process's memory has beyond the pages is not known to the device.
    private void NoteLoaded(uint slot)
    {
        int page = Geometry.PageOf(slot / SsdGeometry.Ways);
        if (_memory.IsFound && (Table.IsDirty(slot) || Table.IsNamed(slot))) Pages.NoteChange(page, 0);
        else if (Table.IsDirty(slot)) Pages.NoteDirty(page);
    }

    private bool TrustsClean => !Head.HasLostFlush && !Options.Rebind;

    private void ReserveAndTakeOver(BlockingIo io, bool beginsWithB)
    {
        SpaceReservation space = new();
        try
        {
            if (Options.ReservesSpace) space.Take(_cache, Geometry.EndOffset);
            TakeOver(io, beginsWithB);
        }
        catch
        {
            space.GiveBack();
            throw;
        }
    }

    // From here on what the device says is of this life.
    private void TakeOver(BlockingIo io, bool beginsWithB)
    {
        SsdSuperblock next = Head;
        next.Epoch = _memory.NextEpoch(Head);
        next.Flags = 0;
        next.Assoc = _assoc;
        next.Mode = ModeOf(Options.Mode);
        next.BackingBytes = _backing.SizeBytes;
        (next.CacheName, next.BackingName) = (NameHash.Of(_cache.Identities[0]), NameHash.Of(_backing.Identities[0]));
        next.BootId = _memory.OutlivesProcess ? _memory.BootId : "";
        next.RamFolder = _memory.OutlivesProcess ? _memory.Folder : "";
        PageRewriter rewriter = new(io, _cache, _memory, Pages);
        if (!TrustsClean) rewriter.ForgetClean(Head);
        else if (_differs && !Mutant.Is(SsdCacheMutant.B13MemoryUnwritten)) rewriter.WriteNamed(Head);
        if (!_memory.IsFound) _memory.Publish(next, Options.CachePath ?? _cache.Name);
        next = SuperblockUpdate.Write(io, _cache, next, beginsWithB);
        if (_memory.IsFound) _memory.Publish(next, Options.CachePath ?? _cache.Name);
        Head = next;
    }

    private static SsdMode ModeOf(CacheMode mode) => mode switch
    {
        CacheMode.Writeback => SsdMode.Writeback,
        CacheMode.Readcache => SsdMode.Readcache,
        _ => SsdMode.Writethrough,
    };
}
