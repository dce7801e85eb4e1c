using System;
using Weir.Core.Base;
using Weir.Core.DmCache.Commit;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Policies;
using Weir.Core.DmCache.Recovery;
using Weir.Core.DmCache.Settings;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Volume;

/// <content>Opening: everything is read and decided before anything is written (B13).</content>
public sealed unsafe partial class DmCacheVolume
{
    private (uint ReadHits, uint ReadMisses, uint WriteHits, uint WriteMisses) _before;
    private Guid _identity;

    /// <summary>
    /// Opens a formatted cache over its backing device. Synchronous, on the thread that owns <paramref name="io"/>. Can
    /// be cut at any point and started again. The devices are the volume's from here on, unless this throws.
    /// </summary>
    /// <param name="io">The thread's context.</param>
    /// <param name="cache">Where the blocks are.</param>
    /// <param name="metadata">Where the metadata are; null: at the head of <paramref name="cache"/>.</param>
    /// <param name="backing">What is cached.</param>
    /// <param name="options">Settings.</param>
    /// <exception cref="UserErrorException">It is no such cache, or not these devices'; nothing was written. Or a
    /// device fails.</exception>
    public static DmCacheVolume Open(
        IoContext io, Device cache, Device? metadata, Device backing, DmCacheOptions options)
    {
        CheckDevices(cache, metadata, backing, options);
        CacheDevices devices = new(cache, metadata, backing);
        BlockingIo blocking = new(io);
        FoundCache found = new CacheFinder(blocking, devices, options).Find();
        DmCacheVolume volume = new(devices, found, options);
        try
        {
            volume.Load(blocking, found);
            if (!options.ReadOnly) volume.Begin(blocking, found);
            return volume;
        }
        catch
        {
            volume.DisposeStructures();
            throw;
        }
        finally
        {
            found.Reader.Dispose();
        }
    }

    /// <summary>What can be said before anything is read; the parameters as those of <see cref="Open"/>.</summary>
    /// <exception cref="UserErrorException">They cannot be opened.</exception>
    public static void CheckDevices(Device cache, Device? metadata, Device backing, DmCacheOptions options)
    {
        CheckPolicy(options.Policy);
        CacheDevices devices = new(cache, metadata, backing);
        CheckSectors(devices);
        CheckFlush(devices, options);
    }

    // The last thing to be refused: space for everything.
    private void Begin(BlockingIo io, FoundCache found)
    {
        SpaceReservation space = new();
        long usedBytes = Map.Geometry.PlaceOffset(found.Metadata.Head.Places);
        try
        {
            if (Options.ReservesSpace) space.Take(_devices.Cache, usedBytes);
            if (Options.ReservesSpace && _devices.Metadata is { } metadata)
                space.Take(metadata, found.Metadata.MetadataBlocks * CacheMetadata.BlockBytes);
            TakeOver(io, found);
        }
        catch
        {
            space.GiveBack();
            throw;
        }
    }

    private static void CheckPolicy(string name)
    {
        if (PolicyTable.Find(name) == null) throw new UserErrorException(PolicyTable.TextOfUnknown(name), 2);
    }

    private static void CheckSectors(CacheDevices devices)
    {
        foreach (Device device in new[] { devices.Cache, devices.Home, devices.Backing })
            if (device.LogicalBlockBytes > CacheMetadata.BlockBytes)
                throw new UserErrorException($"{device.Name}: has sectors of {device.LogicalBlockBytes} bytes; "
                    + $"expected at most {CacheMetadata.BlockBytes}");
    }

    private static void CheckFlush(CacheDevices devices, DmCacheOptions options)
    {
        foreach (Device device in new[] { devices.Cache, devices.Home, devices.Backing })
            if (!options.ReadOnly && !device.CanFlush)
                throw new UserErrorException($"{device.Name}: cannot flush its cache; nothing on it could be promised");
    }

    private void Load(BlockingIo io, FoundCache found)
    {
        Superblock head = found.Metadata.Head;
        _before = (head.ReadHits, head.ReadMisses, head.WriteHits, head.WriteMisses);
        _identity = head.Mark?.Cache ?? Guid.NewGuid();
        if (found.Note != "") Options.Log($"{_devices.Home.Name}: {found.Note}");
        MappingLoader loader = new(found, Map, Changes, _devices.Home.Name);
        loader.Load();
        if (loader.Dropped > 0)
            Options.Log($"{_devices.Home.Name}: {loader.Dropped} clean blocks lie behind the end of the backing "
                + "device, and are dropped");
        BindingCheck binding = new(io, _devices, Map, found);
        binding.Run(Options.Rebind);
        if (binding.Note != "") Options.Log($"{_devices.Home.Name}: {binding.Note}");
        if (binding.ForgetsClean || HasLostFlush(found)) loader.ForgetClean();
        if (Options.Mode == CacheMode.Passthrough && Map.Table.DirtyCount > 0)
            throw new UserErrorException($"{_devices.Cache.Name}: {Map.Table.DirtyCount} blocks are dirty; mode "
                + "passthrough needs all of them clean: drain the cache first, or begin with mode=writethrough");
        LoadPolicy(found);
        LoadDiscards(found);
        // Until the last of them is written back the volume is what it was.
        if (Options.Mode == CacheMode.Writethrough && Map.Table.DirtyCount > 0) Mode.Name(CacheMode.Writeback);
    }

    private void LoadPolicy(FoundCache found)
    {
        PolicyHost policy = Policy.Host;
        Superblock head = found.Metadata.Head;
        (int major, int minor, int patch) = policy.Info.Version;
        bool hasHints = found.IsBelieved && head.PolicyName == policy.Info.Name && policy.Info.HintBytes != 0
            && head.PolicyVersion == ((uint)major, (uint)minor, (uint)patch);
        ArrayReader<uint> reader = new(found.Reader,
            (long place, out ReadOnlySpan<uint> hints) => found.Metadata.TryReadHints((uint)place, out hints));
        for (uint place = 0; place < Map.Table.Places;)
        {
            ReadOnlySpan<uint> hints = hasHints ? reader.From(place) : [];
            // Without hints all in one go.
            uint end = hints.Length == 0 ? Map.Table.Places
                : (uint)Math.Min(place + (long)hints.Length, Map.Table.Places);
            for (uint first = place; place < end; place++)
                LoadInto(policy, place, hints.Length == 0 ? PolicyInfo.NoHint : hints[(int)(place - first)]);
        }
        Drains.ForPolicy = policy.Info.IsCleaner;
    }

    private void LoadInto(PolicyHost policy, uint place, uint hint)
    {
        PlaceState state = Map.Table.StateOf(place);
        if ((state & PlaceState.Mapped) == 0) return;
        policy.Load(place, Map.Table.HomeOf(place), hint);
        if ((state & PlaceState.Dirty) != 0) policy.SetDirty(place, isDirty: true);
    }

    private void LoadDiscards(FoundCache found)
    {
        Superblock head = found.Metadata.Head;
        bool isSame = head.DiscardBlockSectors * CacheGeometry.SectorBytes == Discards.PieceBytes
            && head.DiscardBlocks == Discards.Pieces;
        // Only those of a stop that we have seen to: the kernel's marks say nothing of what is at home now.
        if (!isSame || !found.IsBelieved || found.IsInDoubt) return;
        ArrayReader<ulong> reader = new(found.Reader, found.Metadata.TryReadDiscardWords);
        for (int word = 0; word < Discards.WordCount; word++)
        {
            ReadOnlySpan<ulong> words = reader.From(word);
            Discards[word] = words.IsEmpty ? 0 : words[0];
        }
    }

    // The superblock is ours from here on: whatever is in doubt is marked, and no discard counts any more (B10, B13).
    private void TakeOver(BlockingIo io, FoundCache found)
    {
        if (HasLostFlush(found)) new DirtyRewriter(io, _devices.Cache, Map, Options.Log).Run();
        FlushFound(io);
        DataQueues queues = new(io.Context, io.QueueOf(_devices.Cache), io.QueueOf(_devices.Backing));
        using Committer committer = NewCommitter(queues);
        committer.First = () => found.Metadata.TryResize(Map.Table.Places);
        committer.Last = TryForgetDiscards;
        do CommitOnce(io, committer);
        while (!Changes.IsEmpty && Changes.Failure == null);
        if (Changes.Failure is { } failure) throw new UserErrorException(failure);
    }

    private static bool HasLostFlush(FoundCache found) =>
        found.Metadata.Head.Mark is { LostFlush: true } && !Mutant.Is(DmCacheMutant.B6LossForgotten);

    private static void CommitOnce(BlockingIo io, Committer committer)
    {
        committer.Ask();
        do
        {
            committer.Poll(io.Context.NowUs, BackgroundState.Serving);
            if (!committer.IsQuiet) io.Turn();
        }
        while (!committer.IsQuiet);
    }

    // Free blocks are free by a superblock that may not be durable yet: the one before it may need them (B6).
    private void FlushFound(BlockingIo io)
    {
        FirstFlush first = new(io, _devices.Home, Metadata.SuperblockAsFound);
        first.WriteFound();
        first.Run(_devices.Cache, hasData: true);
        first.Run(_devices.Backing, hasData: false);
        if (!_isOnCache && !Mutant.Is(DmCacheMutant.B6OldRootOverwritten)) first.Run(_devices.Home, hasData: false);
    }

    internal bool TryForgetDiscards() => Metadata.TryResizeDiscards(0, 0);
}
