using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Backings;

/// <summary>What a backing device has of the blocks that the log knows it to hold.</summary>
/// <param name="Verdict">As of samples.</param>
/// <param name="Compared">Blocks that were compared.</param>
/// <param name="Differing">Of those, blocks with other bytes.</param>
public readonly record struct LogJudgement(ContentVerdict Verdict, int Compared, int Differing);

/// <summary>
/// Blocks of which a cache in a kernel's layout knows what their backing device holds (R13): samples of the last life,
/// records that have been written back and are still there, and clean blocks, as long as no newer record names the
/// block. Filled by the scan, what counts first, then what is behind the mark, newest first. In these layouts Weir
/// passes no discard of its clients on: a block that reads as zeroes there differs as any other does.
/// </summary>
/// <remarks>
/// Where nothing proves a record whole (<see cref="RecordProof.None"/>), its data may be gone: the modules of 2013
/// discard on the cache device what they have written back, and keep the header; and a power cut leaves new data below
/// an old header. So what such a record holds is compared only if it is content, and proves less.
/// </remarks>
public sealed unsafe class KnownBlocks(SegmentNotes notes) : IDisposable
{
    /// <summary>Segments behind the mark that are read for it, at most.</summary>
    public const int MostSegments = 64;

    /// <summary>Blocks of a device that are compared, at most.</summary>
    public const int MostCompared = 16;

    /// <summary>Of one device, so many are plenty to choose from; and as many clean blocks.</summary>
    private const int PlentyCount = 4 * MostCompared, MostClean = 4096;

    private readonly Dictionary<ulong, Known> _blocks = [];
    private readonly HashSet<ulong> _seen = [];
    private readonly Dictionary<(Device, int), LogJudgement> _judged = [];
    private readonly AlignedMemory _scratch = new(MostCompared << Geometry.BlockShift);
    private int _contentCount;

    private long _lastDoubtful;
    private long _sampledSegment;

    /// <summary>Of the only device there are as many as can be used.</summary>
    public bool IsEnough => _contentCount >= PlentyCount;

    /// <summary>
    /// What a life has kept of its devices: true of all blocks but those that later segments name, which others may
    /// have written back.
    /// </summary>
    public void AddSamples(SampleTable samples)
    {
        _sampledSegment = samples.MarkSegment;
        for (int id = BackingTable.MinId; id <= BackingTable.MaxId; id++)
        {
            DeviceSamples device = samples[id];
            for (int i = 0; i < DeviceSamples.Count; i++)
            {
                if (device[i].Kind == SampleKind.None) continue;
                ulong key = BackingTable.KeyOf(id, device[i].Block << Geometry.BlockShift);
                bool isBlank = device[i].Kind == SampleKind.Zeroes;
                _blocks[key] = new Known(SectorMask.Full, device[i].Sum, isBlank, long.MaxValue, IsSample: true);
            }
        }
    }

    /// <summary>What <paramref name="segment"/> names may have been written back since the samples were kept.</summary>
    public bool IsNewerThanSamples(long segment) => segment > _sampledSegment && _blocks.Count > 0;

    /// <summary>Entries of a header that is, wherever it lies; before those that count.</summary>
    public void NoteHeader(ReadOnlySpan<LogEntry> entries)
    {
        foreach (LogEntry entry in entries) _blocks.Remove(entry.Key);
    }

    /// <summary>
    /// All headers are known, of <paramref name="count"/> segments; the newest has id <paramref name="newest"/>, and
    /// none beyond <paramref name="last"/> was ever begun. Segments up to <paramref name="lastDoubtful"/> may have been
    /// overwritten with data whose header never came: a block from there that differs proves nothing, unless its record
    /// is whole; one that is the same proves as much as any.
    /// </summary>
    public void Begin(long newest, long last, int count, long lastDoubtful)
    {
        notes.ForgetBeyond(last);
        _lastDoubtful = lastDoubtful;
        // Of another log, or what the log has changed since is not there any more.
        if (newest < _sampledSegment || newest - _sampledSegment >= count) _blocks.Clear();
    }

    /// <summary>
    /// An entry of <paramref name="segment"/>, which has been written back, with its <paramref name="data"/>. Newest
    /// first, inside a record too: what was named before says more.
    /// </summary>
    /// <param name="entry">The entry; one without data makes older ones of its block count no more.</param>
    /// <param name="data">4 KiB of the cache device.</param>
    /// <param name="segment">Where both are.</param>
    /// <param name="proof">How far the record can be believed.</param>
    public void AddWrittenBack(in LogEntry entry, byte* data, long segment, RecordProof proof)
    {
        bool hasData = entry.Kind is EntryKind.Data or EntryKind.Clean;
        if (hasData && !SaysSomething(entry, segment)) return;
        if (!_seen.Add(entry.Key) || !hasData || proof == RecordProof.HeaderOnly) return;
        uint sum = SumOf(data, entry.Sectors, out bool isBlank);
        bool isProved = proof == RecordProof.Whole;
        if (isBlank && !isProved) return;
        Known known = new(entry.Sectors, sum, isBlank, isProved ? long.MaxValue : segment, From: segment);
        if (_blocks.TryAdd(entry.Key, known) && !isBlank) _contentCount++;
    }

    /// <summary>
    /// Entries of <paramref name="segment"/>, which counts, in log order. Of what they name is known only what clean
    /// blocks hold whose checksums are there.
    /// </summary>
    public void Note(ReadOnlySpan<LogEntry> entries, byte* data, long segment)
    {
        for (int i = 0; i < entries.Length; i++)
        {
            bool isKnown = _blocks.Remove(entries[i].Key);
            bool hasRoom = isKnown || _blocks.Count < MostClean;
            if (data == null || entries[i].Kind != EntryKind.Clean || !hasRoom) continue;
            if (!SaysSomething(entries[i], segment)) continue;
            uint sum = SumOf(data + ((long)i << Geometry.BlockShift), SectorMask.Full, out bool isBlank);
            _blocks[entries[i].Key] = new Known(SectorMask.Full, sum, isBlank, long.MaxValue);
        }
    }

    /// <summary>
    /// Compares <paramref name="device"/> with what is known of device <paramref name="id"/>; what was compared before,
    /// or is to be with no <paramref name="io"/>, is not read again.
    /// </summary>
    public LogJudgement Judge(BlockingIo? io, Device device, int id)
    {
        if (_judged.TryGetValue((device, id), out LogJudgement judged) || io == null) return judged;
        return _judged[(device, id)] = Compare(io, device, Choose(id, device.SizeBytes, 0));
    }

    /// <summary>
    /// The same by those blocks alone that <paramref name="segment"/> and later ones are said to have brought to the
    /// device.
    /// </summary>
    public LogJudgement JudgeFrom(long segment, BlockingIo io, Device device, int id) =>
        Compare(io, device, Choose(id, device.SizeBytes, segment));

    private LogJudgement Compare(BlockingIo io, Device device, List<ulong> keys)
    {
        List<long> places = keys.ConvertAll(static key => BackingTable.OffsetOf(key) >> Geometry.BlockShift);
        SpotReader reader = new(io, MostCompared);
        reader.Read(device, places, _scratch.Pointer);
        int same = 0, blank = 0, differ = 0;
        for (int i = 0; i < keys.Count; i++)
        {
            if (!reader.HasRead(i)) continue;
            Known known = _blocks[keys[i]];
            bool isSame = IsSame(known, _scratch.Pointer + ((long)i << Geometry.BlockShift));
            if (!isSame && known.Segment > _lastDoubtful) differ++;
            if (isSame && known.IsBlank) blank++;
            if (isSame && !known.IsBlank) same++;
        }
        ContentVerdict verdict = differ > 0 ? same > 0 ? ContentVerdict.Changed : ContentVerdict.Other
            : same > 0 ? ContentVerdict.Same : blank > 0 ? ContentVerdict.Blank : ContentVerdict.Unknown;
        return new LogJudgement(verdict, same + blank + differ, differ);
    }

    /// <summary>Device <paramref name="id"/> is written from now on.</summary>
    public void Forget(int id)
    {
        foreach (ulong key in _blocks.Keys)
            if (BackingTable.IdOf(key) == id) _blocks.Remove(key);
        foreach ((Device Device, int Id) judged in _judged.Keys)
            if (judged.Id == id) _judged.Remove(judged);
    }

    /// <inheritdoc/>
    public void Dispose() => _scratch.Dispose();

    // What lies behind the mark was not looked at by replay: any number may stand there.
    private bool SaysSomething(in LogEntry entry, long segment) =>
        entry.Device is >= BackingTable.MinId and <= BackingTable.MaxId && segment >= notes.FirstOf(entry.Device);

    // Spread over what there is; blank ones, which any erased device has, only where there are too few others.
    private List<ulong> Choose(int id, long sizeBytes, long fromSegment)
    {
        List<ulong> content = [], blank = [];
        foreach ((ulong key, Known known) in _blocks)
        {
            bool isThere = BackingTable.OffsetOf(key) + Geometry.BlockBytes <= sizeBytes;
            if (!isThere || BackingTable.IdOf(key) != id || known.From < fromSegment) continue;
            (known.IsBlank ? blank : content).Add(key);
        }
        List<ulong> chosen = Spread(content, MostCompared);
        chosen.AddRange(Spread(blank, MostCompared - chosen.Count));
        return chosen;
    }

    private static List<ulong> Spread(List<ulong> keys, int most)
    {
        int count = Math.Min(keys.Count, most);
        List<ulong> chosen = [];
        for (int i = 0; i < count; i++) chosen.Add(keys[(int)((long)i * keys.Count / count)]);
        return chosen;
    }

    private static bool IsSame(in Known known, byte* data) =>
        (known.IsSample ? BlockSum.Compute(data) : SumOf(data, known.Sectors, out _)) == known.Sum;

    // Of these sectors alone: the others are not the log's to tell.
    private static uint SumOf(byte* data, byte sectors, out bool isBlank)
    {
        uint sum = ~0u;
        isBlank = true;
        for (int i = 0; i < Geometry.BlockBytes / Geometry.SectorBytes; i++)
        {
            if ((sectors & (1 << i)) == 0) continue;
            byte* sector = data + (i * Geometry.SectorBytes);
            sum = (sum * 31) + Crc32C.Compute(sector, Geometry.SectorBytes);
            isBlank &= IsErased(new ReadOnlySpan<byte>(sector, Geometry.SectorBytes));
        }
        return sum;
    }

    // As a device shows it that was never written, or discarded.
    private static bool IsErased(ReadOnlySpan<byte> sector) =>
        sector.IndexOfAnyExcept((byte)0) < 0 || sector.IndexOfAnyExcept((byte)0xFF) < 0;

    private readonly record struct Known(
        byte Sectors, uint Sum, bool IsBlank, long Segment, bool IsSample = false, long From = 0);
}
