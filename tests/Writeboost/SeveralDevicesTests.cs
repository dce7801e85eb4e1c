using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Several backing devices over one cache, absent ones among them (R13), against a model of each.</summary>
public sealed unsafe class SeveralDevicesTests : IDisposable
{
    private const int SegmentBytes = 128 << 10, Sector = 512;
    private readonly RamDevice _cache = new(6 << 20), _first = new(2 << 20), _second = new((2 << 20) + 4096 + 512);
    private readonly byte[] _firstModel = new byte[2 << 20], _secondModel = new byte[(2 << 20) + 4096 + 512];
    private Prng _random = new(4711);

    public SeveralDevicesTests()
    {
        using RingContext io = new();
        WriteboostFormat.Format(io, _cache, Layout.Native, SegmentBytes, Guid.NewGuid);
    }

    public void Dispose()
    {
        _cache.Dispose();
        _first.Dispose();
        _second.Dispose();
    }

    [Fact]
    public void EachHasItsOwnBlocks()
    {
        using DirectClient client = Open(First, Second);
        for (int i = 0; i < 400; i++) Change(client, i % 2);
        Verify(client, 0, _firstModel);
        Verify(client, 1, _secondModel);
        client.DrainAll();
        client.Stop();
        Assert.Equal(_firstModel, Content(_first));
        Assert.Equal(_secondModel, Content(_second));
    }

    /// <summary>Beside its cache it would show old data, and lose what is written to it.</summary>
    [Theory]
    [InlineData("native")]
    [InlineData("lc1")]
    public void OneThatIsMissedIsNotServedWithoutTheCache(string name)
    {
        Layout layout = Layout.Find(name);
        using RamDevice flash = new(24 << 20), small = new(1 << 20);
        using (RingContext io = new())
            WriteboostFormat.Format(io, flash, layout, layout.DefaultSegmentBytes, Guid.NewGuid);
        WriteboostOptions options = new() { AllowWriteback = false, Layout = layout };
        BackingSpec[] both = [new(1, "a", _first), new(2, "b", _second)];
        new Span<byte>(_second.Start, 1 << 20).Fill(7);
        using (DirectClient client = new(flash, both, options))
        {
            client.Device = 1;
            client.Write(2 << 20, new byte[4096]);
            client.Stop();
        }
        using PassthroughVolume alone = new(new KeptDevice(_second), "other"), other = new(small, "small");
        options.Uncached = [(alone, _second)];
        string refusal = Assert.Throws<UserErrorException>(() => new DirectClient(flash, both[..1], options)).Message;
        Assert.Contains("'other' is to be served without the cache, which holds 1 dirty blocks", refusal,
            StringComparison.Ordinal);
        options.Uncached = [(other, small)];
        new DirectClient(flash, both[..1], options).Dispose();
        // What it holds says that it is another one.
        using RamDevice stranger = new(_second.SizeBytes);
        new Span<byte>(stranger.Start, (int)stranger.SizeBytes).Fill(3);
        using PassthroughVolume third = new(new KeptDevice(stranger), "third");
        options.Uncached = [(third, stranger)];
        new DirectClient(flash, both[..1], options).Dispose();
        (options.Uncached, options.Rebind) = ([(alone, _second)], true);
        new DirectClient(flash, both[..1], options).Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhatAnAbsentDeviceHasInTheLogMovesOnAndIsThereWhenItReturns(bool orderly)
    {
        using (DirectClient client = Open(First, Second))
        {
            for (int i = 0; i < 300; i++) Change(client, i % 3 == 0 ? 0 : 1);
            client.Flush();
            if (orderly) client.Stop();
        }
        for (int life = 0; life < 3; life++)
        {
            using DirectClient client = Open(First);
            // The log goes round several times.
            for (int i = 0; i < 1500; i++) Change(client, 0);
            Verify(client, 0, _firstModel);
            client.Flush();
            if (orderly) client.Stop();
        }
        using DirectClient last = Open(Second, First);
        Verify(last, 0, _firstModel);
        Verify(last, 1, _secondModel);
        last.DrainAll();
        last.Stop();
        Assert.Equal(_firstModel, Content(_first));
        Assert.Equal(_secondModel, Content(_second));
    }

    /// <summary>The mutant of R13, which the simulation's one device cannot show.</summary>
    [Fact]
    public void WhatIsNotMovedIsMissed()
    {
        using (DirectClient client = Open(First, Second))
        {
            for (int i = 0; i < 300; i++) Change(client, 1);
            client.Stop();
        }
        Mutant.Active = WriteboostMutant.R13NotMoved;
        try
        {
            using DirectClient client = Open(First);
            for (int i = 0; i < 1500; i++) Change(client, 0);
            client.Stop();
        }
        finally
        {
            Mutant.Active = null;
        }
        using DirectClient last = Open(First, Second);
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Verify(last, 1, _secondModel));
    }

    [Fact]
    public void MoreThanTheQuotaOfAnAbsentDeviceStopsWritersAndIsKept()
    {
        using (DirectClient client = Open(First, Second))
        {
            for (int i = 0; i < 300; i++) Change(client, 1);
            client.Stop();
        }
        // Room is wanted by whoever waits for some only.
        using (DirectClient client = Open(
            options => (options.AbsentQuota, options.HighWatermark) = (1, 100), First))
        {
            int result = 0;
            for (int i = 0; i < 4000 && result == 0; i++)
                result = client.Run(RequestKind.Write, _random.Below(500) * 4096L, 4096);
            Assert.Equal(-5, result);
            Assert.Equal(VolumeState.ReadOnly, client.Volume.Health.State);
            Assert.Contains("absent_quota", client.Volume.Health.Reason);
            // Nothing has changed: whoever wants it tried again hears so, and it takes a real try to know that.
            Assert.Contains("still read-only: ", Resume(client), StringComparison.Ordinal);
            client.Volume.Options.AbsentQuota = 90;
            Assert.Contains("healthy", Resume(client), StringComparison.Ordinal);
            Assert.Equal(0, client.Run(RequestKind.Write, 0, 4096));
            client.Stop();
        }
        using DirectClient last = Open(First, Second);
        Verify(last, 1, _secondModel);
    }

    /// <summary>Nobody wants room any more: what comes of a try is told by none that was not made.</summary>
    [Fact]
    public void WhoeverResumesIsToldWhatATryHasCome()
    {
        using (DirectClient client = Open(First, Second))
        {
            for (int i = 0; i < 300; i++) Change(client, 1);
            client.Stop();
        }
        using DirectClient later = Open(options => options.AbsentQuota = 1, First);
        later.Volume.Drain();
        later.Until(() => later.Volume.Health.State == VolumeState.ReadOnly);
        later.Volume.CancelDrain();
        Assert.Contains("still read-only: ", Resume(later), StringComparison.Ordinal);
        later.Volume.Options.AbsentQuota = 90;
        Assert.Contains("healthy", Resume(later), StringComparison.Ordinal);
    }

    [Fact]
    public void RangesOfAnAbsentDeviceThatTakeAllRoomStopWhoeverNeedsSome()
    {
        using (DirectClient client = Open(options => options.RangeBudget = 8, First, Second))
        {
            client.Device = 1;
            for (int i = 0; i < 8; i++) Assert.Equal(0, client.Run(RequestKind.Discard, i * 40960L, 8192));
            client.Stop();
        }
        using (DirectClient client = Open(options => options.RangeBudget = 8, First))
        {
            client.Device = 0;
            Assert.Equal(-5, client.Run(RequestKind.Discard, 0, 8192));
            Assert.Equal(VolumeState.ReadOnly, client.Volume.Health.State);
            Assert.Contains("8 discarded and zeroed ranges", client.Volume.Health.Reason);
            Assert.Contains("still read-only: ", Resume(client), StringComparison.Ordinal);
            client.Stop();
        }
    }

    /// <summary>Zeroes that are moved for an absent device end where it ends.</summary>
    [Fact]
    public void ZeroesAroundANewerSectorAreNotMovedBeyondTheEnd()
    {
        long tail = _second.SizeBytes - Sector;
        using (DirectClient client = Open(options => options.AllowWriteback = false, First, Second))
        {
            client.Device = 1;
            Assert.Equal(0, client.Run(RequestKind.WriteZeroes, tail - 8192, 8192 + Sector));
            client.Write(tail, new byte[Sector]);
            client.Flush();
            client.Stop();
        }
        using (DirectClient client = Open(First))
        {
            for (int i = 0; i < 1500; i++) Change(client, 0);
            Assert.True(client.Volume.Log.TailSegment > client.Volume.Geometry.SegmentCount);
            client.Stop();
        }
        using DirectClient last = Open(First, Second);
        last.DrainAll();
        Assert.Equal(VolumeState.Healthy, last.Volume.Health.State);
        last.Stop();
    }

    /// <summary>Without a table of devices: what the log says of one that is not given.</summary>
    [Fact]
    public void ADeviceThatOnlyTheLogKnowsIsAbsentAndKept()
    {
        Layout lc1 = Layout.Find("lc1");
        using (RingContext io = new())
            WriteboostFormat.Format(io, _cache, lc1, lc1.DefaultSegmentBytes, Guid.NewGuid);
        void IsLc1(WriteboostOptions options) => (options.Layout, options.AllowWriteback) = (lc1, false);
        byte[] data = new byte[4096];
        Array.Fill(data, (byte)7);
        BackingSpec first = new(1, "a", _first), second = new(2, "b", _second);
        using (DirectClient client = Open(IsLc1, first, second))
        {
            client.Device = client.Volume.ExportOf("b").Device;
            client.Write(1 << 20, data);
            client.Stop();
        }
        using (DirectClient client = Open(IsLc1, first))
        {
            Assert.Equal(1, new StatusFigures(client.Volume)["dirty_blocks_absent"]);
            client.Stop();
        }
        using DirectClient last = Open(IsLc1, first, second);
        last.Device = last.Volume.ExportOf("b").Device;
        Assert.Equal(data, last.Read(1 << 20, 4096));
    }

    [Fact]
    public void ADeviceIsKnownByNameIdentityAndSize()
    {
        using (DirectClient client = Open(First, Second)) client.Stop();
        Refused("belongs to another backing device", new BackingSpec(null, "a", _second));
        Refused("is device 1 of the cache, not 7", new BackingSpec(7, "a", _first));
        Refused("given twice", First, new BackingSpec(null, "x", _first));
        Refused("two backing devices have the name 'a'", First, new BackingSpec(null, "a", _second));
        using RamDevice third = new(3 << 20);
        Refused("would both be device 2", Second, new BackingSpec(2, "c", third));
        // Under another name it is still the same device.
        using (DirectClient client = Open(new BackingSpec(null, "renamed", _first))) client.Stop();
        using (DirectClient client = Open(options => options.Rebind = true, new BackingSpec(null, "b", third)))
            client.Stop();
    }

    private BackingSpec First => new(null, "a", _first);

    private BackingSpec Second => new(null, "b", _second);

    private void Refused(string words, params BackingSpec[] specs)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => Open(specs));
        Assert.Contains(words, error.Message);
    }

    private DirectClient Open(params BackingSpec[] specs) => Open(static _ => { }, specs);

    private DirectClient Open(Action<WriteboostOptions> set, params IReadOnlyList<BackingSpec> specs)
    {
        WriteboostOptions options = new() { RamSegments = 4, RangeBudget = 32, IdleUs = 500, SyncIntervalUs = 2000 };
        set(options);
        return new DirectClient(_cache, specs, options);
    }

    private static string Resume(DirectClient client)
    {
        VolumeCommand resume = VolumeCommand.Find(WriteboostCommands.Of(client.Volume), "resume");
        try
        {
            return client.Await(() => resume.Run(new Patient()));
        }
        catch (UserErrorException error)
        {
            return error.Message;
        }
    }

    // A write of some sectors, or zeroes over some blocks.
    private void Change(DirectClient client, int device)
    {
        client.Device = (ushort)device;
        byte[] model = device == 0 ? _firstModel : _secondModel;
        int sectors = model.Length / Sector;
        if (_random.Chance(10))
        {
            int first = _random.Below(sectors);
            int count = 1 + _random.Below(Math.Min(600, sectors - first));
            RequestKind kind = _random.Chance(50) ? RequestKind.Discard : RequestKind.WriteZeroes;
            Assert.Equal(0, client.Run(kind, first * (long)Sector, count * (long)Sector));
            Array.Clear(model, first * Sector, count * Sector);
            return;
        }
        int start = _random.Below(sectors);
        int length = 1 + _random.Below(Math.Min(_random.Chance(30) ? 64 : 8, sectors - start));
        byte[] data = new byte[length * Sector];
        for (int i = 0; i < data.Length; i += 8) BitConverter.TryWriteBytes(data.AsSpan(i), _random.Next());
        client.Write(start * (long)Sector, data);
        data.CopyTo(model, start * Sector);
    }

    private static void Verify(DirectClient client, int device, byte[] model)
    {
        client.Device = (ushort)device;
        for (int at = 0; at < model.Length; at += 64 << 10)
        {
            int length = Math.Min(64 << 10, model.Length - at);
            Assert.True(client.Read(at, length).AsSpan().SequenceEqual(model.AsSpan(at, length)), $"{device} at {at}");
        }
    }

    private static byte[] Content(RamDevice device)
    {
        using RingContext io = new();
        BlockingIo blocking = new(io);
        byte[] content = new byte[device.SizeBytes];
        fixed (byte* target = content)
            blocking.Start(device.OpenQueue(io), IoKind.Read, 0, target, content.Length);
        Assert.Equal(0, blocking.Wait());
        return content;
    }
}
