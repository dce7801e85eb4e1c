using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Frontends;

/// <summary>What threads tell a queue's thread.</summary>
internal enum QueueMessageKind
{
    /// <summary>Stop in order.</summary>
    Stop,
    /// <summary>Serve the connection whose descriptor is the value.</summary>
    Connection,
    /// <summary>The places are taken: the queue's client that has been silent longest loses its own.</summary>
    MakeRoom,
    /// <summary>An export is served no longer: its connections end.</summary>
    ExportGone,
    /// <summary>The block device whose place is the value is to be served too.</summary>
    ExportAdded,
}

/// <summary>One message.</summary>
/// <param name="Kind">What it says.</param>
/// <param name="Value">A descriptor, a place, or nothing.</param>
internal readonly record struct QueueMessage(QueueMessageKind Kind, int Value);

/// <summary>
/// A small ring of messages for one queue's thread. Rare: connections and the stop come this way, requests never.
/// </summary>
/// <remarks>
/// Protocol: everything but <c>_count</c> is touched under the latch <c>_latch</c> only (held for a few instructions,
/// and for the wake-up). <c>_count</c> is written under the latch and read without it by
/// <see cref="IsEmpty"/>; whoever adds wakes the reader afterwards, so a reader that saw an old zero turns again.
/// The reader's context is woken under the latch and <see cref="Close"/> takes it too: nobody wakes a context that is
/// gone.
/// </remarks>
internal sealed class QueueMailbox
{
    /// <summary>More than the connections there may be, and a stop.</summary>
    public const int Capacity = 1024;

    private readonly QueueMessage[] _messages = new QueueMessage[Capacity];
    private SpinLatch _latch;
    private int _first;
    private int _count;
    private bool _closed;

    /// <summary>Nothing is there.</summary>
    public bool IsEmpty => Volatile.Read(ref _count) == 0;

    /// <summary>Adds a message and wakes its reader; false when there is no room, or no reader any more.</summary>
    public bool TryAdd(QueueMessage message, IoContext reader)
    {
        _latch.Enter();
        bool room = !_closed && _count < Capacity;
        if (room)
        {
            _messages[(_first + _count) % Capacity] = message;
            Volatile.Write(ref _count, _count + 1);
            reader.Wake();
        }
        _latch.Exit();
        return room;
    }

    /// <summary>Takes the oldest message; false when there is none.</summary>
    public bool TryTake(out QueueMessage message)
    {
        message = default;
        if (IsEmpty) return false;
        _latch.Enter();
        bool any = _count > 0;
        if (any)
        {
            message = _messages[_first];
            _first = (_first + 1) % Capacity;
            Volatile.Write(ref _count, _count - 1);
        }
        _latch.Exit();
        return any;
    }

    /// <summary>Takes no more messages. The reader's last act: it takes what is left afterwards.</summary>
    public void Close()
    {
        _latch.Enter();
        _closed = true;
        _latch.Exit();
    }
}
