using System;
using System.Collections.Generic;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Contract;

/// <summary>
/// What every engine owes a frontend, whatever it is made of: the contract of <see cref="IVolume"/> and
/// <see cref="IVolumeQueue"/>. An engine is one line in <see cref="ContractEngines"/>.
/// </summary>
public sealed unsafe class VolumeContractTests
{
    private const int Sector = 512;

    // Of an object with a field.
    private const int ObjectBytesMin = 24;

    public static TheoryData<string> Engines() => ContractEngines.Names();

    /// <summary>Every kind of request at every alignment, against a plain array.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void ItReadsBackWhatWasWrittenAtEveryAlignment(string engine)
    {
        foreach (int blockBytes in ContractEngines.BlockBytesOf(engine))
        {
            using ContractVolume served = new(engine, blockBytes);
            byte[] model = new byte[served.Export.SizeBytes];
            Prng random = new(5);
            for (int i = 0; i < 600; i++) Change(served, model, ref random, RequestFlags.None);
            for (int i = 0; i < 8; i++) MustRead(served, model, i * Sector, 9 * Sector);
            MustRead(served, model);
            served.Driver.Stop();
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void AFlushAndFuaReachADeviceAndAStopKeepsEverything(string engine)
    {
        using ContractVolume served = new(engine);
        byte[] model = new byte[served.Export.SizeBytes];
        Prng random = new(6);
        for (int i = 0; i < 40; i++)
        {
            RequestFlags flags = i % 2 == 0 ? RequestFlags.Fua : RequestFlags.None;
            long before = Durable(served);
            Change(served, model, ref random, flags, RequestKind.Write);
            if (flags == RequestFlags.None) Assert.Equal(0, served.Driver.Do(RequestKind.Flush));
            Assert.True(Durable(served) > before, "nothing was made durable");
        }
        served.Reopen();
        MustRead(served, model);
        served.Reopen(readOnly: true);
        MustRead(served, model);
        served.Driver.Stop();
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void DiscardsAndZeroesReadAsZeroes(string engine)
    {
        using ContractVolume served = new(engine);
        byte[] model = new byte[served.Export.SizeBytes];
        Prng random = new(7);
        for (int i = 0; i < 40; i++) Change(served, model, ref random, RequestFlags.None, RequestKind.Write);
        List<(RequestKind Kind, RequestFlags Flags)> ways =
            [(RequestKind.WriteZeroes, RequestFlags.None), (RequestKind.WriteZeroes, RequestFlags.NoHole)];
        if (served.Export.CanDiscard) ways.Add((RequestKind.Discard, RequestFlags.None));
        foreach ((RequestKind kind, RequestFlags flags) in ways)
            for (int i = 0; i < 20; i++) Change(served, model, ref random, flags, kind);
        MustRead(served, model);
        served.Reopen();
        MustRead(served, model);
        served.Driver.Stop();
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void BlockStatusCoversWhatWasAskedAndCallsNothingZeroThatIsNot(string engine)
    {
        using ContractVolume served = new(engine);
        byte[] model = new byte[served.Export.SizeBytes];
        Prng random = new(8);
        for (int i = 0; i < 30; i++) Change(served, model, ref random, RequestFlags.None);
        Extent[] extents = new Extent[16];
        for (int i = 0; i < 40; i++)
        {
            long sectors = model.Length / Sector, first = random.Below(sectors);
            long count = random.Chance(50) ? sectors - first : 1 + random.Below(sectors - first);
            long at = first * Sector, end = (first + count) * Sector;
            // It may stop early.
            while (at < end)
            {
                int found = served.Driver.Queue.BlockStatus(0, StatusContext.Allocation, at, end - at, extents);
                at = CheckStatus(model, at, extents.AsSpan(0, found));
            }
        }
        served.Driver.Stop();
    }

    /// <summary>More than can be under way, flushes and parts of blocks among them: those that wait get their turn.
    /// </summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void AllOfManyRequestsAreAnswered(string engine)
    {
        const int Requests = IoContext.PoolSize + 500;
        foreach (int blockBytes in ContractEngines.BlockBytesOf(engine))
        {
            using ContractVolume served = new(engine, blockBytes);
            using AlignedMemory memory = new(8192), list = new(Requests * sizeof(Request));
            Request* requests = (Request*)list.Pointer;
            for (int i = 0; i < Requests; i++)
            {
                bool isFlush = i % 7 == 3, isPart = i % 3 == 1;
                requests[i] = isFlush ? new Request { Kind = RequestKind.Flush } : new Request
                {
                    Kind = RequestKind.Write, OffsetBytes = (i % 500 * 4096L) + (isPart ? Sector : 0),
                    LengthBytes = isPart ? Sector : 4096, Data = memory.Pointer + (isPart ? Sector : 0),
                };
                served.Driver.Queue.Submit(&requests[i]);
            }
            EndAll(served.Driver, Requests);
            served.Driver.Stop();
        }
    }

    /// <summary>Whoever wins, no sector is a mix, and who was acknowledged before others began does not win.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void OverlappingRequestsAllEndAndNoSectorIsAMix(string engine)
    {
        // Every round has values of its own, in a byte.
        const int Requests = 12, Rounds = 20, Bytes = 24 * Sector;
        foreach (int blockBytes in ContractEngines.BlockBytesOf(engine))
        {
            using ContractVolume served = new(engine, blockBytes);
            using AlignedMemory memory = new(Requests * (Bytes + 4096)), list = new(4096);
            Request* requests = (Request*)list.Pointer;
            for (int round = 0; round < Rounds; round++)
            {
                int first = 1 + (round * Requests);
                for (int i = 0; i < Requests; i++)
                {
                    long offset = i % 4 * 5 * Sector;
                    byte* data = memory.Pointer + (i * (Bytes + 4096)) + (offset & 4095);
                    new Span<byte>(data, Bytes).Fill((byte)(first + i));
                    requests[i] = new Request
                    {
                        Kind = i % 5 == 4 ? RequestKind.Read : RequestKind.Write, OffsetBytes = offset,
                        LengthBytes = Bytes, Data = data,
                    };
                    served.Driver.Queue.Submit(&requests[i]);
                }
                EndAll(served.Driver, Requests);
                Assert.Equal(0, served.Driver.Do(RequestKind.Read, 0, Bytes));
                for (int sector = 0; sector < 24; sector++)
                {
                    ReadOnlySpan<byte> bytes = new(served.Driver.Data + (sector * Sector), Sector);
                    Assert.True(bytes.IndexOfAnyExcept(bytes[0]) < 0, $"sector {sector} is a mix");
                    Assert.InRange(bytes[0], first, first + Requests - 1);
                }
            }
            served.Driver.Stop();
        }
    }

    /// <summary>Whoever changes a part of a block, in several steps, takes back no change beside it.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void NoChangeIsUndoneByItsNeighbours(string engine)
    {
        foreach (int blockBytes in ContractEngines.BlockBytesOf(engine))
            Assert.True(KeepsNeighbours(engine, blockBytes));
    }

    [Theory]
    [InlineData(SharedMutant.R14EdgeShared)]
    [InlineData(SharedMutant.R14LastUnlocked)]
    [InlineData(SharedMutant.R14WholeUnlocked)]
    public void ANeighbourThatIsUndoneIsSeen(SharedMutant mutant)
    {
        Mutant.Active = mutant;
        try
        {
            Assert.False(KeepsNeighbours("passthrough", blockBytes: 4096));
            Assert.False(KeepsNeighbours("dmcache passthrough", blockBytes: 4096));
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    /// <summary>A device that gives nothing: errors are the kernel's numbers, and pass when it does again.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void ErrorsHaveNumbersAndAStateWithAName(string engine)
    {
        using ContractVolume served = new(engine);
        Assert.Equal("healthy", new StatusFigures(served.Volume).TextOf("state"));
        served.Backing.FailsReads = true;
        Assert.Equal(-5, served.Driver.Do(RequestKind.Read, 1 << 20, 4096));
        served.Backing.FailsReads = false;
        Assert.Equal(0, served.Driver.Do(RequestKind.Read, 1 << 20, 4096));
        Assert.Equal("healthy", new StatusFigures(served.Volume).TextOf("state"));
        served.Driver.Stop();
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void WhoOnlyReadsWritesNowhere(string engine)
    {
        using ContractVolume served = new(engine);
        byte[] model = new byte[served.Export.SizeBytes];
        Prng random = new(9);
        for (int i = 0; i < 40; i++) Change(served, model, ref random, RequestFlags.None, RequestKind.Write);
        served.Reopen();
        served.Reopen(readOnly: true);
        Assert.True(served.Volume.ReadOnly);
        CheckExport(served.Export, isReadOnly: true);
        (long cache, long backing) = (Changes(served.Cache), Changes(served.Backing));
        MustRead(served, model);
        Assert.Equal(0, served.Driver.Do(RequestKind.Flush));
        served.Driver.Stop();
        Assert.Equal((cache, backing), (Changes(served.Cache), Changes(served.Backing)));
    }

    /// <summary>
    /// No garbage, no collector, no pauses, once every path has been gone: not an object in ten requests, so that what
    /// a batch of write-back may note is not counted as theirs.
    /// </summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void NothingIsAllocatedOnTheDataPath(string engine)
    {
        using ContractVolume served = new(engine);
        // The devices of this test note where writes began.
        served.Cache.WriteOffsets.EnsureCapacity(100_000);
        served.Backing.WriteOffsets.EnsureCapacity(100_000);
        for (int round = 0; round < 40; round++) Load(served.Driver, round);
        long before = GC.GetAllocatedBytesForCurrentThread();
        int requests = 0;
        for (int round = 0; round < 20; round++) requests += Load(served.Driver, round);
        long allocatedBytes = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocatedBytes < requests * ObjectBytesMin / 10, $"{allocatedBytes} bytes in {requests} requests");
        served.Driver.Stop();
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void ItSaysWhatItIsAndHowItIs(string engine)
    {
        using ContractVolume served = new(engine);
        Assert.Equal(engine.Split(' ')[0], served.Volume.Engine);
        CheckExport(served.Export, isReadOnly: false);
        served.Driver.Write(3, 5);
        Assert.Equal(5, served.Driver.Read(3));
        StatusFigures figures = new(served.Volume);
        Assert.Equal((0, ContractVolume.BackingBytes), (figures["state_number"], figures["size_bytes"]));
        Assert.Equal("healthy", figures.TextOf("state"));
        served.Driver.Stop();
    }

    // Figures that are kept for the whole device are warm after the first rounds: nothing here is measured in time.
    private static int Load(QueueDriver driver, int round)
    {
        for (int i = 0; i < 16; i++)
            Must(driver.Do(RequestKind.Write, ((round * 16) + i) % 800 * 4096, 4096 + (i % 2 * Sector)));
        for (int i = 0; i < 16; i++) Must(driver.Do(RequestKind.Read, i * 8704, 4608));
        Must(driver.Do(RequestKind.Write, 1 << 20, 128 << 10, RequestFlags.Fua));
        Must(driver.Do(RequestKind.Flush));
        Must(driver.Do(RequestKind.WriteZeroes, 2 << 20, 65536));
        return 35;
    }

    // Assert.Equal allocates.
    private static void Must(int result) => Invariant.Check(result == 0);

    private static long Changes(CountingDevice device) =>
        device.Writes + device.Counts[(int)IoKind.Discard] + device.Counts[(int)IoKind.WriteZeroes];

    private static long Durable(ContractVolume served) =>
        served.Cache.Flushes + served.Cache.DurableWrites + served.Backing.Flushes + served.Backing.DurableWrites;

    // One request over the edge of 64 KiB, with parts of blocks at both ends, and one beside it that comes some turns
    // later: of a whole block, or a sector.
    private static bool KeepsNeighbours(string engine, int blockBytes)
    {
        const int Slow = (64 << 10) - (3 * Sector), SlowBytes = 4 * Sector;
        using ContractVolume served = new(engine, blockBytes);
        using AlignedMemory memory = new(8 << 12);
        bool isKept = true;
        foreach ((int at, int bytes) in ((int, int)[])[(64 << 10, 4096), (60 << 10, 4096), ((64 << 10) + 1024, Sector)])
        {
            for (int turns = 0; turns < 6; turns++)
            {
                Request slow = NewWrite(Slow, SlowBytes, memory.Pointer, 3), quick =
                    NewWrite(at, bytes, memory.Pointer + (4 << 12), 5);
                served.Driver.Queue.Submit(&slow);
                for (int i = 0; i < turns; i++) served.Driver.Turn();
                served.Driver.Queue.Submit(&quick);
                EndAll(served.Driver, 2);
                Assert.Equal(0, served.Driver.Do(RequestKind.Read, at, bytes));
                for (int i = 0; i < bytes; i++)
                    isKept &= served.Driver.Data[i + (at & 4095)] == 5 || Covers(Slow, SlowBytes, at + i);
                Assert.Equal(0, served.Driver.Do(RequestKind.WriteZeroes, 56 << 10, 16 << 10));
            }
        }
        served.Driver.Stop();
        return isKept;
    }

    private static bool Covers(int offset, int length, int at) => at >= offset && at < offset + length;

    private static Request NewWrite(int offset, int length, byte* memory, byte value)
    {
        byte* data = memory + (offset & 4095);
        new Span<byte>(data, length).Fill(value);
        return new Request
        {
            Kind = RequestKind.Write, OffsetBytes = offset, LengthBytes = length, Data = data,
        };
    }

    private static void CheckExport(IVolumeExport export, bool isReadOnly)
    {
        Assert.Equal((0, ContractVolume.BackingBytes), (export.Device, export.SizeBytes));
        Assert.Equal(isReadOnly, export.ReadOnly);
        Assert.False(export.ReadOnly && export.CanDiscard, "discards where nothing can be changed");
        Assert.True(BitOperations.IsPow2(export.PreferredBlockBytes) && export.PreferredBlockBytes >= Sector);
        Assert.True(BitOperations.IsPow2(export.DiscardGranularityBytes) && export.DiscardGranularityBytes >= Sector);
    }

    private static void EndAll(QueueDriver driver, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Request* done = driver.TakeOne();
            Assert.True(done != null, "a request never ends");
            Assert.Equal(0, done->Result);
        }
    }

    /// <summary>One request by chance, of this kind or of any that changes something; the model follows.</summary>
    private static void Change(
        ContractVolume served, byte[] model, ref Prng random, RequestFlags flags, RequestKind kind = RequestKind.None)
    {
        if (kind == RequestKind.None) kind = random.Chance(80) ? RequestKind.Write : RequestKind.WriteZeroes;
        long sectors = model.Length / Sector, first = random.Below(sectors);
        long length = Math.Min(1 + random.Below(random.Chance(80) ? 24 : 200), sectors - first) * Sector;
        Span<byte> part = model.AsSpan((int)(first * Sector), (int)length);
        if (kind == RequestKind.Write) part.Fill((byte)(1 + random.Below(255)));
        else part.Clear();
        part.CopyTo(new Span<byte>(served.Driver.Data + (first * Sector & 4095), (int)length));
        Assert.Equal(0, served.Driver.Do(kind, first * Sector, length, flags));
    }

    private static void MustRead(ContractVolume served, byte[] model)
    {
        const int Step = 128 << 10;
        for (long at = 0; at < model.Length; at += Step) MustRead(served, model, at, Math.Min(Step, model.Length - at));
    }

    private static void MustRead(ContractVolume served, byte[] model, long at, long length)
    {
        Assert.Equal(0, served.Driver.Do(RequestKind.Read, at, length));
        ReadOnlySpan<byte> read = new(served.Driver.Data + (at & 4095), (int)length);
        int wrong = read.CommonPrefixLength(model.AsSpan((int)at, (int)length));
        Assert.True(wrong == length, $"byte {at + wrong} is not what was written");
    }

    // Where they end.
    private static long CheckStatus(byte[] model, long at, ReadOnlySpan<Extent> extents)
    {
        const uint Zero = 2;
        Assert.False(extents.IsEmpty);
        for (int i = 0; i < extents.Length; i++)
        {
            Assert.True(extents[i].LengthBytes > 0);
            Assert.True(i == 0 || extents[i].Flags != extents[i - 1].Flags, "neighbours are alike");
            long end = at + extents[i].LengthBytes;
            Assert.InRange(end, at, model.Length);
            bool saysZero = (extents[i].Flags & Zero) != 0;
            if (saysZero) Assert.True(model.AsSpan((int)at, (int)(end - at)).IndexOfAnyExcept((byte)0) < 0, "not zero");
            at = end;
        }
        return at;
    }
}
