using System.Numerics;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;

namespace Weir.Core.Writeboost.Bypass;

/// <summary>Flushes the backing devices for one queue thread, of what went round the log (R6).</summary>
public sealed unsafe class BackingFlusher : IIoHandler
{
    private readonly WriteboostVolume _volume;
    private readonly WritesAround _around;
    private readonly BackingQueues _backings;
    private readonly IoContext _io;
    private readonly byte _handler;
    private readonly ulong[] _devices = new ulong[4];
    private int _outstanding;
    private long _covers;
    private bool _failed;
    private int _failedDevice;
    private int _error;

    /// <summary>The flusher of the thread that owns <paramref name="io"/>.</summary>
    public BackingFlusher(WriteboostVolume volume, BackingQueues backings, IoContext io)
    {
        _volume = volume;
        _around = volume.Around;
        _backings = backings;
        _io = io;
        _handler = io.AddHandler(this);
    }

    /// <summary>Nothing of this thread is under way.</summary>
    public bool IsQuiet => _outstanding == 0;

    /// <summary>
    /// True when the first <paramref name="count"/> writes round the log are durable; else sees to it that a flush is
    /// under way. The queues are woken when it is over.
    /// </summary>
    public bool Ensure(long count)
    {
        if (_around.Flushed >= count) return true;
        bool may = _outstanding == 0 && _io.FreeCount > BackingTable.MaxId && !_around.HasFailed;
        if (!may || !_volume.FlushLock.TryTake()) return false;
        if (!_around.TryBeginFlush(_devices, out _covers))
        {
            _volume.FlushLock.GiveBack();
            return _around.Flushed >= count;
        }
        _failed = false;
        // One more, so that the last answer is not counted before the last flush is submitted.
        _outstanding = 1;
        for (int i = 0; i < _devices.Length; i++)
        {
            for (ulong left = _devices[i]; left != 0; left &= left - 1)
                Flush((i * 64) + BitOperations.TrailingZeroCount(left));
        }
        End();
        return _around.Flushed >= count;
    }

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        if (op->Result < 0)
        {
            (_failed, _failedDevice, _error) = (true, op->UserInt, op->Result);
            if (!Mutant.Is(WriteboostMutant.R8OthersFailureIgnored)) _volume.FlushLock.CountFailure();
        }
        _io.Release(op);
        End();
    }

    private void Flush(int id)
    {
        if (_volume.Backings.Find(id) is not { IsAbsent: false } device || !device.Device.CanFlush) return;
        IoOp* op = _io.Acquire(_handler, IoKind.Flush, urgent: true);
        Invariant.Check(op != null);
        op->UserInt = id;
        _outstanding++;
        _backings[id].Submit(op);
    }

    private void End()
    {
        if (--_outstanding > 0) return;
        _around.EndFlush(_covers, _failed);
        if (_failed) _volume.HoldAround(_failedDevice, _error);
        else _volume.Health.Pass(Trouble.AroundFlush);
        _volume.FlushLock.GiveBack();
    }
}
