using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.DmCache.Commit;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Places;

namespace Weir.Core.DmCache.Recovery;

/// <summary>
/// Fills the mapping from the metadata, and says what the first commit has to change. Reads only.
/// </summary>
internal sealed class MappingLoader(FoundCache found, CacheMap map, ChangeList changes, string device)
{
    private const ulong ValidFlag = 1, DirtyFlag = 2, KnownFlags = ValidFlag | DirtyFlag;
    private const int HomeShift = 16;

    private readonly ArrayReader<ulong> _mappings = new(found.Reader,
        (long place, out ReadOnlySpan<ulong> words) => found.Metadata.TryReadMappings((uint)place, out words));

    private readonly ArrayReader<ulong> _marks = new(found.Reader,
        (long group, out ReadOnlySpan<ulong> words) => found.Metadata.TryReadDirtyWords((uint)group, out words));

    /// <summary>Mapped blocks that lie behind the end of the backing device, clean: they are dropped.</summary>
    public int Dropped { get; private set; }

    /// <summary>Places whose durable entry or mark is not what it shall be: the first commit brings them up.</summary>
    public bool AnyChanged { get; private set; }

    /// <summary>Loads everything. Places behind what the metadata name are free, and not there yet (grown).</summary>
    /// <exception cref="UserErrorException">What is named cannot be; nothing has been written.</exception>
    public void Load()
    {
        uint named = Math.Min(found.Metadata.Head.Places, map.Table.Places);
        List<ArrayBlock> blocks = BlocksOf(CacheArray.Mappings);
        for (int i = 0; i < blocks.Count && blocks[i].First < named; i++)
        {
            if (i % BatchBlocks == 0)
                found.Reader.Fetch(CollectionsMarshal.AsSpan(blocks)[i..Math.Min(i + BatchBlocks, blocks.Count)]);
            LoadFrom((uint)blocks[i].First, named);
        }
        CheckCutOff(named);
        for (uint place = 0; place < map.Table.Places; place++)
            if ((map.Table.StateOf(place) & PlaceState.Mapped) == 0) map.Free.Return(place);
    }

    // Blocks of metadata that are read at a time: they have to stay until they are used.
    private const int BatchBlocks = 64;

    private List<ArrayBlock> BlocksOf(CacheArray array)
    {
        List<ArrayBlock> blocks = [];
        found.Reader.Run(() =>
        {
            blocks.Clear();
            return found.Metadata.TryListBlocks(array, blocks);
        });
        return blocks;
    }

    private void LoadFrom(uint first, uint end)
    {
        ReadOnlySpan<ulong> words = _mappings.From(first);
        uint count = (uint)Math.Min((uint)words.Length, end - first);
        for (int i = 0; i < count; i++)
            if ((words[i] & ValidFlag) != 0) Load(first + (uint)i, words[i]);
    }

    private void Load(uint place, ulong word)
    {
        long home = (long)(word >> HomeShift);
        if ((word & ((1 << HomeShift) - 1) & ~KnownFlags) != 0)
            throw new UserErrorException(
                $"{device}: cache block {place} has the flags 0x{word & 0xffff:x}; expected 1 or 3");
        bool isMarked = found.Metadata.Head.Version == 1 ? (word & DirtyFlag) != 0 : IsMarked(place);
        PlaceState state = StateOf(isMarked);
        if (home >= map.Geometry.Homes)
        {
            Drop(place, home, (state & PlaceState.Dirty) != 0 && (state & PlaceState.Doubtful) == 0);
            return;
        }
        if (map.Find(home) is >= 0 and var other)
            throw new UserErrorException($"{device}: cache blocks {other} and {place} both hold block {home} of the "
                + "backing device; 'weir check dmcache' says more");
        map.Load(place, home, state);
        SetMark(place, isMarked, state);
    }

    // A mark of a weir's is a superset; a stranger's that is not there says little.
    private PlaceState StateOf(bool isMarked)
    {
        if (Mutant.Is(DmCacheMutant.B13MarksForgotten)) return 0;
        if (isMarked || !found.IsBelieved) return PlaceState.Dirty;
        return found.IsInDoubt ? PlaceState.Dirty | PlaceState.Doubtful : 0;
    }

    private void SetMark(uint place, bool isMarked, PlaceState state)
    {
        uint group = place >> PlaceTable.GroupShift;
        ulong bit = 1UL << (int)(place & (PlaceTable.GroupPlaces - 1));
        if (isMarked) map.Table.SetMarks(group, map.Table.MarksOf(group) | bit);
        if (isMarked) map.Table.CountMarks(0, bit);
        if (isMarked || (state & PlaceState.Dirty) != 0) changes.SetWanted(group, changes.WantedOf(group) | bit);
        if (isMarked == ((state & PlaceState.Dirty) != 0)) return;
        changes.Add(group, isUrgent: true);
        AnyChanged = true;
    }

    private void Drop(uint place, long home, bool isDirty)
    {
        if (isDirty)
            throw new UserErrorException($"{device}: cache block {place} holds dirty data of block {home}, but the "
                + $"backing device has {map.Geometry.Homes} blocks: it has shrunk, or is another one");
        Dropped++;
        AnyChanged = true;
        changes.Add(place >> PlaceTable.GroupShift, isUrgent: true);
    }

    /// <summary>
    /// What is clean leaves: its places are free when the first commit has said so. What is in doubt may be the only
    /// copy, and stays.
    /// </summary>
    public void ForgetClean()
    {
        for (uint place = 0; place < map.Table.Places; place++)
        {
            PlaceState state = map.Table.StateOf(place);
            if ((state & (PlaceState.Mapped | PlaceState.Dirty)) != PlaceState.Mapped) continue;
            map.Unmap(place);
            changes.Add(place >> PlaceTable.GroupShift, isUrgent: true);
            AnyChanged = true;
        }
    }

    // The cache device has shrunk: only what is clean may be cut off.
    private void CheckCutOff(uint named)
    {
        for (uint first = named; first < found.Metadata.Head.Places;)
        {
            ReadOnlySpan<ulong> words = _mappings.From(first);
            for (int i = 0; i < words.Length; i++)
                if ((words[i] & ValidFlag) != 0) CheckCutOff(first + (uint)i, words[i], named);
            first += (uint)words.Length;
        }
    }

    private void CheckCutOff(uint place, ulong word, uint named)
    {
        bool isMarked = found.Metadata.Head.Version == 1 ? (word & DirtyFlag) != 0 : IsMarked(place);
        if (StateOf(isMarked) == 0) return;
        throw new UserErrorException($"{device}: the metadata name {found.Metadata.Head.Places} cache blocks, the "
            + $"cache device has room for {named}, and block {place} behind that is dirty: enlarge the device again, "
            + "or drain the cache first");
    }

    private bool IsMarked(uint place) =>
        ((_marks.From(place >> PlaceTable.GroupShift)[0] >> (int)(place & (PlaceTable.GroupPlaces - 1))) & 1) != 0;
}
