using System;
using System.Collections.Generic;
using Weir.Core.Cleaning;
using Weir.Core.DmCache.Policies;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.DmCache.Settings;

/// <summary>The options that users can set, under the names of dm-cache where it has them.</summary>
public static class DmCacheTunables
{
    private const long MiB = 1 << 20, UsPerMs = 1000;

    private static readonly string[] s_policies = NamesOfPolicies();

    /// <summary>The table over <paramref name="options"/>, which the engine reads while it runs.</summary>
    public static List<Tunable> Of(DmCacheOptions options) =>
    [
        new("mode", 0, 2, "what writes do: go home later, to both devices, or past the cache; while served, status "
            + "names the new mode when it is true of every block",
            () => (int)options.Mode, value => ChangeMode(options, (CacheMode)value))
        {
            Words = ["writeback", "writethrough", "passthrough"],
            WriteAtStart = value => options.Mode = (CacheMode)value,
        },
        new("policy", 0, s_policies.Length - 1, "who decides what is cached; cleaner writes everything back and brings "
            + "nothing in",
            () => Array.IndexOf(s_policies, options.Policy), value => ChangePolicy(options, s_policies[(int)value]))
        { Words = s_policies, WriteAtStart = value => options.Policy = s_policies[(int)value] },
        .. CleaningTunables.Of(options, "dirty blocks"),
        new("migration_threshold", 0, 1L << 40, "sectors that may be on their way into the cache at a time",
            () => options.MigrationThreshold, options.Then(value => options.MigrationThreshold = value)),
        new("migration_rate", 0, 1L << 20, "MiB a second that may be copied into the cache; 0: as many as go",
            () => options.MigrationRate / MiB, options.Then(value => options.MigrationRate = value * MiB)),
        new("sequential_threshold", 0, 1 << 20, "requests in a row that make a stream sequential: its blocks are not "
            + "brought in; 0: none does",
            () => options.SequentialThreshold, value => options.SequentialThreshold = (int)value),
        new("random_threshold", 0, 1 << 20, "kept by any value: streams are told apart, so other requests end none",
            () => options.RandomThreshold, value => options.RandomThreshold = (int)value)
        { Note = static () => "nothing depends on it: streams are told apart" },
        .. OfPolicies(options),
        new("discard_passdown", 0, 1, "1: discards go on to the backing device; 0: what is discarded is zeroed there",
            () => options.DiscardPassdown ? 1 : 0, value => options.DiscardPassdown = value == 1),
        new("unmark_ms", 0, 3_600_000, "milliseconds that a region of 64 cached blocks is not written before its clean "
            + "blocks are unmarked in idle time; 0: marks stay until the stop",
            () => options.UnmarkUs / UsPerMs, options.Then(value => options.UnmarkUs = value * UsPerMs)),
        new("rebind", 0, 1, "1: the devices are those of the metadata, although they look different; what is clean "
            + "in the cache is forgotten",
            () => options.Rebind ? 1 : 0, null)
        { WriteAtStart = value => options.Rebind = value == 1 },
        new("metadata_version", 1, 2, "of metadata that are made: 2 keeps dirty bits apart",
            () => options.MetadataVersion, null)
        { WriteAtStart = value => (options.MetadataVersion, options.HasMetadataVersion) = ((int)value, true) },
    ];

    private static IEnumerable<Tunable> OfPolicies(DmCacheOptions options)
    {
        foreach (PolicyInfo info in PolicyTable.All.ToArray())
            foreach (PolicySetting setting in info.Settings)
                yield return new Tunable(setting.Name, setting.Minimum, setting.Maximum,
                    $"of policy {info.Name}: {setting.Meaning}",
                    () => options.PolicySettings.GetValueOrDefault(setting.Name, setting.Default),
                    value => ChangePolicySetting(options, setting.Name, value))
                { Note = () => NoteOf(setting, options.Policy) };
    }

    private static void ChangePolicySetting(DmCacheOptions options, string name, long value)
    {
        options.PolicySettings[name] = value;
        options.ChangePolicySettings?.Invoke();
    }

    private static string? NoteOf(PolicySetting setting, string policy)
    {
        foreach (PolicySetting own in PolicyTable.Find(policy)?.Settings ?? [])
            if (own.Name == setting.Name) return null;
        return $"policy {PolicyTable.Resolve(policy)} has no use for it";
    }

    private static string[] NamesOfPolicies()
    {
        string[] names = new string[PolicyTable.All.Length + 1];
        names[0] = PolicyTable.Alias;
        for (int i = 1; i < names.Length; i++) names[i] = PolicyTable.All[i - 1].Name;
        return names;
    }

    private static void ChangeMode(DmCacheOptions options, CacheMode mode)
    {
        options.ChangeMode?.Invoke(mode);
        options.Mode = mode;
    }

    private static void ChangePolicy(DmCacheOptions options, string name)
    {
        options.ChangePolicy?.Invoke(name);
        options.Policy = name;
    }
}
