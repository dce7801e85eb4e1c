using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Tests.Simulation;

/// <summary>
/// Memory that outlives the simulated process. At a death the contents are copied, so that nothing the abandoned
/// volume still does can reach its successor.
/// </summary>
public sealed unsafe class SimRamStore(SimWorld world, bool outlivesProcess) : IRamStore, IDisposable
{
    private readonly Dictionary<string, Region> _regions = [];
    private readonly List<Region> _abandoned = [];
    private int _boot = 1;

    public string BootId => $"00000000-0000-4000-8000-{_boot:x12}";

    public bool OutlivesProcess => outlivesProcess;

    /// <summary>Nobody may create or delete anything now (a read-only open).</summary>
    public bool Sealed { get; set; }

    public IReadOnlyList<IRamRegion> Open(string name) =>
        _regions.TryGetValue(name, out Region? region) ? [region] : [];

    public IRamRegion Create(string name, long sizeBytes)
    {
        if (Sealed) throw new SimViolationException("a read-only open created a memory region (R16)");
        if (_regions.Remove(name, out Region? old)) _abandoned.Add(old);
        var region = new Region(sizeBytes);
        _regions.Add(name, region);
        world.Tick(SimEvent.Point, sizeBytes, text: "create region");
        return region;
    }

    public void Delete(string name)
    {
        if (Sealed) throw new SimViolationException("a read-only open deleted a memory region (R16)");
        if (_regions.Remove(name, out Region? old)) _abandoned.Add(old);
        world.Tick(SimEvent.Point, text: "delete region");
    }

    /// <summary>The process died: the next one gets what is there now, byte for byte.</summary>
    public void ProcessDied()
    {
        if (!outlivesProcess)
        {
            Empty();
            return;
        }
        foreach (string name in new List<string>(_regions.Keys))
        {
            Region old = _regions[name];
            var copy = new Region(old.SizeBytes);
            Buffer.MemoryCopy(old.Pointer, copy.Pointer, old.SizeBytes, old.SizeBytes);
            _regions[name] = copy;
            _abandoned.Add(old);
        }
    }

    /// <summary>The machine died, or somebody removed the files: nothing is left.</summary>
    public void Empty()
    {
        _abandoned.AddRange(_regions.Values);
        _regions.Clear();
    }

    /// <summary>The machine starts again.</summary>
    public void NewBoot() => _boot++;

    /// <summary>Frees what belonged to processes that are gone.</summary>
    public void FreeAbandoned()
    {
        foreach (Region region in _abandoned) region.Free();
        _abandoned.Clear();
    }

    public void Dispose()
    {
        Empty();
        FreeAbandoned();
    }

    private sealed class Region : IRamRegion
    {
        public Region(long sizeBytes)
        {
            Pointer = (byte*)SimMemory.Rent(sizeBytes);
            SizeBytes = sizeBytes;
        }

        public byte* Pointer { get; private set; }
        public long SizeBytes { get; }

        public void Free()
        {
            Invariant.Check(Pointer != null);
            SimMemory.Return((nint)Pointer);
            Pointer = null;
        }

        /// <summary>Unmapping changes nothing in the store.</summary>
        public void Dispose()
        {
        }
    }
}
