using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Sets;
using Xunit;

namespace Weir.Tests.SsdCache.Sets;

/// <summary>The directory, and beside it each way as a few plain fields; random steps of both.</summary>
internal sealed unsafe class SetModel : IDisposable
{
    private const int UnitSectors = 8, Ways = SsdGeometry.Ways;

    private sealed class Way
    {
        public long Block = -1;
        public int Pins;
        public int Writers;
        public bool[] Valid = [];
        public bool[] Dirty = [];
        public bool IsNamed;
        public bool IsCleaning;
        public bool IsWritten;
        public ulong[] Units = [];

        public bool IsDirty => Dirty.Any(static unit => unit);

        public bool IsIdle => Pins == 0 && Writers == 0 && !IsDirty && !IsNamed && !IsCleaning;
    }

    private readonly SsdGeometry _geometry;
    private readonly SetTable _table;
    private readonly int _assoc;
    private readonly Way[] _ways;
    private readonly AlignedMemory _page;
    private Prng _random;
    private uint _tick;

    public SetModel(int blockBytes, int sets, int assoc, ulong seed)
    {
        _geometry = GeometryOf(blockBytes, sets);
        (_assoc, _random) = (assoc, new Prng(seed));
        _table = new SetTable(_geometry, assoc, null) { Strategy = (Strategy)_random.Below(6) };
        _page = new AlignedMemory(_geometry.PageBytes);
        _ways = new Way[_geometry.Slots];
        for (int slot = 0; slot < _ways.Length; slot++)
            _ways[slot] = new Way
            {
                Valid = new bool[_geometry.BlockSectors], Dirty = new bool[_geometry.BlockUnits],
                Units = new ulong[_geometry.DirtyWords],
            };
    }

    /// <summary>A cache of so many sets.</summary>
    public static SsdGeometry GeometryOf(int blockBytes, int sets)
    {
        long bytes = (long)sets * Ways * blockBytes;
        while (!Fits(bytes, blockBytes, sets)) bytes += 4096;
        SsdGeometry geometry = SsdGeometry.For(bytes, blockBytes);
        Assert.Equal(sets, geometry.Sets);
        return geometry;
    }

    public void Dispose()
    {
        _table.Dispose();
        _page.Dispose();
    }

    /// <summary>One of all that can be done.</summary>
    public void Step()
    {
        _tick += (uint)_random.Below(3);
        switch (_random.Below(12))
        {
            case 0 or 1 or 2: TakeOne(); break;
            case 3: Unpin(); break;
            case 4: ChangeSectors(dirty: false); break;
            case 5: ChangeSectors(dirty: true); break;
            case 6: ClearSectors(); break;
            case 7: Write(); break;
            case 8: Clean(); break;
            case 9: Commit(); break;
            case 10: RemoveOne(); break;
            default: Look(); break;
        }
        CheckCounts();
    }

    /// <summary>Every sector of every way.</summary>
    public void CheckAll()
    {
        for (uint slot = 0; slot < _ways.Length; slot++)
        {
            Way way = _ways[slot];
            Assert.Equal(way.Block >= 0, _table.IsUsed(slot));
            if (way.Block >= 0) Assert.Equal((uint)way.Block, _table.BlockOf(slot));
            for (int sector = 0; sector < way.Valid.Length; sector++)
            {
                Assert.Equal(way.Valid[sector], _table.IsValid(slot, sector, 1));
                Assert.Equal(way.Valid[sector] && way.Dirty[sector / UnitSectors], _table.AnyDirty(slot, sector, 1));
            }
        }
    }

    private static bool Fits(long bytes, int blockBytes, int sets)
    {
        try
        {
            return SsdGeometry.For(bytes, blockBytes).Sets >= sets;
        }
        catch (UserErrorException)
        {
            return false;
        }
    }

    // A block of which some are in the cache.
    private void TakeOne()
    {
        uint block = (uint)_random.Below(_ways.Length * 2);
        bool mayEvict = _random.Chance(70);
        uint[] idle = [.. Enumerable.Range(0, _assoc + 1).Select(attempt => _geometry.SetOf(block, attempt)).Distinct()
            .SelectMany(static set => Enumerable.Range(0, Ways).Select(way => (set * Ways) + (uint)way))
            .Where(slot => _ways[slot].IsIdle)];
        TakeResult expected = _ways.Any(way => way.Block == block) ? TakeResult.Found
            : idle.Any(slot => _ways[slot].Block < 0) ? TakeResult.Free
            : mayEvict && idle.Length > 0 ? TakeResult.Evicted : TakeResult.NoWay;
        Assert.Equal(expected, _table.TryTake(block, mayEvict, null, _tick, out uint taken));
        if (expected == TakeResult.NoWay) return;
        Way own = _ways[taken];
        if (expected == TakeResult.Found) Assert.Equal(block, own.Block);
        else
        {
            Assert.Contains(taken, idle);
            Assert.Equal(expected == TakeResult.Free, own.Block < 0);
            own.Block = block;
            Array.Clear(own.Valid);
        }
        own.Pins++;
    }

    private bool TryPick(Func<Way, bool> wanted, out uint slot)
    {
        uint[] fitting = [.. Enumerable.Range(0, _ways.Length).Where(i => wanted(_ways[i])).Select(i => (uint)i)];
        slot = fitting.Length == 0 ? 0 : fitting[_random.Below(fitting.Length)];
        return fitting.Length > 0;
    }

    private (int First, int Count) Range()
    {
        int sectors = _geometry.BlockSectors, first = _random.Below(sectors + 1), end = _random.Below(sectors + 1);
        if (_random.Chance(20)) (first, end) = (0, sectors);
        if (_random.Chance(30)) (first, end) = (first / UnitSectors * UnitSectors, end / UnitSectors * UnitSectors);
        return (Math.Min(first, end), Math.Abs(end - first));
    }

    private void Unpin()
    {
        if (!TryPick(static way => way.Pins > 0 && (way.Pins > 1 || way.Writers == 0), out uint slot)) return;
        _table.Unpin(slot);
        _ways[slot].Pins--;
    }

    private void ChangeSectors(bool dirty)
    {
        if (!TryPick(static way => way.Pins > 0 && way.Block >= 0, out uint slot)) return;
        Way way = _ways[slot];
        (int first, int count) = Range();
        bool isValid = way.Valid.AsSpan(first, count).IndexOf(false) < 0;
        if (!dirty) _table.SetValid(slot, first, count);
        else
        {
            bool isNew = (way.Units.Length > 0 && UnitsOf(first, count).Any(unit => !way.Dirty[unit])) || !isValid;
            bool found = isValid && _random.Chance(50)
                ? _table.SetDirty(slot, first, count) : _table.SetValidDirty(slot, first, count);
            Assert.Equal(count > 0 && isNew, found);
            foreach (int unit in UnitsOf(first, count)) way.Dirty[unit] = true;
            way.IsWritten |= way.IsCleaning && count > 0;
        }
        way.Valid.AsSpan(first, count).Fill(true);
    }

    private void ClearSectors()
    {
        if (!TryPick(static way => way.Pins > 0 && way.Block >= 0, out uint slot)) return;
        Way way = _ways[slot];
        (int first, int count) = Range();
        if (_random.Chance(50))
        {
            _table.DropClean(slot, first, count);
            for (int i = first; i < first + count; i++) way.Valid[i] &= way.Dirty[i / UnitSectors];
            return;
        }
        _table.ClearValid(slot, first, count);
        way.Valid.AsSpan(first, count).Clear();
        foreach (int unit in UnitsOf(first, count))
            way.Dirty[unit] &= way.Valid.AsSpan(unit * UnitSectors, UnitSectors).IndexOf(true) >= 0;
    }

    private void Write()
    {
        if (_random.Chance(50) && TryPick(static way => way.Writers > 0, out uint slot))
        {
            _table.EndWrite(slot);
            _ways[slot].Writers--;
            return;
        }
        if (!TryPick(static way => way.Pins > 0 && way.Block >= 0, out slot)) return;
        bool goesHome = _random.Chance(50), mayBegin = !goesHome || !_ways[slot].IsCleaning;
        Assert.Equal(mayBegin, _table.BeginWrite(slot, goesHome));
        if (!mayBegin) return;
        _ways[slot].Writers++;
        _ways[slot].IsWritten |= _ways[slot].IsCleaning;
    }

    private void Clean()
    {
        if (_random.Chance(50) && TryPick(static way => way.IsCleaning, out uint slot)) EndClean(slot);
        else if (TryPick(static way => way.Block >= 0, out slot)) BeginClean(slot);
    }

    private void BeginClean(uint slot)
    {
        Way way = _ways[slot];
        bool mayBegin = way.IsDirty && !way.IsCleaning && way.Writers == 0;
        fixed (ulong* units = way.Units) Assert.Equal(mayBegin, _table.BeginClean(slot, units));
        if (!mayBegin) return;
        (way.IsCleaning, way.IsWritten) = (true, false);
        for (int unit = 0; unit < way.Dirty.Length; unit++)
            Assert.Equal(way.Dirty[unit], (way.Units[unit / 64] >> (unit % 64) & 1) != 0);
    }

    private void EndClean(uint slot)
    {
        Way way = _ways[slot];
        way.IsCleaning = false;
        if (_random.Chance(20))
        {
            _table.CancelClean(slot);
            return;
        }
        fixed (ulong* units = way.Units) Assert.Equal(!way.IsWritten, _table.EndClean(slot, units));
        if (!way.IsWritten) Array.Clear(way.Dirty);
    }

    // The snapshot is whole, and then durable, or never.
    private void Commit()
    {
        int page = _random.Below(_geometry.Pages);
        uint first = _geometry.FirstSetOf(page) * Ways;
        int entries = DirectoryPage.EntriesOf(_geometry, page);
        bool anyDirty = _ways.Skip((int)first).Take(entries).Any(static way => way.IsDirty);
        Assert.Equal(anyDirty, _table.Snapshot(page, _page.Pointer));
        for (int i = 0; i < entries; i++) CheckEntry(_ways[first + i], i);
        bool isDurable = _random.Chance(70);
        if (isDurable) _table.Committed(page, _page.Pointer);
        foreach (Way way in _ways.Skip((int)first).Take(entries))
            way.IsNamed = isDurable ? way.IsDirty : way.IsNamed || way.IsDirty;
    }

    private void CheckEntry(Way way, int entry)
    {
        bool isWorthIt = way.Block >= 0 && way.Valid.Any(static sector => sector);
        Assert.Equal(isWorthIt, DirectoryPage.IsUsed(_page.Pointer, _geometry, entry));
        if (!isWorthIt) return;
        Assert.Equal((uint)way.Block, DirectoryPage.TagOf(_page.Pointer, _geometry, entry));
        ulong* valid = DirectoryPage.ValidOf(_page.Pointer, _geometry, entry);
        ulong* dirty = DirectoryPage.DirtyOf(_page.Pointer, _geometry, entry);
        for (int i = 0; i < way.Valid.Length; i++) Assert.Equal(way.Valid[i], (valid[i / 64] >> (i % 64) & 1) != 0);
        for (int i = 0; i < way.Dirty.Length; i++) Assert.Equal(way.Dirty[i], (dirty[i / 64] >> (i % 64) & 1) != 0);
    }

    private void RemoveOne()
    {
        if (!TryPick(static way => way.Pins > 0 && way.Block >= 0, out uint slot)) return;
        Way way = _ways[slot];
        bool mayGo = way.Pins == 1 && way.Writers == 0 && !way.IsCleaning;
        Assert.Equal(mayGo, _table.Remove(slot));
        if (!mayGo) return;
        way.Block = -1;
        Array.Clear(way.Valid);
        Array.Clear(way.Dirty);
        Assert.False(_table.IsUsed(slot));
        _table.Unpin(slot);
        way.Pins = 0;
    }

    // Runs and ranges; finds and pins.
    private void Look()
    {
        if (!TryPick(static way => way.Block >= 0, out uint slot)) return;
        Way way = _ways[slot];
        Assert.Equal((int)slot, _table.FindAndPin((uint)way.Block));
        way.Pins++;
        _table.Touch(slot, _tick);
        (int first, int count) = Range();
        Assert.Equal(way.Valid.AsSpan(first, count).IndexOf(false) < 0, _table.IsValid(slot, first, count));
        Assert.Equal(way.Valid.AsSpan(first, count).IndexOf(true) >= 0, _table.AnyValid(slot, first, count));
        bool[] dirty = [.. way.Valid.Select((sector, i) => sector && way.Dirty[i / UnitSectors])];
        Assert.Equal(dirty.AsSpan(first, count).IndexOf(true) >= 0, _table.AnyDirty(slot, first, count));
        CheckRuns(slot, way.Valid, first, first + count, isDirty: false);
        CheckRuns(slot, dirty, first, first + count, isDirty: true);
        if (_random.Chance(10)) _table.Strategy = (Strategy)_random.Below(6);
    }

    // A dirty run may end at the end of a unit although the next goes on.
    private void CheckRuns(uint slot, bool[] bits, int from, int limit, bool isDirty)
    {
        bool[] found = new bool[bits.Length];
        int at = from, first, count;
        while (isDirty ? _table.TryNextDirtyRun(slot, at, limit, out first, out count)
            : _table.TryNextValidRun(slot, at, limit, out first, out count))
        {
            Assert.InRange(first, at, limit - 1);
            Assert.InRange(count, 1, limit - first);
            found.AsSpan(first, count).Fill(true);
            at = first + count;
        }
        Assert.Equal(bits.AsSpan(from, limit - from), found.AsSpan(from, limit - from));
    }

    private void CheckCounts()
    {
        Assert.Equal(_ways.Count(static way => way.Block >= 0), _table.UsedCount);
        Assert.Equal(_ways.Count(static way => way.IsDirty), _table.DirtyCount);
        Assert.Equal(_ways.Sum(static way => way.Dirty.Count(static unit => unit)), _table.DirtyUnits);
        for (int page = 0; page < _geometry.Pages; page++)
        {
            int first = (int)_geometry.FirstSetOf(page) * Ways;
            IEnumerable<Way> ways = _ways.Skip(first).Take(DirectoryPage.EntriesOf(_geometry, page));
            Assert.Equal(ways.Any(static way => way.Pins > 0), _table.HasPins(page));
        }
    }

    private static IEnumerable<int> UnitsOf(int first, int count) => count == 0 ? []
        : Enumerable.Range(first / UnitSectors, ((first + count - 1) / UnitSectors) - (first / UnitSectors) + 1);
}
