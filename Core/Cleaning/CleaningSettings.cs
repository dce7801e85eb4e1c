using System;

namespace Weir.Core.Cleaning;

/// <summary>
/// What can be set about how fast dirty data goes back; the settings of each engine that has some begin here. Set
/// before or while the volume is served, from any thread; the engine reads the values when it needs them.
/// </summary>
public abstract class CleaningSettings
{
    /// <summary>Write-back may run (the seeds' allow_migrate).</summary>
    public bool AllowWriteback { get; set; } = true;

    /// <summary>
    /// Write-back heeds clients (the seeds' enable_migration_modulator); false = it always goes at full speed.
    /// </summary>
    public bool ModulateWriteback { get; set; } = true;

    /// <summary>Write back at full speed, whoever is at work (the seeds' force_migrate).</summary>
    public bool ForceMigrate { get; set; }

    /// <summary>
    /// Share of its time, in percent, that write-back may keep the backing device busy while clients are at work;
    /// 0 = none (the seeds' migrate_threshold, measured on write-back itself).
    /// </summary>
    public int WritebackThreshold { get; set; } = 70;

    /// <summary>
    /// Sets <see cref="WritebackThreshold"/> of one backing device by its name; the volume that is served says how.
    /// </summary>
    internal Action<string, int> SetDeviceThreshold { get; set; } = static (_, _) => { };

    /// <summary>
    /// Write back without waiting for idle time above this share of used segments or blocks, in percent.
    /// </summary>
    public int HighWatermark { get; set; } = 70;

    /// <summary>
    /// Latency that 99 of 100 requests shall keep while write-back runs, in microseconds; 0 = no such aim.
    /// </summary>
    public long LatencyTargetUs { get; set; }

    /// <summary>The client counts as idle this long after its last request, in microseconds.</summary>
    public long IdleUs { get; set; } = 200_000;

    /// <summary>Called after a value was changed while the volume is served; set by the volume.</summary>
    public Action Changed { get; set; } = static () => { };

    /// <summary>
    /// <paramref name="write"/>, and whoever sleeps until the old value wants it looks at the new one.
    /// </summary>
    internal Action<long> Then(Action<long> write) => value =>
    {
        write(value);
        Changed();
    };
}
