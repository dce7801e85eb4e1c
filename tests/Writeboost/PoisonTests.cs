using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// A dirty block rots before it is written back: EIO until it is overwritten, and nothing else is held up.
/// </summary>
public sealed unsafe class PoisonTests : IDisposable
{
    private const int Block = 4096, Eio = -5;
    private readonly SimWorld _world = new(5, trace: false);
    private readonly SimDevice _cache, _backing;
    private readonly SimRamStore _ram;
    private readonly byte* _data = (byte*)NativeMemory.AlignedAlloc(64 * Block, Block);
    private readonly List<string> _log = [];
    private readonly WriteboostOptions _options;
    private SimContext _io;
    private WriteboostVolume? _volume;
    private IVolumeQueue? _queue;

    public PoisonTests()
    {
        _options = new WriteboostOptions { RamSegments = 4, IdleUs = 1000, VerifyReads = false, Log = _log.Add };
        _cache = new SimDevice(_world, "cache", (1 << 20) + (12 * (128 << 10)), 512, 512);
        _backing = new SimDevice(_world, "backing", 4 << 20, 512, 512);
        _ram = new SimRamStore(_world, outlivesProcess: true);
        _world.Restart(long.MaxValue);
        _io = new SimContext(_world);
        WriteboostFormat.Format(_io, _cache, Layout.Native, 128 << 10, Guid.NewGuid);
        Open();
    }

    public void Dispose()
    {
        _volume?.Dispose();
        _io.Dispose();
        _ram.Dispose();
        _cache.Media.Dispose();
        _backing.Media.Dispose();
        NativeMemory.AlignedFree(_data);
    }

    [Fact]
    public void ARottenBlockReadsAnErrorUntilItIsOverwritten()
    {
        RotABlock();
        DrainAll();
        Assert.Equal(VolumeState.Healthy, _volume!.Health.State);
        Assert.Equal(Eio, Read(7 * Block, Block));
        Assert.Equal(0, Read(6 * Block, Block));
        Assert.Contains(_log, static line => line.Contains("rotten", StringComparison.Ordinal));
        Assert.Equal(0, Write(7 * Block, 1024, 'n'));
        Assert.Equal(0, Read(7 * Block, 1024));
        Assert.Equal(Eio, Read((7 * Block) + 1024, 512));
        Reopen();
        Assert.Equal(0, Read(7 * Block, 1024));
        Assert.Equal((byte)'n', _data[0]);
        Assert.Equal(Eio, Read((7 * Block) + 1024, 512));
        Assert.Equal(0, Write(7 * Block, Block, 'w'));
        Assert.Equal(0, Read(7 * Block, Block));
        Assert.Equal(0, _volume!.Index.RottenCount);
    }

    [Fact]
    public void TheLogGoesRoundAndTheErrorStays()
    {
        RotABlock();
        for (int i = 0; i < 60; i++)
            Assert.Equal(0, Write((16 + (i % 10 * 32)) * Block, 32 * Block, (char)('a' + (i % 26))));
        Assert.True(_volume!.Log.TailSegment > 20, "the log has not gone round");
        Assert.Equal(VolumeState.Healthy, _volume.Health.State);
        Assert.Equal(Eio, Read(7 * Block, 512));
        Assert.Equal(1, _volume.Index.RottenCount);
        Reopen();
        Assert.Equal(Eio, Read(7 * Block, 512));
    }

    [Fact]
    public void ADiscardEndsIt()
    {
        RotABlock();
        DrainAll();
        Request request = new() { Kind = RequestKind.Discard, OffsetBytes = 4 * Block, LengthBytes = 8 * Block };
        Assert.Equal(0, Do(&request));
        Assert.Equal(0, Read(7 * Block, Block));
        DrainAll();
        Assert.Equal(0, Read(7 * Block, Block));
        Reopen();
        Assert.Equal(0, Read(7 * Block, Block));
    }

    /// <summary>
    /// A range, over it poison and what was written anew, in one segment: what was written back is warm after a stop,
    /// and to leave one of them out would show the one below.
    /// </summary>
    [Fact]
    public void WhatIsNewerThanThePoisonIsReadAfterAStop()
    {
        Zero();
        RotABlock();
        DrainAll();
        Assert.Equal(0, Write(7 * Block, Block, 'w'));
        DrainAll();
        Reopen();
        Assert.Equal(0, Read(7 * Block, Block));
        Assert.Equal((byte)'w', _data[0]);
        Assert.Equal(0, Read(6 * Block, Block));
        Assert.Equal((byte)'G', _data[0]);
    }

    [Fact]
    public void WhatIsNotLostOfABlockIsReadAfterAStop()
    {
        Zero();
        Assert.Equal(0, Write(7 * Block, Block, 'w'));
        DrainAll();
        Assert.Equal(0, Write(7 * Block, 1024, 'x'));
        Request flush = new() { Kind = RequestKind.Flush };
        Assert.Equal(0, Do(&flush));
        for (long at = 1 << 20; at < _cache.SizeBytes; at += Block)
            if (_cache.Media.Current[at] == 'x') _cache.Media.Rot(at + 100, 3);
        DrainAll();
        Reopen();
        Assert.Equal(Eio, Read(7 * Block, 512));
        Assert.Equal(0, Read((7 * Block) + 1024, 512));
        Assert.Equal((byte)'w', _data[1024]);
    }

    [Fact]
    public void WhatIsLostIsNamedByTheSector()
    {
        RotABlock();
        Assert.Null(_volume!.LostSentence);
        DrainAll();
        Assert.Contains("1 block lost", _volume.LostSentence);
        Assert.EndsWith(": disk:28672+4096", _volume.LostSentence, StringComparison.Ordinal);
        Assert.Equal("disk 28672 4096\n", Ask("lost_blocks"));
        Assert.Equal(0, Write(7 * Block, 1024, 'n'));
        Assert.Equal("disk 29696 3072\n", Ask("lost_blocks"));
        string said = Assert.Throws<UserErrorException>(() => Ask("drop_caches")).Message;
        Assert.Contains("disk:29696+3072", said);
        Assert.Contains("give_up", said);
        Assert.Contains("disk:29696+3072", new StatusFigures(_volume).TextOf("lost_blocks"));
    }

    /// <summary>Given up before or after it has been moved, in part or whole, and the process dies or stops.</summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void WhatIsGivenUpReadsTheBackingDevice(bool isMoved, bool dies)
    {
        _options.AllowWriteback = isMoved;
        RotABlock();
        if (isMoved) DrainAll();
        else _volume!.Rot.Report(SlotOf(7));
        Assert.Equal(Eio, Read(7 * Block, Block));
        GiveUp("disk:28672+1024");
        Assert.Equal(0, Read(7 * Block, 1024));
        Assert.Equal(new byte[1024], new Span<byte>(_data, 1024).ToArray());
        Assert.Equal(Eio, Read((7 * Block) + 1024, 512));
        Assert.Equal(0, Write((7 * Block) + 2048, 512, 'n'));
        if (dies) Die(); else Reopen();
        Assert.Equal(0, Read(7 * Block, 1024));
        DrainAll();
        Assert.Equal("disk 29696 1024\ndisk 31232 1536\n", Ask("lost_blocks"));
        GiveUp("all");
        Assert.Equal(0, _volume!.Index.RottenCount);
        Assert.Equal(0, Read(7 * Block, Block));
        Assert.Equal((byte)'n', _data[2048]);
        Assert.Equal(0, _data[0] | _data[1024] | _data[4095]);
        if (dies) Die(); else Reopen();
        DrainAll();
        Assert.Equal(0, Read(7 * Block, Block));
        Assert.Equal((byte)'n', _data[2048]);
        Assert.Equal(0, _volume!.Index.RottenCount);
        Assert.Contains(_log, static line => line.Contains("given up", StringComparison.Ordinal));
    }

    [Fact]
    public void WhatIsNotLostCannotBeGivenUp()
    {
        RotABlock();
        DrainAll();
        foreach (string text in new[] { "disk:0+4096", "disk:28160+512", "disk:32768+1G" })
            Assert.Contains("nothing there is lost; of the others, 1 block lost", Refusal(text));
        foreach (string text in new[] { "", "disk", "disk:1+512", "disk:0+0", "other:0+512", "disk:0", "disk:-8+512" })
            Assert.StartsWith("give_up '", Refusal(text), StringComparison.Ordinal);
        Assert.Equal(Eio, Read(7 * Block, Block));
    }

    /// <summary>Nothing that was lost, given up or overwritten comes back when write-back goes on.</summary>
    [Fact]
    public void TheLogGoesRoundAndWhatWasGivenUpStaysSo()
    {
        RotABlock();
        DrainAll();
        GiveUp("all");
        for (int i = 0; i < 60; i++)
            Assert.Equal(0, Write((16 + (i % 10 * 32)) * Block, 32 * Block, (char)('a' + (i % 26))));
        Assert.True(_volume!.Log.TailSegment > 20, "the log has not gone round");
        Assert.Equal(0, Read(7 * Block, Block));
        Reopen();
        Assert.Equal(0, Read(7 * Block, Block));
        Assert.Equal(0, _data[0]);
    }

    /// <summary>By default the first read after a start finds it.</summary>
    [Fact]
    public void ReadsAreVerifiedByDefaultFromTheFirstOne()
    {
        RotABlock();
        _options.AllowWriteback = false;
        _options.VerifyReads = new WriteboostOptions().VerifyReads;
        Reopen();
        Assert.Equal("yes", new StatusFigures(_volume!).TextOf("reads_verified"));
        Assert.Equal(Eio, Read(7 * Block, Block));
        Assert.Equal(0, Read(6 * Block, Block));
        Assert.Equal("disk 28672 4096\n", Ask("lost_blocks"));
        Assert.Equal(0, new StatusFigures(_volume!)["blocks_read_unverified"]);
        _options.VerifyReads = false;
        Reopen();
        Assert.Equal(0, Read(7 * Block, Block));
        string verified = new StatusFigures(_volume!).TextOf("reads_verified");
        Assert.StartsWith("no: verify_reads is 0", verified, StringComparison.Ordinal);
        Assert.Equal(1, new StatusFigures(_volume!)["blocks_read_unverified"]);
    }

    private string Refusal(string text) =>
        Assert.Throws<UserErrorException>(() => _volume!.GiveUp(text, new Patient())).Message;

    private uint SlotOf(int block)
    {
        for (uint slot = 0; slot < _volume!.Geometry.SlotCount; slot++)
            if (_volume.Index.TryGetDirty(slot, out ulong key, out _) && (uint)key == block) return slot;
        throw new InvalidOperationException("the block is not in the log");
    }

    private string Ask(string key)
    {
        List<VolumeCommand> orders = WriteboostCommands.Of(_volume!);
        return VolumeCommand.Find(orders, key).Run(new Patient(Turn));
    }

    private void GiveUp(string text)
    {
        using GiveUpOrder order = new(_volume!.Lost.Select(text));
        Assert.NotEmpty(order.Versions);
        _volume!.GiveUps.Post(order);
        while (!order.IsDone) Turn();
        order.Wait(static () => true, 0);
        Assert.Equal(order.Versions.Count, order.GivenUp);
    }

    private void Zero()
    {
        Request request = new() { Kind = RequestKind.WriteZeroes, OffsetBytes = 4 * Block, LengthBytes = 8 * Block };
        Assert.Equal(0, Do(&request));
        DrainAll();
    }

    // No stop: memory stays.
    private void Die()
    {
        _io.Abandon();
        _ram.ProcessDied();
        _volume!.Dispose();
        _io.Dispose();
        _ram.FreeAbandoned();
        _world.Restart(long.MaxValue);
        _io = new SimContext(_world);
        Open();
    }

    // Fill, flush, then one bit on the medium; reads are not verified, so that write-back is the one to find it.
    private void RotABlock()
    {
        for (int block = 0; block < 12; block++) Assert.Equal(0, Write(block * Block, Block, (char)('A' + block)));
        Request flush = new() { Kind = RequestKind.Flush };
        Assert.Equal(0, Do(&flush));
        for (long at = 1 << 20; at < _cache.SizeBytes; at += Block)
            if (_cache.Media.Current[at] == 'A' + 7 && _cache.Media.Current[at + 4095] == 'A' + 7)
                _cache.Media.Rot(at + 100, 3);
    }

    private void DrainAll()
    {
        _volume!.Drain();
        for (int i = 0; i < 20_000 && !_volume.IsDrained; i++) Turn();
        Assert.False(_volume.IsDraining);
    }

    private void Open()
    {
        _volume = WriteboostVolume.Open(_io, _cache, [new BackingSpec(null, "disk", _backing)], _ram,
            _options);
        _queue = _volume.OpenQueue(0, _io);
    }

    private void Reopen()
    {
        _queue!.BeginStop();
        while (!_queue.StopStatus.IsOver) Turn();
        Assert.Equal(StopStatus.Stopped, _queue.StopStatus);
        _volume!.Dispose();
        _io.Dispose();
        _io = new SimContext(_world);
        Open();
    }

    private int Write(long offset, int length, char fill)
    {
        new Span<byte>(_data, length).Fill((byte)fill);
        Request request = new() { Kind = RequestKind.Write, OffsetBytes = offset, LengthBytes = length, Data = _data };
        return Do(&request);
    }

    private int Read(long offset, int length)
    {
        byte* target = _data + (offset & (Block - 1));
        Request request = new() { Kind = RequestKind.Read, OffsetBytes = offset, LengthBytes = length, Data = target };
        return Do(&request);
    }

    private int Do(Request* request)
    {
        _queue!.Submit(request);
        Request* done;
        while ((done = _queue.TakeCompleted()) == null) Turn();
        Assert.True(done == request);
        return request->Result;
    }

    private void Turn() => QueueDriver.Turn(_io, _queue!, sleepUs: 10_000);
}
