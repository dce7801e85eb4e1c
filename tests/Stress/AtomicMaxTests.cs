using System;
using System.Threading;
using Weir.Core.Base;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>A number that is only raised ends as the highest; one thread at most has raised it to each value.</summary>
public sealed class AtomicMaxTests
{
    private const int Threads = 3;

    [Fact]
    public void TheHighestStays()
    {
        long target = 0, highest = 0, raised = 0;
        Action<Contention>[] work = new Action<Contention>[Threads];
        for (int i = 0; i < Threads; i++)
        {
            ulong seed = (ulong)i;
            work[i] = contention =>
            {
                Prng random = new(seed);
                long own = 0, most = 0, before = 0;
                while (!contention.IsOver)
                {
                    long value = Volatile.Read(ref target) + random.Between(-3, 3);
                    if (AtomicMax.Raise(ref target, value)) own++;
                    most = Math.Max(most, value);
                    long now = Volatile.Read(ref target);
                    Assert.True(now >= value && now >= before, $"{now} after {value} and {before}");
                    before = now;
                }
                Interlocked.Add(ref raised, own);
                lock (work) highest = Math.Max(highest, most);
            };
        }
        Exception? failure = Contention.Run(
            Contention.PartMs, null, () => Volatile.Read(ref target) > 1000, work);
        Assert.True(failure == null, $"{failure}");
        Assert.Equal(highest, target);
        Assert.True(raised <= target, $"{raised} times to {target}");
    }

    [Fact]
    public void OnlyWhatIsHigherRaises()
    {
        int target = 5;
        Assert.False(AtomicMax.Raise(ref target, 5));
        Assert.False(AtomicMax.Raise(ref target, -1));
        Assert.True(AtomicMax.Raise(ref target, 6));
        Assert.Equal(6, target);
    }
}
