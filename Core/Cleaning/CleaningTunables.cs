using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.Cleaning;

/// <summary>
/// <see cref="CleaningSettings"/> as users set them, under the names of dm-writeboost 2.2, with those of its ancestors
/// as aliases.
/// </summary>
internal static class CleaningTunables
{
    private const long UsPerSecond = 1_000_000, UsPerMs = 1000;

    /// <summary>
    /// The table over <paramref name="settings"/>; the engine's watermark is a part of what is
    /// <paramref name="watched"/>.
    /// </summary>
    public static List<Tunable> Of(CleaningSettings settings, string watched) =>
    [
        new("allow_writeback", 0, 1, "1: write dirty blocks back in the background; 0: only when writers need the room",
            () => settings.AllowWriteback ? 1 : 0, settings.Then(value => settings.AllowWriteback = value == 1))
        { Aliases = ["allow_migrate"] },
        new("enable_writeback_modulator", 0, 1, "1: write-back heeds clients; 0: always at full speed",
            () => settings.ModulateWriteback ? 1 : 0, settings.Then(value => settings.ModulateWriteback = value == 1))
        { Aliases = ["enable_migration_modulator"] },
        new("writeback_threshold", 0, 100, "percent of its time that write-back may keep the backing device busy while "
            + "clients are at work; 0: only idle time",
            () => settings.WritebackThreshold, settings.Then(value => settings.WritebackThreshold = (int)value))
        { Aliases = ["migrate_threshold"], WriteFor = (name, value) => settings.SetDeviceThreshold(name, (int)value) },
        new("high_watermark", 0, 100, $"percent of {watched} from which write-back does not wait for idle time",
            () => settings.HighWatermark, settings.Then(value => settings.HighWatermark = (int)value)),
        new("writeback_latency_target", 0, 10 * UsPerSecond, "what 99 of 100 requests shall take at most while "
            + "write-back runs and there is room; 0: no such aim",
            () => settings.LatencyTargetUs, settings.Then(value => settings.LatencyTargetUs = value))
        { IsDuration = true },
        new("idle_ms", 0, 60_000, "milliseconds without a request after which the client counts as idle",
            () => settings.IdleUs / UsPerMs, settings.Then(value => settings.IdleUs = value * UsPerMs)),
        new("force_migrate", 0, 1, "1: write back at full speed whoever is at work",
            () => settings.ForceMigrate ? 1 : 0, settings.Then(value => settings.ForceMigrate = value == 1)),
    ];
}
