using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Devices that only a place names: what they hold decides which is which (R13).</summary>
public sealed unsafe class IdentityTests : IDisposable
{
    private const int Mib = 1 << 20, Blocks = 2 * Mib / 4096;

    private readonly RamDevice _cache = new(6 * Mib), _a = new(2 * Mib), _b = new(2 * Mib);

    public IdentityTests()
    {
        using RingContext io = new();
        WriteboostFormat.Format(io, _cache, Layout.Native, 128 << 10, Guid.NewGuid);
    }

    public void Dispose()
    {
        _cache.Dispose();
        _a.Dispose();
        _b.Dispose();
    }

    /// <summary>The cache of one was written over the other.</summary>
    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void TwoThatHaveChangedPlacesAreFound(bool hadContent, bool orderly)
    {
        if (hadContent) (byte _, byte _) = (Fill(_a, 1), Fill(_b, 2));
        using (DirectClient client = Open(At("a", _a, 0), At("b", _b, 16)))
        {
            Write(client, 0, 3);
            Write(client, 1, 4);
            // What is on a blank device now tells it from the other.
            client.DrainAll();
            Write(client, 0, 5, block: 9);
            Write(client, 1, 6, block: 9);
            client.Flush();
            if (orderly) client.Stop();
        }
        using (DirectClient client = Open(At("a", _b, 0), At("b", _a, 16)))
        {
            Assert.Equal((3, 5), (Read(client, 0, 7), Read(client, 0, 9)));
            Assert.Equal((4, 6), (Read(client, 1, 7), Read(client, 1, 9)));
            client.DrainAll();
            client.Stop();
        }
        Assert.Equal((3, 5), (_a.Start[7 * 4096], _a.Start[9 * 4096]));
        Assert.Equal((4, 6), (_b.Start[7 * 4096], _b.Start[9 * 4096]));
    }

    [Fact]
    public void OneAtTheOthersPlaceIsRefusedAndNamed()
    {
        using (DirectClient client = OpenFilled()) Stop(client);
        byte[] before = Content(_cache);
        Assert.Contains("give --backing b=", Refused(At("a", _b, 0)), StringComparison.Ordinal);
        Assert.Equal(before, Content(_cache));
    }

    [Fact]
    public void AnotherDeviceAtItsPlaceIsRefusedWhileTheLogHasDataOfIt()
    {
        using RamDevice other = new(2 * Mib);
        Fill(other, 77);
        Fill(_a, 1);
        using (DirectClient client = Open(At("a", _a, 0)))
        {
            Write(client, 0, 3);
            Stop(client);
        }
        byte[] before = Content(_cache);
        string refused = Refused(At("a", other, 0));
        Assert.Contains("does not hold what 'a' held: it is another device", refused, StringComparison.Ordinal);
        Assert.Contains("1 dirty blocks", refused, StringComparison.Ordinal);
        Assert.Contains("--option rebind=1", refused, StringComparison.Ordinal);
        Assert.Equal(before, Content(_cache));
        using (DirectClient client = Open(options => options.Rebind = true, At("a", other, 0)))
        {
            client.DrainAll();
            Stop(client);
        }
        // Now that is the one, and nothing is dirty: another may come.
        using (DirectClient client = Open(At("a", other, 0))) Stop(client);
        using (DirectClient client = Open(At("a", _a, 0))) Stop(client);
    }

    [Fact]
    public void ADeviceThatWasWrittenWithoutItsCacheIsRefused()
    {
        Fill(_a, 1);
        using (DirectClient client = Open(At("a", _a, 0)))
        {
            Write(client, 0, 3);
            Stop(client);
        }
        new Span<byte>(_a.Start, 4096).Fill(99);
        string refused = Refused(At("a", _a, 0));
        Assert.Contains("it was written without its cache", refused, StringComparison.Ordinal);
        new Span<byte>(_a.Start, 4096).Fill(1);
        using DirectClient again = Open(At("a", _a, 0));
        Assert.Equal(3, Read(again, 0, 7));
    }

    /// <summary>It was taken for a new device, and showed old data.</summary>
    [Fact]
    public void OneThatHasMovedIsFoundUnderItsOldNumberWhateverItsName()
    {
        using (DirectClient client = OpenFilled())
        {
            Write(client, 0, 3);
            Stop(client);
        }
        using (DirectClient client = Open(At("a", _a, 77), At("b", _b, 78)))
        {
            Assert.Equal(3, Read(client, 0, 7));
            Stop(client);
        }
        using (DirectClient client = Open(At("weir", _a, 99)))
        {
            Assert.Equal(0, client.Volume.ExportOf("weir").Device);
            Assert.Equal(3, Read(client, 0, 7));
            Stop(client);
        }
    }

    [Fact]
    public void AnUnknownOneIsNotTakenWhileOneOfItsSizeIsMissed()
    {
        using RamDevice other = new(2 * Mib), larger = new(3 * Mib);
        using (DirectClient client = Open(At("a", _a, 0), At("b", _b, 16)))
        {
            Write(client, 1, 4);
            Stop(client);
        }
        byte[] before = Content(_cache);
        string refused = Refused(At("a", _a, 0), At("c", other, 32));
        Assert.Contains("'c' is new to this cache, which holds 1 dirty blocks", refused, StringComparison.Ordinal);
        Assert.Contains("of 'b', a device of the same size that is not given: give b=", refused,
            StringComparison.Ordinal);
        Assert.Equal(before, Content(_cache));
        using (DirectClient client = Open(At("a", _a, 0), At("c", larger, 32))) Stop(client);
        using (DirectClient client = Open(At("a", _a, 0), At("b", _b, 16)))
        {
            client.DrainAll();
            Stop(client);
        }
        // Nothing of it is missed any more.
        using (DirectClient client = Open(At("a", _a, 0), At("d", other, 32))) Stop(client);
    }

    [Fact]
    public void ADrainAddsNoDeviceAndRenamesNone()
    {
        using RamDevice larger = new(3 * Mib);
        using (DirectClient client = OpenFilled())
        {
            Write(client, 0, 3);
            Stop(client);
        }
        byte[] before = Content(_cache);
        void Drains(WriteboostOptions options) => options.AddsDevices = false;
        string refused = Assert.Throws<UserErrorException>(() => Open(Drains, At("weir", larger, 5))).Message;
        Assert.Contains("'weir' is no device of this cache, which knows 'a' (2097152 bytes), 'b'", refused,
            StringComparison.Ordinal);
        Assert.Equal(before, Content(_cache));
        using (DirectClient client = Open(Drains, At("weir", _a, 5)))
        {
            client.DrainAll();
            Stop(client);
        }
        Assert.Equal(3, _a.Start[7 * 4096]);
        using (DirectClient client = Open(At("a", _a, 5))) Stop(client);
    }

    /// <summary>A sample that were not true after a crash would refuse the right device.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WhateverIsWrittenTheRightDeviceIsTaken(bool around)
    {
        Fill(_a, 1);
        Prng random = new(around ? 5UL : 6UL);
        void Set(WriteboostOptions options) => (options.AllowWriteback, options.WriteAround) = (true, around);
        byte[] model = Content(_a);
        for (int life = 0; life < 12; life++)
        {
            using DirectClient client = Open(Set, At("a", _a, 0));
            for (int i = 0; i < 150; i++)
            {
                int block = random.Below(Blocks - 8), count = 1 + random.Below(4);
                RequestKind kind = random.Chance(20) ? RequestKind.Discard : RequestKind.Write;
                byte value = (byte)(kind == RequestKind.Write ? 1 + random.Below(250) : 0);
                model.AsSpan(block * 4096, count * 4096).Fill(value);
                if (kind == RequestKind.Discard) Assert.Equal(0, client.Run(kind, block * 4096L, count * 4096));
                else client.Write(block * 4096L, model.AsSpan(block * 4096, count * 4096));
            }
            client.Flush();
            if (life % 3 == 0) client.DrainAll();
            if (life % 4 == 0) Stop(client);
        }
        using DirectClient last = Open(Set, At("a", _a, 0));
        Assert.Equal(ContentVerdict.Same, last.Volume.Backings.Find("a")!.Content);
        last.DrainAll();
        Stop(last);
        Assert.Equal(model, Content(_a));
    }

    /// <summary>A cache of an older weir keeps none.</summary>
    [Fact]
    public void WithoutSamplesItsPlaceCountsAsBefore()
    {
        using (DirectClient client = OpenFilled())
        {
            Write(client, 0, 3);
            Stop(client);
        }
        using SampleTable table = new(default);
        foreach (long at in new[] { table.OffsetA, table.OffsetB })
            new Span<byte>(_cache.Start + at, TwoCopyTable.TableBytes).Clear();
        Assert.Contains("belongs to another", Refused(At("a", _a, 77)), StringComparison.Ordinal);
        using DirectClient again = Open(At("a", _a, 0), At("b", _b, 16));
        Assert.Equal(3, Read(again, 0, 7));
    }

    [Fact]
    public void AttachLooksAtWhatADeviceHoldsToo()
    {
        using RamDevice other = new(2 * Mib);
        Fill(other, 77);
        using (DirectClient client = OpenFilled())
        {
            Write(client, 1, 4);
            Stop(client);
        }
        using DirectClient later = Open(At("a", _a, 0));
        string refused = Assert.Throws<UserErrorException>(() => Attach(later, At("c", other, 3))).Message;
        Assert.Contains("'c' is new to this cache", refused, StringComparison.Ordinal);
        refused = Assert.Throws<UserErrorException>(() => Attach(later, At("b", other, 16))).Message;
        Assert.Contains("does not hold what 'b' held", refused, StringComparison.Ordinal);
        Assert.Equal(1, Attach(later, At("b", _b, 55)).Device);
        Assert.Equal(4, Read(later, 1, 7));
    }

    private static IVolumeExport Attach(DirectClient client, BackingSpec spec) => client.Await(() =>
    {
        using RingContext io = new();
        return client.Volume.Attach(spec, io);
    });

    private DirectClient OpenFilled()
    {
        Fill(_a, 1);
        Fill(_b, 2);
        return Open(At("a", _a, 0), At("b", _b, 16));
    }

    private string Refused(params BackingSpec[] specs) =>
        Assert.Throws<UserErrorException>(() => Open(specs)).Message;

    private DirectClient Open(params BackingSpec[] specs) => Open(static _ => { }, specs);

    private DirectClient Open(Action<WriteboostOptions> set, params IReadOnlyList<BackingSpec> specs)
    {
        WriteboostOptions options = new() { RamSegments = 4, RangeBudget = 32, AllowWriteback = false };
        set(options);
        return new DirectClient(_cache, specs, options);
    }

    private static void Stop(DirectClient client) => client.Stop();

    private static BackingSpec At(string name, RamDevice device, int place) =>
        new(null, name, new PlacedDevice(device, $"dev:8:{place}"));

    private static byte Fill(RamDevice device, byte value)
    {
        new Span<byte>(device.Start, (int)device.SizeBytes).Fill(value);
        return value;
    }

    /// <summary>Another disk was taken without a word.</summary>
    [Fact]
    public void WhereBothCopiesOfTheSamplesAreDamagedADirtyDeviceWithoutANameIsRefused()
    {
        Fill(_a, 1);
        Fill(_b, 2);
        using (DirectClient client = Open(At("a", _a, 0)))
        {
            Write(client, 0, 5);
            client.Flush();
            client.Stop();
        }
        foreach (long at in new[] { 68L << 10, 580L << 10 }) _cache.Start[at + 500] ^= 1;
        byte[] before = Content(_cache);
        foreach (RamDevice disk in new[] { _b, _a })
        {
            string refused = Refused(At("a", disk, 0));
            Assert.Contains("cannot be known: both copies", refused, StringComparison.Ordinal);
            Assert.Contains("--option rebind=1", refused, StringComparison.Ordinal);
        }
        Assert.Equal(before, Content(_cache));
        using (RingContext io = new())
        {
            CheckItems report = new();
            using OfflineCache cache = new(io, _cache, Layout.Native, *(Superblock*)_cache.Start);
            using Checker checker = new(cache, report);
            Assert.True(checker.Run(new PrivateMemoryStore()) > 0);
            Assert.Contains(report.Texts,
                static text => text.Contains("both copies of the samples", StringComparison.Ordinal));
        }
        using (DirectClient client = Open(options => options.Rebind = true, At("a", _a, 0))) client.Stop();
        using DirectClient mended = Open(At("a", _a, 0));
        Assert.Equal(5, Read(mended, 0, 7));
    }

    private static byte[] Content(RamDevice device) =>
        new Span<byte>(device.Start, (int)device.SizeBytes).ToArray();

    private static void Write(DirectClient client, ushort device, byte value, int block = 7)
    {
        byte[] data = new byte[4096];
        Array.Fill(data, value);
        client.Device = device;
        client.Write(block * 4096L, data);
    }

    private static int Read(DirectClient client, ushort device, int block)
    {
        client.Device = device;
        return client.Read(block * 4096L, 4096)[17];
    }
}
