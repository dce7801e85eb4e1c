using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Devices that have become larger.</summary>
public sealed unsafe class GrowthTests
{
    private const int SegmentBytes = 128 << 10;
    private const long Small = (1 << 20) + (8 * SegmentBytes), Large = Small + (5 * SegmentBytes);
    private readonly List<string> _log = [];

    /// <summary>The number of segments changes when the log holds nothing, and only then; nothing is lost.</summary>
    [Fact]
    public void AnEmptyCacheTakesTheRoomItHasGained()
    {
        using RamDevice backing = new(2 << 20), small = new(Small), large = new(Large);
        using (RingContext io = new()) WriteboostFormat.Format(io, small, Layout.Native, SegmentBytes, Guid.NewGuid);
        using (DirectClient client = new(small, backing, Options()))
        {
            for (int i = 0; i < 300; i++) client.Write(i * 4096L, Filled(i));
            client.Stop();
        }
        Copy(small, large);
        using (DirectClient client = new(large, backing, Options()))
        {
            Assert.Equal(8, client.Volume.Geometry.SegmentCount);
            Assert.Contains(_log, line => line.Contains("room for 5 segments more", StringComparison.Ordinal)
                && line.Contains("weir message grow", StringComparison.Ordinal));
            client.DrainAll();
            client.Stop();
        }
        for (int life = 0; life < 3; life++)
        {
            // The first of these lives ends without a stop: the new number of segments is durable already.
            using DirectClient client = new(large, backing, Options());
            Assert.Equal(13, client.Volume.Geometry.SegmentCount);
            for (int i = 0; i < 300; i++) Assert.Equal(Filled(i + life), client.Read(i * 4096L, 4096));
            for (int i = 0; i < 300; i++) client.Write(i * 4096L, Filled(i + life + 1));
            client.Flush();
            if (life > 0) client.Stop();
        }
    }

    [Fact]
    public void ABackingFileThatHasGrownIsLargerWhenItIsAsked()
    {
        using TestFolder folder = new();
        string path = Path.Combine(folder.Path, "backing");
        File.WriteAllBytes(path, new byte[(1 << 20) + 512]);
        using RamDevice cache = new(Small);
        using FileDevice backing = FileDevice.Open(path);
        using (RingContext io = new()) WriteboostFormat.Format(io, cache, Layout.Native, SegmentBytes, Guid.NewGuid);
        using DirectClient client = new(cache, backing, Options());
        VolumeCommand grow = VolumeCommand.Find(WriteboostCommands.Of(client.Volume), "grow");
        grow.Begin!();
        Assert.StartsWith($"disk {(1 << 20) + 512} unchanged\n", grow.Answer!(), StringComparison.Ordinal);
        client.Write(1 << 20, new byte[512]);
        using (FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(3 << 20);
        grow.Begin();
        Assert.StartsWith($"disk {3 << 20} grown\n", grow.Answer(), StringComparison.Ordinal);
        Assert.Equal(3 << 20, client.Volume.SizeBytes);
        client.Write((3 << 20) - 4096, Filled(7));
        client.Write((1 << 20) + 1024, new ReadOnlySpan<byte>(Filled(8))[..512]);
        client.DrainAll();
        client.Stop();
        byte[] content = File.ReadAllBytes(path);
        Assert.Equal(7, content[^1]);
        Assert.Equal((0, 8), (content[(1 << 20) + 1023], content[(1 << 20) + 1024]));
    }

    /// <summary>No segment in use moves, and none of the next ones lies where one in use does.</summary>
    [Fact]
    public void SegmentsInOnePieceStayWhereTheyAreWhenThereAreMore()
    {
        int grown = 0;
        for (int count = 4; count < 9; count++)
            for (int shift = 0; shift < count; shift++)
                for (long tail = 1; tail < 3 * count; tail++)
                    for (long head = tail - 1; head < tail + count; head++)
                        for (int larger = count + 1; larger < 14; larger++)
                        {
                            Geometry before = new(SegmentBytes, count, shift);
                            if (!before.IsUnwrapped(tail, head)) continue;
                            Geometry after = before.Grown(larger, head);
                            HashSet<int> places = [];
                            for (long s = tail; s < tail + larger; s++)
                            {
                                if (s <= head) Assert.Equal(before.Physical(s), after.Physical(s));
                                Assert.True(places.Add(after.Physical(s)));
                                Assert.InRange(after.Physical(s), 0, larger - 1);
                            }
                            Geometry copy = before;
                            before.Adopt(after);
                            Assert.Equal((larger, after.PlacementOffset), (copy.SegmentCount, copy.PlacementOffset));
                            grown++;
                        }
        Assert.True(grown > 10_000);
    }

    /// <summary>It grows under its writers, wrapped log or not, several times; after crashes all is there.</summary>
    [Fact]
    public void ACacheGrowsWhileItIsServed()
    {
        using RamDevice backing = new(2 << 20), memory = new(Small + (60 * SegmentBytes));
        using GrowingDevice cache = new(memory, Small);
        using (RingContext io = new()) WriteboostFormat.Format(io, cache, Layout.Native, SegmentBytes, Guid.NewGuid);
        int segments = 8, wrapped = 0;
        for (int life = 0; life < 12; life++)
        {
            using DirectClient client = new(new KeptDevice(cache), new KeptDevice(backing), Options());
            if (life > 0) CheckAll(client, life - 1);
            for (int i = 0; i < 300; i++)
            {
                client.Write(i * 4096L, Filled(i + life));
                if (i != 20 + (23 * life)) continue;
                cache.Room += SegmentBytes * (1 + (life % 3));
                wrapped += IsWrapped(client.Volume) ? 1 : 0;
                client.Volume.Grow();
                Assert.True(client.Volume.IsGrowing);
                client.Write(0, Filled(life));
                client.Until(() => !client.Volume.IsGrowing);
                segments += 1 + (life % 3);
                Assert.Equal(segments, client.Volume.Geometry.SegmentCount);
            }
            client.Flush();
            CheckAll(client, life);
            if (life % 4 == 3) client.Stop();
        }
        Assert.InRange(wrapped, 2, 11);
        Assert.Contains(_log, line => line.EndsWith("has grown to 9 segments", StringComparison.Ordinal));
    }

    /// <summary>Without the write-back of what lies before the wrap, a start finds the log in pieces.</summary>
    [Fact]
    public void ALogInTwoPiecesThatGrewAllTheSameWouldBeLost()
    {
        Mutant.Active = WriteboostMutant.R12GrownWrapped;
        try
        {
            Assert.ThrowsAny<Exception>(ACacheGrowsWhileItIsServed);
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    /// <summary>Only what the log alone holds keeps a backing device from becoming smaller.</summary>
    [Fact]
    public void ABackingDeviceMayShrinkWhereNothingDirtyLies()
    {
        using RamDevice memory = new(4 << 20), cache = new(Small);
        using (RingContext io = new()) WriteboostFormat.Format(io, cache, Layout.Native, SegmentBytes, Guid.NewGuid);
        DirectClient Open(long sizeBytes)
        {
            WriteboostOptions options = Options();
            (options.ReadCacheThreshold, options.AllowWriteback) = (8, false);
            return new DirectClient(new KeptDevice(cache), new GrowingDevice(memory, sizeBytes), options);
        }
        using (DirectClient client = Open(4 << 20))
        {
            Assert.Equal(Filled(0), client.Read(3 << 20, 4096));
            client.Write(0, Filled(1));
            client.Stop();
        }
        using (DirectClient client = Open(2 << 20)) client.Stop();
        // What was cached beyond is forgotten: the device has come back with something else there.
        new Span<byte>(memory.Start + (3 << 20), 4096).Fill(9);
        using (DirectClient client = Open(4 << 20))
        {
            Assert.Equal(Filled(9), client.Read(3 << 20, 4096));
            client.Write((3 << 20) + 512, new byte[512]);
            client.Stop();
        }
        Assert.Contains("1 dirty blocks", Assert.Throws<UserErrorException>(() => Open((3 << 20) + 512)).Message);
        using (DirectClient client = Open((3 << 20) + 1024)) client.Stop();
        using (DirectClient client = Open(4 << 20))
        {
            client.DrainAll();
            Assert.Equal(0, client.Run(RequestKind.Discard, 2 << 20, 8192));
            client.Stop();
        }
        Assert.Contains("and 1 discarded", Assert.Throws<UserErrorException>(() => Open((2 << 20) + 4096)).Message);
        using (DirectClient client = Open((2 << 20) + 8192)) Assert.Equal(Filled(1), client.Read(0, 4096));
    }

    /// <summary>One copy of the superblock has the new number, the other one not yet, and power fails.</summary>
    [Fact]
    public void WhatIsFlushedBetweenTheTwoSuperblockCopiesSurvives()
    {
        Assert.Null(FlushBetweenTheCopies(out bool waited));
        Assert.True(waited);
    }

    [Fact]
    public void ASegmentThatIsOpenedBetweenTheCopiesIsMissed()
    {
        Mutant.Active = WriteboostMutant.R12GrownUnplanned;
        try
        {
            Assert.NotNull(FlushBetweenTheCopies(out _));
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    private string? FlushBetweenTheCopies(out bool waited)
    {
        using RamDevice backing = new(2 << 20), memory = new(Large);
        using GrowingDevice growing = new(memory, Small);
        using (RingContext io = new()) WriteboostFormat.Format(io, growing, Layout.Native, SegmentBytes, Guid.NewGuid);
        WriteboostOptions options = Options();
        (options.AllowWriteback, options.SyncIntervalUs) = (false, 0);
        CountingDevice cache = new(new KeptDevice(growing));
        using (DirectClient client = new(cache, new KeptDevice(backing), options))
        {
            // The log stands at the last place, and the first ones are free.
            for (int i = 0; i < 3 * 31; i++) client.Write(i * 4096L, Filled(i));
            client.Volume.DropCaches();
            client.Until(() => !client.Volume.IsDropping);
            long end = client.Volume.Geometry.Position(client.Volume.Geometry.SegmentCount, 0);
            while (client.Volume.Log.ReservedEnd < end) client.Write(0, Filled(1));
            growing.Room = Large;
            (cache.Hold, cache.HoldAt) = (IoKind.Write, Superblock.CopyBOffset);
            client.Volume.Grow();
            client.Until(() => cache.HeldCount == 1);
            client.Begin(RequestKind.Write, 4096, 4096, Filled(2));
            waited = !client.HasEnded(20_000);
            if (waited) cache.Release();
            client.EndAll();
            client.Flush();
        }
        using RamDevice image = new(Large);
        Copy(memory, image);
        try
        {
            using DirectClient client = new(new KeptDevice(image), new KeptDevice(backing), options);
            return client.Read(4096, 4096).AsSpan().SequenceEqual(Filled(2)) ? null : "the block is lost";
        }
        catch (UserErrorException error)
        {
            return error.Message;
        }
    }

    /// <summary>Clean blocks that no longer count never count again, wherever the start that says so is cut.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void WhatADeviceNoLongerHasIsForgottenForGood(bool rebind)
    {
        bool started = false;
        int writes = 0;
        for (; !started; writes++)
        {
            using RamDevice cache = new(Small), memory = new(4 << 20), other = new((4 << 20) + 4096);
            using (RingContext io = new())
                WriteboostFormat.Format(io, cache, Layout.Native, SegmentBytes, Guid.NewGuid);
            using (DirectClient client = Start(new KeptDevice(cache), memory, memory.SizeBytes, false))
            {
                client.Read(3 << 20, 4096);
                client.Stop();
            }
            (RamDevice device, long size) = rebind ? (other, other.SizeBytes) : (memory, 2L << 20);
            new Span<byte>(device.Start + (3 << 20), 4096).Fill(9);
            try
            {
                using DirectClient cut =
                    Start(new CountingDevice(cache) { WritesLeft = writes }, device, size, rebind);
                started = true;
            }
            catch (UserErrorException)
            {
                started = false;
            }
            // A start that was cut may be asked for rebind again, or not.
            using (DirectClient client = Start(new KeptDevice(cache), device, size, rebind && !IsBound(cache, device)))
                client.Stop();
            using DirectClient last = Start(new KeptDevice(cache), device, device.SizeBytes, false);
            Assert.Equal(Filled(9), last.Read(3 << 20, 4096));
        }
        Assert.InRange(writes, 5, 50);
    }

    private bool IsBound(RamDevice cache, RamDevice device)
    {
        try
        {
            WriteboostOptions options = Options();
            options.ReadOnly = true;
            using DirectClient client = new(new KeptDevice(cache), new KeptDevice(device), options);
            return true;
        }
        catch (UserErrorException)
        {
            return false;
        }
    }

    private DirectClient Start(Device cache, RamDevice backing, long sizeBytes, bool rebind)
    {
        WriteboostOptions options = Options();
        (options.ReadCacheThreshold, options.AllowWriteback, options.Rebind) = (8, false, rebind);
        return new DirectClient(cache, new GrowingDevice(backing, sizeBytes), options);
    }

    [Theory]
    [InlineData("writeboost2", false, "their number stays while it is served")]
    [InlineData("native", true, "the volume is served read-only")]
    public void WhatCannotGrowSaysSo(string layout, bool readOnly, string why)
    {
        using RamDevice backing = new(2 << 20), memory = new(8 << 20);
        using GrowingDevice cache = new(memory, 5 << 20);
        using (RingContext io = new())
            WriteboostFormat.Format(io, cache, Layout.Find(layout), 512 << 10, Guid.NewGuid);
        WriteboostOptions options = Options();
        (options.Layout, options.ReadOnly) = (Layout.Find(layout), readOnly);
        using DirectClient client = new(new KeptDevice(cache), new KeptDevice(backing), options);
        client.Volume.Grow();
        cache.Room = 8 << 20;
        UserErrorException error = Assert.Throws<UserErrorException>(() => client.Volume.Grow());
        Assert.EndsWith(why, error.Message, StringComparison.Ordinal);
    }

    private static void CheckAll(DirectClient client, int life)
    {
        for (int i = 0; i < 300; i++) Assert.Equal(Filled(i + life), client.Read(i * 4096L, 4096));
    }

    private static bool IsWrapped(WriteboostVolume volume) =>
        !volume.Geometry.IsUnwrapped(volume.Log.TailSegment, volume.Log.HeadSegment);

    private static void Copy(RamDevice from, RamDevice to) =>
        new ReadOnlySpan<byte>(from.Start, (int)from.SizeBytes).CopyTo(new Span<byte>(to.Start, (int)to.SizeBytes));

    private static byte[] Filled(int value)
    {
        byte[] bytes = new byte[4096];
        Array.Fill(bytes, (byte)value);
        return bytes;
    }

    private WriteboostOptions Options() => new() { RamSegments = 3, Log = _log.Add };
}
