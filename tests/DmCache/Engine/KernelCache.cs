using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Security.Cryptography;
using Weir.Core.Devices;
using Weir.Core.DmCache.Settings;
using Weir.Core.DmCache.Volume;
using Weir.Core.Volumes;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>A cache that a kernel has left, on devices in memory, and what it must read as.</summary>
internal sealed unsafe class KernelCache : IDisposable
{
    private const int PieceBytes = 64 << 10;

    // Of the origin alone: a piece that is not named is all zero.
    private readonly Dictionary<long, string> _expected = [];

    public KernelCache(string set)
    {
        Metadata = Load(set, "meta.img");
        Cache = Load(set, "cache.img");
        Backing = Load(set, "origin.img");
        foreach (string line in File.ReadLines(MetadataImage.FixturePath(set, "expected.sha256")))
        {
            if (line.StartsWith('#')) continue;
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            _expected[long.Parse(fields[0], CultureInfo.InvariantCulture)] = fields[1];
        }
    }

    public RamDevice Metadata { get; }

    public RamDevice Cache { get; }

    public RamDevice Backing { get; }

    public DmCacheVolume Open(RingContext io, CacheMode mode = CacheMode.Writeback, string policy = "lru") =>
        DmCacheVolume.Open(io, new KeptDevice(Cache), new KeptDevice(Metadata), new KeptDevice(Backing),
            new DmCacheOptions { Mode = mode, Policy = policy });

    /// <summary>Reads everything through a queue, and compares.</summary>
    public void Check(QueueDriver driver)
    {
        for (long at = 0; at < Backing.SizeBytes; at += PieceBytes)
        {
            int length = (int)Math.Min(PieceBytes, Backing.SizeBytes - at);
            Assert.Equal(0, driver.Do(Core.Io.RequestKind.Read, at, length));
            Check(at, new ReadOnlySpan<byte>(driver.Data, length), "the volume");
        }
    }

    /// <summary>The backing device alone has everything.</summary>
    public void CheckBacking()
    {
        for (long at = 0; at < Backing.SizeBytes; at += PieceBytes)
            Check(at, new ReadOnlySpan<byte>(
                Backing.Start + at, (int)Math.Min(PieceBytes, Backing.SizeBytes - at)), "the backing device");
    }

    public void Dispose()
    {
        Metadata.Dispose();
        Cache.Dispose();
        Backing.Dispose();
    }

    private void Check(long at, ReadOnlySpan<byte> bytes, string where)
    {
        string? expected = _expected.GetValueOrDefault(at / PieceBytes);
        bool isRight = expected == null
            ? bytes.IndexOfAnyExcept((byte)0) < 0
            : Convert.ToHexStringLower(SHA256.HashData(bytes)) == expected;
        Assert.True(isRight, $"{where} differs in the 64 KiB at {at}");
    }

    private static RamDevice Load(string set, string file)
    {
        using Scratch scratch = new();
        string packed = scratch[file + ".xz"];
        File.Copy(MetadataImage.FixturePath(set, file + ".xz"), packed);
        Tool.Run("xz", "-dq", packed);
        byte[] bytes = File.ReadAllBytes(scratch[file]);
        RamDevice device = new(bytes.Length);
        bytes.CopyTo(new Span<byte>(device.Start, bytes.Length));
        return device;
    }
}
