using System;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Errors;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <content>What is given up: it reads what the backing device has.</content>
public sealed unsafe partial class KernelLostTests
{
    /// <summary>In part, then the rest; found by a reader or by write-back; the process dies or stops.</summary>
    [Theory]
    [InlineData("writeboost2", true, false)]
    [InlineData("writeboost2", true, true)]
    [InlineData("writeboost2", false, true)]
    [InlineData("writeboost1", true, false)]
    [InlineData("writeboost1", true, true)]
    [InlineData("writeboost1", false, true)]
    [InlineData("lc1", true, false)]
    [InlineData("lc1", false, true)]
    public void WhatIsGivenUpReadsTheBackingDevice(string layout, bool isHeld, bool dies)
    {
        Start(layout);
        if (isHeld) Refused("drain");
        Assert.Equal(Eio, _client.Run(RequestKind.Read, 5 * Block, Block));
        Assert.Contains("gave up 1 block", GiveUp("disk:20480+1024"), StringComparison.Ordinal);
        Assert.Equal(Filled(Old)[..1024], _client.Read(5 * Block, 1024));
        Assert.Equal(Eio, _client.Run(RequestKind.Read, (5 * Block) + 1024, 512));
        _client.Write((5 * Block) + 2048, Filled(60).AsSpan(0, 512));
        Assert.Equal("disk 21504 1024\ndisk 23040 1536\n", Carry("lost_blocks"));
        GiveUp("all");
        Assert.Equal(0, Volume.LostBlockCount);
        CheckGivenUp();
        // One checksum or seal covers such a segment: only when it is written back is the log whole again.
        _client.Until(() => Volume.Log.DirtySegment > 2);
        if (isHeld) AwaitHealth();
        Reopen(dies);
        CheckGivenUp();
        Assert.StartsWith("drain: done", Carry("drain"), StringComparison.Ordinal);
        CheckGivenUp();
        CheckDisk();
        Assert.Equal(Old, _disk.Start[5 * Block]);
        Assert.Equal(60, _disk.Start[(5 * Block) + 2048]);
        Assert.Contains(_log, static line => line.Contains("given up", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void NothingIsGivenUpThatTheBackingDeviceDoesNotGive(string layout)
    {
        Start(layout);
        Refused("drain");
        _backing.Offsets.Add(5 * Block);
        string said = Assert.Throws<UserErrorException>(() => GiveUp("all")).Message;
        Assert.Contains("reading disk:20480+4096 from the backing device failed: Input/output error", said,
            StringComparison.Ordinal);
        Assert.Equal("disk 20480 4096\n", Carry("lost_blocks"));
        Assert.Equal(Eio, _client.Run(RequestKind.Read, 5 * Block, Block));
        _backing.Offsets.Clear();
        GiveUp("all");
        AwaitHealth();
        CheckDisk();
    }

    /// <summary>There is no room for what takes its place: then it goes where it is.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void WhatIsLostInAFullLogCanBeGivenUp(string layout)
    {
        Start(layout, [4, 5, 9]);
        Refused("drain");
        _options.NoSpaceTimeoutUs = 1000;
        int written = 0;
        while (_client.Run(RequestKind.Write, (100 + written) * Block, Block) == 0)
        {
            _client.Run(RequestKind.Flush, 0, 0);
            Assert.True(++written < 1000, "the log is never full");
        }
        Assert.Contains("can only be given up at once: disk:16384+8192",
            Assert.Throws<UserErrorException>(() => GiveUp("disk:20480+4096")).Message, StringComparison.Ordinal);
        Assert.Equal(Eio, _client.Run(RequestKind.Read, 5 * Block, Block));
        GiveUp("disk:16384+8192");
        Assert.Equal(Filled(Old), _client.Read(4 * Block, Block));
        Refused("drain");
        Assert.Equal("disk 36864 4096\n", Carry("lost_blocks"));
        GiveUp("all");
        AwaitHealth();
        Assert.Equal([Old, Old, Old], new[] { 4, 5, 9 }.Select(i => _disk.Start[i * Block]));
        CheckDisk(4, 5, 9);
        _client.Write(100 * Block, Filled(7));
        _client.Flush();
    }

    /// <summary>
    /// A write has taken its place in the order, and is not in the index yet, when the lost block is given up: it is
    /// the newer one of the two.
    /// </summary>
    [Theory]
    [InlineData("writeboost2", WriteboostMutant.None, 77)]
    [InlineData("writeboost1", WriteboostMutant.None, 77)]
    [InlineData("writeboost1", WriteboostMutant.R2GivenUpOverNewer, Old)]
    public void AWriteThatIsUnderWayIsNotGivenUp(string layout, WriteboostMutant mutant, int expected)
    {
        Mutant.Active = mutant;
        try
        {
            Start(layout);
            Assert.Equal(Eio, _client.Run(RequestKind.Read, 5 * Block, Block));
            using GiveUpOrder order = new(Volume.Lost.Select("all"));
            using QueueDriver second = new(Volume, 1);
            s_meanwhile = () =>
            {
                Volume.GiveUps.Post(order);
                for (int i = 0; i < 1000 && !order.IsDone; i++) _client.Turn();
            };
            Assert.Equal(0, second.Fetched(5 * Block, Block, &Fetch));
            // Whoever fills a segment's last slot writes it.
            for (int i = 0; i < 10_000 && !order.IsDone; i++)
            {
                second.Idle(100);
                _client.Turn();
            }
            Assert.True(order.IsDone);
            Assert.Equal(expected, _client.Read(5 * Block, Block)[0]);
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    private static Action? s_meanwhile;

    private static void Fetch(Request* request, long offset, byte* target, int length)
    {
        new Span<byte>(target, length).Fill(77);
        s_meanwhile!();
    }
}
