using System;
using Weir.Core.Devices;
using Xunit;

namespace Weir.Tests.Devices;

/// <summary>Space taken where the file system has no call for it: in few writes, and nothing is lost.</summary>
public sealed unsafe class SpaceByWritingTests
{
    private const int Block = 4096;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ASparseFileIsFilledAMebibyteAtATime(bool knowsHoles)
    {
        CountedSpace space = new((37 << 20) + (3 * Block), knowsHoles);
        for (int at = 0; at < space.Bytes.Length; at += 7 << 20) space.Put(at, 5);
        byte[] before = [.. space.Bytes];
        Assert.Equal(0, SpaceByWriting.Take(space, 0, space.Bytes.Length));
        Assert.InRange(space.Writes, 1, 38);
        Assert.Equal(space.Bytes.Length, space.AllocatedBytes);
        Assert.True(space.Bytes.AsSpan().SequenceEqual(before));
        space.Writes = 0;
        Assert.Equal(0, SpaceByWriting.Take(space, 0, space.Bytes.Length));
        Assert.Equal(0, space.Writes);
    }

    [Fact]
    public void WhatHasItsSpaceIsNotWritten()
    {
        CountedSpace space = new(16 << 20, knowsHoles: true);
        for (int at = 0; at < space.Bytes.Length; at += Block)
            if (at != 9 << 20) space.Put(at, 1);
        Assert.Equal(0, SpaceByWriting.Take(space, 0, space.Bytes.Length));
        Assert.Equal(1, space.Writes);
    }

    [Fact]
    public void AFullFileSystemSaysSo()
    {
        CountedSpace space = new(16 << 20, knowsHoles: true) { Left = 3 };
        Assert.Equal(-28, SpaceByWriting.Take(space, 0, space.Bytes.Length));
    }

    private sealed class CountedSpace(int sizeBytes, bool knowsHoles) : IFileSpace
    {
        private readonly bool[] _has = new bool[sizeBytes / Block];

        public byte[] Bytes { get; } = new byte[sizeBytes];

        public int Writes { get; set; }

        public int Left { get; init; } = int.MaxValue;

        public long AllocatedBytes => (long)Array.FindAll(_has, static has => has).Length * Block;

        public void Put(int offset, byte value)
        {
            _has[offset / Block] = true;
            Bytes[offset] = value;
        }

        public long NextHole(long offset)
        {
            if (!knowsHoles) return sizeBytes;
            int hole = Array.IndexOf(_has, false, (int)(offset / Block));
            return hole < 0 ? sizeBytes : Math.Max(offset, hole * (long)Block);
        }

        public long Read(void* buffer, long length, long offset)
        {
            Bytes.AsSpan((int)offset, (int)length).CopyTo(new Span<byte>(buffer, (int)length));
            return length;
        }

        public long Write(void* buffer, long length, long offset)
        {
            if (++Writes > Left) return -28;
            new ReadOnlySpan<byte>(buffer, (int)length).CopyTo(Bytes.AsSpan((int)offset));
            _has.AsSpan((int)(offset / Block), (int)(length / Block)).Fill(true);
            return length;
        }
    }
}
