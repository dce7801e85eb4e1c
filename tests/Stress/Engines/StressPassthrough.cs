using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Xunit;

namespace Weir.Tests.Stress.Engines;

/// <summary>The <c>passthrough</c> engine under stress: one device, nothing to tune.</summary>
internal sealed class StressPassthrough : IStressEngine
{
    public string Name => "passthrough";

    public bool HasCache => false;

    public int Residents => 1;

    public int Guests => 0;

    public void Format(IoContext io, Device cache) => throw new NotSupportedException();

    public StressLife Open(IoContext io, Device? cache, IReadOnlyList<(string Name, Device Device)> disks) =>
        new Life(new PassthroughVolume(disks[0].Device));

    private sealed class Life(PassthroughVolume volume) : StressLife(volume)
    {
        public override void Tune(ref Prng random, Action growCache) => volume.Resume();

        public override string Judge()
        {
            StatusFigures figures = new(volume);
            Assert.Equal("healthy", figures.TextOf("state"));
            Assert.True(figures["writes"] > 0);
            return $"{figures["reads"]} reads, {figures["writes"]} writes, {figures["flushes"]} flushes";
        }
    }
}
