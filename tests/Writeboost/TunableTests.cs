using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Settings;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>What users may set: the ancestors' names, ranges and defaults, and the ends of every range.</summary>
public sealed class TunableTests
{
    /// <summary>Name, the ancestors' other names, smallest, largest, default.</summary>
    public static TheoryData<string, string, long, long, long> Ancestors => new()
    {
        { "allow_writeback", "allow_migrate", 0, 1, 1 },
        { "enable_writeback_modulator", "enable_migration_modulator", 0, 1, 1 },
        { "writeback_threshold", "migrate_threshold", 0, 100, 70 },
        { "nr_max_batched_writeback", "nr_max_batched_migration", 1, 32, 16 },
        { "sync_data_interval", "sync_interval", 0, 3600, 1 },
        { "update_sb_record_interval", "update_record_interval", 0, 3600, 0 },
        { "barrier_deadline_ms", "barrier_deadline_ms", 1, 60_000, 3 },
        { "force_migrate", "force_migrate", 0, 1, 0 },
        { "high_watermark", "high_watermark", 0, 100, 70 },
    };

    [Theory]
    [MemberData(nameof(Ancestors))]
    public void AncestorsAreKnownByAllNames(string name, string other, long minimum, long maximum, long standard)
    {
        List<Tunable> all = WriteboostTunables.Of(new WriteboostOptions());
        Tunable tunable = Tunable.Find(all, name);
        Assert.Same(tunable, Tunable.Find(all, other));
        Assert.Equal((minimum, maximum, standard), (tunable.Minimum, tunable.Maximum, tunable.Default));
        Assert.NotNull(tunable.Write);
        tunable.Set(maximum.ToString(CultureInfo.InvariantCulture), atStart: false);
        Assert.Equal(maximum, tunable.Read());
    }

    [Fact]
    public void EveryRangeIsKeptAtBothEnds()
    {
        int woken = 0;
        WriteboostOptions options = new() { Changed = () => woken++ };
        foreach (Tunable tunable in WriteboostTunables.Of(options).Where(t => t.Words == null))
        {
            foreach (long value in new[] { tunable.Minimum, tunable.Maximum })
            {
                tunable.Set(tunable.Show(value), atStart: true);
                Assert.Equal(value, tunable.Read());
            }
            foreach (string text in new[] { tunable.Show(tunable.Maximum + 1), "-1", "", "x", "1e3" })
                Assert.Equal(2, Assert.Throws<UserErrorException>(() => tunable.Set(text, atStart: true)).ExitCode);
            Assert.Equal(tunable.Maximum, tunable.Read());
        }
        Assert.True(woken > 10, "a sleeping volume does not hear of new values");
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("500us", 500)]
    [InlineData("10ms", 10_000)]
    [InlineData("10s", 10_000_000)]
    public void TheLatencyTargetIsALengthOfTime(string text, long us)
    {
        WriteboostOptions options = new();
        Tunable target = Tunable.Find(WriteboostTunables.Of(options), "writeback_latency_target");
        target.Set(text, atStart: true);
        Assert.Equal(us, options.LatencyTargetUs);
        Assert.Equal(text, target.Show(target.Read()));
        Assert.Equal("0..10s", target.Range);
        foreach (string wrong in new[] { "10", "10m", "ms", "-1ms", "1.5ms", "10001ms", "99999999999999999999s" })
            Assert.Throws<UserErrorException>(() => target.Set(wrong, atStart: true));
        Assert.Equal(us, options.LatencyTargetUs);
    }
}
