using System.IO;
using Weir.Native;
using Xunit;

namespace Weir.Tests.Devices;

public sealed unsafe class SlabTests
{
    /// <summary>Processes may have 65,530 mappings, and each connection of each queue has such a slab.</summary>
    [Fact]
    public void ALargeSlabIsOneMapping()
    {
        const int count = 300;
        Slab[] slabs = new Slab[count];
        int before = Mappings();
        for (int i = 0; i < count; i++)
        {
            slabs[i] = new Slab(8 << 20);
            slabs[i].UseSmallPages();
            slabs[i].Start[0] = slabs[i].Start[slabs[i].SizeBytes - 1] = 1;
            Assert.Equal(0, (nint)slabs[i].Start % Slab.HugePageBytes);
        }
        // Some to spare for what other threads map meanwhile.
        Assert.InRange(Mappings() - before, 0, count + (count / 3));
        foreach (Slab slab in slabs) slab.Dispose();
    }

    private static int Mappings() => File.ReadAllLines("/proc/self/maps").Length;
}
