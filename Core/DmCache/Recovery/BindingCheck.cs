using System;
using System.Collections.Generic;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.DmCache.Places;
using Weir.Core.Io;

namespace Weir.Core.DmCache.Recovery;

/// <summary>
/// Whether the devices are those of the metadata (B14). What clean blocks hold is the best evidence: home has the same.
/// Some of them are compared; where that tells nothing, the names count that weir has left in its mark. Reads only.
/// </summary>
internal sealed unsafe class BindingCheck(BlockingIo io, CacheDevices devices, CacheMap map, FoundCache found)
{
    private const int MostSamples = 32, SampleBytes = 4096, WordBits = 64;

    private int _same;
    private int _differ;

    /// <summary>
    /// Home was written without the cache, or the user says that it is the right one although nothing agrees: clean
    /// blocks are older, and are to be forgotten.
    /// </summary>
    public bool ForgetsClean { get; private set; }

    /// <summary>What was found, for the log; empty: nothing unusual.</summary>
    public string Note { get; private set; } = "";

    private string Metadata => devices.Home.Name;

    /// <summary>Looks, and refuses devices that are others, unless <paramref name="rebinds"/>.</summary>
    /// <exception cref="UserErrorException">One of the devices is another one; nothing was written.</exception>
    public void Run(bool rebinds)
    {
        if (Mutant.Is(DmCacheMutant.B14AnyDeviceTaken)) return;
        Compare();
        if (rebinds)
        {
            ForgetsClean = true;
            Note = "rebind: what is clean in the cache is forgotten";
            return;
        }
        if (_differ > 0 && _same == 0)
            throw new UserErrorException($"none of {_differ} clean blocks of cache device {devices.Cache.Name} is the "
                + $"same on backing device {devices.Backing.Name}: one of them is not the device of the metadata on "
                + $"{Metadata}; {WayOut}");
        if (_same == 0) CheckNames();
        // What weir has left clean at a stop was the same (B4).
        if (_differ == 0 || !WasStopped) return;
        ForgetsClean = true;
        Note = $"{_differ} of {_differ + _same} clean blocks differ from {devices.Backing.Name}, which was written "
            + "without the cache: what is clean is forgotten";
    }

    // Discard marks are those of a stop: there are none while a volume is served.
    private bool WasStopped => found.Metadata.Head.DiscardBlocks > 0;

    private string WayOut => "--option rebind=1 if they are right all the same: what is clean in the cache is "
        + $"forgotten then, and {map.Table.DirtyCount} dirty blocks go to {devices.Backing.Name}";

    private void CheckNames()
    {
        if (map.Table.MappedCount == 0 || found.Metadata.Head.Mark is not { } mark) return;
        if (!found.IsOnCache) CheckName(devices.Cache, "cache", mark.CacheName);
        CheckName(devices.Backing, "backing", mark.BackingName);
    }

    private void CheckName(Device device, string role, ulong known)
    {
        if (known == 0) return;
        foreach (string identity in device.Identities)
            if (NameHash.Of(identity) == known) return;
        throw new UserErrorException($"{device.Name} ({device.Identity}) is not the {role} device that the metadata on "
            + $"{Metadata} were last used with, and no clean block tells more; {WayOut}");
    }

    private void Compare()
    {
        using AlignedMemory memory = new(2 * SampleBytes);
        foreach (uint place in Samples()) Compare(place, memory.Pointer);
    }

    // Blank on both tells nothing, nor what cannot be read.
    private void Compare(uint place, byte* memory)
    {
        io.Start(io.QueueOf(devices.Cache), IoKind.Read, map.Geometry.PlaceOffset(place), memory, SampleBytes);
        io.Start(io.QueueOf(devices.Backing), IoKind.Read, map.Geometry.HomeOffset(map.Table.HomeOf(place)),
            memory + SampleBytes, SampleBytes);
        if (io.Wait() < 0) return;
        ReadOnlySpan<byte> cached = new(memory, SampleBytes), home = new(memory + SampleBytes, SampleBytes);
        if (!cached.SequenceEqual(home)) _differ++;
        else if (home.ContainsAnyExcept((byte)0)) _same++;
    }

    // Spread over all that is clean. What is in doubt may be newer than home, all of it, and is no evidence.
    private List<uint> Samples()
    {
        long count = 0;
        for (uint group = 0; group < map.Table.Groups; group++) count += BitOperations.PopCount(CleanOf(group));
        long every = Math.Max(1, count / MostSamples), next = 0, at = 0;
        List<uint> samples = [];
        for (uint group = 0; group < map.Table.Groups; group++)
            for (ulong left = CleanOf(group); left != 0; left &= left - 1, at++)
            {
                if (at != next || samples.Count == MostSamples) continue;
                samples.Add((group * WordBits) + (uint)BitOperations.TrailingZeroCount(left));
                next += every;
            }
        return samples;
    }

    private ulong CleanOf(uint group) =>
        map.Table.GroupWith(group, PlaceState.Mapped) & ~map.Table.GroupWith(group, PlaceState.Dirty);
}
