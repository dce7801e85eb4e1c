using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Sets;

// From and to the pages of the directory on the device, and what a dead process has left.
internal sealed unsafe partial class SetTable
{
    /// <summary>
    /// Entries that a page or a dead process's memory had and that cannot be: the block does not belong there, or is
    /// somewhere else already. They were left out.
    /// </summary>
    public int ImpossibleCount { get; private set; }

    /// <summary>
    /// Fills the entries of a page as they are now; from here on its dirty ways count as named by the device. The
    /// header is the caller's, who is the only one to do this. True: something in it is dirty.
    /// </summary>
    public bool Snapshot(int page, byte* image)
    {
        bool anyDirty = false;
        uint slot = _geometry.FirstSetOf(page) * Ways;
        int entries = DirectoryPage.EntriesOf(_geometry, page);
        for (int entry = 0; entry < entries; slot += Ways)
        {
            ref SpinLatch latch = ref LatchOf(slot);
            latch.Enter();
            for (uint way = 0; way < Ways; way++) anyDirty |= SnapshotWay(slot + way, image, entry++);
            latch.Exit();
        }
        return anyDirty;
    }

    /// <summary>
    /// The page is durable as this snapshot has it, and no other copy counts: what it does not name dirty is not named.
    /// </summary>
    public void Committed(int page, byte* image)
    {
        uint slot = _geometry.FirstSetOf(page) * Ways;
        int entries = DirectoryPage.EntriesOf(_geometry, page);
        for (int entry = 0; entry < entries; entry++, slot++)
        {
            bool isNamed = (Volatile.Read(ref _states[slot]) & WayState.Named) != 0;
            if (isNamed && !DirectoryPage.IsDirty(image, _geometry, entry))
                Interlocked.And(ref _states[slot], ~WayState.Named);
        }
    }

    /// <summary>
    /// The device has this copy of a page, which may count after a power cut: what it names dirty is named. For memory
    /// that a dead process has left, at the start.
    /// </summary>
    public void NoteNamed(int page, byte* image)
    {
        uint slot = _geometry.FirstSetOf(page) * Ways;
        int entries = DirectoryPage.EntriesOf(_geometry, page);
        for (int entry = 0; entry < entries; entry++, slot++)
            if (DirectoryPage.IsDirty(image, _geometry, entry)) Interlocked.Or(ref _states[slot], WayState.Named);
    }

    /// <summary>
    /// What is dirty here is not what this copy of a page names dirty. At the start, on one thread.
    /// </summary>
    public bool Differs(int page, byte* image)
    {
        uint slot = _geometry.FirstSetOf(page) * Ways;
        int entries = DirectoryPage.EntriesOf(_geometry, page);
        for (int entry = 0; entry < entries; entry++, slot++)
        {
            bool isNamed = DirectoryPage.IsUsed(image, _geometry, entry)
                && DirectoryPage.IsDirty(image, _geometry, entry);
            if (isNamed != IsDirty(slot) || (isNamed && !IsSame(slot, image, entry))) return true;
        }
        return false;
    }

    // Of units that are not dirty nothing counts.
    private bool IsSame(uint slot, byte* image, int entry)
    {
        if (_tags[slot] != DirectoryPage.TagOf(image, _geometry, entry) + 1) return false;
        byte* named = (byte*)DirectoryPage.ValidOf(image, _geometry, entry);
        byte* own = (byte*)(_valid + ((nuint)slot * (nuint)_validWords));
        ulong* dirty = DirectoryPage.DirtyOf(image, _geometry, entry);
        for (int unit = 0; unit < _geometry.BlockUnits; unit++)
        {
            bool isNamed = (dirty[unit / 64] >> (unit % 64) & 1) != 0;
            if (isNamed != DirtyOf(slot).Any(unit, 1) || (isNamed && named[unit] != own[unit])) return false;
        }
        return true;
    }

    /// <summary>
    /// What a page says, or only what it says of dirty units: into an empty table, at the start, on one thread.
    /// </summary>
    public void Load(int page, byte* image, bool onlyDirty)
    {
        uint slot = _geometry.FirstSetOf(page) * Ways;
        int entries = DirectoryPage.EntriesOf(_geometry, page);
        for (int entry = 0; entry < entries; entry++, slot++)
        {
            bool isWanted = DirectoryPage.IsUsed(image, _geometry, entry)
                && (!onlyDirty || DirectoryPage.IsDirty(image, _geometry, entry));
            if (isWanted) LoadWay(slot, image, entry, onlyDirty);
        }
        NoteNamed(page, image);
    }

    private bool SnapshotWay(uint slot, byte* image, int entry)
    {
        bool isDirty = IsDirty(slot);
        bool isWorthIt = _tags[slot] != 0 && (isDirty || !ValidOf(slot).IsEmpty);
        if (!isWorthIt)
        {
            DirectoryPage.Clear(image, _geometry, entry);
            return false;
        }
        DirectoryPage.Set(image, _geometry, entry, _tags[slot] - 1, _counts[slot]);
        Copy(_valid + ((nuint)slot * (nuint)_validWords), DirectoryPage.ValidOf(image, _geometry, entry), _validWords);
        Copy(_dirty + ((nuint)slot * (nuint)_dirtyWords), DirectoryPage.DirtyOf(image, _geometry, entry), _dirtyWords);
        if (isDirty) Interlocked.Or(ref _states[slot], WayState.Named);
        return isDirty;
    }

    private void LoadWay(uint slot, byte* image, int entry, bool onlyDirty)
    {
        uint block = DirectoryPage.TagOf(image, _geometry, entry);
        if (_tags[slot] != 0 || !TryReach(slot, block) || Find(block) >= 0)
        {
            ImpossibleCount++;
            return;
        }
        Copy(DirectoryPage.DirtyOf(image, _geometry, entry), _dirty + ((nuint)slot * (nuint)_dirtyWords), _dirtyWords);
        Copy(DirectoryPage.ValidOf(image, _geometry, entry), _valid + ((nuint)slot * (nuint)_validWords), _validWords);
        _counts[slot] = (byte)ushort.Min(DirectoryPage.HintOf(image, _geometry, entry), VictimChoice.MostUses);
        if (onlyDirty) KeepDirtyOnly(slot);
        _tags[slot] = block + 1;
        CountLoaded(slot);
    }

    private void KeepDirtyOnly(uint slot)
    {
        for (int unit = 0; unit < _geometry.BlockUnits; unit++)
            if (!DirtyOf(slot).Any(unit, 1)) ValidOf(slot).Clear(unit << UnitShift, UnitSectors);
    }

    // A cache that was made with more further sets is still found as it is; new blocks go where they go now.
    private bool TryReach(uint slot, uint block)
    {
        if (block >= SsdGeometry.MaxBlocks) return false;
        for (int attempt = 0; attempt <= SsdGeometry.MaxAssoc; attempt++)
        {
            if (_geometry.SetOf(block, attempt) != slot / Ways) continue;
            _reach = int.Max(_reach, attempt);
            return true;
        }
        return false;
    }

    // The process may have died anywhere: see the order of stores.
    private void TakeOver()
    {
        for (uint slot = 0; slot < _geometry.Slots; slot++)
        {
            if (_tags[slot] != 0 && !TryReach(slot, _tags[slot] - 1))
            {
                ImpossibleCount++;
                ClearAll(_valid + ((nuint)slot * (nuint)_validWords), _validWords);
                ClearAll(_dirty + ((nuint)slot * (nuint)_dirtyWords), _dirtyWords);
                Volatile.Write(ref _tags[slot], 0);
            }
            if (_tags[slot] != 0) CountLoaded(slot);
        }
    }

    // A unit of which nothing is here is not dirty.
    private void CountLoaded(uint slot)
    {
        for (int unit = 0; unit < _geometry.BlockUnits; unit++)
            if (!ValidOf(slot).Any(unit << UnitShift, UnitSectors)) DirtyOf(slot).Clear(unit, 1);
        Interlocked.Increment(ref CellOf(slot).Used);
        CountDirty(slot, 0, DirtyOf(slot).SetCount);
    }

    private static void Copy(ulong* from, ulong* to, int words) =>
        new ReadOnlySpan<ulong>(from, words).CopyTo(new Span<ulong>(to, words));
}
