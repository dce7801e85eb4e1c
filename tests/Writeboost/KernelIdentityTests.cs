using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Which device is which in layouts that keep no samples: the log knows what it has written (R13).</summary>
public sealed unsafe partial class KernelIdentityTests : IDisposable
{
    private const int Mib = 1 << 20, Segments = 6;

    private readonly RamDevice _a = new(4 * Mib), _b = new(5 * Mib);
    private readonly List<string> _log = [];
    private RamDevice? _cache;

    public static TheoryData<string> Layouts => ["writeboost2", "writeboost1", "lc1"];

    public void Dispose()
    {
        _cache?.Dispose();
        _a.Dispose();
        _b.Dispose();
    }

    /// <summary>The cache of one was written over the other.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void AnotherDiskIsRefusedAndTheRightOneIsNot(string layout)
    {
        Load(new KernelImage(layout, Segments));
        using (DirectClient client = Open(layout, _a))
        {
            client.Write(0, Filled(1, 20 * 4096));
            client.Flush();
            client.DrainAll();
            client.Write(40 * 4096, Filled(2, 4096));
            client.Flush();
            client.Stop();
        }
        byte[] before = Bytes(_cache!), disk = Bytes(_b);
        string refused = Refused(() => Open(layout, _b));
        Assert.Contains("has none of 16 blocks", refused, StringComparison.Ordinal);
        Assert.Contains("--option rebind=1", refused, StringComparison.Ordinal);
        Assert.Equal(before, Bytes(_cache!));
        Assert.Equal(disk, Bytes(_b));
        _log.Clear();
        using (DirectClient client = Open(layout, _a)) Assert.Equal(Filled(2, 4096), client.Read(40 * 4096, 4096));
        Assert.DoesNotContain(_log, static line => line.Contains("differ") || line.Contains("be known"));
        using DirectClient bound = Open(layout, _b, rebind: true);
        Assert.Equal(Filled(2, 4096), bound.Read(40 * 4096, 4096));
    }

    /// <summary>The same with a cache that the kernel has left, with its own mark.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void TheKernelsLogIsAskedToo(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 2 };
        image.Put(1, Block(8, 0xFF, 1));
        image.Put(2, Block(16, 0xFF, 2), Block(24, 0x0F, 3));
        image.Put(3, Block(80, 0xFF, 4));
        Load(image);
        Fill(_a, 8, 1, 4096);
        Fill(_a, 16, 2, 4096);
        Fill(_a, 24, 3, 2048);
        Assert.Contains("has none of", Refused(() => Open(layout, _b)), StringComparison.Ordinal);
        using DirectClient client = Open(layout, _a);
        Assert.Equal(Filled(4, 4096), client.Read(80 * 512, 4096));
    }

    /// <summary>Only of the newest record that names it is a block known, whatever that says.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void WhatANewerRecordNamesIsNotCompared(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 3 };
        // Written again and written back; written back without the log; written again; and the only one that counts.
        image.Put(2, Block(8, 0xFF, 1), Block(16, 0xFF, 1), Block(24, 0xFF, 1), Block(32, 0xFF, 5));
        image.Put(3, Block(8, 0xFF, 2), Block(16, 0, 7));
        image.Put(4, Block(24, 0xFF, 3));
        Load(image);
        Fill(_a, 8, 2, 4096);
        Fill(_a, 16, 7, 4096);
        Fill(_a, 24, 9, 4096);
        Fill(_a, 32, 5, 4096);
        using DirectClient client = Open(layout, _a);
        Assert.Equal(Filled(3, 4096), client.Read(24 * 512, 4096));
        Assert.DoesNotContain(_log, static line => line.Contains("differ") || line.Contains("be known"));
    }

    /// <summary>Inside a record too.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void OfTwoVersionsInOneRecordTheLaterCounts(string layout)
    {
        KernelImage image = new(layout, Segments) { Mark = 2 };
        image.Put(2, Block(8, 0xFF, 1), Block(8, 0xFF, 2), Block(8, 0x0F, 3));
        image.Put(3, Block(80, 0xFF, 4));
        Load(image);
        Fill(_a, 8, 3, 2048);
        Fill(_a, 12, 9, 2048);
        using DirectClient client = Open(layout, _a);
        Assert.Equal(Filled(4, 4096), client.Read(80 * 512, 4096));
        Assert.DoesNotContain(_log, static line => line.Contains("differ") || line.Contains("be known"));
    }

    /// <summary>Whoever has said once that it is the right one need not say so again.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ADiskThatWasTakenAllTheSameIsTakenFromThenOn(string layout)
    {
        Load(new KernelImage(layout, Segments));
        LeaveDirty(layout, _a, flushes: 1);
        Assert.Contains("has none of 16 blocks", Refused(() => Open(layout, _b)), StringComparison.Ordinal);
        using (DirectClient client = Open(layout, _b, rebind: true)) client.Stop();
        using (DirectClient client = Open(layout, _b))
            Assert.Equal(Filled(2, 4096), client.Read(40 * 4096, 4096));
        // And now the first one is another.
        Assert.Contains("another device", Refused(() => Open(layout, _a)), StringComparison.Ordinal);
    }

    /// <summary>What the log has of the one before says nothing about one that came while nothing was dirty.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ADiskThatWasExchangedWhileNothingWasDirtyIsNotRefusedLater(string layout)
    {
        Load(new KernelImage(layout, Segments));
        using (DirectClient client = Open(layout, _a))
        {
            client.Write(0, Filled(1, 20 * 4096));
            client.Flush();
            client.DrainAll();
            client.Stop();
        }
        using (DirectClient client = Open(layout, _b))
        {
            client.Write(40 * 4096, Filled(2, 4096));
            client.Flush();
            client.Stop();
        }
        using (DirectClient client = Open(layout, _b))
            Assert.Equal(Filled(2, 4096), client.Read(40 * 4096, 4096));
        Assert.Contains("another device", Refused(() => Open(layout, _a)), StringComparison.Ordinal);
    }

    // Twenty blocks written back, then one dirty one in each of some segments.
    private void LeaveDirty(string layout, RamDevice disk, int flushes, SimRamStore? killed = null)
    {
        using DirectClient client = Open(layout, disk, killed);
        client.Write(0, Filled(1, 20 * 4096));
        client.Flush();
        client.DrainAll();
        for (int i = 0; i < flushes; i++)
        {
            client.Write((40 + i) * 4096, Filled(2, 4096));
            client.Flush();
        }
        if (killed == null) client.Stop();
    }

    private KernelImage TwoDisks()
    {
        KernelImage image = new("lc1", Segments) { Mark = 2 };
        KernelBlock[] first = [Block(8, 0xFF, 11), Block(16, 0xFF, 12)];
        KernelBlock[] second = [Block(8, 0xFF, 21) with { Device = 2 }, Block(16, 0xFF, 22) with { Device = 2 }];
        // What is behind the mark is nobody's to refuse.
        KernelBlock nobodys = Block(24, 0xFF, 9);
        image.Put(2, [.. first, .. second, nobodys with { Device = 255 }, nobodys with { Device = 0 }]);
        image.Put(3, Block(80, 0xFF, 31), Block(80, 0xFF, 32) with { Device = 2 });
        foreach ((RamDevice disk, KernelBlock[] blocks) in new[] { (_a, first), (_b, second) })
            foreach (KernelBlock block in blocks) Fill(disk, (int)block.Sector, block.Data[0], 4096);
        return image;
    }

    private static int Attach(DirectClient client, BackingSpec spec) => client.Await(() =>
    {
        using RingContext io = new();
        return client.Volume.Attach(spec with { Device = new KeptDevice(spec.Device) }, io).Device;
    });

    private void Load(KernelImage image)
    {
        _cache?.Dispose();
        _cache = new RamDevice(image.Bytes.Length);
        image.Bytes.CopyTo(new Span<byte>(_cache.Start, image.Bytes.Length));
    }

    private static BackingSpec Given(int id, string name, Device device) => new(id, name, device);

    private DirectClient Open(string layout, Device disk, bool rebind = false) =>
        new(_cache!, disk, Options(layout, rebind));

    private DirectClient Open(string layout, Device disk, SimRamStore? store) =>
        new(_cache!, disk, Options(layout, false), store);

    private DirectClient Open(string layout, params BackingSpec[] disks) =>
        new(_cache!, disks, Options(layout, false));

    private DirectClient OpenPlaced(string layout, Device disk) =>
        new(_cache!, new PlacedDevice(disk, "dev:8:16"), Options(layout, false));

    private WriteboostOptions Options(string layout, bool rebind) => new()
    {
        Layout = Layout.Find(layout), AllowWriteback = false, Rebind = rebind, Log = _log.Add,
    };

    private static string Refused(Action action) => Assert.Throws<UserErrorException>(action).Message;

    private static byte[] Bytes(RamDevice device) => new Span<byte>(device.Start, (int)device.SizeBytes).ToArray();

    private static void Fill(RamDevice device, int sector, byte value, int lengthBytes) =>
        new Span<byte>(device.Start + (sector * 512L), lengthBytes).Fill(value);

    private static KernelBlock Block(ulong sector, byte dirtyBits, byte value) =>
        new(sector, dirtyBits, Filled(value, 4096));

    private static byte[] Filled(byte value, int lengthBytes) => [.. Enumerable.Repeat(value, lengthBytes)];

    private sealed class OpenedDevice(Device inner) : WrappedDevice(inner)
    {
        public int Opened { get; private set; }

        public override DeviceQueue OpenQueue(IoContext io)
        {
            Opened++;
            return base.OpenQueue(io);
        }
    }
}
