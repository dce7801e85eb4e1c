using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <content>What the offline tools do about it: drain, check, repair.</content>
public sealed unsafe partial class KernelLostTests
{
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ADrainOfACacheThatIsNotServedGivesUpWhatItFinds(string layout)
    {
        Start(layout, []);
        _client.Stop();
        _client.Dispose();
        for (int i = 0; i < 2; i++)
        {
            using RingContext io = new();
            using WriteboostVolume volume = WriteboostVolume.Open(
                io, new KeptDevice(_cache), [new BackingSpec(1, "disk", new KeptDevice(_backing))], _ram, _options);
            // Found while it drains, one after the other.
            if (i == 0) Rot(1, 5, 9);
            Drainer drainer = new(volume, io) { GivesUp = ["all"] };
            Assert.Equal(0, drainer.Run(static () => false, static _ => { }));
            Assert.Equal([Old, Old, Old], new[] { 1, 5, 9 }.Select(i => _disk.Start[i * Block]));
            CheckDisk(1, 5, 9);
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void ADrainOfACacheThatIsNotServedNamesWhatItFinds(string layout)
    {
        Start(layout, []);
        _client.Stop();
        _client.Dispose();
        using RingContext io = new();
        using WriteboostVolume volume = WriteboostVolume.Open(
            io, new KeptDevice(_cache), [new BackingSpec(1, "disk", new KeptDevice(_backing))], _ram, _options);
        Rot(5, 9);
        Drainer drainer = new(volume, io);
        Assert.Equal(1, drainer.Run(static () => false, static _ => { }));
        Assert.False(drainer.HasReachedEnd);
        Assert.Contains("disk:20480+4096", volume.LostSentence, StringComparison.Ordinal);
    }

    /// <summary>Our seal tells that something there is rotten, though the layout has no checksum.</summary>
    [Theory]
    [InlineData("writeboost1")]
    [InlineData("lc1")]
    public void ACheckNamesASegmentWithRottenData(string layout)
    {
        Start(layout, []);
        _client.Stop();
        Assert.Empty(Problems());
        Rot(5);
        Assert.Contains("data of segment 2 ", Assert.Single(Problems()), StringComparison.Ordinal);
        Assert.Contains(":16384+16384", Problems()[0], StringComparison.Ordinal);
        // The mark says that nothing of it is needed any more.
        Rot(5);
        Reopen();
        _client.DrainAll();
        _client.Stop();
        Rot(5);
        Assert.Empty(Problems());
    }

    /// <summary>A byte in the middle of the log: all other segments stay, this one if that is asked for.</summary>
    [Theory]
    [InlineData("writeboost2", DamagedData.Keep)]
    [InlineData("writeboost2", DamagedData.Drop)]
    [InlineData("writeboost1", DamagedData.Keep)]
    [InlineData("lc1", DamagedData.Drop)]
    public void ARepairKeepsAllOtherSegments(string layout, DamagedData damaged)
    {
        Start(layout, []);
        _client.Stop();
        Assert.Equal("nothing to repair", Assert.Single(Repair(new RepairOptions(), sound: true)));
        Rot(5);
        byte[] before = new Span<byte>(_flash.Start, (int)_flash.SizeBytes).ToArray();
        Assert.Contains(Repair(new RepairOptions { Write = true }, sound: false),
            static text => text.Contains("--damaged keep", StringComparison.Ordinal));
        Assert.Contains(Repair(new RepairOptions { Damaged = damaged }, sound: true),
            static text => text.Contains(":16384+16384", StringComparison.Ordinal));
        Assert.True(new Span<byte>(_flash.Start, (int)_flash.SizeBytes).SequenceEqual(before), "it has written");
        Repair(new RepairOptions { Damaged = damaged, Write = true }, sound: true);
        Assert.Empty(Problems());
        Assert.Equal("nothing to repair", Assert.Single(Repair(new RepairOptions(), sound: true)));
        Reopen();
        for (int i = 0; i < 12; i++)
        {
            bool isDropped = damaged == DamagedData.Drop && i is >= 4 and < 8;
            Assert.Equal(isDropped ? Old : i + 1, _client.Read(i * Block, Block)[0]);
        }
        _client.Write(5 * Block, Filled(6));
        Assert.StartsWith("drain: done", Carry("drain"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void ASegmentWithoutAHeaderCanOnlyBeDropped(string layout)
    {
        Start(layout, []);
        _client.Stop();
        new Span<byte>(_flash.Start + SegmentAt(2), Block).Clear();
        string said = Assert.Throws<UserErrorException>(
            () => Repair(new RepairOptions { Damaged = DamagedData.Keep }, sound: true)).Message;
        Assert.Contains("cannot be kept", said, StringComparison.Ordinal);
        said = Assert.Throws<UserErrorException>(
            () => Repair(new RepairOptions { Damaged = DamagedData.Drop, Segment = 1 }, sound: true)).Message;
        Assert.Contains("not damaged", said, StringComparison.Ordinal);
        Repair(new RepairOptions { Damaged = DamagedData.Drop, Segment = 2, Write = true }, sound: true);
        Reopen();
        for (int i = 0; i < 12; i++) Assert.Equal(i is >= 4 and < 8 ? Old : i + 1, _client.Read(i * Block, Block)[0]);
    }

    [Theory]
    [InlineData("writeboost2")]
    [InlineData("writeboost1")]
    public void ALostSuperblockIsWrittenAgainWhateverHasRotted(string layout)
    {
        Start(layout, []);
        _client.Stop();
        new Span<byte>(_flash.Start, 1 << 20).Clear();
        Rot(5);
        Repair(new RepairOptions { Write = true }, sound: false);
        Repair(new RepairOptions { Damaged = DamagedData.Keep, Write = true }, sound: true);
        Reopen();
        for (int i = 0; i < 12; i++) Assert.Equal(i + 1, _client.Read(i * Block, Block)[0]);
    }

    /// <summary>What an orderly stop has left is no torn end.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void TheLastSegmentIsRepairedToo(string layout)
    {
        Start(layout, []);
        _client.Stop();
        Rot(9);
        Assert.Contains(Repair(new RepairOptions(), sound: false),
            static text => text.Contains(":32768+16384", StringComparison.Ordinal));
        Repair(new RepairOptions { Damaged = DamagedData.Drop, Write = true }, sound: true);
        Reopen();
        for (int i = 0; i < 12; i++) Assert.Equal(i < 8 ? i + 1 : Old, _client.Read(i * Block, Block)[0]);
    }

    /// <summary>What a power cut has torn at the log's end was never promised, and is no damage.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ATornEndIsNotRepaired(string layout)
    {
        Start(layout, []);
        _client.Stop();
        KernelImage image = new(layout, Segments);
        image.Put(1, new KernelBlock(8, 0xFF, Filled(1)));
        image.Put(2, new KernelBlock(16, 0xFF, Filled(2)));
        image.Bytes[image.OffsetOf(2) + (layout == "writeboost2" ? 5000 : 13 + 10)] ^= 0x40;
        image.Bytes.CopyTo(new Span<byte>(_flash.Start, (int)_flash.SizeBytes));
        Assert.Equal("nothing to repair", Assert.Single(Repair(new RepairOptions { Write = true }, sound: true)));
    }

    private List<string> Repair(RepairOptions options, bool sound)
    {
        CheckItems items = new();
        using RingContext io = new();
        Assert.Equal(sound, new SegmentRepairer(io, _cache, (SegmentLayout)_options.Layout, options, items).Run());
        return items.Texts;
    }

    private List<string> Problems()
    {
        CheckItems items = new();
        using RingContext io = new();
        Superblock superblock = SuperblockReader.Read(
            _options.Layout, new BlockingIo(io), _cache.OpenQueue(io), _cache, out _, out _);
        using OfflineCache cache = new(io, _cache, _options.Layout, superblock) { ReadsPastErrors = true };
        using Checker checker = new(cache, items);
        long problems = checker.Run(new PrivateMemoryStore());
        Assert.Equal(problems, items.Problems.Count);
        return items.Problems;
    }
}
