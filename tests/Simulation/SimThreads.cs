using System;
using System.Collections.Generic;
using System.Runtime.ExceptionServices;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Tests.Simulation;

/// <summary>
/// The queue threads of one life, when there are several: real threads, of which exactly one runs. It hands over, to
/// whom the seed says, at the engine's <see cref="Interleaving.Step"/>s, inside a call; where it would spin; and where
/// it sleeps, until a completion, a wake-up or its deadline. So the real code of the lock-free structures interleaves
/// step by step, and every run of a seed is the same.
/// </summary>
/// <remarks>
/// The client's own thread is one of them: it hands over in <see cref="RunOne"/> and gets its turn back when a queue
/// thread has ended a turn, sleeps, has failed, or the seed picks the client.
/// </remarks>
internal sealed class SimThreads : IInterleaver, IDisposable
{
    private const int YieldsUntilStuck = 200_000;
    private readonly SimWorld _world;
    private readonly List<Fiber> _fibers = [];
    private readonly Gate _client = new();
    private readonly int _stepOdds;
    private readonly int _stallOdds;
    private Fiber? _running;
    private ExceptionDispatchInfo? _failure;
    private bool _ending;
    private int _yields;

    /// <summary>No thread yet; the calling thread is the client's.</summary>
    public SimThreads(SimWorld world)
    {
        _world = world;
        // One step in so many changes over; one in so many stalls its thread while others get far ahead.
        _stepOdds = world.Random.Below(4) switch { 0 => 2, 1 => 8, 2 => 32, _ => 0 };
        _stallOdds = world.Random.Below(3) switch { 0 => 24, 1 => 200, _ => 0 };
        Interleaving.Current = this;
    }

    /// <summary>A thread that opens its queue by <paramref name="open"/> and then runs turns for ever.</summary>
    public void Add(SimContext context, Action open, Action turn)
    {
        Fiber fiber = new(this, context, open, turn, SimMemory.Stock, Mutant.Active, Mutant.AtPoint);
        context.Threads = this;
        _fibers.Add(fiber);
    }

    /// <summary>
    /// Lets one thread that has something to do run for a while. False: none has before <paramref name="nextUs"/>.
    /// </summary>
    public bool RunOne(out long nextUs)
    {
        Fiber? next = Pick(except: null);
        if (next == null) foreach (Fiber fiber in _fibers) fiber.StalledUntilStep = 0;
        next ??= Pick(except: null);
        nextUs = long.MaxValue;
        foreach (Fiber fiber in _fibers) nextUs = Math.Min(nextUs, fiber.DeadlineUs);
        if (next == null) return false;
        Run(next);
        return true;
    }

    /// <inheritdoc/>
    public void Step()
    {
        if (_running == null || _stepOdds == 0) return;
        bool stall = _stallOdds != 0 && _world.Random.Below(_stallOdds) == 0;
        if (stall) _running.StalledUntilStep = _world.Step + _world.Random.Below(1 << _world.Random.Between(2, 10));
        if (!stall && _world.Random.Below(_stepOdds) != 0) return;
        // One way in so many leads to the client, which may submit more.
        Fiber? next = _world.Random.Below(8) == 0 ? null : Pick(except: _running);
        _world.Trace?.Add($"       step: {_fibers.IndexOf(_running)} -> {(next == null ? -1 : _fibers.IndexOf(next))}");
        SwitchTo(next);
    }

    /// <inheritdoc/>
    public bool Yield()
    {
        foreach (Fiber fiber in _fibers) fiber.StalledUntilStep = 0;
        if (++_yields > YieldsUntilStuck) throw new SimStuckException("threads wait for each other's latches");
        if (_running == null)
        {
            Fiber? other = Pick(except: null);
            if (other == null) throw new SimStuckException("a latch is held by nobody");
            Run(other);
        }
        else
        {
            SwitchTo(Pick(except: _running));
        }
        return true;
    }

    /// <summary>On a queue's thread: until a completion, a wake-up or the deadline.</summary>
    public void Sleep(long deadlineUs)
    {
        Fiber self = _running!;
        self.DeadlineUs = deadlineUs;
        self.Asleep = true;
        SwitchTo(null);
        self.Asleep = false;
        self.DeadlineUs = long.MaxValue;
    }

    /// <summary>On a queue's thread: the turn is over.</summary>
    public void EndTurn() => SwitchTo(null);

    /// <summary>Ends all threads where they stand, as a death of the process does.</summary>
    public void Dispose()
    {
        _ending = true;
        foreach (Fiber fiber in _fibers)
        {
            if (!fiber.Ended) Run(fiber, rethrow: false);
            fiber.Dispose();
        }
        Interleaving.Current = null;
        _client.Dispose();
    }

    private Fiber? Pick(Fiber? except)
    {
        int ready = 0;
        Fiber? picked = null;
        foreach (Fiber fiber in _fibers)
            if (fiber != except && IsReady(fiber) && _world.Random.Below(++ready) == 0) picked = fiber;
        return picked;
    }

    private bool IsReady(Fiber fiber) =>
        !fiber.Ended && fiber.StalledUntilStep <= _world.Step
        && (!fiber.Asleep || fiber.Context.IsAwake || fiber.DeadlineUs <= _world.NowUs);

    private void Run(Fiber fiber, bool rethrow = true)
    {
        _running = fiber;
        fiber.Resume();
        _client.Wait();
        _running = null;
        ExceptionDispatchInfo? failure = _failure;
        _failure = null;
        if (rethrow) failure?.Throw();
    }

    // From a queue's thread to another, or to the client.
    private void SwitchTo(Fiber? next)
    {
        Fiber self = _running!;
        _running = next;
        if (next == null) _client.Open(); else next.Resume();
        self.Wait();
        _running = self;
        if (_ending) throw new SimCrashException();
        if (next != null || self.Asleep) _yields = 0;
    }

    private void Leave(Exception? failure)
    {
        if (!_ending && failure != null) _failure = ExceptionDispatchInfo.Capture(failure);
        _client.Open();
    }

    private sealed class Fiber : IDisposable
    {
        private readonly Gate _gate = new();
        private readonly Thread _thread;

        public Fiber(
            SimThreads owner, SimContext context, Action open, Action turn, Stack<nint> memory, Enum? mutant,
            Action? atPoint)
        {
            Context = context;
            _thread = new Thread(
                () =>
                {
                    Wait();
                    (SimMemory.Stock, Mutant.Active, Mutant.AtPoint) = (memory, mutant, atPoint);
                    Interleaving.Current = owner;
                    owner.Leave(Serve(owner, open, turn));
                },
                256 << 10)
            { IsBackground = true };
            _thread.Start();
        }

        public SimContext Context { get; }

        public long DeadlineUs { get; set; } = long.MaxValue;

        public bool Asleep { get; set; }

        public long StalledUntilStep { get; set; }

        public bool Ended { get; private set; }

        public void Resume() => _gate.Open();

        public void Wait() => _gate.Wait();

        /// <summary>Waits for its end.</summary>
        public void Dispose()
        {
            _thread.Join();
            _gate.Dispose();
        }

        private Exception? Serve(SimThreads owner, Action open, Action turn)
        {
            try
            {
                if (!owner._ending) open();
                while (!owner._ending) turn();
                return null;
            }
            catch (Exception failure)
            {
                return failure;
            }
            finally
            {
                Ended = true;
            }
        }
    }
}
