using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// One byte of what is around the data rots in a cache of a kernel's layout whose segments are all flushed: nothing is
/// served that is not right, and nothing is left out without a word.
/// </summary>
public sealed unsafe class KernelHeaderTests : IDisposable
{
    private const int Block = 4096, Segments = 40, Blocks = 12;
    private const byte Old = 200;

    private readonly RamDevice _disk = new(8 << 20);
    private RamDevice _flash = null!;
    private WriteboostOptions _options = null!;
    private byte[] _sound = [];

    public static TheoryData<string> Layouts => ["writeboost2", "writeboost1", "lc1"];

    public void Dispose()
    {
        _flash.Dispose();
        _disk.Dispose();
    }

    private Span<byte> Cache => new(_flash.Start, (int)_flash.SizeBytes);

    /// <summary>Among them ids that belong there if the cache had fewer segments.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void AnIdThatIsAnotherIsRefused(string layout)
    {
        Make(layout);
        for (int id = 0; id < 256; id++)
        {
            if (id == 1) continue;
            Cache[(int)SegmentAt(1)] = (byte)id;
            Assert.True(IsRefused(out _), $"id {id} in the place of 1 is taken");
            Heal();
        }
        Assert.False(IsRefused(out string data));
        Assert.Equal("", data);
    }

    /// <summary>Then a start refuses the cache, and it can be dropped though nothing denies it any more.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void WhatWasKeptAndMakesNoSenseCanBeDropped(string layout)
    {
        Make(layout);
        Cache[(int)SegmentAt(2) + (layout == "writeboost2" ? 512 : 13) + 5] ^= 2;
        Assert.True(IsRefused(out _));
        Repair(new RepairOptions { Write = true, Damaged = DamagedData.Keep });
        Assert.True(IsRefused(out _));
        RepairOptions drop = new() { Write = true, Damaged = DamagedData.Drop, Segment = 2 };
        Assert.Contains(Repair(drop), static text => text.StartsWith("segment 2: dropped", StringComparison.Ordinal));
        Assert.False(IsRefused(out string data));
        Assert.Equal($"block 1 holds {Old}; ", data);
    }

    /// <summary>Of one that is written back: whoever reads ids without seals would take it for the newest.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ARottenIdBehindTheMarkIsErased(string layout)
    {
        Make(layout);
        _options.AllowWriteback = true;
        using (DirectClient client = Open())
        {
            client.DrainAll();
            client.Stop();
        }
        Cache[(int)SegmentAt(3)] = 3 + Segments;
        using (DirectClient client = Open()) client.Stop();
        Assert.Equal(0, Cache[(int)SegmentAt(3)]);
        Assert.Equal(4, Cache[(int)SegmentAt(4)]);
    }

    /// <summary>All that it held is known.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void AnIdIsRepaired(string layout)
    {
        Make(layout);
        Cache[(int)SegmentAt(1)] = 1 + Segments;
        Assert.True(IsRefused(out _));
        Assert.Contains(Repair(new RepairOptions { Write = true, Damaged = DamagedData.Keep }),
            static text => text.Contains("kept as it is", StringComparison.Ordinal));
        Assert.False(IsRefused(out string data));
        Assert.Equal("", data);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void NoByteOfAHeaderIsTakenForAnother(string layout)
    {
        Make(layout);
        int seal = ((SegmentLayout)_options.Layout).SealOffset;
        for (int at = 0; at < Block; at++)
        {
            // What is not used, and what is used as little between.
            if (at is > 600 and < 4000 && at % 61 != 0) continue;
            Cache[(int)SegmentAt(2) + at] ^= 0x20;
            bool isRefused = IsRefused(out string data);
            Assert.True(isRefused || data == "", $"byte {at} of a header: {data}");
            if (at < 13) Assert.True(isRefused, $"byte {at} of a header counts, and is not missed");
            if (at >= seal && at < seal + 8) Assert.False(isRefused, "a header counts without a seal");
            Heal();
        }
    }

    /// <summary>A module writes what its memory held there before: the seal of some other segment.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ASealOfAnotherSegmentIsNone(string layout)
    {
        Make(layout);
        int seal = ((SegmentLayout)_options.Layout).SealOffset;
        Cache.Slice((int)SegmentAt(3) + seal, SegmentSeal.Bytes).CopyTo(Cache[((int)SegmentAt(2) + seal)..]);
        Assert.False(IsRefused(out string data));
        Assert.Equal("", data);
    }

    /// <summary>Further than Weir has come: the disk has to have it.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void AMarkThatTheDiskDeniesIsRefusedAndCanBeSetBack(string layout)
    {
        Make(layout);
        int mark = (int)((SegmentLayout)_options.Layout).MarkOffset;
        for (byte segment = 1; segment <= 3; segment++)
        {
            Cache[mark] = segment;
            string refusal = Assert.Throws<UserErrorException>(() => Open().Dispose()).Message;
            Assert.Contains($"--layout {layout} --mark 0 --write", refusal, StringComparison.Ordinal);
            Assert.Contains("rebind=1", refusal, StringComparison.Ordinal);
        }
        Assert.Equal(2, Assert.Throws<UserErrorException>(() => Repair(4)).ExitCode);
        Assert.StartsWith("wrote the superblock", Repair(0)[^1], StringComparison.Ordinal);
        Assert.False(IsRefused(out string data));
        Assert.Equal("", data);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void AMarkThatTheModuleHasMovedIsTaken(string layout)
    {
        Make(layout);
        Cache[(int)((SegmentLayout)_options.Layout).MarkOffset] = 2;
        for (int i = 0; i < 8; i++) new Span<byte>(_disk.Start + (i * Block), Block).Fill((byte)(i + 1));
        Assert.False(IsRefused(out string data));
        Assert.Equal("", data);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void WithoutTheLookTheMarkIsBelieved(string layout)
    {
        Make(layout);
        Cache[(int)((SegmentLayout)_options.Layout).MarkOffset] = 3;
        Mutant.Active = WriteboostMutant.R8MarkNotAsked;
        try
        {
            Assert.False(IsRefused(out string data));
            Assert.NotEqual("", data);
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    // Twelve segments of a block each, flushed, none written back; an orderly stop.
    private void Make(string layout)
    {
        Layout found = Layout.Find(layout);
        _options = new WriteboostOptions { Layout = found, SyncIntervalUs = 0, AllowWriteback = false };
        _flash = new RamDevice((1 << 20) + (Segments * (long)found.DefaultSegmentBytes));
        using (RingContext io = new())
            WriteboostFormat.Format(io, _flash, found, found.DefaultSegmentBytes, Guid.NewGuid);
        new Span<byte>(_disk.Start, (int)_disk.SizeBytes).Fill(Old);
        using (DirectClient client = Open())
        {
            byte[] data = new byte[Block];
            for (int i = 0; i < Blocks; i++)
            {
                data.AsSpan().Fill((byte)(i + 1));
                client.Write(i * Block, data);
                if (i % 4 == 3) client.Flush();
            }
            client.Stop();
        }
        _sound = Cache[..(1 << 20 << 2)].ToArray();
    }

    private void Heal() => _sound.CopyTo(Cache);

    private long SegmentAt(long id) => (1 << 20) + ((id - 1) * _options.Layout.DefaultSegmentBytes);

    private DirectClient Open() => new(_flash, [new BackingSpec(1, "disk", _disk)], _options);

    // What is wrong with the data, if it is served.
    private bool IsRefused(out string data)
    {
        data = "";
        try
        {
            using DirectClient client = Open();
            for (int i = 0; i < Blocks; i++)
                if (client.Read(i * Block, Block)[99] is var found && found != i + 1)
                    data += $"block {i} holds {found}; ";
            if (_disk.Start[40 * Block] != Old) data += "the disk was written";
            return false;
        }
        catch (UserErrorException)
        {
            return true;
        }
    }

    private List<string> Repair(long mark) => Repair(new RepairOptions { Write = true, Mark = mark });

    private List<string> Repair(RepairOptions options)
    {
        CheckItems items = new();
        using RingContext io = new();
        new SegmentRepairer(io, _flash, (SegmentLayout)_options.Layout, options, items).Run();
        return items.Texts;
    }
}
