using System;
using System.IO;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Settings;
using Weir.Core.DmCache.Tools;
using Weir.Core.DmCache.Volume;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>
/// The first flush of a start or of a tool fails, or one before it did and nobody heard of it (B6): later flushes
/// succeed and cover nothing of what was lost. What a flush of a client has covered is there after the power went.
/// </summary>
public sealed class FirstFlushTests : IDisposable
{
    private const int BlockBytes = 64 << 10, Places = 8;
    private const long HeadBytes = 8 << 20, MetadataBytes = 1 << 20;

    private readonly RamDevice _ramCache = new(HeadBytes + (Places * BlockBytes));
    private readonly RamDevice _ramMetadata = new(MetadataBytes);
    private readonly RamDevice _backing = new(64 * BlockBytes);
    private readonly DmCacheOptions _options = new()
    {
        Policy = "lru", IdleUs = long.MaxValue / 4, HighWatermark = 100,
    };

    private readonly LossyDevice _cache;
    private readonly LossyDevice _metadata;
    private RingContext _io = new();
    private DmCacheVolume? _volume;
    private QueueDriver? _driver;
    private bool _isAtHead = true;

    public FirstFlushTests() => (_cache, _metadata) = (new LossyDevice(_ramCache), new LossyDevice(_ramMetadata));

    [Theory]
    [InlineData(DmCacheMutant.None, 2)]
    [InlineData(DmCacheMutant.B6FirstLossNotNoted, 1)]
    public void AStartThatCannotFlushSaysSoToTheNext(DmCacheMutant mutant, long there)
    {
        using MutantScope broken = new(mutant);
        WriteTwice();
        _cache.FlushesToFail = 1;
        Assert.Throws<UserErrorException>(Start);
        Assert.Equal(there, ReadAfterPowerCut());
    }

    [Theory]
    [InlineData(DmCacheMutant.None, 2)]
    [InlineData(DmCacheMutant.B6FirstLossNotNoted, 1)]
    public void ARepairThatCannotFlushSaysSoToTheNextStart(DmCacheMutant mutant, long there)
    {
        using MutantScope broken = new(mutant);
        WriteTwice();
        AskForRepair();
        _cache.FlushesToFail = 1;
        Assert.Throws<UserErrorException>(Repair);
        Repair();
        Assert.Equal(there, ReadAfterPowerCut());
    }

    [Theory]
    [InlineData(DmCacheMutant.None, 2)]
    [InlineData(DmCacheMutant.B6FirstLossNotNoted, 1)]
    public void ARestoreThatCannotFlushSaysSoToTheNextStart(DmCacheMutant mutant, long there)
    {
        using MutantScope broken = new(mutant);
        WriteTwice();
        string xml = Dump();
        _cache.FlushesToFail = 1;
        Assert.Throws<UserErrorException>(() => Restore(xml));
        Restore(xml);
        Assert.Equal(there, ReadAfterPowerCut());
    }

    /// <summary>
    /// The superblock of a repair is lost, and shows. A start writes over blocks that it has freed, and dies before its
    /// own superblock is there: the one before the repair must not be what is left.
    /// </summary>
    [Theory]
    [InlineData(DmCacheMutant.None, true, true)]
    [InlineData(DmCacheMutant.None, false, true)]
    [InlineData(DmCacheMutant.B6FoundRootTrusted, true, false)]
    [InlineData(DmCacheMutant.B6FoundRootTrusted, false, false)]
    public void ASuperblockThatWasLostIsWrittenAgain(DmCacheMutant mutant, bool isAtHead, bool isSound)
    {
        LoseSuperblock(isAtHead);
        using MutantScope broken = new(mutant);
        Home.DiesAtNewRoot = true;
        Assert.Throws<UserErrorException>(Start);
        Home.CutPower();
        Assert.Equal(isSound, OfflineCheck() == 0);
    }

    /// <summary>
    /// The same where the power goes before the flush of the blocks: of two writes the device may keep the later one
    /// alone, so the superblock is durable before the first of them.
    /// </summary>
    [Theory]
    [InlineData(DmCacheMutant.None, true)]
    [InlineData(DmCacheMutant.B6OldRootOverwritten, false)]
    public void ASuperblockIsDurableBeforeOthersAreWritten(DmCacheMutant mutant, bool isSound)
    {
        LoseSuperblock(isAtHead: false);
        using MutantScope broken = new(mutant);
        Home.DiesAtBlocks = true;
        Assert.Throws<UserErrorException>(Start);
        Home.CutPower();
        Assert.Equal(isSound, OfflineCheck() == 0);
    }

    public void Dispose()
    {
        Kill();
        _io.Dispose();
        _ramCache.Dispose();
        _ramMetadata.Dispose();
        _backing.Dispose();
    }

    private LossyDevice Home => _isAtHead ? _cache : _metadata;

    // A block is dirty: 1 of it is durable, 2 shows. The process has died.
    private void WriteTwice()
    {
        WithMetadata(device => new CacheFormat(device, 2, BlockBytes).Run(_cache.SizeBytes, _isAtHead));
        Start();
        for (long home = 0; home < 4; home++)
        {
            Assert.Equal(0, _driver!.Do(RequestKind.Read, home * BlockBytes, 4096));
            _driver.Until(() => _volume!.Map.Find(home) >= 0, "a block");
        }
        Write(1);
        Assert.Equal(0, _driver!.Do(RequestKind.Flush));
        _driver.Until(() => _volume!.Changes.IsEmpty, "the last commit");
        Write(2);
        Kill();
    }

    // A repair has written its superblock, which shows and is not there.
    private void LoseSuperblock(bool isAtHead)
    {
        _isAtHead = isAtHead;
        WriteTwice();
        // What a stop leaves the next start takes back.
        Start();
        _driver!.Stop();
        Kill();
        AskForRepair();
        // All but the last: the superblock's.
        (Home.FlushesToPass, Home.FlushesToFail) = (2, 1);
        Assert.Throws<UserErrorException>(Repair);
    }

    // A client flushes what it sees, and then the power goes.
    private long ReadAfterPowerCut()
    {
        Start();
        Assert.Equal(2, _driver!.Read(0));
        Assert.Equal(0, _driver.Do(RequestKind.Flush));
        Kill();
        _cache.CutPower();
        Start();
        return _driver.Read(0);
    }

    private unsafe void Write(long value)
    {
        new Span<long>(_driver!.Data, 512).Fill(value);
        Assert.Equal(0, _driver.Do(RequestKind.Write, 0, 4096));
    }

    // As a commit that failed leaves it, and in doubt, so that the next start has something to write; not flushed.
    private unsafe void AskForRepair()
    {
        BlockingIo io = new(_io);
        using AlignedMemory block = new(CacheMetadata.BlockBytes);
        DiskSuperblock* disk = (DiskSuperblock*)block.Pointer;
        io.Start(io.QueueOf(Home), IoKind.Read, 0, disk, CacheMetadata.BlockBytes);
        Assert.Equal(0, io.Wait());
        WriterMark mark = SuperblockCodec.Read(disk).Mark!.Value;
        disk->Flags |= DiskSuperblock.NeedsCheckFlag;
        SuperblockCodec.Seal(mark with { IsInDoubt = true }, block.Pointer);
        io.Start(io.QueueOf(Home), IoKind.Write, 0, disk, CacheMetadata.BlockBytes);
        Assert.Equal(0, io.Wait());
    }

    private void Repair() => WithMetadata(
        static device => Assert.True(new CacheRepairer(device, new CheckItems()) { Write = true }.Run()));

    private string Dump()
    {
        StringBuilder xml = new();
        WithMetadata(device =>
        {
            using CacheSurvey survey = CacheSurvey.Run(device, static _ => { });
            new CacheDumper(survey).WriteXml(piece => xml.Append(piece));
        });
        return xml.ToString();
    }

    private void Restore(string xml) => WithMetadata(device =>
        new CacheRestorer(device) { IsAtHead = _isAtHead }.Run(new StringReader(xml)));

    private long OfflineCheck()
    {
        CheckItems items = new();
        WithMetadata(device =>
        {
            try
            {
                new CacheChecker(device, items).Run();
            }
            catch (UserErrorException e)
            {
                items.Problems.Add(e.Message);
            }
        });
        return items.Problems.Count;
    }

    private void WithMetadata(Action<MetadataDevice> use)
    {
        using MetadataDevice device = new(_io, Home);
        if (_isAtHead) MetadataProbe.LimitToRegion(device);
        use(device);
    }

    private void Start()
    {
        _volume = DmCacheVolume.Open(_io, new KeptDevice(_cache), _isAtHead ? null : new KeptDevice(_metadata),
            new KeptDevice(_backing), _options);
        _driver = new QueueDriver(_volume, 0, _io);
    }

    private void Kill()
    {
        _io.Dispose();
        _volume?.Dispose();
        _driver?.Dispose();
        (_volume, _driver, _io) = (null, null, new RingContext());
    }
}
