using System.Collections.Generic;
using BenchmarkDotNet.Attributes;
using Weir.Core.Base;
using Weir.Core.DmCache.Policies;

namespace Weir.Bench.Kernels;

/// <summary>
/// What a policy costs a request, of a full cache of 16 GiB in blocks of 64 KiB: a hit, blocks being hit the more
/// often the lower their place; and a miss for which another block gives way, every fourth of them having been hit
/// before.
/// </summary>
public class PolicyBench
{
    private const int Batch = 4096;

    private PolicyLoad _load = null!;

    /// <summary>Each of them.</summary>
    [ParamsSource(nameof(Policies))]
    public string Policy { get; set; } = "";

    /// <summary>Those that bring anything in.</summary>
    public static IEnumerable<string> Policies
    {
        get
        {
            List<string> names = [];
            foreach (PolicyInfo info in PolicyTable.All)
                if (!info.IsCleaner && info.Name != "noop") names.Add(info.Name);
            return names;
        }
    }

    /// <summary>Fills a cache.</summary>
    [GlobalSetup]
    public void Fill()
    {
        LoadOf visitor = default;
        _load = PolicyTable.Visit<PolicyLoad, LoadOf>(Policy, ref visitor);
    }

    /// <summary>Frees it.</summary>
    [GlobalCleanup]
    public void Dispose() => _load.Dispose();

    /// <summary>A request of a block that is cached.</summary>
    [Benchmark(OperationsPerInvoke = Batch), BenchmarkCategory("Hit")]
    public void KernelHit() => _load.Hit(Batch);

    /// <summary>One of a block that is not, and another one gives way for it.</summary>
    [Benchmark(OperationsPerInvoke = Batch), BenchmarkCategory("Replace")]
    public uint KernelReplace() => _load.Replace(Batch);

    private readonly struct LoadOf : IPolicyVisitor<PolicyLoad>
    {
        public PolicyLoad Visit<TPolicy>()
            where TPolicy : struct, IPolicy<TPolicy> => new PolicyLoad<TPolicy>();
    }

    private abstract class PolicyLoad : System.IDisposable
    {
        public abstract void Hit(int count);

        public abstract uint Replace(int count);

        public abstract void Dispose();
    }

    private sealed class PolicyLoad<TPolicy> : PolicyLoad
        where TPolicy : struct, IPolicy<TPolicy>
    {
        private const uint Places = 1 << 18;

        private TPolicy _policy = TPolicy.Create(new PolicyShape(Places, Places * 16L, 128, 1));
        private Prng _random = new(1);
        private long _nextHome = Places;

        public PolicyLoad()
        {
            for (uint place = 0; place < Places; place++) _policy.Insert(place, place, default);
            Hit((int)Places * 4);
        }

        public override void Hit(int count)
        {
            for (int i = 0; i < count; i++)
            {
                ulong random = _random.Next();
                _policy.Hit((uint)(((random >> 32) * (uint)random) >> 46), default);
            }
        }

        public override uint Replace(int count)
        {
            OpenGate gate = default;
            uint sum = 0;
            for (int i = 0; i < count; i++)
            {
                long home = _nextHome++;
                _policy.Miss(home, default);
                uint place = _policy.ChooseVictim(ref gate);
                if (place == PolicyInfo.NoPlace) continue;
                _policy.Remove(place, isEvicted: true);
                _policy.Insert(place, home, default);
                if (i % 4 == 0) _policy.Hit(place, default);
                sum += place;
            }
            return sum;
        }

        public override void Dispose() => _policy.Dispose();
    }

    private readonly struct OpenGate : IVictimGate
    {
        public bool MayGo(uint place) => true;
    }
}
