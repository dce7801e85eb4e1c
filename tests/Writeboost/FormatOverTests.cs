using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Devices;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// A format is one, whatever layout the cache was in before: nothing of the old log is ever read again, by this layout
/// or by another that has its headers elsewhere.
/// </summary>
public sealed unsafe class FormatOverTests
{
    // 512 KiB more than the layouts with segments of 1 MiB use: a header of writeboost2 may be there.
    private const long CacheBytes = (1 << 20) + (9 * (512 << 10)), BackingBytes = 4 << 20;

    public static TheoryData<string, string> Pairs
    {
        get
        {
            TheoryData<string, string> pairs = [];
            foreach (Layout old in Layout.All)
                foreach (Layout made in Layout.All) pairs.Add(old.Name, made.Name);
            return pairs;
        }
    }

    [Fact]
    public void EveryHeaderOfTheKernelsLayoutsIsAtAStep() =>
        Assert.All(Layout.All.OfType<SegmentLayout>(),
            layout => Assert.Equal(0, layout.SegmentBytes % SegmentLayout.HeaderStepBytes));

    [Theory]
    [MemberData(nameof(Pairs))]
    public void NothingOfTheOldLogIsReadAgain(string old, string made)
    {
        using RamDevice cache = new(CacheBytes);
        Fill(cache, Layout.Find(old));
        Format(cache, Layout.Find(made));
        Judge(cache, Layout.Find(made));
    }

    /// <summary>What one format left behind, the next one finds no better.</summary>
    [Theory]
    [MemberData(nameof(Pairs))]
    public void NorAfterAFormatInBetween(string old, string made)
    {
        foreach (Layout between in Layout.All)
        {
            using RamDevice cache = new(CacheBytes);
            Fill(cache, Layout.Find(old));
            Format(cache, between);
            Fill(cache, between);
            Format(cache, Layout.Find(made));
            Judge(cache, Layout.Find(made));
        }
    }

    // Every write is flushed, so that in the kernel's layouts each has a segment, until all have been used.
    private static void Fill(RamDevice cache, Layout layout)
    {
        if (cache.Start[0] == 0) Format(cache, layout);
        using RamDevice backing = new(BackingBytes);
        using DirectClient client = Open(cache, backing, layout);
        int segments = client.Volume.Geometry.SegmentCount;
        byte[] data = new byte[4096];
        Array.Fill(data, (byte)1);
        for (int i = 0; i < segments - 1; i++)
        {
            client.Write(i * 4096L, data);
            client.Flush();
        }
        client.Stop();
    }

    private static void Format(RamDevice cache, Layout layout)
    {
        using RingContext io = new();
        WriteboostFormat.Format(io, cache, layout, layout.MinSegmentBytes, Guid.NewGuid);
    }

    // Whatever the probe offers is served as an empty cache, and the new disk is not written.
    private static void Judge(RamDevice cache, Layout made)
    {
        using RamDevice backing = new(BackingBytes);
        new Span<byte>(backing.Start, (int)BackingBytes).Fill(9);
        foreach (Layout layout in Found(cache, made))
        {
            using DirectClient client = Open(cache, backing, layout);
            byte[] read = client.Read(0, 64 * 4096);
            client.DrainAll();
            client.Stop();
            Assert.Equal(-1, read.AsSpan().IndexOfAnyExcept((byte)9));
            Assert.Equal(-1, new Span<byte>(backing.Start, (int)BackingBytes).IndexOfAnyExcept((byte)9));
        }
    }

    private static IReadOnlyList<Layout> Found(RamDevice cache, Layout made)
    {
        using RingContext io = new();
        (byte[] head, _) = ContentProbe.Read(io, cache);
        IReadOnlyList<Layout> found = LayoutProbe.Find(io, cache, head);
        if (made is SegmentLayout { Magic.Length: 0 }) return [made, .. found];
        Assert.Contains(made, found);
        if (made is SegmentLayout) Assert.Equal(["writeboost2", "writeboost1"], found.Select(layout => layout.Name));
        return found;
    }

    private static DirectClient Open(RamDevice cache, RamDevice backing, Layout layout) => new(
        cache, [new BackingSpec(Layout.OnlyDevice, "disk", backing)],
        new WriteboostOptions { Layout = layout, AllowWriteback = false });
}
