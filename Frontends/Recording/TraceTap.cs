using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Threading;
using Weir.Core.Io;

namespace Weir.Frontends.Recording;

/// <summary>Where a queue thread says what clients ask for, while that is recorded; else this costs a look.</summary>
internal sealed class TraceTap
{
    private TraceRing? _ring;

    /// <summary>A request has come. On the queue's thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Note(RequestKind kind, long offsetBytes, long lengthBytes, byte[] export)
    {
        if (Volatile.Read(ref _ring) is { } ring && kind is not (RequestKind.None or RequestKind.Flush))
            ring.Add(kind, offsetBytes, lengthBytes, export);
    }

    /// <summary>Lets it be recorded, from any thread.</summary>
    public void Begin(TraceRing ring) => Volatile.Write(ref _ring, ring);

    /// <summary>Ends that, unless another recording has begun.</summary>
    public void End(TraceRing ring) => Interlocked.CompareExchange(ref _ring, null, ring);
}

/// <summary>A request as it was asked.</summary>
internal struct TraceEntry
{
    /// <summary>When, on the clock of <see cref="Stopwatch"/>.</summary>
    public long Ticks;
    /// <summary>First byte.</summary>
    public long OffsetBytes;
    /// <summary>Bytes.</summary>
    public long LengthBytes;
    /// <summary>Name of the export, in UTF-8.</summary>
    public byte[] Export;
    /// <summary>What.</summary>
    public RequestKind Kind;
}

/*
 * From one queue thread to the thread that writes. Never waits: what finds no room is counted and left out.
 *
 *   _entries[i]   written by the queue thread before _tail passes i; read by the writer before _head does
 *   _tail         the queue thread: entries so far
 *   _dropped      the queue thread: those that found no room
 *   _head         the writer: entries taken
 */

/// <summary>Requests on their way to a trace.</summary>
internal sealed class TraceRing
{
    /// <summary>What a queue thread may be ahead: the time between two looks, at a million requests a second.</summary>
    public const int Capacity = 1 << 14;

    private readonly TraceEntry[] _entries = new TraceEntry[Capacity];
    private long _tail;
    private long _dropped;
    private long _head;

    /// <summary>Those that found no room; any thread.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Entries so far, taken ones included; any thread.</summary>
    public long Tail => Volatile.Read(ref _tail);

    /// <summary>Entries taken; the writer.</summary>
    public long Head => _head;

    /// <summary>The oldest that is there; the writer, below <see cref="Tail"/>.</summary>
    public ref readonly TraceEntry First => ref _entries[_head & (Capacity - 1)];

    /// <summary>It has been taken; the writer.</summary>
    public void Take() => Volatile.Write(ref _head, _head + 1);

    /// <summary>One more; the queue thread.</summary>
    public void Add(RequestKind kind, long offsetBytes, long lengthBytes, byte[] export)
    {
        long tail = _tail;
        if (tail - Volatile.Read(ref _head) == Capacity)
        {
            Volatile.Write(ref _dropped, _dropped + 1);
            return;
        }
        ref TraceEntry entry = ref _entries[tail & (Capacity - 1)];
        entry.Ticks = Stopwatch.GetTimestamp();
        entry.OffsetBytes = offsetBytes;
        entry.LengthBytes = lengthBytes;
        entry.Export = export;
        entry.Kind = kind;
        Volatile.Write(ref _tail, tail + 1);
    }
}
