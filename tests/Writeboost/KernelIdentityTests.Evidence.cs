using System;
using System.Linq;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <content>
/// What counts as evidence, and what does not: what a module has discarded or written back meanwhile.
/// </content>
public sealed unsafe partial class KernelIdentityTests
{
    /// <summary>Whatever is dirty: the cache has samples of blocks that nothing in the log names.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void AnotherDiskInTheSamePlaceIsRefusedWhereTheLogKnowsNothing(string layout)
    {
        Load(new KernelImage(layout, Segments));
        for (int i = 0; i < 1000; i++)
        {
            Fill(_a, 8 * i, (byte)(1 + (i % 200)), 4096);
            Fill(_b, 8 * i, (byte)(3 + (i % 190)), 4096);
        }
        // The whole disk but for a few places, again and again, and all of it dirty at the end.
        using (DirectClient client = OpenPlaced(layout, _a))
        {
            for (int i = 0; i < 3; i++)
            {
                client.Write(0, Filled((byte)(211 + i), 60 * 4096));
                client.Flush();
                if (i < 2) client.DrainAll();
            }
            client.Stop();
        }
        byte[] disk = Bytes(_b);
        Assert.Contains("has none of", Refused(() => OpenPlaced(layout, _b)), StringComparison.Ordinal);
        Assert.Equal(disk, Bytes(_b));
        using DirectClient right = OpenPlaced(layout, _a);
        Assert.DoesNotContain(_log, static line => line.Contains("differ") || line.Contains("be known"));
        Assert.Equal(Filled(213, 4096), right.Read(0, 4096));
    }

    /// <summary>
    /// What is dirty at a stop, and what the module logs, it may write back: no sample of those counts.
    /// </summary>
    [Theory]
    [InlineData("writeboost2", false)]
    [InlineData("writeboost2", true)]
    [InlineData("writeboost1", true)]
    [InlineData("lc1", false)]
    [InlineData("lc1", true)]
    public void WhatTheModuleHasWrittenBackMeanwhileIsNotHeldAgainstTheDisk(string layout, bool marks)
    {
        Load(new KernelImage(layout, Segments));
        for (int i = 0; i < 1000; i++) Fill(_a, 8 * i, (byte)(1 + (i % 200)), 4096);
        using (DirectClient client = OpenPlaced(layout, _a))
        {
            // The first blocks, which are sampled, among them.
            client.Write(0, Filled(211, 20 * 4096));
            client.Stop();
        }
        KernelImage image = new(layout, Segments, new Span<byte>(_cache!.Start, (int)_cache.SizeBytes));
        long last = Enumerable.Range(1, Segments).Where(id => image.Get(id).Count > 0).Max();
        image.Put(last + 1, Block(8 * 900, 0xFF, 77), Block(8 * 1000, 0xFF, 78));
        image.Put(last + 2, Block(8 * 500, 0xFF, 79));
        if (marks) image.Mark = last + 1;
        Load(image);
        Fill(_a, 0, 211, 20 * 4096);
        Fill(_a, 8 * 900, 77, 4096);
        Fill(_a, 8 * 1000, 78, 4096);
        using DirectClient right = OpenPlaced(layout, _a);
        Assert.DoesNotContain(_log, static line => line.Contains("differ") || line.Contains("be known"));
        Assert.Equal(Filled(79, 4096), right.Read(500 * 4096, 4096));
    }

    /// <summary>The modules of 2013 discard on the cache device what they have written back.</summary>
    [Theory]
    [InlineData("writeboost1", 0)]
    [InlineData("writeboost1", 0xFF)]
    [InlineData("lc1", 0)]
    [InlineData("lc1", 0xFF)]
    public void WhatTheModuleHasDiscardedProvesNothing(string layout, byte erased)
    {
        KernelImage image = new(layout, Segments) { Mark = 4 };
        for (int id = 2; id <= 5; id++) image.Put(id, Block(8 * (ulong)id, 0xFF, (byte)id));
        for (int id = 2; id <= 4; id++) image.Bytes.AsSpan(image.OffsetOf(id) + 4096, 4096).Fill(erased);
        Load(image);
        for (int id = 2; id <= 4; id++) Fill(_a, 8 * id, (byte)id, 4096);
        using DirectClient client = Open(layout, _a);
        Assert.Equal(Filled(5, 4096), client.Read(40 * 512, 4096));
        Assert.Contains(_log, static line => line.Contains("cannot be known", StringComparison.Ordinal));
    }

    /// <summary>Also of what Weir had logged, and whatever the device gives for it.</summary>
    [Theory]
    [InlineData("writeboost1", 0)]
    [InlineData("lc1", 77)]
    public void WhatHasGoneFromARecordOfOursProvesNothing(string layout, byte found)
    {
        Load(new KernelImage(layout, Segments));
        LeaveDirty(layout, _a, flushes: 1);
        new Span<byte>(_cache!.Start + Mib + 4096, Mib - 4096).Fill(found);
        Assert.Contains("has none of", Refused(() => Open(layout, _b)), StringComparison.Ordinal);
        using DirectClient client = Open(layout, _a);
        Assert.Equal(Filled(2, 4096), client.Read(40 * 4096, 4096));
        Assert.DoesNotContain(_log, static line => line.Contains("differ", StringComparison.Ordinal));
    }
}
