using System;
using System.Threading;
using System.Threading.Tasks;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Devices that come and go while the volume is served (R13).</summary>
public sealed unsafe class AttachTests : IDisposable
{
    private readonly RamDevice _cache = new(6 << 20), _first = new(2 << 20), _second = new(3 << 20);
    private readonly RamDevice _third = new(4 << 20);
    private const int PatienceMs = 60_000;

    public AttachTests()
    {
        using RingContext io = new();
        WriteboostFormat.Format(io, _cache, Layout.Native, 128 << 10, Guid.NewGuid);
    }

    public void Dispose()
    {
        _cache.Dispose();
        _first.Dispose();
        _second.Dispose();
        _third.Dispose();
    }

    [Fact]
    public void ADeviceComesAndGoesAndItsNumberServesAnother()
    {
        using DirectClient client = Open(Kept("a", _first));
        ushort device = Attach(client, Kept("b", _second));
        Assert.Equal(1, device);
        client.Device = device;
        client.Write(8192, Block(7));
        Assert.Equal(0, client.Run(RequestKind.Discard, 1 << 20, 1 << 20));
        Assert.Equal(Block(7), client.Read(8192, 4096));
        Detach(client, "b");
        Assert.Equal(Block(7), Content(_second, 8192));
        Assert.Equal(-108, client.Run(RequestKind.Read, 0, 4096));
        Assert.Equal(-108, client.Run(RequestKind.Flush, 0, 0));
        // The same number, another device: nothing of the first one shows.
        Assert.Equal(1, Attach(client, Kept("c", _third)));
        Assert.Equal(new byte[4096], client.Read(8192, 4096));
        client.Write(4096, Block(9));
        client.Stop();
        using DirectClient again = Open(Kept("a", _first), Kept("c", _third, 2));
        again.Device = 1;
        Assert.Equal(new byte[4096], again.Read(8192, 4096));
        Assert.Equal(Block(9), again.Read(4096, 4096));
    }

    [Fact]
    public void AnAbsentDeviceIsAttachedAgain()
    {
        using (DirectClient client = Open(Kept("a", _first), Kept("b", _second)))
        {
            client.Device = 1;
            client.Write(8192, Block(7));
            client.Stop();
        }
        using DirectClient later = Open(Kept("a", _first));
        later.Device = 1;
        Assert.Equal(-108, later.Run(RequestKind.Read, 8192, 4096));
        Assert.Contains("attach it first", Refused(() => Detach(later, "b")));
        Assert.Contains("belongs to another", Refused(() => Attach(later, Kept("b", _third))));
        Assert.Equal(1, Attach(later, Kept("b", _second)));
        Assert.Equal(Block(7), later.Read(8192, 4096));
        later.DrainAll();
        Assert.Equal(Block(7), Content(_second, 8192));
    }

    [Fact]
    public void ADetachThatIsCalledOffLeavesTheDeviceServing()
    {
        using DirectClient client = Open(Kept("a", _first), Kept("b", _second));
        client.Device = 1;
        client.Write(8192, Block(7));
        string error = Refused(() => CallOff(client, "b"));
        Assert.Contains("stays attached", error);
        Assert.Equal(Block(7), client.Read(8192, 4096));
        Detach(client, "b");
        Assert.Contains("no such device", Refused(() => Detach(client, "b")));
        Assert.Contains("only device", Refused(() => Detach(client, "a")));
    }

    /// <summary>A device whose last word only the cache has, and has lost, is not let go without a word.</summary>
    [Fact]
    public void ADeviceWithLostBlocksStaysUntilTheyAreGivenUp()
    {
        using (DirectClient client = Open(Kept("a", _first), Kept("b", _second)))
        {
            LoseABlock(client);
            string said = Refused(() => Detach(client, "b"));
            Assert.StartsWith("'b': stays attached: 1 block lost", said, StringComparison.Ordinal);
            Assert.Contains("b:8192+4096;", said);
            Assert.Contains("weir message give_up", said);
            Assert.Equal(-5, client.Run(RequestKind.Read, 8192, 4096));
            Assert.Equal(Block(8), client.Read(12288, 4096));
            string given = "";
            Wait(client, () => given = client.Volume.GiveUp("b:8192+4096", new Patient()));
            Assert.Equal("gave up 1 block, read from the backing device from now on: b:8192+4096\n", given);
            Assert.Equal(new byte[4096], client.Read(8192, 4096));
            Detach(client, "b");
            Assert.Equal(1, Attach(client, Kept("c", _third)));
            Assert.Equal(new byte[4096], client.Read(8192, 4096));
            client.Stop();
        }
        using DirectClient again = Open(Kept("a", _first), Kept("c", _third, 2));
        again.Device = 1;
        Assert.Equal(new byte[4096], again.Read(8192, 4096));
        Assert.Equal(0, again.Volume.LostBlockCount);
    }

    /// <summary>Overwritten is as good as given up.</summary>
    [Fact]
    public void ADeviceWhoseLostBlocksAreOverwrittenMayGo()
    {
        using DirectClient client = Open(Kept("a", _first), Kept("b", _second));
        LoseABlock(client);
        Assert.Contains("b:8192+4096", Refused(() => Detach(client, "b")));
        client.Write(8192, Block(5));
        Detach(client, "b");
        Assert.Equal(Block(5), Content(_second, 8192));
    }

    /// <summary>What the log still names of a device that has gone is not the next one's.</summary>
    [Theory]
    [InlineData(WriteboostMutant.None, 0)]
    [InlineData(WriteboostMutant.R13NumberInherits, -5)]
    public void ANumberThatIsGivenAgainInheritsNothing(WriteboostMutant mutant, int result)
    {
        try
        {
            using (DirectClient client = Open(Kept("a", _first), Kept("b", _second)))
            {
                LoseABlock(client);
                Refused(() => Detach(client, "b"));
                // As an older weir did it.
                Mutant.Active = WriteboostMutant.R13IdReusedEarly;
                Detach(client, "b");
                Mutant.Active = mutant;
                Assert.Equal(1, Attach(client, Kept("c", _third)));
                client.Stop();
            }
            using DirectClient again = Open(Kept("a", _first), Kept("c", _third, 2));
            again.Device = 1;
            Assert.Equal(result, again.Run(RequestKind.Read, 8192, 4096));
            if (mutant != WriteboostMutant.None) return;
            Assert.Equal(0, again.Volume.LostBlockCount);
            again.Write(8192, Block(6));
            again.DrainAll();
            Assert.Equal(Block(6), Content(_third, 8192));
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    /// <summary>Nor is it the next one's when it comes at a start.</summary>
    [Fact]
    public void ANumberThatIsGivenAgainAtAStartInheritsNothing()
    {
        using (DirectClient client = Open(Kept("a", _first), Kept("b", _second)))
        {
            LoseABlock(client);
            Refused(() => Detach(client, "b"));
            Mutant.Active = WriteboostMutant.R13IdReusedEarly;
            Detach(client, "b");
            Mutant.Active = null;
            client.Stop();
        }
        for (int i = 0; i < 2; i++)
        {
            using DirectClient again = Open(Kept("a", _first), Kept("c", _third));
            again.Device = 1;
            Assert.Equal(i == 0 ? new byte[4096] : Block(6), again.Read(8192, 4096));
            Assert.Equal(0, again.Volume.LostBlockCount);
            again.Write(8192, Block(6));
            again.Stop();
        }
    }

    /// <summary>A table that was lost: what the log holds waits for its device, however many starts later.</summary>
    [Fact]
    public void WhatTheLogHoldsOutlivesTheTable()
    {
        using (DirectClient client = Open(Kept("a", _first), Kept("b", _second)))
        {
            client.Device = 1;
            client.Write(8192, Block(7));
            client.Stop();
        }
        LoseTheTable();
        for (int i = 0; i < 2; i++)
        {
            using DirectClient without = Open(Kept("a", _first, 1));
            StatusFigures figures = new(without.Volume);
            Assert.Equal(1, figures["dirty_blocks_absent"]);
            without.Stop();
        }
        using DirectClient again = Open(Kept("a", _first), Kept("b", _second, 2));
        again.Device = 1;
        Assert.Equal(Block(7), again.Read(8192, 4096));
        again.DrainAll();
        Assert.Equal(Block(7), Content(_second, 8192));
    }

    /// <summary>No entry of theirs can say that a block is lost: write-back waits at it, and names it.</summary>
    [Theory]
    [InlineData("writeboost2")]
    [InlineData("writeboost1")]
    [InlineData("lc1")]
    public void ALayoutOfTheKernelNamesWhatItCannotSave(string name)
    {
        Layout layout = Layout.Find(name);
        using (RingContext io = new())
            WriteboostFormat.Format(io, _cache, layout, layout.DefaultSegmentBytes, Guid.NewGuid);
        WriteboostOptions options = new() { Layout = layout, RamSegments = 2, VerifyReads = true };
        using DirectClient client = new(_cache, [Kept("a", _first, 1)], options);
        Rot(client);
        client.Volume.Drain();
        client.Until(() => client.Volume.Health.State != VolumeState.Healthy);
        Assert.Equal(VolumeState.Retrying, client.Volume.Health.State);
        Assert.EndsWith(": a:8192+4096", client.Volume.LostSentence, StringComparison.Ordinal);
        Assert.Contains("a:8192+4096", client.Await(() => client.Volume.GiveUp("all", new Patient())));
        client.Until(() => client.Volume.Health.State == VolumeState.Healthy);
    }

    private void LoseTheTable()
    {
        using RingContext io = new();
        BlockingIo blocking = new(io);
        Superblock superblock = *(Superblock*)_cache.Start;
        using DeviceTable empty = new(superblock.CacheId);
        using TableWriter writer = new(_cache.OpenQueue(io), io);
        writer.Begin(empty);
        while (writer.IsBusy) blocking.Turn();
        Assert.Equal(0, writer.Result);
    }

    /// <summary>Nobody turns the queue any more, and nobody waits for it.</summary>
    [Fact]
    public void AnOrderToAVolumeThatHasStoppedIsRefused()
    {
        using DirectClient client = Open(Kept("a", _first));
        client.Stop();
        BackingSpec second = Kept("b", _second);
        Assert.Contains("the volume stops", Refused(() => client.Volume.Attach(second)));
        Assert.Contains("the volume stops", Refused(() => client.Volume.Detach("a", static () => true)));
    }

    // Of device 1: 8192 rots after it was flushed, 12288 is sound.
    private void LoseABlock(DirectClient client)
    {
        client.Device = 1;
        Rot(client);
    }

    private void Rot(DirectClient client)
    {
        client.Write(8192, Block(7));
        client.Write(12288, Block(8));
        client.Flush();
        Span<byte> cache = new(_cache.Start, 6 << 20);
        int at = cache.IndexOf(Block(7));
        Assert.True(at >= 1 << 20, "the block is not on the cache device");
        cache[at + 100] ^= 8;
    }

    [Fact]
    public void WhatCannotBeAttachedIsRefusedAndChangesNothing()
    {
        using DirectClient client = Open(Kept("a", _first));
        Assert.Contains("two backing", Refused(() => Attach(client, Kept("a", _second))));
        Assert.Contains("both be device 1", Refused(() => Attach(client, Kept("b", _second, 1))));
        Assert.Contains("given twice", Refused(() => Attach(client, Kept("b", _first))));
        client.Write(0, Block(1));
        Assert.Equal(Block(1), client.Read(0, 4096));
    }

    [Fact]
    public void NoBatchBeginsBeforeTheDeviceThatComesIsThere()
    {
        using (DirectClient client = Open(Kept("a", _first), Kept("b", _second)))
        {
            client.Device = 1;
            client.Write(8192, Block(7));
            client.Device = 0;
            for (int i = 0; i < 80; i++) client.Write(i * 4096, Block(3));
            client.Stop();
        }
        CountingDevice cache = new(_cache);
        using DirectClient later = new(cache, [Kept("a", _first)], Options());
        Task<IVolumeExport> attach = Task.Run(() => later.Volume.Attach(Kept("b", _second)));
        // The device table is held back on its way.
        cache.Hold = IoKind.Write;
        later.Until(() => cache.HeldCount > 0);
        cache.Clear();
        later.Volume.Drain();
        for (int i = 0; i < 200; i++) later.Turn();
        Assert.Equal(0, cache.Reads);
        cache.Release();
        later.Until(() => attach.IsCompleted);
        Assert.Equal(1, NumberOf(attach));
        later.DrainAll();
        Assert.Equal(Block(7), Content(_second, 8192));
        Assert.Equal(Block(3), Content(_first, 4096));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void TheTableIsWrittenAgainAfterAFailedFlush(int good)
    {
        ForgetfulDevice cache = new(_cache);
        using DirectClient client = new(cache, [Kept("a", _first)], Options());
        Task<IVolumeExport> attach = Task.Run(() => client.Volume.Attach(Kept("b", _second)));
        client.Write(0, Block(3));
        // The first copy's flush, or the second's.
        client.Until(() => Copy(good).Contains('b') || attach.IsCompleted);
        cache.FlushesToFail = 1;
        client.Until(() => attach.IsCompleted);
        Assert.Equal(1, NumberOf(attach));
        Assert.Equal(0, cache.FlushesToFail);
        Assert.Equal("b", Copy(0));
        Assert.Equal("b", Copy(1));
        Assert.Equal(VolumeState.Healthy, client.Volume.Health.State);
    }

    [Fact]
    public void ALayoutWithoutADeviceTableAttachesToo()
    {
        using (RingContext io = new())
            WriteboostFormat.Format(io, _cache, Layout.Find("lc1"), 1 << 20, Guid.NewGuid);
        WriteboostOptions options = new() { Layout = Layout.Find("lc1"), RamSegments = 2 };
        using DirectClient client = new(_cache, [Kept("a", _first, 1)], options);
        Assert.Equal(1, Attach(client, Kept("b", _second, 2)));
        client.Device = 1;
        client.Write(8192, Block(7));
        Detach(client, "b");
        Assert.Equal(Block(7), Content(_second, 8192));
        Assert.Equal(1, Attach(client, Kept("c", _third)));
        Assert.Equal(new byte[4096], client.Read(8192, 4096));
    }

    [Fact]
    public void AnAbsentDeviceWithRangesOnlyStaysKnown()
    {
        using (DirectClient client = Open(Kept("a", _first), Kept("b", _second)))
        {
            client.Device = 1;
            Assert.Equal(0, client.Run(RequestKind.Discard, 1 << 20, 1 << 20));
            client.Stop();
        }
        using DirectClient later = Open(Kept("a", _first));
        Assert.Contains("1 discarded or zeroed ranges of it: attach it first", Refused(() => Detach(later, "b")));
    }

    [Fact]
    public void ADetachThatIsCalledOffEndsNobodyElsesDrain()
    {
        CountingDevice second = new(_second);
        using DirectClient client = Open(Kept("a", _first), new BackingSpec(null, "b", second));
        client.Device = 1;
        client.Write(8192, Block(7));
        second.Hold = IoKind.Write;
        client.Volume.DropCaches();
        client.Until(() => second.HeldCount > 0);
        Refused(() => CallOff(client, "b"));
        Assert.True(client.Volume.IsDropping);
        Assert.True(client.Volume.IsDraining);
        second.Release();
        client.Until(() => !client.Volume.IsDropping);
        Assert.Equal(Block(7), Content(_second, 8192));
    }

    /// <summary>The order of the log has a detach wait for all devices: not for one that refuses.</summary>
    [Fact]
    public void ADetachEndsWhenSomeDeviceRefusesWhatIsWrittenBack()
    {
        CountingDevice full = new(new KeptDevice(_first));
        using DirectClient client = Open(new BackingSpec(null, "a", full), Kept("b", _second));
        full.RefusesWith = -28;
        client.Write(0, Block(1));
        UserErrorException error = Assert.Throws<UserErrorException>(() => Detach(client, "b"));
        Assert.Contains("stays attached", error.Message);
        Assert.Contains("No space left on device", error.Message);
        full.RefusesWith = 0;
        client.Volume.Resume();
        Detach(client, "b");
        Assert.Equal(Block(1), Content(_first, 0));
        client.Stop();
    }

    private static BackingSpec Kept(string name, RamDevice device, int? id = null) =>
        new(id, name, new KeptDevice(device));

    private DirectClient Open(params BackingSpec[] specs) =>
        new(_cache, specs, Options());

    private static WriteboostOptions Options() => new() { RamSegments = 4, RangeBudget = 32 };

    private static ushort Attach(DirectClient client, BackingSpec spec)
    {
        ushort device = 0;
        Wait(client, () => device = client.Volume.Attach(spec).Device);
        return device;
    }

    private static ushort NumberOf(Task<IVolumeExport> attached) => attached.GetAwaiter().GetResult().Device;

    private static void Detach(DirectClient client, string name) =>
        Wait(client, () => client.Volume.Detach(name, static () => false));

    // Served only when the order knows that it is not wanted: whoever is asked again has taken the first answer.
    private static void CallOff(DirectClient client, string name)
    {
        using CountdownEvent asked = new(2);
        bool IsCancelled() => asked.IsSet || asked.Signal() || true;
        Wait(client, () => client.Volume.Detach(name, IsCancelled), () => Assert.True(asked.Wait(PatienceMs)));
    }

    // The order waits on a thread of its own while this one serves, from when it may.
    private static void Wait(DirectClient client, Action order, Action? mayServe = null)
    {
        Task task = Task.Run(order);
        mayServe?.Invoke();
        // Turns cost nothing: only time tells that the other thread hangs and is not merely off the processor.
        for (long end = Environment.TickCount64 + PatienceMs; !task.IsCompleted; client.Turn())
            Assert.True(Environment.TickCount64 < end, "the order hangs");
        task.GetAwaiter().GetResult();
    }

    // The second device's name in a copy of the table.
    private string Copy(int copy)
    {
        using DeviceTable table = new(default);
        table.CopyFrom(_cache.Start + DeviceTable.Offsets[copy]);
        return table[2].Name;
    }

    private static string Refused(Action action) => Assert.Throws<UserErrorException>(action).Message;

    private static byte[] Block(byte value)
    {
        byte[] block = new byte[4096];
        Array.Fill(block, value);
        return block;
    }

    private static byte[] Content(RamDevice device, long offset)
    {
        using RingContext io = new();
        BlockingIo blocking = new(io);
        byte[] content = new byte[4096];
        fixed (byte* target = content) blocking.Start(device.OpenQueue(io), IoKind.Read, offset, target, 4096);
        Assert.Equal(0, blocking.Wait());
        return content;
    }
}
