using System;
using FsCheck;
using FsCheck.Fluent;
using Weir.Core.Base;
using Weir.Core.Caching;
using Xunit;

namespace Weir.Tests.Caching;

/// <summary>Bits against plain booleans, and the vector forms against their twins.</summary>
public sealed unsafe class SectorBitmapTests
{
    private const int Steps = 60;

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(64)]
    [InlineData(128)]
    [InlineData(256)]
    [InlineData(512)]
    [InlineData(2048)]
    public void ActsAsAnArrayOfBooleans(int sectors) => Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
    {
        Random random = new(seed);
        ulong* words = stackalloc ulong[4 * SectorBitmap.WordsFor(SectorBitmap.SectorsMax)];
        new Span<ulong>(words, 4 * SectorBitmap.WordsFor(SectorBitmap.SectorsMax)).Clear();
        Pair mine = new(words, sectors), other = new(words + (2 * SectorBitmap.WordsFor(sectors)), sectors);
        for (int step = 0; step < Steps; step++)
        {
            Pair pair = random.Next(3) == 0 ? other : mine;
            (int first, int count) = RangeIn(random, sectors);
            if (random.Next(2) == 0) pair.Set(first, count);
            else pair.Clear(first, count);
            if (random.Next(8) == 0) mine.Or(other);
            if (random.Next(8) == 0) mine.AndNot(other);
            (first, count) = RangeIn(random, sectors);
            mine.Check(first, count);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void WhatLiesOutsideIsRefused()
    {
        ulong* words = stackalloc ulong[4];
        SectorBitmap bitmap = new(words, 256);
        Assert.Throws<InvariantException>(() => bitmap.Set(250, 7));
        Assert.Throws<InvariantException>(() => bitmap.Set(0, 257));
        Assert.Throws<InvariantException>(() => bitmap.Any(-1, 2));
        Assert.Throws<InvariantException>(() => bitmap.All(3, -1));
        foreach (int sectors in new[] { 0, 4, 24, 4096 })
            Assert.Throws<InvariantException>(() => new SectorBitmap(null, sectors));
    }

    // Borders of words and vectors, nothing, and everything, more often than chance has them.
    private static (int First, int Count) RangeIn(Random random, int sectors)
    {
        int first = random.Next(sectors + 1), end = random.Next(sectors + 1);
        if (random.Next(3) == 0) first = first / 64 * 64;
        if (random.Next(3) == 0) end = end / 64 * 64;
        if (random.Next(8) == 0) (first, end) = (0, sectors);
        return (Math.Min(first, end), Math.Abs(end - first));
    }

    /// <summary>The bitmap, its scalar twin in words of its own behind it, and what both should be.</summary>
    private sealed class Pair(ulong* words, int sectors)
    {
        private readonly SectorBitmap _bits = new(words, sectors);
        private readonly SectorBitmap _twin = new(words + SectorBitmap.WordsFor(sectors), sectors);
        private readonly ulong* _words = words;
        private readonly bool[] _model = new bool[sectors];

        private ulong* TwinWords => _words + SectorBitmap.WordsFor(sectors);

        public void Set(int first, int count)
        {
            _bits.Set(first, count);
            _twin.SetScalar(first, first + count);
            _model.AsSpan(first, count).Fill(true);
        }

        public void Clear(int first, int count)
        {
            _bits.Clear(first, count);
            _twin.ClearScalar(first, first + count);
            _model.AsSpan(first, count).Clear();
        }

        public void Or(Pair other)
        {
            _bits.Or(other._bits);
            _twin.OrScalar(other.TwinWords);
            for (int i = 0; i < sectors; i++) _model[i] |= other._model[i];
        }

        public void AndNot(Pair other)
        {
            _bits.AndNot(other._bits);
            _twin.AndNotScalar(other.TwinWords);
            for (int i = 0; i < sectors; i++) _model[i] &= !other._model[i];
        }

        public void Check(int first, int count)
        {
            for (int i = 0; i < SectorBitmap.WordsFor(sectors); i++) Assert.Equal(WordOf(i), _words[i]);
            for (int i = 0; i < SectorBitmap.WordsFor(sectors); i++) Assert.Equal(WordOf(i), TwinWords[i]);
            Span<bool> range = _model.AsSpan(first, count);
            Assert.Equal(range.Contains(true), _bits.Any(first, count));
            Assert.Equal(range.Contains(true), _twin.AnyScalar(first, first + count));
            Assert.Equal(!range.Contains(false), _bits.All(first, count));
            Assert.Equal(!range.Contains(false), _twin.AllScalar(first, first + count));
            Assert.Equal(_model.AsSpan().Count(true), _bits.SetCount);
            Assert.Equal(!_model.AsSpan().Contains(true), _bits.IsEmpty);
            Assert.Equal(!_model.AsSpan().Contains(false), _bits.IsFull);
            int set = Next(first, true), clear = Next(first, false);
            Assert.Equal((set, clear), (_bits.NextSet(first), _bits.NextClear(first)));
            Assert.Equal(set < sectors, _bits.TryNextRun(first, out int run, out int length));
            Assert.Equal((set, set < sectors ? Next(set, false) - set : 0), (run, length));
        }

        private int Next(int from, bool value)
        {
            int found = _model.AsSpan(from).IndexOf(value);
            return found < 0 ? sectors : from + found;
        }

        private ulong WordOf(int word)
        {
            ulong bits = 0;
            for (int i = word * 64; i < Math.Min((word + 1) * 64, sectors); i++)
                if (_model[i]) bits |= 1UL << (i & 63);
            return bits;
        }
    }
}
