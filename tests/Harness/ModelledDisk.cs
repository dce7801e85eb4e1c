using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Weir.Tests.Simulation;

namespace Weir.Tests.Harness;

/// <summary>A context on a clock of its own: it sleeps by moving the clock, so that a minute takes no time.</summary>
internal sealed class ModelContext : IoContext
{
    private long _nowUs = 1_000_000;

    public override long NowUs => _nowUs;

    public override void Wake()
    {
    }

    public override void Pump(bool wait, long deadlineUs)
    {
        _nowUs++;
        if (wait && !HasCompletions) _nowUs = Math.Max(_nowUs, Math.Min(NextDueUs, deadlineUs));
    }
}

/// <summary>
/// A volume on a fast cache of 32 MiB before a modelled disk of 512 MiB with 8 ms seeks, and clients of it, on a
/// modelled clock: the same figures on every machine.
/// </summary>
internal sealed unsafe class ModelledDisk : IDisposable
{
    public const long BackingBytes = 512 << 20, CacheBytes = 32 << 20;
    private const long SeekUs = 8000, BytesPerSecond = 150 << 20;
    private readonly ModelContext _io = new();
    private readonly IVolumeQueue _queue;
    private readonly SimRamStore _ram = new(new SimWorld(1, trace: false), outlivesProcess: true);
    private readonly AlignedMemory _requests = new(1 << 16);
    private readonly AlignedMemory _data = new(64 << 12);
    private int _submitted;
    private Prng _random = new(7);

    public ModelledDisk(WriteboostOptions options)
    {
        Device cache = new SlowDevice(new RamDevice(CacheBytes), new DiskArm(CacheBytes, 20, 1L << 30), "cache");
        Device backing =
            new SlowDevice(new RamDevice(BackingBytes), new DiskArm(BackingBytes, SeekUs, BytesPerSecond), "backing");
        int ids = 0;
        options.NewGuid = () => new Guid(++ids, 0, 0, new byte[8]);
        WriteboostFormat.Format(_io, cache, Layout.Native, 256 << 10, options.NewGuid);
        Volume = WriteboostVolume.Open(_io, cache, [new BackingSpec(null, "disk", backing)], _ram, options);
        _queue = Volume.OpenQueue(0, _io);
    }

    public WriteboostVolume Volume { get; }

    public long NowUs => _io.NowUs;

    /// <summary>What a client saw: when each request came back, and after how long.</summary>
    public sealed class Seen
    {
        public List<long> EndsUs { get; } = [];
        public List<long> LatenciesUs { get; } = [];

        public long Percentile(int percent)
        {
            List<long> sorted = [.. LatenciesUs];
            sorted.Sort();
            return sorted[(int)((long)(sorted.Count - 1) * percent / 100)];
        }

        /// <summary>Requests that came back in each whole second from the first one's on.</summary>
        public int[] PerSecond(long startUs, long endUs)
        {
            int[] counts = new int[(endUs - startUs) / 1_000_000];
            foreach (long us in EndsUs)
                if (us >= startUs && (us - startUs) / 1_000_000 < counts.Length) counts[(us - startUs) / 1_000_000]++;
            return counts;
        }
    }

    /// <summary>
    /// <paramref name="depth"/> random requests of 4 KiB at a time for <paramref name="seconds"/>; with
    /// <paramref name="perSecond"/> no more than so many.
    /// </summary>
    public Seen Run(RequestKind kind, int depth, int seconds, int perSecond = 0)
    {
        Seen seen = new();
        long startUs = NowUs, endUs = startUs + (seconds * 1_000_000L), nextUs = startUs;
        long intervalUs = perSecond == 0 ? 0 : 1_000_000 / perSecond;
        Request** free = stackalloc Request*[depth];
        int freeCount = depth;
        for (int i = 0; i < depth; i++) free[i] = (Request*)_requests.Pointer + i;
        while (NowUs < endUs || freeCount < depth)
        {
            while (freeCount > 0 && NowUs >= nextUs && NowUs < endUs)
            {
                Submit(free[--freeCount], kind, intervalUs == 0 ? NowUs : nextUs);
                nextUs += intervalUs;
            }
            bool more = freeCount > 0 && NowUs < endUs;
            Turn(more ? nextUs : endUs);
            for (Request* r; (r = _queue.TakeCompleted()) != null; free[freeCount++] = r)
            {
                Invariant.Check(r->Result == 0);
                seen.EndsUs.Add(NowUs);
                seen.LatenciesUs.Add(NowUs - r->FrontendA);
            }
        }
        return seen;
    }

    /// <summary>Lets time pass until <paramref name="done"/>, at most <paramref name="seconds"/>.</summary>
    public bool Wait(int seconds, Func<bool> done)
    {
        long endUs = NowUs + (seconds * 1_000_000L);
        while (!done() && NowUs < endUs) Turn(endUs);
        return done();
    }

    /// <summary>The volume's figures, for a failure's message.</summary>
    public string Figures()
    {
        FigureList list = new();
        Volume.Report(list);
        return list.ToString();
    }

    public void Dispose()
    {
        Volume.Dispose();
        _io.Dispose();
        _ram.Dispose();
        _requests.Dispose();
        _data.Dispose();
    }

    private sealed class FigureList : IStatusWriter
    {
        private readonly System.Text.StringBuilder _text = new();

        public void Number(string name, long value) => Text(name, $"{value}");

        public void Text(string name, string value) => _text.Append(name).Append(' ').Append(value).Append('\n');

        public override string ToString() => _text.ToString();
    }

    private void Submit(Request* request, RequestKind kind, long cameUs)
    {
        int slot = (int)(request - (Request*)_requests.Pointer);
        *request = new Request
        {
            Kind = kind,
            OffsetBytes = (long)_random.Below((int)(BackingBytes >> 12)) << 12,
            LengthBytes = 4096,
            Data = _data.Pointer + (slot << 12),
            FrontendA = cameUs,
        };
        _queue.Submit(request);
        _submitted++;
    }

    private void Turn(long limitUs)
    {
        QueueDriver.Turn(_io, _queue, _submitted == 0 ? limitUs - NowUs : 0);
        _submitted = 0;
    }
}
