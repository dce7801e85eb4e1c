using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// R1: memory that somebody takes away while it is used. What had been acknowledged from it becomes durable at once,
/// and what comes after is acknowledged when it is durable.
/// </summary>
public sealed class MemoryLossTests : IDisposable
{
    private const int BlockBytes = 4096;

    private readonly RamDevice _cache = new(8 << 20);
    private Layout _layout = Layout.Native;
    private readonly RamDevice _backing = new(4 << 20);
    private readonly VanishingMemory _memory = new();
    private readonly List<string> _lines = [];

    public MemoryLossTests() => Format(Layout.Native);

    public void Dispose()
    {
        Mutant.Active = null;
        _memory.Dispose();
        _cache.Dispose();
        _backing.Dispose();
    }

    [Theory]
    [InlineData(WriteboostMutant.None)]
    [InlineData(WriteboostMutant.R1LossUnnoticed)]
    public void NothingThatWasAcknowledgedIsLostWithTheMemory(WriteboostMutant mutant)
    {
        Mutant.Active = mutant;
        using (DirectClient client = Open())
        {
            client.Write(0, Block(1));
            _memory.Loss = "was removed";
            if (mutant == WriteboostMutant.None)
            {
                client.Until(() => !client.Volume.Memory.Outlives);
                client.Until(() => _lines.Any(static line => line.Contains("durable now", StringComparison.Ordinal)));
            }
            client.Write(BlockBytes, Block(2));
        }
        // kill -9: nobody finds the memory.
        Mutant.Active = null;
        using DirectClient after = Open();
        bool kept = Block(1).SequenceEqual(after.Read(0, BlockBytes))
            && Block(2).SequenceEqual(after.Read(BlockBytes, BlockBytes));
        Assert.Equal(mutant == WriteboostMutant.None, kept);
        if (mutant != WriteboostMutant.None) return;
        Assert.Contains(_lines, static line => line.Contains("was removed", StringComparison.Ordinal)
            && line.Contains("acknowledged once they are durable", StringComparison.Ordinal));
        // It was noticed and mended: the next start has nothing to warn of.
        Assert.DoesNotContain(_lines, static line => line.Contains("memory is gone", StringComparison.Ordinal));
    }

    /// <summary>There is no later turn to wait for when nothing has to be written.</summary>
    [Fact]
    public void WhatIsDurableAlreadyIsSaidAtOnce()
    {
        using DirectClient client = Open();
        client.Write(0, Block(1));
        client.Flush();
        _memory.Loss = "was removed";
        client.Until(() => !client.Volume.Memory.Outlives);
        Assert.Contains(_lines, static line => line.Contains("durable now", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("native")]
    [InlineData("writeboost2")]
    [InlineData("writeboost1")]
    [InlineData("lc1")]
    public void MemoryThatIsGoneBeforeTheStartIsMissed(string layout)
    {
        Format(Layout.Find(layout)!);
        using (DirectClient client = Open()) client.Write(0, Block(1));
        _memory.IsEmpty = true;
        using (Open()) Assert.Single(_lines, static line => line.Contains("memory is gone", StringComparison.Ordinal));
    }

    /// <summary>After a reboot there is none, and a start after an orderly stop needs none.</summary>
    [Theory]
    [InlineData("native", true)]
    [InlineData("native", false)]
    [InlineData("writeboost2", true)]
    [InlineData("writeboost2", false)]
    [InlineData("lc1", true)]
    public void MemoryThatNobodyNeedsIsNotMissed(string layout, bool stopped)
    {
        Format(Layout.Find(layout)!);
        using (DirectClient client = Open())
        {
            client.Write(0, Block(1));
            if (stopped) client.Stop();
        }
        (_memory.IsEmpty, _memory.Boot) = (true, stopped ? 0 : 1);
        using (Open()) Assert.DoesNotContain(_lines, static line => line.Contains("gone", StringComparison.Ordinal));
    }

    [Fact]
    public void WithoutRoomWritesAreDurableAndTheOptionThatFitsIsNamed()
    {
        _memory.RoomBytes = 1 << 20;
        using (DirectClient client = Open())
        {
            Assert.False(client.Volume.Memory.Outlives);
            Assert.Contains(_lines, static line => line.Contains("ram_segments=7 fits", StringComparison.Ordinal));
            client.Write(0, Block(1));
        }
        using DirectClient after = Open(ramSegments: 7);
        Assert.True(after.Volume.Memory.Outlives);
        Assert.Equal(Block(1), after.Read(0, BlockBytes));
    }

    private void Format(Layout layout)
    {
        _layout = layout;
        using RingContext io = new();
        int segmentBytes = layout == Layout.Native ? 128 << 10 : layout.DefaultSegmentBytes;
        WriteboostFormat.Format(io, _cache, layout, segmentBytes, Guid.NewGuid);
    }

    private DirectClient Open(int ramSegments = 16) => new(_cache, _backing, new WriteboostOptions
    {
        Layout = _layout, RamSegments = ramSegments, SyncIntervalUs = 0, AllowWriteback = false, Log = _lines.Add,
    }, _memory);

    private static byte[] Block(byte value) => [.. Enumerable.Repeat(value, BlockBytes)];

    /// <summary>Plain memory that claims to outlive the process, and is never there when the next one looks.</summary>
    private sealed class VanishingMemory : IRamStore, IDisposable
    {
        private readonly PrivateMemoryStore _store = new();
        private Region? _last;

        public string? Loss { get; set; }

        /// <summary>The next process finds nothing.</summary>
        public bool IsEmpty { get; set; }

        public int Boot { get; set; }

        public long RoomBytes { get; set; } = long.MaxValue;

        public string BootId => $"00000000-0000-4000-8000-{Boot:x12}";

        public bool OutlivesProcess => true;

        public IReadOnlyList<IRamRegion> Open(string name) => IsEmpty || Loss != null || _last == null ? [] : [_last];

        public IRamRegion Create(string name, long sizeBytes)
        {
            if (sizeBytes > RoomBytes) throw new UserErrorException("no room");
            return _last = new Region(this, _store.Create(name, sizeBytes));
        }

        public void Delete(string name) => _last = null;

        public void Dispose() => _last?.Dispose();

        private sealed unsafe class Region(VanishingMemory memory, IRamRegion inner) : IRamRegion
        {
            public byte* Pointer => inner.Pointer;

            public long SizeBytes => inner.SizeBytes;

            public bool CanVanish => true;

            public string? FindLoss() => memory.Loss;

            // Left to the next process, and to the collector.
            public void Dispose()
            {
            }
        }
    }
}
