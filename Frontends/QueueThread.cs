using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Frontends.Recording;

namespace Weir.Frontends;

/// <summary>
/// One thread per queue. It owns an <see cref="IoContext"/> and its own queue of each volume, and turns one loop:
/// submit and wait, run completions, parse requests, poll the engine, collect answers, prepare replies. Frontend and
/// devices share the ring, so that a batch of requests costs one system call.
/// </summary>
internal sealed unsafe class QueueThread : IDisposable
{
    private const long StopTurnUs = 1000;

    private readonly Func<IoContext> _newContext;
    private readonly IVolume[] _volumes;
    private readonly IVolumeQueue[] _queues;
    private readonly IQueueFrontend _frontend;
    private readonly Action<Exception> _onFailure;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _opened = new();
    private readonly QueueMailbox _mailbox = new();
    private IoContext? _io;
    private Exception? _openFailure;
    private StopPhase _stopPhase;
    private int _result;
    private long _turns;
    private long _allocatedBytes;

    private enum StopPhase
    {
        Serving,
        Frontend,
        Volumes,
        Done,
    }

    /// <summary>Prepares queue <paramref name="index"/>; <see cref="Start"/> runs it.</summary>
    /// <param name="index">Number of the queue, from 0.</param>
    /// <param name="newContext">Makes the thread's context, on the thread.</param>
    /// <param name="volumes">What is served.</param>
    /// <param name="frontend">Where requests come from.</param>
    /// <param name="onFailure">Called on the thread when it cannot go on; ends the process in the product.</param>
    public QueueThread(
        int index, Func<IoContext> newContext, IVolume[] volumes, IQueueFrontend frontend, Action<Exception> onFailure)
    {
        Index = index;
        _newContext = newContext;
        _volumes = volumes;
        _queues = new IVolumeQueue[volumes.Length];
        _frontend = frontend;
        _onFailure = onFailure;
        _thread = new Thread(Run) { IsBackground = true, Name = $"queue {index}" };
    }

    /// <summary>Number of the queue.</summary>
    public int Index { get; }

    /// <summary>Where it says what clients ask for.</summary>
    public TraceTap Tap { get; } = new();

    /// <summary>The thread's context: on the thread, and for <see cref="IoContext.Wake"/>.</summary>
    public IoContext Io => _io ?? throw new InvalidOperationException("the queue is not open");

    /// <summary>After Join: 0, or a negative errno when something could not be made durable.</summary>
    public int Result => _result;

    /// <summary>Turns of the loop so far; any thread.</summary>
    public long Turns => Volatile.Read(ref _turns);

    /// <summary>Managed bytes the thread has allocated so far: constant under load. Any thread.</summary>
    public long AllocatedBytes => Volatile.Read(ref _allocatedBytes);

    /// <summary>The thread's queue of a volume; on the thread.</summary>
    public IVolumeQueue Volume(IVolume volume) => _queues[Array.IndexOf(_volumes, volume)];

    /// <summary>Runs the thread and waits until it is ready. Throws what went wrong there.</summary>
    public void Start()
    {
        _thread.Start();
        _opened.Wait();
        if (_openFailure != null) throw _openFailure;
    }

    /// <summary>Tells the thread something, from any thread. False when it has no room, or has ended.</summary>
    public bool Post(QueueMessage message) => _mailbox.TryAdd(message, Io);

    /// <summary>Waits for the end that a <see cref="QueueMessageKind.Stop"/> brings.</summary>
    public void Join() => _thread.Join();

    /// <summary>
    /// Starts all of them, the first last: it may accept for the others. When one cannot, those that could are stopped
    /// and its error is thrown.
    /// </summary>
    public static void StartAll(QueueThread[] threads)
    {
        int last = threads.Length;
        try
        {
            while (last > 0) threads[--last].Start();
        }
        catch
        {
            StopAll(threads.AsSpan(last + 1));
            foreach (QueueThread thread in threads.AsSpan(last + 1)) thread.Join();
            throw;
        }
    }

    /// <summary>Tells all of them to stop.</summary>
    public static void StopAll(ReadOnlySpan<QueueThread> threads)
    {
        foreach (QueueThread thread in threads) thread.Post(new QueueMessage(QueueMessageKind.Stop, 0));
    }

    /// <summary>Waits for all of them: 0, or the negative errno of what could not be made durable.</summary>
    public static int JoinAll(QueueThread[] threads)
    {
        int result = 0;
        foreach (QueueThread thread in threads)
        {
            thread.Join();
            if (thread.Result != 0) result = thread.Result;
        }
        return result;
    }

    /// <summary>What the first of them that has something to say says of its ring; null: nothing.</summary>
    public static string? WarningOf(QueueThread[] threads)
    {
        foreach (QueueThread thread in threads)
            if (thread.Io.Warning is { } warning) return warning;
        return null;
    }

    /// <summary>Adds the figures of all of them; any thread.</summary>
    public static void Report(QueueThread[] threads, IStatusWriter status)
    {
        long turns = 0, allocatedBytes = 0;
        foreach (QueueThread thread in threads)
        {
            turns += thread.Turns;
            allocatedBytes += thread.AllocatedBytes;
        }
        status.Counter("queue_turns", turns);
        status.Counter("queue_allocated_bytes", allocatedBytes);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Invariant.Check(!_thread.IsAlive);
        _opened.Dispose();
    }

    private void Run()
    {
        try
        {
            if (TryOpen())
                while (_stopPhase != StopPhase.Done) Turn();
            Close();
        }
        catch (Exception failure)
        {
            _result = -1;
            _onFailure(failure);
        }
    }

    /// <summary>The context goes first: it waits for operations that use the frontend's memory.</summary>
    private void Close()
    {
        _mailbox.Close();
        while (_mailbox.TryTake(out QueueMessage message)) Take(message, 0);
        _io?.Dispose();
        _frontend.Dispose();
    }

    private bool TryOpen()
    {
        try
        {
            _io = _newContext();
            for (int i = 0; i < _volumes.Length; i++) _queues[i] = _volumes[i].OpenQueue(Index, _io);
            _frontend.Open(this);
        }
        catch (Exception failure)
        {
            _openFailure = failure;
        }
        bool opened = _openFailure == null;
        _opened.Set();
        return opened;
    }

    /// <summary>One turn. The order matters: answers of this turn go out with the next submission.</summary>
    private void Turn()
    {
        IoContext io = Io;
        // Not before the first look at the volumes: until then they cannot say when they have something to do.
        bool wait = _turns != 0 && !_frontend.HasWork && !io.HasCompletions && _mailbox.IsEmpty;
        io.Pump(wait, DeadlineUs());
        io.RunCompletions();
        long nowUs = io.NowUs;
        while (_mailbox.TryTake(out QueueMessage message)) Take(message, nowUs);
        _frontend.Step(nowUs);
        foreach (IVolumeQueue queue in _queues)
        {
            queue.Poll(nowUs);
            Request* request;
            while ((request = queue.TakeCompleted()) != null) _frontend.Complete(request);
        }
        _frontend.EndTurn(nowUs);
        if (_stopPhase != StopPhase.Serving) ContinueStop();
        Volatile.Write(ref _allocatedBytes, GC.GetAllocatedBytesForCurrentThread());
        Volatile.Write(ref _turns, _turns + 1);
    }

    private long DeadlineUs()
    {
        long deadlineUs = _frontend.DeadlineUs;
        foreach (IVolumeQueue queue in _queues) deadlineUs = Math.Min(deadlineUs, queue.DeadlineUs);
        // A volume's stop goes on in Poll, and may wait for another thread's.
        return _stopPhase == StopPhase.Volumes ? Math.Min(deadlineUs, Io.NowUs + StopTurnUs) : deadlineUs;
    }

    private void Take(QueueMessage message, long nowUs)
    {
        if (message.Kind != QueueMessageKind.Stop)
        {
            _frontend.Receive(message);
            return;
        }
        if (_stopPhase != StopPhase.Serving) return;
        _stopPhase = StopPhase.Frontend;
        _frontend.BeginStop(nowUs);
        foreach (IVolumeQueue queue in _queues) queue.Hurry(_frontend.MayRefuseAtStop);
    }

    /// <summary>First the clients' requests, then the volumes' own end.</summary>
    private void ContinueStop()
    {
        if (_stopPhase == StopPhase.Frontend && _frontend.IsStopped)
        {
            foreach (IVolumeQueue queue in _queues) queue.BeginStop();
            _stopPhase = StopPhase.Volumes;
        }
        if (_stopPhase != StopPhase.Volumes) return;
        foreach (IVolumeQueue queue in _queues)
        {
            if (!queue.StopStatus.IsOver) return;
            if (queue.StopStatus.Error < 0) _result = queue.StopStatus.Error;
        }
        _stopPhase = StopPhase.Done;
    }
}
