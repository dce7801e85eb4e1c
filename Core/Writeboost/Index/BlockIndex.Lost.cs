using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Index;

/// <content>Versions that are lost: only the log had them, and their bytes are rotten.</content>
public sealed unsafe partial class BlockIndex
{
    private readonly long[] _rottenCounts = new long[Devices];
    private long _rottenCount;
    private bool _anyUnread;

    /// <summary>Dirty versions that are known to be rotten and still count: poison too.</summary>
    public long RottenCount => Volatile.Read(ref _rottenCount);

    /// <summary>Those of device <paramref name="device"/>.</summary>
    public long RottenOf(int device) => Volatile.Read(ref _rottenCounts[device]);

    /// <summary>
    /// The version in <paramref name="slot"/> if it counts, the backing device does not have it, and its bytes are
    /// known to be rotten.
    /// </summary>
    public bool TryGetLost(uint slot, out ulong key, out byte sectors)
    {
        (key, sectors) = (0, 0);
        if ((Volatile.Read(ref _nodes[slot].Flags) & RottenFlag) == 0) return false;
        Held held = Enter(_nodes[slot].Key);
        bool lost = (_nodes[slot].Flags & (LinkedFlag | RottenFlag | CleanFlag)) == (LinkedFlag | RottenFlag);
        if (lost) (key, sectors) = (_nodes[slot].Key, _nodes[slot].Sectors);
        Exit(held);
        return lost;
    }

    /// <summary>
    /// Forgets <paramref name="sectors"/> of the version of block <paramref name="key"/> that was logged at
    /// <paramref name="position"/>, in <paramref name="slot"/>, if it is still there: what lies below shows. Returns
    /// those it had.
    /// </summary>
    public byte GiveUp(ulong key, uint slot, long position, byte sectors)
    {
        Held held = Enter(key);
        bool isThere = (_nodes[slot].Flags & (LinkedFlag | CleanFlag)) == LinkedFlag && _nodes[slot].Is(key)
            && _table.PositionOf(slot) == position;
        byte given = isThere ? (byte)(_nodes[slot].Sectors & sectors) : (byte)0;
        // What newer versions have of the rest is not lost.
        byte left = given == 0 ? (byte)0 : (byte)(_nodes[slot].Sectors & ~given & ~SectorsBehind(held, position));
        if (given != 0 && left == 0) Forget(ref held, slot);
        else if (given != 0) _nodes[slot].Sectors = left;
        Exit(held);
        return given;
    }

    private byte SectorsBehind(in Held held, long position)
    {
        uint* slots = stackalloc uint[MaxVersions];
        byte sectors = 0;
        for (int i = SlotsOf(held, slots) - 1; i >= 0; i--)
            if (_table.PositionOf(slots[i]) > position) sectors |= _nodes[slots[i]].Sectors;
        return sectors;
    }

    /// <summary>
    /// Adds the poison in <paramref name="slot"/> for sectors that were logged at <paramref name="position"/>: all that
    /// is newer than that stays, whatever comes first.
    /// </summary>
    public void InsertPoison(ulong key, uint slot, byte sectors, long position)
    {
        Node* node = &_nodes[slot];
        Invariant.Check((node->Flags & LinkedFlag) == 0);
        Held held = Enter(key);
        sectors &= (byte)~SectorsBehind(held, position);
        if (sectors != 0)
        {
            node->Set(key, sectors);
            if (TryAdd(ref held, slot, LinkedFlag | RottenFlag | PoisonFlag, out _)) CountRotten(key, 1);
        }
        Exit(held);
        if (sectors != 0) Regions.Note(key);
    }

    /// <summary>
    /// The bytes of <paramref name="slot"/>, whose segment the caller has pinned, are not what was written: they are
    /// not read again, unless the device did not give them (<paramref name="unread"/>). False when that was known, or
    /// nothing counts there any more; with <paramref name="onlyClean"/> also when the backing device lacks it.
    /// </summary>
    public bool MarkRotten(uint slot, out bool clean, bool onlyClean = false, bool unread = false)
    {
        Held held = Enter(_nodes[slot].Key);
        bool isNew = (_nodes[slot].Flags & (LinkedFlag | RottenFlag)) == LinkedFlag;
        clean = (_nodes[slot].Flags & CleanFlag) != 0;
        isNew &= clean || !onlyClean;
        if (isNew && !clean) CountRotten(_nodes[slot].Key, 1);
        if (isNew) _nodes[slot].Flags |= unread ? (byte)(RottenFlag | UnreadFlag) : RottenFlag;
        Exit(held);
        if (isNew && unread) Volatile.Write(ref _anyUnread, true);
        return isNew;
    }

    /// <summary>In this life the device did not give some version.</summary>
    public bool HasUnread => Volatile.Read(ref _anyUnread);

    /// <summary>
    /// The device has given <paramref name="slot"/>, whose segment the caller has pinned: what was written.
    /// </summary>
    public void MarkRead(uint slot)
    {
        if (!HasUnread || (Volatile.Read(ref _nodes[slot].Flags) & UnreadFlag) == 0) return;
        Held held = Enter(_nodes[slot].Key);
        byte flags = _nodes[slot].Flags;
        if ((flags & (LinkedFlag | UnreadFlag)) == (LinkedFlag | UnreadFlag))
        {
            if ((flags & CleanFlag) == 0) CountRotten(_nodes[slot].Key, -1);
            _nodes[slot].Flags = (byte)(flags & ~(RottenFlag | UnreadFlag));
        }
        Exit(held);
    }

    private void CountRotten(ulong key, int change)
    {
        Interlocked.Add(ref _rottenCount, change);
        Interlocked.Add(ref _rottenCounts[(byte)(key >> 40)], change);
    }

    // A write that took its place before the poison did, and comes to the index after it, is newer all the same.
    private void YieldPoison(ref Held held, uint slot)
    {
        uint* slots = stackalloc uint[MaxVersions];
        long position = _table.PositionOf(slot);
        for (int i = SlotsOf(held, slots) - 1; i >= 0; i--)
        {
            uint at = slots[i];
            if ((_nodes[at].Flags & PoisonFlag) == 0 || _table.PositionOf(at) <= position) continue;
            byte left = (byte)(_nodes[at].Sectors & ~_nodes[slot].Sectors);
            if (left == 0) Forget(ref held, at);
            else _nodes[at].Sectors = left;
        }
    }
}
