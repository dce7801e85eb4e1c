using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Volumes;

namespace Weir.Tests.Simulation.Engines;

/// <summary>What a seed decides for <c>passthrough</c>: how many threads.</summary>
public sealed class PassthroughConfig(ulong seed) : SimConfig(seed)
{
    private Prng _tuning = new(seed + 2);

    public override void Retune() => Queues = _tuning.Below(10) switch { < 4 => 1, < 8 => 2, _ => 3 };

    protected override void DrawRest() => CacheBytes = 0;
}

/// <summary>The <c>passthrough</c> engine: one device, and every sector for itself.</summary>
public sealed class PassthroughEngine : IInjectedEngine
{
    public string Name => "passthrough";

    public bool WithstandsErrors => true;

    public bool KeepsInRam => false;

    public bool OrdersOverlaps => false;

    public bool Heals => false;

    public SimMutants Mutants { get; } = new(
        typeof(PassthroughMutant),
        new HashSet<Enum>
        {
            // ErrorInjectionTests.
            PassthroughMutant.R6FailureForgotten,
            // PassthroughFlushTests: the simulated device tells each flush of a failure, and a crash on the way out of
            // a life that only read is rare.
            PassthroughMutant.R6FlushesBeside, PassthroughMutant.R16ReadOnlyFlushes,
        },
        new Dictionary<Enum, ulong>())
    {
        // The others by VolumeContractTests: requests that overlap in the very steps that matter are rare.
        Shared = [SharedMutant.R14EdgeShared, SharedMutant.R14EdgeNotMerged, SharedMutant.R14GrantForgotten],
    };

    /// <summary>All of it, on the only device.</summary>
    public IReadOnlyList<InjectionSeries> Series { get; } =
    [
        new("plain")
        {
            Injections = Injection.Everything, LeastOnBacking = 50, Mutants = [PassthroughMutant.R6FailureForgotten],
        },
    ];

    public SimConfig NewConfig(ulong seed) => new PassthroughConfig(seed);

    public SimConfig ConfigFor(in Injection injection) => new PassthroughConfig(6);

    public Promise NewPromise(SimConfig config) => new StableInPlace(config.BackingBytes / SectorTag.Bytes);

    public IVolume Open(SimConfig config, IoContext io, SimDevices devices, IRamStore ram, bool readOnly) =>
        new PassthroughVolume(devices.Disks[0], readOnly: readOnly);

    public VolumeState StateOf(IVolume volume) =>
        volume.FlushLoss == null ? VolumeState.Healthy : VolumeState.Degraded;

    public bool MayEnd(in Injection injection, VolumeState state) =>
        state is VolumeState.Healthy or VolumeState.Degraded;
}
