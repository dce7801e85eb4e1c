using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;

namespace Weir.Core.Writeboost.Tools;

/// <summary>A segment inside the log that does not hold what was written.</summary>
/// <param name="Id">Its id.</param>
/// <param name="HasHeader">Its header is there; else nothing tells which blocks it held.</param>
internal readonly record struct DamagedSegment(long Id, bool HasHeader);

/// <summary>
/// Looks at every segment of a cache in one of the kernel's layouts, for those that are damaged with whole ones behind
/// them, or were durable as something says: they end the log though it goes on. What is damaged at its very end is a
/// power cut's, and never counted.
/// </summary>
internal sealed unsafe class SegmentSurvey(OfflineCache cache)
{
    /// <summary>Of a segment whose header is not as it was sealed.</summary>
    public const string Denied = "its seal denies the header: a byte of that is rotten, and one of its entries may "
        + "name a wrong block, or wrong sectors";

    private readonly SegmentLayout _layout = (SegmentLayout)cache.Layout;
    private readonly long[] _ids = new long[cache.Geometry.SegmentCount];
    private readonly bool[] _isWhole = new bool[cache.Geometry.SegmentCount];

    /// <summary>The first segment that counts, after <see cref="Run"/>.</summary>
    public long FirstId { get; private set; }

    /// <summary>The last one, damaged or not.</summary>
    public long LastId { get; private set; }

    /// <summary>The header of segment <paramref name="id"/> is there.</summary>
    public bool Holds(long id) => _ids[cache.Geometry.Physical(id)] == id;

    /// <summary>Reads all of it. Those that are damaged, the oldest first.</summary>
    public List<DamagedSegment> Run()
    {
        long newest = 0, last = 0;
        cache.Expect(_ids.Length);
        for (int physical = 0; physical < _ids.Length; physical++)
        {
            cache.ReadSegment(physical);
            if (!TryReadHeader(physical, out RecordInfo info, out bool isSpoilt)) continue;
            _ids[physical] = info.Sequence;
            last = Math.Max(last, info.Sequence);
            _isWhole[physical] = !isSpoilt && IsWhole(info);
            if (_layout.TryReadSeal(cache.Slot(0), out SegmentSeal seal))
                newest = Math.Max(newest, Math.Min(info.Sequence, seal.DurableSegment));
            if (_isWhole[physical]) newest = Math.Max(newest, info.Sequence);
        }
        return Collect(Math.Max(newest, DurableSegment(last)));
    }

    private long MarkSegment => cache.Superblock.MarkSequence - 1;

    private long DurableSegment(long last)
    {
        Superblock superblock = cache.Superblock;
        using SampleTable samples =
            TableReader.ReadSegmentSamples(cache.Io, cache.Queue, cache.Device, ref superblock, out _);
        return samples.IsOfLog(MarkSegment, last) ? samples.DurableSegment : 0;
    }

    /// <summary>
    /// The header of the segment in memory, from place <paramref name="physical"/>; also one that its seal denies
    /// (<paramref name="isSpoilt"/>), of which most still stands, with the id that it was sealed with.
    /// </summary>
    public bool TryReadHeader(int physical, out RecordInfo info, out bool isSpoilt)
    {
        byte* header = cache.Slot(0);
        long id = _layout.SpoiltId(header);
        isSpoilt = id != 0;
        if (!isSpoilt) return cache.TryReadHeader(physical, 0, out info);
        SegmentLayout.SetId(header, id);
        info = default;
        return cache.Geometry.Physical(id) == physical
            && _layout.TryReadUnsealed(header, cache.Geometry, cache.Geometry.Position(id, 0), out info);
    }

    private bool IsWhole(in RecordInfo info) =>
        cache.IsWhole(0, info) && cache.ProofOf(0, info) != RecordProof.HeaderOnly;

    private List<DamagedSegment> Collect(long newest)
    {
        List<DamagedSegment> damaged = [];
        long mark = MarkSegment, oldest = Math.Max(1, newest + 1 - _ids.Length);
        bool isMarked = mark >= oldest - 1 && mark <= newest;
        // Without a mark the oldest ones may have been overwritten in part by what was to come next.
        bool mayBeOverwritten = !isMarked && oldest > 1;
        (FirstId, LastId) = (isMarked ? mark + 1 : oldest, newest);
        // Each of them has a place of its own.
        Invariant.Check(FirstId > 0);
        Invariant.Check(LastId - FirstId < _ids.Length);
        for (long id = FirstId; id <= newest; id++)
        {
            int physical = cache.Geometry.Physical(id);
            bool isThere = _ids[physical] == id;
            mayBeOverwritten &= !isThere || !_isWhole[physical];
            if (!mayBeOverwritten && (!isThere || !_isWhole[physical])) damaged.Add(new DamagedSegment(id, isThere));
        }
        return damaged;
    }
}
