using System;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// A dirty block that is rotten cannot be written back, and must not hold up what lies behind it for ever (R11). Before
/// its segment goes, a poison entry takes its place in the log: the sectors read EIO until they are overwritten. It is
/// moved forward like the data of absent devices, within a budget.
/// </content>
/// <remarks>
/// Clients write meanwhile. A poison entry says how far before it the rotten version lay, and stands at that place in
/// the order: whatever was logged between the two is newer, here (<see cref="Index.BlockIndex.InsertPoison"/>) as in
/// recovery (<see cref="Recovery.Replay"/>).
/// </remarks>
internal sealed unsafe partial class WritebackEngine
{
    /// <summary>Part of the cache that poison may take: more than that, and the device is not worth it.</summary>
    private const int PoisonShare = 64;

    private readonly Poisoned[] _poisoned = new Poisoned[256];
    private int _poisonCount;
    private int _poisonNext;

    // False: the volume stops here, in a named state.
    private bool PlanPoison(ulong key, long position)
    {
        string place = $"block {key & 0xFF_FFFF_FFFF} in segment {_log.Geometry.SegmentOf(position)}";
        bool isTooMuch = _poisonCount == _poisoned.Length
            || _index.RottenCount > Math.Max(_poisoned.Length, _log.Geometry.SlotCount / PoisonShare);
        if (isTooMuch) return GetStuck($"cache device: {place} is rotten, like too many before it");
        _poisoned[_poisonCount++] = new Poisoned { Key = key, Position = position };
        return true;
    }

    // True when all of it is moved.
    private bool MovePoison()
    {
        for (; _poisonNext < _poisonCount; _poisonNext++)
        {
            if (Mutant.Is(WriteboostMutant.R11PoisonNotMoved)) continue;
            ref Poisoned poison = ref _poisoned[_poisonNext];
            byte sectors = LeftOf(poison);
            // What has taken its place since the plan must be durable before the mark moves (R7).
            if (sectors == 0) _hasMoved = true;
            if (sectors == 0) continue;
            if (!TryAppend(out LogSlot slot)) return false;
            new Span<byte>(_appender.Data(slot), Geometry.BlockBytes).Clear();
            long distance = slot.Position - poison.Position;
            Invariant.Check(distance > 0);
            Invariant.Check(distance <= uint.MaxValue);
            Publish(slot, LogEntry.ForPoison(poison.Key, sectors, (uint)distance));
        }
        return true;
    }

    // Nothing when it was overwritten, discarded, zeroed or given up.
    private byte LeftOf(in Poisoned poison)
    {
        uint slot = _log.Geometry.PhysicalSlot(poison.Position);
        if (_ranges.PositionOver(poison.Key) > poison.Position) return 0;
        if (!_index.TryGetDirty(slot, out _, out byte sectors)) return 0;
        return (byte)(sectors & ~_index.SectorsFrom(poison.Key, poison.Position + 1));
    }

    private struct Poisoned
    {
        public ulong Key;
        public long Position;
    }
}
