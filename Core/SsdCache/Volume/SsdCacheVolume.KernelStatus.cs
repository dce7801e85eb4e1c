using System.Collections.Generic;
using System.Text;
using Weir.Core.Io;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Queue;
using Weir.Core.SsdCache.Settings;
using Weir.Core.SsdCache.Sets;

namespace Weir.Core.SsdCache.Volume;

/// <content><c>weir status --dm</c>: the status and table lines of dm-ssdcache (seed 004: ssdcache_status).</content>
internal sealed unsafe partial class SsdCacheVolume : IKernelStatus
{
    /// <inheritdoc/>
    public string KernelStatus() => StatusLine() + TableLine();

    private long Count(LookupResult result) => Counters[QueueCounters.FirstResult + (int)result];

    private string StatusLine()
    {
        StringBuilder text = new($"0 {SizeBytes / SsdGeometry.SectorBytes} ssdcache ");
        text.Append($"cmd {Geometry.Sets}/{Geometry.Sets} ");
        text.Append($"cte {FullBlocks()}/{Table.UsedCount}/{Geometry.Slots}\n");
        text.Append($"\tread  clean {Count(LookupResult.ReadClean)} busy {Count(LookupResult.ReadBusy)} ");
        text.Append($"invalid {Count(LookupResult.ReadInvalid)} miss {Count(LookupResult.ReadMiss)}\n");
        text.Append($"\twrite busy {Count(LookupResult.WriteBusy)} cancel {Count(LookupResult.WriteCancel)} ");
        text.Append($"invalid {Count(LookupResult.WriteInvalid)} miss {Count(LookupResult.WriteMiss)} ");
        text.Append($"done {Count(LookupResult.WriteDone)} skip {Count(LookupResult.WriteSkip)}\n");
        text.Append($"\tbypassed {Count(LookupResult.Bypass)} evicts {Counters[QueueCounters.Evictions]} ");
        text.Append($"cancelled writeback {Writebacks.Cancelled} bio {Counters[QueueCounters.LostReads]}\n");
        return text.ToString();
    }

    private long FullBlocks()
    {
        long full = 0;
        for (uint slot = 0; slot < Geometry.Slots; slot++)
            if (Table.IsValid(slot, 0, Geometry.BlockSectors)) full++;
        return full;
    }

    // As the seed: what differs from its defaults.
    private string TableLine()
    {
        StringBuilder text = new($"0 {SizeBytes / SsdGeometry.SectorBytes} ssdcache {_backing.KernelName} ");
        text.Append($"{_cache.KernelName} blocksize {Geometry.BlockSectors} ");
        text.Append($"{SsdCacheTunables.NameOf(Mode.Named)} assoc {_assoc}");
        List<string> options = OptionWords();
        if (options.Count > 0) text.Append($" options {options.Count} {string.Join(' ', options)}");
        return text.Append('\n').ToString();
    }

    private List<string> OptionWords()
    {
        List<string> words = [];
        if (Options.Strategy != Strategy.Lfu) words.Add(Options.Strategy.ToString().ToLowerInvariant());
        if (Options.AsyncLookup) words.Add("async_lookup");
        if (Options.QueueBusy) words.Add("queue_busy");
        if (Options.DisableWriteback) words.Add("disable_writeback");
        if (Options.SkipWriteInsert) words.Add("skip_write_insert");
        if (Options.EvictOnWrite) words.Add("evict_on_write");
        if (Options.Preload) words.Add("cmd_preload");
        return words;
    }
}
