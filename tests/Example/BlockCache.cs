using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Tests.Example;

/*
 * One place for each block number modulo the count. A change is counted at its place from before it is submitted until
 * it has ended, and gives the place a new version. What was read is kept only when no change is under way there and the
 * version is the one from before the read: nothing old is ever kept. One latch for all: an engine for use has more.
 */

/// <summary>Clean blocks in RAM, shared by all queues.</summary>
internal sealed unsafe class BlockCache(int count) : IDisposable
{
    public const int BlockBytes = 4096;
    private readonly Slab _memory = new((long)count * BlockBytes);
    private readonly (long Key, int Changes, int Version)[] _places = new (long, int, int)[count];
    private SpinLatch _latch;
    public long Hits { get; private set; }

    public bool TryRead(long block, byte* target)
    {
        _latch.Enter();
        bool isHit = _places[block % count].Key == block + 1;
        if (isHit) Buffer.MemoryCopy(DataOf(block), target, BlockBytes, BlockBytes);
        if (isHit) Hits++;
        _latch.Exit();
        return isHit;
    }

    public int VersionOf(long block) => Volatile.Read(ref _places[block % count].Version);

    public void Keep(long block, int version, byte* data)
    {
        _latch.Enter();
        if (_places[block % count].Changes == 0 && _places[block % count].Version == version)
        {
            _places[block % count].Key = block + 1;
            Buffer.MemoryCopy(data, DataOf(block), BlockBytes, BlockBytes);
        }
        _latch.Exit();
    }

    /// <summary>A change begins (1) or has ended (-1): nothing of these bytes is kept meanwhile.</summary>
    public void NoteChange(long offset, long length, int step)
    {
        long first = offset / BlockBytes, end = Math.Min((offset + length - 1) / BlockBytes + 1, first + count);
        _latch.Enter();
        for (long block = first; block < end; block++)
            _places[block % count] =
                (0, _places[block % count].Changes + step, _places[block % count].Version + 1);
        _latch.Exit();
    }

    public void Dispose() => _memory.Dispose();

    private byte* DataOf(long block) => _memory.Start + (block % count * BlockBytes);
}
