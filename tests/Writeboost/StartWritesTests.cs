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

/// <summary>What a start writes to the cache device, in which order: the simulation seldom sees it.</summary>
public sealed unsafe class StartWritesTests : IDisposable
{
    private const int SegmentBytes = 128 << 10;

    private readonly RamDevice _flash = new(8 << 20), _disk = new(16 << 20);

    public StartWritesTests()
    {
        using RingContext io = new();
        WriteboostFormat.Format(io, _flash, Layout.Native, SegmentBytes, Guid.NewGuid);
    }

    public void Dispose()
    {
        Mutant.Active = null;
        _flash.Dispose();
        _disk.Dispose();
    }

    /// <summary>R12: the whole copy stays until the torn one is mended.</summary>
    [Theory]
    [InlineData(0, WriteboostMutant.None, true)]
    [InlineData(Superblock.CopyBOffset, WriteboostMutant.None, true)]
    [InlineData(Superblock.CopyBOffset, WriteboostMutant.R12WholeCopyFirst, false)]
    public void TheTornCopyOfTheSuperblockIsWrittenFirst(long torn, WriteboostMutant mutant, bool isFirst)
    {
        new Span<byte>(_flash.Start + torn, 512).Clear();
        long first = WritesOfStart(mutant).First(static at => at is 0 or Superblock.CopyBOffset);
        Assert.Equal(isFirst, first == torn);
    }

    /// <summary>R6: a record that no flush is known to cover may be shown and not be there.</summary>
    [Theory]
    [InlineData(WriteboostMutant.None, true)]
    [InlineData(WriteboostMutant.R6UnprovenTrusted, false)]
    public void ARecordThatNoFlushCoversIsWrittenAgain(WriteboostMutant mutant, bool isWritten)
    {
        CountingDevice cache = new(_flash);
        WriteboostOptions options = new() { AllowWriteback = false, SyncIntervalUs = 0 };
        using (DirectClient client = new(cache, _disk, options))
        {
            cache.Hold = IoKind.Flush;
            client.Begin(RequestKind.Write, 0, 4096, new byte[4096]);
            client.Until(() => cache.HeldCount == 1);
            cache.Release();
        }
        Assert.Equal(isWritten, WritesOfStart(mutant).Exists(static at => at >= 1 << 20));
    }

    private List<long> WritesOfStart(WriteboostMutant mutant)
    {
        CountingDevice cache = new(_flash);
        Mutant.Active = mutant;
        using DirectClient client = new(cache, _disk, new WriteboostOptions { AllowWriteback = false });
        return cache.WriteOffsets;
    }
}
