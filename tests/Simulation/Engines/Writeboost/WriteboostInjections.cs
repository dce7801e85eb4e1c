using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Passthrough;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;

namespace Weir.Tests.Simulation.Engines;

/// <content>Every device operation fails once, in every way (R6, R11): the table of docs/durability.md.</content>
public sealed partial class WriteboostEngine
{
    private const string Around = "around";

    /// <summary>
    /// Layout native wholly, with writes that are durable by themselves and without; writes of more than eight blocks
    /// round its log; in the layouts of the kernel's programs errors that pass, on either device, and a backing device
    /// that stays broken.
    /// </summary>
    public IReadOnlyList<InjectionSeries> Series { get; } =
    [
        new("native")
        {
            Injections = Injection.Everything, LeastOnCache = 100, LeastOnBacking = 50,
            Mutants =
            [
                WriteboostMutant.R8RefusedForgotten, SharedMutant.R12DoubtfulCopyLast,
                WriteboostMutant.R6WriteErrorIgnored, WriteboostMutant.R6FlushErrorIgnored,
                WriteboostMutant.R6NotRewritten, WriteboostMutant.R11NoNote, WriteboostMutant.R11DirtyForgotten,
            ],
        },
        new("native") { Injections = Injection.Everything, WritesDurably = true },
        new(Around)
        {
            Injections = Injection.EverythingOnBacking,
            Mutants = [WriteboostMutant.R6AroundFailureForgotten, WriteboostMutant.R10RefusedForgotten],
        },
        new("writeboost2") { Injections = WhatPassesAndABrokenDisk },
        new("writeboost1") { Injections = WhatPassesAndABrokenDisk },
        new("lc1") { Injections = WhatPassesAndABrokenDisk },
    ];

    public SimConfig ConfigFor(in Injection injection)
    {
        bool around = injection.Form == Around;
        Layout layout = Layout.Find(around ? "native" : injection.Form);
        int segments = layout.MinSegmentBytes < 1 << 20 ? 12 : 8;
        return new WriteboostConfig(6)
        {
            Layout = layout.Name,
            CacheBytes = (1 << 20) + ((long)segments * layout.MinSegmentBytes),
            SegmentBytes = layout.MinSegmentBytes,
            RamSegments = 4,
            MaxBatchedWriteback = 2,
            IdleUs = 20_000,
            GoesAround = around,
            BypassSequentialWrites = around ? 8 : 0,
            RangeBudget = 16,
            VerifyReads = true,
            Fallback = static device => new PassthroughVolume(device),
        };
    }

    public bool MayEnd(in Injection injection, VolumeState state) => injection.Error switch
    {
        _ when injection.Passes && !injection.Early => state == VolumeState.Healthy,
        _ when injection.Form == Around && state == VolumeState.Degraded => true,
        _ when injection.Passes => state is VolumeState.Healthy or VolumeState.Retrying,
        _ when injection.OnCache => state != VolumeState.ReadOnly,
        _ => state is VolumeState.Healthy or VolumeState.Retrying,
    };

    private static void WhatPassesAndABrokenDisk(InjectionSeries series, InjectionRun healthy, List<Injection> all)
    {
        Injection.Everywhere(series, healthy, InjectedError.Window, CrashKind.Process, early: false, all);
        Injection.Everywhere(series, healthy, InjectedError.Window, CrashKind.Power, early: true, all);
        Injection.OnDisk(series, healthy, InjectedError.Always, CrashKind.Power, early: false, all);
    }
}
