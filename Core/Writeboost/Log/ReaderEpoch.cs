using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Log;

/// <summary>
/// Lets a RAM segment go only when no reader copies from it any more. Each queue has a counter in a cache line of its
/// own, written by its thread alone: odd while it looks blocks up and copies from RAM. The releaser first takes the
/// segment out of <see cref="SegmentTable"/>, then waits until every counter is even or has moved: whoever looks later
/// sees no RAM segment. Copies are short and never wait, so neither does the releaser for long.
/// </summary>
public sealed unsafe class ReaderEpoch : System.IDisposable
{
    private const int LineBytes = 128;

    /// <summary>Most queues.</summary>
    public const int MaxQueues = 64;

    private readonly byte* _lines = (byte*)NativeMemory.AlignedAlloc(MaxQueues * LineBytes, LineBytes);

    /// <summary>An epoch that nobody reads in.</summary>
    public ReaderEpoch() => NativeMemory.Clear(_lines, MaxQueues * LineBytes);

    /// <summary>Queue <paramref name="queue"/> begins to look and copy.</summary>
    public void Enter(int queue)
    {
        if (Mutant.Is(WriteboostMutant.R8GateUnannounced)) return;
        if (Mutant.Is(WriteboostMutant.R8GateUnfenced))
        {
            Volatile.Write(ref *Counter(queue), *Counter(queue) + 1);
            return;
        }
        long inside = Interlocked.Increment(ref *Counter(queue));
        Invariant.Check((inside & 1) == 1);
    }

    /// <summary>Queue <paramref name="queue"/> has finished.</summary>
    public void Exit(int queue)
    {
        if (Mutant.Is(WriteboostMutant.R8GateUnannounced)) return;
        Volatile.Write(ref *Counter(queue), *Counter(queue) + 1);
    }

    /// <summary>
    /// Waits until every reader that may have seen the former table has gone. Not from inside it.
    /// </summary>
    public void Synchronize()
    {
        if (Mutant.Is(WriteboostMutant.R8GateNotAwaited)) return;
        Interlocked.MemoryBarrier();
        for (int queue = 0; queue < MaxQueues; queue++)
        {
            long seen = Volatile.Read(ref *Counter(queue));
            if ((seen & 1) == 0) continue;
            SpinWait spin = default;
            while (Volatile.Read(ref *Counter(queue)) == seen)
                if (!Interleaving.Yield()) spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_lines);

    private long* Counter(int queue) => (long*)(_lines + (queue * LineBytes));
}
