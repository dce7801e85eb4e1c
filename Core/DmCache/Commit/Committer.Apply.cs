using System;
using System.Collections.Generic;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Places;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Commit;

// What a commit writes of each group, and what follows from it.
internal sealed unsafe partial class Committer
{
    private const ulong Valid = 1, DirtyFlag = 2;

    /// <summary>Blocks that a group can change: of the mappings, of the marks, and of the trees above them.</summary>
    private const int BlocksPerGroup = 8;

    /// <summary>A group as this commit has it.</summary>
    private struct Pending
    {
        public uint Group;
        public ulong Marks;
        public ulong MarksBefore;
        public ulong Removed;
    }

    private readonly List<Pending> _pending = [];
    private int _applied;
    private uint _place;
    private bool _needsFlush;
    private bool _isPrepared;
    private bool _isBegun;
    private bool _isWhole;

    /// <summary>Marks are dirty blocks alone, those of requests under way too: for the orderly stop.</summary>
    public bool IsExact { get; set; }

    /// <summary>
    /// What the next commit does before, and after, it brings the groups up; false: a block is missing, and it is
    /// called again. Null: nothing. Forgotten when the commit is durable.
    /// </summary>
    public Func<bool>? First { get; set; }

    /// <summary>See <see cref="First"/>.</summary>
    public Func<bool>? Last { get; set; }

    private void Take(ReadOnlySpan<uint> groups)
    {
        (_applied, _place, _isBegun, _needsFlush) = (0, 0, false, false);
        _pending.Clear();
        int most = (int)Math.Max(1, Math.Min(groups.Length, _parts.Metadata.FreeMetadataBlocks / BlocksPerGroup));
        _isWhole = most >= groups.Length;
        foreach (uint group in groups)
        {
            if (_pending.Count < most) _pending.Add(new Pending { Group = group });
            else _parts.Changes.Add(group, isUrgent: true);
        }
    }

    // The flush that follows covers what has been written to these places, and nothing that comes later. Those that
    // have come since the look at the entries too: the next commit names them, and this one flushes them.
    private void EndFresh(uint group)
    {
        ulong fresh = _parts.Map.Table.GroupWith(group, PlaceState.Fresh);
        for (ulong left = fresh; left != 0; left &= left - 1)
            _parts.Map.Table.Change(PlaceOf(group, left), 0, PlaceState.Fresh);
        _needsFlush |= fresh != 0;
    }

    private static uint PlaceOf(uint group, ulong bits) =>
        (group << PlaceTable.GroupShift) + (uint)BitOperations.TrailingZeroCount(bits);

    // Stops where a block is missing, and goes on there when it has been read.
    private void Apply()
    {
        if (_io.Result < 0)
        {
            Fail($"{_parts.Device.Name}: metadata block {_parts.Metadata.MissingBlock} cannot be read: "
                + Native.Errno.Text(_io.Result));
            return;
        }
        try
        {
            if (_wantsBlock) _parts.Metadata.Supply(_parts.Metadata.MissingBlock, _io.Block);
            _wantsBlock = false;
            if (First?.Invoke() != false && TryApplyAll() && Last?.Invoke() != false && TryPrepare()) return;
            _wantsBlock = true;
            _io.Read(_parts.Metadata.MissingBlock);
        }
        catch (Exception e) when (e is DamagedMetadataException or MetadataFullException)
        {
            string advice = e is MetadataFullException ? "; " + MetadataAdvice.WhenFull : "";
            Fail($"{_parts.Device.Name}: {e.Message}{advice}");
        }
    }

    private bool _wantsBlock;

    private bool TryApplyAll()
    {
        for (; _applied < _pending.Count; _applied++, _place = 0, _isBegun = false)
        {
            if (!_isBegun) Decide(_applied);
            if (!TryApply(_pending[_applied])) return false;
        }
        return true;
    }

    private bool TryPrepare()
    {
        _parts.FillHead(_parts.Metadata.Head);
        if (!_parts.Metadata.TryPrepareCommit()) return false;
        _isPrepared = true;
        _step = Step.Writing;
        _io.WriteBlocks(_parts.Metadata);
        return true;
    }

    // Once for each group: what it is going to be.
    private void Decide(int index)
    {
        _isBegun = true;
        Pending pending = _pending[index];
        PlaceTable table = _parts.Map.Table;
        bool isLast = Mutant.Is(DmCacheMutant.B3LeavingLookedAtLast);
        // First: what leaves between the two looks has no entry any more, and is free after the next commit (B3).
        if (!isLast) pending.Removed = table.GroupWith(pending.Group, PlaceState.Leaving);
        Interleaving.Step();
        ulong entries = table.GroupWith(pending.Group, PlaceState.Mapped);
        Interleaving.Step();
        if (isLast) pending.Removed = table.GroupWith(pending.Group, PlaceState.Leaving);
        EndFresh(pending.Group);
        ulong dirty = table.GroupWith(pending.Group, PlaceState.Dirty);
        if (IsExact) _parts.Changes.SetWanted(pending.Group, dirty);
        ulong marks = (_parts.Changes.WantedOf(pending.Group) | dirty) & entries;
        pending.MarksBefore = table.MarksOf(pending.Group);
        pending.Marks = KeepNeeded(pending, marks) & entries;
        _decidedEntries = entries;
        _pending[index] = pending;
    }

    private ulong _decidedEntries;

    // Marks that go: away first, then a look at who has begun to write meanwhile.
    private ulong KeepNeeded(in Pending pending, ulong marks)
    {
        PlaceTable table = _parts.Map.Table;
        ulong old = table.MarksOf(pending.Group);
        if ((old & ~marks) == 0) return marks;
        // The flush that follows covers what the writes of quiet places have left.
        _needsFlush = true;
        table.SetMarks(pending.Group, old & marks);
        if (Mutant.Is(DmCacheMutant.B1MarkTakenBlindly)) return marks;
        // At the stop both devices are flushed, and nobody writes.
        ulong needed = IsExact ? table.GroupWith(pending.Group, PlaceState.Dirty)
            : ~table.GroupWith(pending.Group, PlaceState.Quiet);
        needed &= old;
        table.SetMarks(pending.Group, old & (marks | needed));
        return marks | needed;
    }

    private bool TryApply(in Pending pending)
    {
        uint first = pending.Group << PlaceTable.GroupShift;
        uint end = Math.Min(first + PlaceTable.GroupPlaces, _parts.Map.Table.Places);
        while (first + _place < end)
        {
            uint place = first + _place;
            if (!_parts.Metadata.TryReadMappings(place, out ReadOnlySpan<ulong> words)) return false;
            int count = (int)Math.Min((uint)words.Length, end - place);
            for (int i = 0; i < count; i++)
            {
                // A change may move the block that the span shows.
                ulong word = EntryOf(place + (uint)i, pending);
                if (words[i] == word) continue;
                if (!_parts.Metadata.TrySetMapping(place + (uint)i, word)) return false;
                count = i + 1;
            }
            _place += (uint)count;
        }
        return _parts.Metadata.Head.Version == 1 || TrySetMarks(pending);
    }

    private bool TrySetMarks(in Pending pending)
    {
        if (!_parts.Metadata.TryReadDirtyWords(pending.Group, out ReadOnlySpan<ulong> words)) return false;
        return words[0] == pending.Marks || _parts.Metadata.TrySetDirtyWord(pending.Group, pending.Marks);
    }

    private ulong EntryOf(uint place, in Pending pending)
    {
        ulong bit = 1UL << (int)(place & (PlaceTable.GroupPlaces - 1));
        if ((_decidedEntries & bit) == 0) return 0;
        ulong flags = _parts.Metadata.Head.Version == 1 && (pending.Marks & bit) != 0 ? Valid | DirtyFlag : Valid;
        return ((ulong)_parts.Map.Table.HomeOf(place) << 16) | flags;
    }

    // The commit is durable.
    private void Publish()
    {
        _isPrepared = false;
        (First, Last) = (null, null);
        foreach (Pending pending in _pending)
        {
            _parts.Map.Table.SetMarks(pending.Group, pending.Marks);
            _parts.Map.Table.CountMarks(pending.MarksBefore, pending.Marks);
            for (ulong left = pending.Removed; left != 0; left &= left - 1)
                _parts.Map.EndLeaving(PlaceOf(pending.Group, left));
        }
    }
}
