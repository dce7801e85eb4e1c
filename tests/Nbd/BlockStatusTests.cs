using System;
using System.Buffers.Binary;
using System.IO;
using System.Linq;
using System.Text.Json;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Writeboost;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>What is said to be allocated, and in how many questions.</summary>
public sealed class BlockStatusTests
{
    private const int Size = 24 << 20;

    [Theory]
    [InlineData("passthrough")]
    [InlineData("writeboost")]
    public void AMapOfASparseTebibyteTakesAFewHundredRequests(string engine)
    {
        using Scratch scratch = new();
        using (FileStream file = File.Create(scratch["disk"])) file.SetLength(1L << 40);
        using ServedVolume served = new(engine, 1L << 40, backing: FileDevice.Open(scratch["disk"]));
        using NbdHost host = new(served.Volume);
        using NbdClient client = host.Serve();
        long[] places = [0, 7L << 30, 512L << 30, (1L << 40) - 4096];
        foreach (long place in places) client.Write(place, Wire.Random(4096, 1));
        long before = RequestsOf(host);
        using JsonDocument map = JsonDocument.Parse(Tool.Run("nbdinfo", "--map", "--json", host.Uri));
        Assert.InRange(RequestsOf(host) - before, 1, 400);
        JsonElement[] extents = [.. map.RootElement.EnumerateArray()];
        Assert.Equal(1L << 40, extents.Sum(extent => extent.GetProperty("length").GetInt64()));
        Assert.All(places, place => Assert.Contains(extents, extent => extent.GetProperty("type").GetInt32() == 0
            && extent.GetProperty("offset").GetInt64() <= place
            && extent.GetProperty("offset").GetInt64() + extent.GetProperty("length").GetInt64() >= place + 4096));
        Assert.True(extents.Where(extent => extent.GetProperty("type").GetInt32() == 0)
            .Sum(extent => extent.GetProperty("length").GetInt64()) <= 1 << 20);
    }

    private static long RequestsOf(NbdHost host)
    {
        long sum = 0;
        foreach (NbdCounters queue in host.Server.Counters) sum += System.Threading.Volatile.Read(ref queue.Requests);
        return sum;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void WhatIsCalledZeroIsZero(int seed) => Assert.Null(Run(seed));

    [Fact]
    public void ARegionThatIsNotMarkedIsNoticed()
    {
        Mutant.Active = WriteboostMutant.R9RegionUnmarked;
        try
        {
            Assert.NotNull(Run(1));
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    // What is wrong, or null.
    private static string? Run(int seed)
    {
        using Scratch scratch = new();
        using (FileStream file = File.Create(scratch["disk"])) file.SetLength(Size);
        using ServedVolume served = new("writeboost", Size, 12 << 20, FileDevice.Open(scratch["disk"]));
        using NbdHost host = new(served.Volume);
        using NbdClient client = host.Serve(structured: true, status: true);
        byte[] model = new byte[Size];
        Random random = new(seed);
        for (int i = 0; i < 400; i++)
        {
            int offset = random.Next(Size / 512 - 64) * 512, length = random.Next(1, 64) * 512;
            if (random.Next(4) == 0) length = Math.Min(length * 60, Size - offset);
            NbdCommand command = random.Next(3) == 0 ? NbdCommand.WriteZeroes : NbdCommand.Write;
            if (i % 16 == 0 && Check(client, model) is { } wrong) return wrong;
            byte[] data = Wire.Random(length, i);
            if (command == NbdCommand.WriteZeroes) Array.Clear(data);
            Assert.Equal(0, client.Ask(command, offset, length, 0, command == NbdCommand.Write ? data : null));
            data.CopyTo(model.AsSpan(offset));
        }
        return Check(client, model);
    }

    private static string? Check(NbdClient client, byte[] model)
    {
        for (int at = 0; at < Size;)
        {
            client.Request(NbdCommand.BlockStatus, 1, at, Size - at);
            ReplyChunk chunk = client.TakeChunk();
            for (int i = 4; i < chunk.Data.Length; i += 8)
            {
                int length = (int)BinaryPrimitives.ReadUInt32BigEndian(chunk.Data.AsSpan(i));
                bool zero = BinaryPrimitives.ReadUInt32BigEndian(chunk.Data.AsSpan(i + 4)) != 0;
                if (zero && model.AsSpan(at, length).ContainsAnyExcept((byte)0)) return $"{length} bytes at {at}";
                at += length;
            }
        }
        return null;
    }
}
