using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// A backing device fails one flush, and may have forgotten what it should have covered: whoever else relies on that
/// does not believe a later flush that succeeds (R6, R8).
/// </summary>
public sealed class BackingFlushTests : IDisposable
{
    private const int Block = 4096, Eio = -5;
    private readonly RamDevice _disk = new(16 << 20), _flash = new(8 << 20);
    private readonly CountingDevice _backing;
    private readonly List<string> _lines = [];
    private readonly WriteboostOptions _options = new() { AllowWriteback = false, SyncIntervalUs = 0 };
    private readonly DirectClient _client;

    public BackingFlushTests()
    {
        _backing = new CountingDevice(_disk);
        _options.Log = _lines.Add;
        using RingContext io = new();
        WriteboostFormat.Format(io, _flash, Layout.Native, 128 << 10, Guid.NewGuid);
        _client = new DirectClient(_flash, _backing, _options);
        _backing.Clear();
    }

    public void Dispose()
    {
        Mutant.Active = null;
        _client.Dispose();
        _flash.Dispose();
        _disk.Dispose();
    }

    [Theory]
    [InlineData(WriteboostMutant.None, Eio)]
    [InlineData(WriteboostMutant.R6OthersFailureIgnored, 0)]
    public void NoFlushSucceedsAfterWritebacksFlushMayHaveLostAWriteRoundTheLog(WriteboostMutant mutant, int expected)
    {
        Mutant.Active = mutant;
        _client.Write(0, new byte[Block]);
        WriteAround();
        _backing.FlushesToFail = 1;
        _client.Volume.Drain();
        _client.Until(() => _backing.FlushesToFail == 0);
        Assert.Equal(expected, _client.Run(RequestKind.Flush, 0, 0));
        Assert.Equal(mutant == WriteboostMutant.None, _client.Volume.Health.State == VolumeState.Degraded);
    }

    [Fact]
    public void WritebacksFailedFlushHurtsNoFlushWhenNothingWentRound()
    {
        _client.Write(0, new byte[Block]);
        WriteAround();
        _client.Flush();
        _backing.FlushesToFail = 1;
        _client.Volume.Drain();
        _client.Until(() => _backing.FlushesToFail == 0);
        _client.Flush();
        Assert.Equal(VolumeState.Healthy, _client.Volume.Health.State);
        _client.DrainAll();
        Assert.Equal(3, _backing.Writes);
    }

    [Theory]
    [InlineData(WriteboostMutant.None, 3)]
    [InlineData(WriteboostMutant.R8OthersFailureIgnored, 2)]
    public void ABatchIsWrittenAgainWhenAClientsFlushMayHaveLostIt(WriteboostMutant mutant, long writes)
    {
        Mutant.Active = mutant;
        WriteAround();
        _backing.Hold = IoKind.Flush;
        _client.Begin(RequestKind.Flush, 0, 0, []);
        _client.Until(() => _backing.HeldCount == 1);
        _options.WriteAround = false;
        _client.Write(0, new byte[Block]);
        _client.Volume.Drain();
        _client.Until(() => _backing.Writes == 2);
        Assert.False(_client.HasEnded(50_000));
        Assert.Equal(1, _backing.HeldCount);
        _backing.FlushesToFail = 1;
        _backing.Release();
        _client.Until(() => _client.Volume.BlocksWrittenBack > 0);
        Assert.Equal(writes, _backing.Writes);
        if (mutant != WriteboostMutant.None) return;
        Assert.DoesNotContain(_lines, static line => line.Contains("backing device :", StringComparison.Ordinal));
        Assert.Single(_lines, static line => line.Contains(
            "a flush of a backing device failed: write-back beside it failed", StringComparison.Ordinal));
    }

    private void WriteAround()
    {
        _options.WriteAround = true;
        long before = _backing.Writes;
        _client.Write(8 << 20, new byte[Block]);
        Assert.Equal(before + 1, _backing.Writes);
    }
}
