using System;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>Devices with sectors of 4 KiB, all three, below clients that think in 512 bytes.</summary>
public sealed unsafe class SectorTests
{
    private const int Sector = SmallCache.Sector, Block = SmallCache.BlockBytes, Homes = 12;

    [Theory]
    [InlineData(CacheMode.Writeback)]
    [InlineData(CacheMode.Writethrough)]
    [InlineData(CacheMode.Passthrough)]
    public void EverySectorIsWhatWasWrittenToIt(CacheMode mode)
    {
        using SmallCache cache = new(homes: Homes, restBytes: 4096, sectorBytes: 4096, set: options =>
        {
            (options.Mode, options.IdleUs, options.HighWatermark) = (mode, 0, 20);
        });
        byte[] model = new byte[cache.Volume.SizeBytes];
        Prng random = new(7);
        for (int i = 0; i < 1500; i++)
        {
            Change(cache, model, ref random, i);
            if (i % 500 == 499) cache.Kill();
            if (i % 700 == 699) cache.Reopen();
        }
        for (int at = 0; at < model.Length; at += Block) MustRead(cache, model, at, Math.Min(Block, model.Length - at));
        Assert.Equal(mode == CacheMode.Passthrough, cache["cached_blocks"] == 0);
        cache.Reopen();
        foreach (Judge judge in Judge.Both) judge.Accepts(cache.MetadataNow());
    }

    private static void Change(SmallCache cache, byte[] model, ref Prng random, int value)
    {
        long sectors = model.Length / Sector;
        long first = random.Below(sectors), count = Math.Min(sectors - first, 1 + random.Below(40));
        (int offset, int length) = ((int)(first * Sector), (int)(count * Sector));
        Span<byte> range = model.AsSpan(offset, length);
        if (random.Chance(40))
        {
            MustRead(cache, model, offset, length);
            return;
        }
        bool isZero = random.Chance(10);
        RequestKind kind = !isZero ? RequestKind.Write
            : random.Chance(50) ? RequestKind.Discard : RequestKind.WriteZeroes;
        range.Fill(isZero ? (byte)0 : (byte)(value + 1));
        range.CopyTo(new Span<byte>(cache.Driver.Data + (offset & 4095), length));
        Assert.Equal(0, cache.Driver.Do(kind, offset, length));
    }

    private static void MustRead(SmallCache cache, byte[] model, int offset, int length)
    {
        Assert.Equal(0, cache.Driver.Do(RequestKind.Read, offset, length));
        ReadOnlySpan<byte> found = new(cache.Driver.Data + (offset & 4095), length);
        int wrong = found.CommonPrefixLength(model.AsSpan(offset, length));
        Assert.True(wrong == length, $"byte {wrong} of {length} at {offset}");
    }
}
