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
    // Of blocks in doubt so many that all differ are no accident: a kernel's are mostly the same.
    private const int MostSamples = 32, EnoughSamples = 8, SampleBytes = 4096, WordBits = 64;

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
        if (rebinds)
        {
            ForgetsClean = true;
            Note = "rebind: what is clean in the cache is forgotten";
            return;
        }
        Evidence clean = Compare(CleanOf);
        if (clean is { Differ: > 0, Same: 0 })
            throw Strange($"{clean.Differ} clean blocks");
        if (clean.Same == 0) CheckNames();
        if (clean.Same == 0 && (!IsCacheKnown || IsBlankFile)) CheckContent();
        // What weir has left clean at a stop was the same (B4).
        if (clean.Differ == 0 || !WasStopped) return;
        ForgetsClean = true;
        Note = $"{clean.Differ} of {clean.Differ + clean.Same} clean blocks differ from {devices.Backing.Name}, which "
            + "was written without the cache: what is clean is forgotten";
    }

    // How often both hold the same, and something else; and whether the cache device holds anything.
    private struct Evidence
    {
        public int Same, Differ, OnlyHome;

        public bool HasData;
    }

    private UserErrorException Strange(string blocks) => new($"none of {blocks} of cache device {devices.Cache.Name} "
        + $"is the same on backing device {devices.Backing.Name}: one of them is not the device of the metadata on "
        + $"{Metadata}; {WayOut}");

    // Metadata that a kernel or a restore has made name no device.
    private bool IsCacheKnown => found.Metadata.Head.Mark is { } mark && (found.IsOnCache || mark.CacheName != 0);

    // A file that was made anew under the name of an old one.
    private bool IsBlankFile
    {
        get
        {
            long first = map.Geometry.PlaceOffset(0), end = devices.Cache.ExtentEnd(first, out bool isHole);
            return isHole && end >= map.Geometry.PlaceOffset(map.Geometry.Places);
        }
    }

    // What is written back from another device, or from one that is blank, is home's end.
    private void CheckContent()
    {
        Evidence all = Compare(MappedOf);
        if (all.OnlyHome > 0 && !all.HasData)
            throw new UserErrorException($"{devices.Cache.Name}: is blank where the metadata on {Metadata} say that "
                + $"blocks of {devices.Backing.Name} are cached: not their cache device; {WayOut}");
        Evidence doubtful = Compare(DoubtfulOf);
        if (!IsCacheKnown && doubtful is { Same: 0, Differ: >= EnoughSamples })
            throw Strange($"{doubtful.Differ} blocks in doubt");
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

    private Evidence Compare(Func<uint, ulong> candidates)
    {
        Evidence evidence = default;
        using AlignedMemory memory = new(2 * SampleBytes);
        foreach (uint place in Samples(candidates)) Compare(place, memory.Pointer, ref evidence);
        return evidence;
    }

    // Blank on both tells nothing, nor what cannot be read.
    private void Compare(uint place, byte* memory, ref Evidence evidence)
    {
        io.Start(io.QueueOf(devices.Cache), IoKind.Read, map.Geometry.PlaceOffset(place), memory, SampleBytes);
        io.Start(io.QueueOf(devices.Backing), IoKind.Read, map.Geometry.HomeOffset(map.Table.HomeOf(place)),
            memory + SampleBytes, SampleBytes);
        if (io.Wait() < 0) return;
        ReadOnlySpan<byte> cached = new(memory, SampleBytes), home = new(memory + SampleBytes, SampleBytes);
        bool hasData = cached.ContainsAnyExcept((byte)0);
        evidence.HasData |= hasData;
        if (!cached.SequenceEqual(home)) evidence.Differ++;
        else if (hasData) evidence.Same++;
        if (!hasData && home.ContainsAnyExcept((byte)0)) evidence.OnlyHome++;
    }

    // Spread over all of them. What is in doubt may be newer than home, and is no clean block.
    private List<uint> Samples(Func<uint, ulong> candidates)
    {
        long count = 0;
        for (uint group = 0; group < map.Table.Groups; group++) count += BitOperations.PopCount(candidates(group));
        long every = Math.Max(1, count / MostSamples), next = 0, at = 0;
        List<uint> samples = [];
        for (uint group = 0; group < map.Table.Groups; group++)
            for (ulong left = candidates(group); left != 0; left &= left - 1, at++)
            {
                if (at != next || samples.Count == MostSamples) continue;
                samples.Add((group * WordBits) + (uint)BitOperations.TrailingZeroCount(left));
                next += every;
            }
        return samples;
    }

    private ulong MappedOf(uint group) => map.Table.GroupWith(group, PlaceState.Mapped);

    private ulong DoubtfulOf(uint group) => MappedOf(group) & map.Table.GroupWith(group, PlaceState.Doubtful);

    private ulong CleanOf(uint group) =>
        map.Table.GroupWith(group, PlaceState.Mapped) & ~map.Table.GroupWith(group, PlaceState.Dirty);
}
