using System.Globalization;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>The figures of a volume's state, the same for every engine that has one.</summary>
internal static class HealthStatus
{
    /// <summary>Adds them, all of one moment.</summary>
    public static void Report(this VolumeHealth health, IStatusWriter status)
    {
        HealthReport now = health.Now;
        status.Text("state", VolumeHealth.NameOf(now.State));
        status.Number("state_number", (int)now.State);
        if (now.State != VolumeState.Healthy) status.Text("state_reason", now.Reason);
        status.Text("state_since", now.Since.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        status.Gauge("state_seconds", health.SecondsIn(now));
    }
}
