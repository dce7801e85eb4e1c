using System;
using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Tests.Simulation;

/// <summary>Nothing is pending, nothing will ever happen, and somebody still waits.</summary>
public sealed class SimStuckException(string message) : Exception(message);

/// <summary>
/// One queue thread's way to the simulated world. Operations pend here until a pump picks them, one by one, in the
/// order of the world's mood; the clock moves with them.
/// </summary>
public sealed unsafe class SimContext(SimWorld world) : IoContext
{
    private const int IdlePumpsUntilStuck = 100_000;
    private readonly List<Pending> _pending = [];
    private int _idlePumps;
    private bool _woken;

    private struct Pending
    {
        public IoOp* Op;
        public SimDevice Device;
        /// <summary>Writes completed when it was submitted: what a flush covers.</summary>
        public long Seq;
    }

    public override long NowUs => world.NowUs;

    /// <summary>Operations that have not completed.</summary>
    public int PendingCount => _pending.Count;

    /// <summary>The other queues' threads, if this one is not alone.</summary>
    internal SimThreads? Threads { get; set; }

    /// <summary>It would not sleep now: something is under way, done, or it was woken.</summary>
    public bool IsAwake => _woken || _pending.Count > 0 || HasCompletions;

    /// <summary>Its thread has ended: the real one's memory would be gone.</summary>
    public bool IsClosed { get; set; }

    /// <summary>The next sleep ends at once.</summary>
    public override void Wake()
    {
        if (IsClosed) throw new SimViolationException("a context that is gone was woken");
        _woken = true;
    }

    /// <summary>Takes an operation; <see cref="SimDevice"/> has checked it.</summary>
    public void Enqueue(SimDevice device, IoOp* op)
    {
        _pending.Add(new Pending { Op = op, Device = device, Seq = device.Media.Seq });
        world.PendingCount++;
    }

    public override void Pump(bool wait, long deadlineUs)
    {
        if (world.Crashed) throw new SimCrashException();
        if (wait && Threads != null) Threads.Sleep(deadlineUs);
        bool woken = _woken;
        _woken = false;
        if (_pending.Count == 0)
        {
            if (wait && !woken && Threads == null && !HasCompletions && world.PendingCount == 0) SleepUntil(deadlineUs);
            return;
        }
        _idlePumps = 0;
        int count = wait ? 1 : 0;
        while (world.Random.Chance(40) && count < 4) count++;
        if (world.Random.Chance(world.SlowPercent))
        {
            world.Advance(1 + world.Random.Below(300));
            count = 0;
        }
        for (int i = 0; i < count && _pending.Count > 0; i++) CompleteOne();
        if (_pending.Count > 0 && world.Random.Chance(10)) ShowEarly();
    }

    /// <summary>
    /// The process is dead: the kernel finishes some of the pending operations, wholly or in part, and drops others.
    /// </summary>
    public void Abandon()
    {
        int mood = world.Random.Below(4);
        foreach (Pending p in _pending)
        {
            bool all = mood == 0 || (mood == 1 && world.Random.Chance(50));
            if (p.Op->Kind == IoKind.Flush)
            {
                if (all) p.Device.Media.MakeDurable(p.Seq);
            }
            else if (SimDevice.IsWrite(p.Op))
            {
                if (all) p.Device.Apply(p.Op, 0, p.Op->LengthBytes);
                else if (mood is 1 or 3) p.Device.ApplySome(p.Op);
            }
        }
        _pending.Clear();
    }

    private void SleepUntil(long deadlineUs)
    {
        if (++_idlePumps > IdlePumpsUntilStuck) throw new SimStuckException("waits for nothing: no operation pending");
        long us = deadlineUs == long.MaxValue ? 100_000 : deadlineUs - world.NowUs;
        world.Advance(Math.Clamp(us, 5, 1_000_000));
    }

    private void CompleteOne()
    {
        int index = Choose();
        Pending p = _pending[index];
        world.Tick(
            SimEvent.Complete, (long)p.Op->Kind, p.Op->OffsetBytes, p.Op->LengthBytes,
            world.Trace == null ? null : p.Device.Name + " " + p.Op->Kind);
        _pending.RemoveAt(index);
        world.PendingCount--;
        world.Advance(1 + world.Random.Below(80));
        int result = p.Device.Execute(p.Op, p.Seq);
        Complete(p.Op, result);
    }

    private int Choose()
    {
        int count = _pending.Count;
        int any = world.Random.Below(count);
        if (count == 1 || world.Random.Chance(20)) return any;
        switch (world.Order)
        {
            case CompletionOrder.Fifo: return 0;
            case CompletionOrder.Lifo: return count - 1;
            case CompletionOrder.Random: return any;
        }
        for (int i = 0; i < count; i++)
        {
            int index = (any + i) % count;
            Pending p = _pending[index];
            bool flush = p.Op->Kind == IoKind.Flush;
            bool preferred = world.Order switch
            {
                CompletionOrder.FlushFirst => flush,
                CompletionOrder.FlushLast => !flush,
                CompletionOrder.CacheFirst => p.Device.Name == "cache",
                _ => p.Device.Name != "cache",
            };
            if (preferred) return index;
        }
        return any;
    }

    /// <summary>A device may take data from memory, and show it, before it reports the write done.</summary>
    private void ShowEarly()
    {
        Pending p = _pending[world.Random.Below(_pending.Count)];
        if (!SimDevice.IsWrite(p.Op)) return;
        world.Note(SimEvent.Early, (long)p.Op->Kind, p.Op->OffsetBytes, p.Op->LengthBytes, p.Device.Name);
        p.Device.ApplySome(p.Op);
    }
}
