using System;
using System.Collections.Generic;
using Weir.Core.Base;

namespace Weir.Tests.Simulation;

/// <summary>
/// The devices of one volume by role; an engine has a cache, or a metadata device beside it, or neither.
/// </summary>
public sealed class SimDevices : IDisposable
{
    /// <summary>Makes them as the configuration has it.</summary>
    public SimDevices(SimWorld world, SimConfig config, int unitBytes)
    {
        if (config.CacheBytes > 0)
            Cache = new SimDevice(
                world, "cache", config.CacheBytes, config.CacheBlockBytes, unitBytes, config.GrowthBytes);
        if (config.MetadataBytes > 0)
            Metadata = new SimDevice(world, "metadata", config.MetadataBytes, config.CacheBlockBytes, unitBytes);
        for (int i = 0; i < config.Disks; i++) Disks.Add(NewDisk(world, config, unitBytes, i));
        if (Cache != null) All.Add(Cache);
        if (Metadata != null) All.Add(Metadata);
        for (int i = 0; i < Disks.Count; i++) All.Add(Disks[i]);
    }

    /// <summary>The fast one, if the engine has it.</summary>
    public SimDevice? Cache { get; }

    /// <summary>The one for metadata alone, if the engine has it.</summary>
    public SimDevice? Metadata { get; }

    /// <summary>The backing devices.</summary>
    public SimDisks Disks { get; } = new();

    /// <summary>Every one, cache and metadata first.</summary>
    public List<SimDevice> All { get; } = [];

    /// <summary>Nobody may write to any of them.</summary>
    public void Seal(bool isSealed)
    {
        foreach (SimDevice device in All) device.Sealed = isSealed;
    }

    /// <summary>No more errors.</summary>
    public void Heal()
    {
        foreach (SimDevice device in All) device.Fault = default;
    }

    /// <summary>One that is about to fail: mostly one of the fast ones.</summary>
    public SimDevice Any(ref Prng random)
    {
        if (Cache != null && random.Chance(75)) return Metadata != null && random.Chance(50) ? Metadata : Cache;
        return Disks[Disks.Count == 1 ? 0 : random.Below(Disks.Count)];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SimDevice device in All) device.Media.Dispose();
    }

    private static SimDevice NewDisk(SimWorld world, SimConfig config, int unitBytes, int index)
    {
        long share = config.BackingBytes / config.Disks & ~4095L;
        bool last = index == config.Disks - 1;
        long size = last ? config.BackingBytes - (index * share) : share;
        string name = index == 0 ? "backing" : $"backing{index}";
        long growth = config.BackingGrowthBytes;
        return new SimDevice(world, name, size - growth, config.BackingBlockBytes, unitBytes, growth);
    }
}
