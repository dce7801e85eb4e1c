using System;
using System.Collections.Generic;
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

/// <summary>
/// The cache device refuses, from every operation of an order on: some (which may be as many as are tried at once) or
/// all until somebody mends it. The order is done or has failed, the volume goes on, it heals, what clients wrote
/// before and after is there even when the process then dies, and the order given again succeeds.
/// </summary>
public sealed unsafe class OrderErrorTests
{
    private const int SegmentBytes = 128 << 10, Bytes = 4096, OperationsMost = 200;
    private const long Small = (1 << 20) + (8 * SegmentBytes), Large = Small + (5 * SegmentBytes);
    private const int Always = int.MaxValue / 2;
    private static readonly int[] s_lengths = [1, 6];

    [Fact]
    public void AnAttachMayMeetAnyError() => TryAll("attach", Attach);

    [Fact]
    public void ADetachMayMeetAnyError() => TryAll("detach", Detach);

    [Fact]
    public void AGrowthMayMeetAnyError() => TryAll("grow", Grow);

    /// <summary>One copy of the table may say that the device has gone: what it is told meanwhile is lost.</summary>
    [Fact]
    public void ADeviceThatIsServedBeforeTheTableNamesItLosesWrites()
    {
        Mutant.Active = WriteboostMutant.R13StaysUnwritten;
        try
        {
            Assert.ThrowsAny<Exception>(() => TryAll("detach", Detach));
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    /// <summary>A cache that is full because its backing device refuses wants to be enlarged.</summary>
    [Fact]
    public void ACacheWhoseBackingDeviceRefusesCanGrow()
    {
        using Rig rig = new(grows: true);
        CountingDevice backing = new(new KeptDevice(rig.First));
        using DirectClient client = new(rig.Cache, [new BackingSpec(null, "a", backing)], rig.Options);
        backing.RefusesWith = -28;
        client.Write(0, Filled(1));
        client.Volume.Drain();
        client.Until(() => client.Volume.Health.State == VolumeState.Retrying);
        rig.Memory.Room = Large;
        Func<OrderProgress> look = client.Volume.BeginGrow();
        client.Until(() => look().IsOver);
        Assert.Null(look().Failure);
        Assert.Equal(13, client.Volume.Geometry.SegmentCount);
    }

    private static void TryAll(string name, Func<Rig, DirectClient, string?> order)
    {
        List<string> wrong = [];
        foreach (bool dies in new[] { false, true })
            foreach (int length in s_lengths)
            {
                Trial trial = new(order, name, length, dies);
                int index = 0;
                while (index < OperationsMost && TryOne(trial, index, wrong)) index++;
                Assert.InRange(index, 4, OperationsMost - 1);
            }
        // One whose places of tables and superblocks are worn out; it takes seconds to say so.
        for (int index = 0; index < 2; index++) TryOne(new Trial(order, name, Always, false), index, wrong);
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    // False: the order has fewer operations.
    private static bool TryOne(Trial trial, int index, List<string> wrong)
    {
        bool hurts = true;
        try
        {
            hurts = Run(trial, index);
        }
        catch (Exception e)
        {
            wrong.Add($"{trial}, from operation {index} on: {e.Message}");
        }
        return hurts && wrong.Count < 10;
    }

    private static bool Run(Trial trial, int index)
    {
        using Rig rig = new(trial.Name == "grow");
        bool hurts, isServed;
        using (DirectClient client = rig.Open(trial.Name == "attach" ? 1 : 2))
        {
            client.Write(0, Filled(1));
            client.Flush();
            rig.Cache.Arm(index, index + trial.Length, trial.Length == Always ? 1 << 20 : long.MaxValue);
            string? failure = trial.Order(rig, client);
            hurts = rig.Cache.Count > index;
            Assert.False(client.Volume.Health.CacheHasFailed, client.Volume.Health.Reason);
            rig.Cache.Disarm();
            if (failure != null) Assert.Contains("Input/output error", failure, StringComparison.Ordinal);
            client.Volume.Resume();
            client.Write(Bytes, Filled(2));
            isServed = trial.Name == "grow" || failure == null == (trial.Name == "attach");
            if (isServed) WriteSecond(client);
            if (!trial.Dies) GoOn(trial, rig, client, failure);
        }
        int disks = trial.Dies || trial.Name != "detach" ? 2 : 1;
        using DirectClient later = rig.Open(isServed ? disks : 1);
        int blocks = trial.Dies ? 2 : 3;
        for (int i = 0; i < blocks; i++) Assert.Equal(Filled((byte)(i + 1)), later.Read(i * Bytes, Bytes));
        later.Device = 1;
        if (isServed && disks == 2) Assert.Equal(Filled(9), later.Read(0, Bytes));
        later.Stop();
        return hurts;
    }

    private static void GoOn(Trial trial, Rig rig, DirectClient client, string? failure)
    {
        Until(client, () => client.Volume.Health.State == VolumeState.Healthy && !client.Volume.IsGrowing);
        if (failure != null && trial.Name != "grow") Assert.Null(trial.Order(rig, client));
        if (trial.Name == "grow") Assert.Equal(13, client.Volume.Geometry.SegmentCount);
        client.Write(2 * Bytes, Filled(3));
    }

    // As soon as it is served, or again.
    private static void WriteSecond(DirectClient client)
    {
        client.Device = 1;
        Until(client, () => client.Run(RequestKind.Read, 0, Bytes) == 0);
        client.Write(0, Filled(9));
        client.Device = 0;
    }

    private static string? Attach(Rig rig, DirectClient client) => Failure(client, () =>
        client.Volume.Attach(new BackingSpec(null, "b", new KeptDevice(rig.Second))));

    private static string? Detach(Rig rig, DirectClient client) => Failure(client, () =>
    {
        client.Volume.Detach("b", static () => false);
        return null;
    });

    private static string? Grow(Rig rig, DirectClient client)
    {
        rig.Memory.Room = Large;
        Func<OrderProgress> look = client.Volume.BeginGrow();
        Until(client, () => look().IsOver);
        return look().Failure;
    }

    private static string? Failure(DirectClient client, Func<object?> order)
    {
        Task<object?> task = Task.Run(order);
        Until(client, () => task.IsCompleted);
        return task.Exception?.InnerException is UserErrorException error ? error.Message : null;
    }

    // Without the pauses of what is tried again.
    private static void Until(DirectClient client, Func<bool> condition) => client.Until(() =>
    {
        if (client.Volume.Health.State == VolumeState.Retrying) client.Volume.Resume();
        return condition();
    });

    private sealed record Trial(Func<Rig, DirectClient, string?> Order, string Name, int Length, bool Dies);

    private static byte[] Filled(byte value)
    {
        byte[] block = new byte[Bytes];
        Array.Fill(block, value);
        return block;
    }

    // A cache and two disks that outlive their volumes.
    private sealed class Rig : IDisposable
    {
        private readonly RamDevice _memory = new(Large);

        public Rig(bool grows)
        {
            Memory = new GrowingDevice(_memory, grows ? Small : Large);
            Cache = new FailingDevice(Memory);
            using RingContext io = new();
            WriteboostFormat.Format(io, Cache, Layout.Native, SegmentBytes, Guid.NewGuid);
        }

        public RamDevice First { get; } = new(2 << 20);

        public RamDevice Second { get; } = new(3 << 20);

        public GrowingDevice Memory { get; }

        public FailingDevice Cache { get; }

        // Log writes and flushes are tried again for as long as it takes.
        public WriteboostOptions Options { get; } = new() { RamSegments = 3, CacheRetryUs = 1_000_000_000 };

        public DirectClient Open(int disks)
        {
            List<BackingSpec> specs = [new BackingSpec(null, "a", First)];
            if (disks == 2) specs.Add(new BackingSpec(null, "b", Second));
            return new DirectClient(Cache, specs, Options);
        }

        public void Dispose()
        {
            _memory.Dispose();
            First.Dispose();
            Second.Dispose();
        }
    }
}
