using System.Collections.Generic;
using System.Text;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Migration;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Policies;
using Weir.Core.DmCache.Queue;
using Weir.Core.DmCache.Settings;
using Weir.Core.Io;

namespace Weir.Core.DmCache.Volume;

/// <content>
/// <c>weir status --dm</c>: the status line of the kernel's dm-cache, which has all of the seed's figures, and the
/// table lines that would make the same cache there.
/// </content>
public sealed unsafe partial class DmCacheVolume : IKernelStatus
{
    private const int MetadataBlockSectors = CacheMetadata.BlockBytes / CacheGeometry.SectorBytes;

    /// <inheritdoc/>
    public string KernelStatus() => StatusLine() + TableLines();

    private string StatusLine()
    {
        StringBuilder text = new();
        text.Append($"0 {Sectors(SizeBytes)} cache {MetadataBlockSectors} ");
        text.Append($"{Metadata.MetadataBlocks - Metadata.FreeMetadataBlocks}/{Metadata.MetadataBlocks} ");
        text.Append($"{Map.Geometry.BlockSectors} {Map.Table.MappedCount}/{Map.Geometry.Places} ");
        text.Append($"{Counters[QueueCounters.ReadHits]} {Counters[QueueCounters.ReadMisses]} ");
        text.Append($"{Counters[QueueCounters.WriteHits]} {Counters[QueueCounters.WriteMisses]} ");
        text.Append($"{Moves[MoveEvent.Demoted]} {Moves[MoveEvent.Promoted]} {Map.Table.DirtyCount} {Features()} ");
        text.Append($"2 migration_threshold {Options.MigrationThreshold} {PolicyArguments(Policy.Host)} ");
        text.Append($"{(Changes.Failure == null ? "rw" : "ro")} {(Metadata.MustBeChecked ? "needs_check" : "-")}\n");
        return text.ToString();
    }

    private string TableLines()
    {
        string cache = _devices.Cache.KernelName;
        string rest = $"{_devices.Backing.KernelName} {Map.Geometry.BlockSectors} {Features()} {KernelPolicy()}\n";
        string target = $"0 {Sectors(SizeBytes)} cache";
        if (_devices.Metadata is { } metadata) return $"{target} {metadata.KernelName} {cache} {rest}";
        long head = Metadata.MetadataBlocks * MetadataBlockSectors;
        long data = Map.Geometry.Places * (long)Map.Geometry.BlockSectors;
        string name = Options.VolumeName == "" ? "weir" : Options.VolumeName;
        return $"{name}_cmeta: 0 {head} linear {cache} 0\n{name}_cdata: 0 {data} linear {cache} {head}\n"
            + $"{target} {name}_cmeta {name}_cdata {rest}";
    }

    // The kernel has these; mq is smq there, and takes the old keys. A threshold goes with those of the policy.
    private string KernelPolicy()
    {
        PolicyHost host = Policy.Host;
        string name = host.Info.Name is "mq" or "cleaner" ? host.Info.Name : "smq";
        List<(string Key, long Value)> arguments = ArgumentsOf(host);
        if (Options.MigrationThreshold != DmCacheOptions.DefaultMigrationThreshold)
            arguments.Insert(0, ("migration_threshold", Options.MigrationThreshold));
        return Join(name, arguments);
    }

    private string PolicyArguments(PolicyHost host) => Join(host.Info.Name, ArgumentsOf(host));

    // In the order of mq in the kernel. The thresholds count under every policy here, and are named where the kernel
    // does.
    private List<(string Key, long Value)> ArgumentsOf(PolicyHost host)
    {
        PolicySetting[] settings = host.Info.Settings;
        if (settings.Length == 0) return [];
        List<(string Key, long Value)> all =
        [
            ("random_threshold", Options.RandomThreshold), ("sequential_threshold", Options.SequentialThreshold),
        ];
        for (int i = 0; i < settings.Length; i++) all.Add((settings[i].Name, host.Get(i)));
        return all;
    }

    private static string Join(string policy, List<(string Key, long Value)> arguments)
    {
        StringBuilder text = new($"{policy} {2 * arguments.Count}");
        foreach ((string key, long value) in arguments) text.Append($" {key} {value}");
        return text.ToString();
    }

    private string Features()
    {
        int count = 1;
        string features = NameOf(Mode.Named);
        if (Metadata.Head.Version == 2)
        {
            count++;
            features = "metadata2 " + features;
        }
        if (Options.DiscardPassdown) return $"{count} {features}";
        return $"{count + 1} {features} no_discard_passdown";
    }

    private static long Sectors(long bytes) => bytes / CacheGeometry.SectorBytes;
}
