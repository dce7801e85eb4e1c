using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Core.Io;

/// <summary>Gets the completions of the operations it acquired.</summary>
public unsafe interface IIoHandler
{
    /// <summary>One operation is done. The handler releases <paramref name="op"/>, or submits it again.</summary>
    void Completed(IoOp* op);
}

/// <summary>
/// What one queue thread does I/O with: a fixed pool of operations, a list of completions, a clock. The ring-driven
/// one is <c>Devices/RingContext</c>; the simulation brings its own. Owned by one thread; only <see cref="Wake"/> may
/// be called from another.
/// </summary>
public abstract unsafe class IoContext : IDisposable
{
    /// <summary>Operations in flight per thread: four times the deepest client queue that pays.</summary>
    public const int PoolSize = 2048;

    /// <summary>
    /// Slots that only engine background work (log, write-back) may take, so that reads cannot starve it.
    /// </summary>
    public const int Reserve = 256;

    private readonly IoOp* _pool;
    private IIoHandler?[] _handlers = new IIoHandler?[64];
    private IoOp* _free;
    private IoOp* _completedHead;
    private IoOp* _completedTail;
    private readonly DueHeap _delayed = new(PoolSize);

    /// <summary>Allocates the pool.</summary>
    protected IoContext()
    {
        _pool = (IoOp*)NativeMemory.AllocZeroed(PoolSize, (nuint)sizeof(IoOp));
        for (int i = PoolSize - 1; i >= 0; i--)
        {
            _pool[i].Index = i;
            _pool[i].Next = _free;
            _free = &_pool[i];
        }
        FreeCount = PoolSize;
    }

    /// <summary>Free operations.</summary>
    public int FreeCount { get; private set; }

    /// <summary>Microseconds on a clock that never goes back. Read once per turn of the loop.</summary>
    public abstract long NowUs { get; }

    /// <summary>Makes the thread's loop turn soon; from any thread.</summary>
    public abstract void Wake();

    /// <summary>
    /// Submits what is prepared and, if <paramref name="wait"/>, sleeps until a completion or the deadline.
    /// </summary>
    public abstract void Pump(bool wait, long deadlineUs);

    /// <summary>
    /// Tells the context that device I/O will use this memory, so that it can be pinned once instead of per operation.
    /// On the owning thread; the memory stays mapped until the context is gone. False: not pinned, works the same.
    /// </summary>
    public virtual bool RegisterSlab(byte* start, long sizeBytes) => false;

    /// <summary>One line to print once, about what works, but not as well as it could; or null.</summary>
    public virtual string? Warning => null;

    /// <summary>Registers a receiver of completions; control path.</summary>
    public ushort AddHandler(IIoHandler handler)
    {
        int place = Array.IndexOf(_handlers, null);
        if (place < 0)
        {
            place = _handlers.Length;
            Array.Resize(ref _handlers, 2 * place);
        }
        _handlers[place] = handler;
        return checked((ushort)place);
    }

    /// <summary>The receiver expects nothing any more; its number is free.</summary>
    public void RemoveHandler(ushort handler)
    {
        Invariant.Check(_handlers[handler] != null);
        _handlers[handler] = null;
    }

    /// <summary>
    /// A cleared operation, or null: back-pressure. Background work passes <paramref name="urgent"/>.
    /// </summary>
    public IoOp* Acquire(ushort handler, IoKind kind, bool urgent = false)
    {
        if (FreeCount <= (urgent ? 0 : Reserve)) return null;
        IoOp* op = _free;
        _free = op->Next;
        FreeCount--;
        int index = op->Index;
        uint generation = op->Generation + 1;
        *op = default;
        op->Index = index;
        op->Generation = generation;
        op->Kind = kind;
        op->Handler = handler;
        return op;
    }

    /// <summary>Gives an operation back.</summary>
    public void Release(IoOp* op)
    {
        Invariant.Check(op->Kind != IoKind.None);
        op->Kind = IoKind.None;
        op->Next = _free;
        _free = op;
        FreeCount++;
    }

    /// <summary>The operation at <paramref name="index"/> of the pool.</summary>
    public IoOp* At(int index)
    {
        Invariant.Check((uint)index < PoolSize);
        return &_pool[index];
    }

    /// <summary>Devices report here; the completion runs from <see cref="RunCompletions"/>.</summary>
    public void Complete(IoOp* op, int result)
    {
        Invariant.Check(op->Kind != IoKind.None);
        op->Result = result;
        op->Next = null;
        if (op->DueUs != 0 && op->DueUs > NowUs) _delayed.Add(op); else List(op);
    }

    /// <summary>When the next held-back completion is due; a context's <see cref="Pump"/> sleeps no longer.</summary>
    public long NextDueUs => _delayed.NextUs;

    private void List(IoOp* op)
    {
        if (_completedTail == null) _completedHead = op; else _completedTail->Next = op;
        _completedTail = op;
    }

    /// <summary>A completion waits to be run: the loop must not sleep.</summary>
    public bool HasCompletions => _completedHead != null || _delayed.NextUs <= NowUs;

    /// <summary>Runs the completions listed so far, in order; those added meanwhile wait for the next turn.</summary>
    public int RunCompletions()
    {
        long nowUs = NowUs;
        while (_delayed.NextUs <= nowUs) List(_delayed.Take());
        IoOp* op = _completedHead;
        _completedHead = _completedTail = null;
        int count = 0;
        while (op != null)
        {
            IoOp* next = op->Next;
            op->Next = null;
            _handlers[op->Handler]!.Completed(op);
            op = next;
            count++;
        }
        return count;
    }

    /// <inheritdoc/>
    public virtual void Dispose()
    {
        _delayed.Dispose();
        NativeMemory.Free(_pool);
    }
}
