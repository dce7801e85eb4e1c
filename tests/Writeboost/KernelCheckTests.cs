using System;
using System.Linq;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary><c>weir check</c> of a damaged cache in a kernel's layout names every block that cannot be saved.</summary>
public sealed unsafe class KernelCheckTests : IDisposable
{
    private const int Block = 4096, Segments = 40, Written = 4;

    private readonly RamDevice _disk = new(8 << 20);
    private RamDevice _flash = null!;
    private Layout _layout = null!;

    public static TheoryData<string, string> Layouts => new()
    {
        { "writeboost2", "disk" }, { "writeboost1", "disk" }, { "lc1", "device1" },
    };

    public void Dispose()
    {
        _flash.Dispose();
        _disk.Dispose();
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void ABlockThatRotsIsNamed(string layout, string name)
    {
        Make(layout);
        Assert.Empty(Check().Problems);
        for (long segment = 1; segment <= Written; segment++)
        {
            _flash.Start[SegmentAt(segment) + Block + 100] ^= 1;
            CheckItems items = Check();
            // The last one overwrites what the second held, which is not missed.
            string block = segment == 2 ? "none that is dirty"
                : $"{name}:{(segment == Written ? 1 : segment - 1) * Block}+{Block}";
            Assert.Contains(items.Problems, text => text.Contains(
                $"segment {segment} is not what was written", StringComparison.Ordinal)
                && text.EndsWith(": " + block, StringComparison.Ordinal));
            Assert.Equal((Written - 1, segment == 2 ? 0 : 1),
                (items.Numbers["dirty_blocks"], items.Numbers["lost_blocks"]));
            _flash.Start[SegmentAt(segment) + Block + 100] ^= 1;
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void TwoSegmentsAreNamedEach(string layout, string name)
    {
        Make(layout);
        _flash.Start[SegmentAt(1) + Block + 7] ^= 1;
        _flash.Start[SegmentAt(3) + Block + 8] ^= 1;
        CheckItems items = Check();
        Assert.Single(items.Problems, text => text.EndsWith($": {name}:0+4096", StringComparison.Ordinal));
        Assert.Single(items.Problems, text => text.EndsWith($": {name}:8192+4096", StringComparison.Ordinal));
        Assert.Equal(2, items.Numbers["lost_blocks"]);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void AHeaderThatIsGoneIsNamedAsSuch(string layout, string name)
    {
        Make(layout);
        new Span<byte>(_flash.Start + SegmentAt(2), Block).Clear();
        CheckItems items = Check();
        Assert.Contains(items.Problems,
            static text => text.StartsWith("segment 2 is damaged", StringComparison.Ordinal));
        Assert.DoesNotContain(items.Problems, text => text.Contains(name + ":", StringComparison.Ordinal));
    }

    // Segments of a block each, flushed, none written back; an orderly stop. The last overwrites the second.
    private void Make(string layout)
    {
        _layout = Layout.Find(layout);
        _flash = new RamDevice((1 << 20) + (Segments * (long)_layout.DefaultSegmentBytes));
        using (RingContext io = new())
            WriteboostFormat.Format(io, _flash, _layout, _layout.DefaultSegmentBytes, Guid.NewGuid);
        using DirectClient client = new(_flash, [new BackingSpec(1, "disk", _disk)],
            new WriteboostOptions { Layout = _layout, SyncIntervalUs = 0, AllowWriteback = false });
        foreach (int block in (int[])[0, 1, 2, 1])
        {
            client.Write(block * Block, Enumerable.Repeat((byte)(block + 1), Block).ToArray());
            client.Flush();
        }
        client.Stop();
    }

    private long SegmentAt(long id) => (1 << 20) + ((id - 1) * _layout.DefaultSegmentBytes);

    private CheckItems Check()
    {
        CheckItems items = new();
        using RingContext io = new();
        Superblock superblock = SuperblockReader.Read(
            _layout, new BlockingIo(io), _flash.OpenQueue(io), _flash, out _, out _);
        using OfflineCache cache = new(io, _flash, _layout, superblock) { ReadsPastErrors = true };
        using Checker checker = new(cache, items);
        Assert.Equal(checker.Run(new PrivateMemoryStore()), items.Problems.Count);
        return items;
    }
}
