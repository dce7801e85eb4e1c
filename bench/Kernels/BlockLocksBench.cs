using System.Runtime.InteropServices;
using System.Threading;
using BenchmarkDotNet.Attributes;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;

namespace Weir.Bench.Kernels;

/// <summary>Blocks locked and released, with nobody else there and beside another thread that does the same.</summary>
public unsafe class BlockLocksBench
{
    private const int Cells = 4096;

    private readonly BlockLocks _locks = new(Cells, 1);
    private readonly ReaderWriterLockSlim _library = new();
    private readonly NoContext _io = new();
    private readonly BlockLock* _memory = (BlockLock*)NativeMemory.AllocZeroed(2, (nuint)sizeof(BlockLock));
    private GrantQueue _queue = null!;
    private SpinLatch _latch;
    private Thread? _other;
    private long _block;
    private volatile bool _isOver;

    /// <summary>Whether a second thread is at the same blocks.</summary>
    [Params(1, 2)]
    public int Threads { get; set; }

    /// <summary>Starts the other thread.</summary>
    [GlobalSetup]
    public void Start()
    {
        _queue = new GrantQueue(0, _io);
        _isOver = false;
        if (Threads == 1) return;
        _other = new Thread(Contend) { IsBackground = true };
        _other.Start();
    }

    /// <summary>Ends it.</summary>
    [GlobalCleanup]
    public void Stop()
    {
        _isOver = true;
        _other?.Join();
    }

    /// <summary>One block alone, by turns of all; of two threads, always the same.</summary>
    [Benchmark(Baseline = true)]
    public long KernelOneBlockAlone() => TakeAndRelease(_queue, _memory, Next(), 1, BlockLockMode.Exclusive);

    /// <summary>The same, shared.</summary>
    [Benchmark]
    public long KernelOneBlockShared() => TakeAndRelease(_queue, _memory, Next(), 1, BlockLockMode.Read);

    /// <summary>Eight in one step each: neighbours of eight cells.</summary>
    [Benchmark]
    public long KernelEightBlocksAlone() => TakeAndRelease(_queue, _memory, Next(), 8, BlockLockMode.Exclusive);

    /// <summary>A latch for everything: no parking, no order.</summary>
    [Benchmark]
    public long ScalarLatch()
    {
        _latch.Enter();
        long block = ++_block;
        _latch.Exit();
        return block;
    }

    /// <summary>The library's, for everything: its threads block.</summary>
    [Benchmark]
    public long LibraryReaderWriterLock()
    {
        _library.EnterWriteLock();
        long block = ++_block;
        _library.ExitWriteLock();
        return block;
    }

    private long Next() => Threads == 1 ? _block = (_block + 8) & (Cells - 1) : 0;

    private long TakeAndRelease(GrantQueue queue, BlockLock* it, long block, long count, BlockLockMode mode)
    {
        (it->FirstBlock, it->BlockCount, it->Mode) = (block, count, mode);
        if (!_locks.Take(it, queue))
            while (queue.Take() == null) Thread.SpinWait(1);
        _locks.Release(it);
        return block;
    }

    private void Contend()
    {
        GrantQueue queue = new(1, _io);
        for (int i = 0; !_isOver; i++)
        {
            _ = TakeAndRelease(queue, _memory + 1, 0, 1, (i & 1) == 0 ? BlockLockMode.Exclusive : BlockLockMode.Read);
            _latch.Enter();
            _latch.Exit();
            _library.EnterWriteLock();
            _library.ExitWriteLock();
        }
    }

    private sealed class NoContext : IoContext
    {
        public override long NowUs => 0;

        public override void Wake()
        {
        }

        public override void Pump(bool wait, long deadlineUs)
        {
        }
    }
}
