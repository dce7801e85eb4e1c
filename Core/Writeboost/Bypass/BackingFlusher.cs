using System.Numerics;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;

namespace Weir.Core.Writeboost.Bypass;

/// <summary>Flushes the backing devices for one queue thread, of what went round the log (R6).</summary>
internal sealed class BackingFlusher
{
    private readonly WritesAround _around;
    private readonly AroundLosses _losses;
    private readonly BackingTable _table;
    private readonly VolumeHealth _health;
    private readonly BackingQueues _backings;
    private readonly IoContext _io;
    private readonly DeviceFlusher _flusher;
    private readonly ulong[] _devices = new ulong[4];
    private long _covers;
    private bool _failed;
    private int _failedDevice;
    private int _error;

    /// <summary>The flusher of the thread that owns <paramref name="io"/>.</summary>
    public BackingFlusher(
        WritesAround around, AroundLosses losses, FlushLock flushLock, BackingTable table, BackingQueues backings,
        VolumeHealth health, IoContext io)
    {
        (_around, _losses, _table, _health) = (around, losses, table, health);
        _backings = backings;
        _io = io;
        _flusher = new DeviceFlusher(flushLock, io) { Failed = Fail, Ended = End };
    }

    /// <summary>Nothing of this thread is under way.</summary>
    public bool IsQuiet => !_flusher.IsUnderWay;

    /// <summary>
    /// True when the first <paramref name="count"/> writes round the log are durable; else sees to it that a flush is
    /// under way. The queues are woken when it is over.
    /// </summary>
    public bool Ensure(long count)
    {
        if (_around.Flushed >= count) return true;
        bool may = IsQuiet && _io.FreeCount > BackingTable.MaxId && !_around.HasFailed;
        if (!may || !_flusher.TryTake()) return false;
        if (!_around.TryBeginFlush(_devices, out _covers))
        {
            _flusher.GiveBack();
            return _around.Flushed >= count;
        }
        _failed = false;
        for (int i = 0; i < _devices.Length; i++)
        {
            for (ulong left = _devices[i]; left != 0; left &= left - 1)
                Flush((i * 64) + BitOperations.TrailingZeroCount(left));
        }
        if (IsQuiet) End();
        return _around.Flushed >= count;
    }

    private void Fail(int id, int error) => (_failed, _failedDevice, _error) = (true, id, error);

    private void Flush(int id)
    {
        if (_table.Find(id) is { IsAbsent: false, Device.CanFlush: true }) _flusher.Flush(id, _backings[id]);
    }

    private void End()
    {
        _around.EndFlush(_covers, _failed);
        if (_failed) _losses.Hold(_failedDevice, _error);
        else _health.Pass(Trouble.AroundFlush);
        _flusher.GiveBack();
    }
}
