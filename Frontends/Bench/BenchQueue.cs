using System;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Frontends.Bench;

/// <summary>
/// A frontend without a protocol: asks the engine as a job says, as many requests at a time as it says, and measures
/// how long each takes. What a queue thread does for it is what it does for any other.
/// </summary>
/// <remarks>
/// Protocol: <c>_job</c> and <c>_phase</c> are written by the main thread, <c>_job</c> first and only while the phase
/// is Idle; the queue's thread alone sets Idle again, when the last request of the job is back, and then
/// <c>_finished</c>.
/// </remarks>
internal sealed unsafe class BenchQueue : IQueueFrontend
{
    private enum Phase
    {
        Idle,
        Running,
        Measuring,
        Ending,
    }

    private readonly OpenedExport _export;
    private readonly AlignedMemory _memory;
    private readonly Request* _requests;
    private readonly int[] _free;
    private readonly long[] _startedAt;
    private readonly ManualResetEventSlim _finished = new();
    private readonly ulong _seed;
    private QueueThread? _thread;
    private IVolumeQueue? _volume;
    private BenchJob? _job;
    private BlockChooser? _chooser;
    private volatile Phase _phase;
    private long _left;
    private long _issued;
    private int _freeCount;
    private bool _measures;
    private bool _stopping;

    /// <summary>Room for <paramref name="depth"/> requests, whose bytes move through <paramref name="memoryBytes"/>
    /// of memory: more than the processor's caches hold, and they are cold as a client's are.</summary>
    public BenchQueue(OpenedExport export, int depth, long memoryBytes, ulong seed)
    {
        (_export, _seed) = (export, seed);
        _memory = new AlignedMemory(memoryBytes);
        // No two blocks are equal, and no page is the kernel's one of zeroes.
        for (long word = 0; word < memoryBytes / sizeof(ulong); word++)
            ((ulong*)_memory.Pointer)[word] = (ulong)word * 0x9E3779B97F4A7C15;
        _requests = (Request*)NativeMemory.AllocZeroed((nuint)depth, (nuint)sizeof(Request));
        _free = new int[depth];
        _startedAt = new long[depth];
    }

    /// <summary>Of what ended while it was measured. The queue thread's until <see cref="Wait()"/>.</summary>
    public LatencyHistogram Latencies { get; } = new();

    /// <summary>Requests that failed.</summary>
    public long Errors { get; private set; }

    /// <inheritdoc/>
    public bool HasWork => _freeCount > 0 && _left > 0 && _phase is Phase.Running or Phase.Measuring;

    /// <inheritdoc/>
    public long DeadlineUs => long.MaxValue;

    /// <inheritdoc/>
    public bool MayRefuseAtStop => false;

    /// <inheritdoc/>
    public bool IsStopped => _stopping && _phase == Phase.Idle;

    /// <summary>
    /// Begins a job, measured from its first request on if <paramref name="measures"/>; the one before has been waited
    /// for. From the main thread, as those that follow.
    /// </summary>
    public void Begin(BenchJob job, bool measures = false)
    {
        Invariant.Check(_phase == Phase.Idle && job.Depth <= _free.Length);
        _job = job;
        _finished.Reset();
        _phase = measures ? Phase.Measuring : Phase.Running;
        _thread!.Io.Wake();
    }

    /// <summary>From now on what ends is measured.</summary>
    public void Measure() => _phase = Phase.Measuring;

    /// <summary>No more requests are made.</summary>
    public void End()
    {
        // A job of limited length may have ended by itself.
        if (_finished.IsSet) return;
        _phase = Phase.Ending;
        _thread!.Io.Wake();
    }

    /// <summary>Waits until the last one is back.</summary>
    public void Wait() => _finished.Wait();

    /// <summary>The same, for so long at most: for a job that ends by itself.</summary>
    public void Wait(TimeSpan atMost) => _finished.Wait(atMost);

    /// <inheritdoc/>
    public void Open(QueueThread thread)
    {
        _thread = thread;
        _volume = thread.Volume(_export.Volume);
    }

    /// <inheritdoc/>
    public void Receive(QueueMessage message)
    {
    }

    /// <inheritdoc/>
    public void Step(long nowUs)
    {
        if (_phase == Phase.Idle) return;
        if (_chooser == null) Prepare();
        if (_phase == Phase.Measuring && !_measures)
        {
            _measures = true;
            Latencies.Clear();
        }
        while (HasWork) Issue(_free[--_freeCount]);
    }

    /// <inheritdoc/>
    public void Complete(Request* request)
    {
        int slot = (int)(request - _requests);
        if (request->Result < 0) Errors++;
        if (_job!.FlushesEach && request->Kind == RequestKind.Write)
        {
            *request = new Request { Kind = RequestKind.Flush, Device = _export.Part.Device };
            _volume!.Submit(request);
            return;
        }
        if (_measures && _phase == Phase.Measuring)
            Latencies.Add(Nanoseconds(Stopwatch.GetTimestamp() - _startedAt[slot]));
        _free[_freeCount++] = slot;
    }

    /// <inheritdoc/>
    public void EndTurn(long nowUs)
    {
        bool isDone = _left == 0 || _phase == Phase.Ending;
        if (_chooser == null || !isDone || _freeCount < _job!.Depth) return;
        _chooser = null;
        _phase = Phase.Idle;
        _finished.Set();
    }

    /// <inheritdoc/>
    public void BeginStop(long nowUs) => _stopping = true;

    /// <inheritdoc/>
    public void Dispose()
    {
        _memory.Dispose();
        NativeMemory.Free(_requests);
        _finished.Dispose();
    }

    private static long Nanoseconds(long ticks) => ticks * (1_000_000_000 / Stopwatch.Frequency);

    private void Prepare()
    {
        _chooser = new BlockChooser(_job!, _seed);
        _left = _job!.RequestsMax;
        _measures = false;
        _freeCount = _job.Depth;
        for (int i = 0; i < _freeCount; i++) _free[i] = i;
    }

    private void Issue(int slot)
    {
        BenchJob job = _job!;
        bool isRead = job.ReadPercent == 100
            || (job.ReadPercent > 0 && (int)(_chooser!.Random() >> 33) % 100 < job.ReadPercent);
        Request* request = &_requests[slot];
        *request = new Request
        {
            Kind = isRead ? RequestKind.Read : RequestKind.Write,
            Device = _export.Part.Device,
            OffsetBytes = _chooser!.Next() * job.StepBytes,
            LengthBytes = job.BlockBytes,
        };
        // Room for a block wherever in a page it begins.
        long placeBytes = (long)Arena.PagesAround(0, job.BlockBytes + Arena.PageBytes) * Arena.PageBytes;
        long places = _memory.SizeBytes / placeBytes;
        // A place of the slot's own: nobody else's bytes arrive there meanwhile.
        long rounds = Math.Max(1, places / job.Depth);
        long place = ((_issued / job.Depth % rounds * job.Depth) + slot) % places;
        request->Data = _memory.Pointer + (place * placeBytes) + Arena.SkewOf(request->OffsetBytes);
        _issued++;
        _left--;
        _startedAt[slot] = Stopwatch.GetTimestamp();
        _volume!.Submit(request);
    }
}
