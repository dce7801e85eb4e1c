using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// A dirty block rots in a layout that has no entry for what is lost: write-back waits there and says so, all else goes
/// on, and it heals by itself when the block is overwritten or given up.
/// </summary>
public sealed unsafe partial class KernelLostTests : IDisposable
{
    private const int Block = 4096, Eio = -5, Segments = 12;
    private const byte Old = 200;

    private readonly RamDevice _disk = new(8 << 20);
    private readonly List<string> _log = [];
    private readonly SimRamStore _ram = new(new SimWorld(1, trace: false), outlivesProcess: true);
    private RamDevice _flash = null!;
    private BadBlocks _cache = null!, _backing = null!;
    private WriteboostOptions _options = null!;
    private DirectClient _client = null!;

    public static TheoryData<string> Layouts => ["writeboost2", "writeboost1", "lc1"];

    private WriteboostVolume Volume => _client.Volume;

    public void Dispose()
    {
        _client?.Dispose();
        _ram.Dispose();
        _flash?.Dispose();
        _disk.Dispose();
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void WriteBackWaitsAtALostBlockAndNothingElseDoes(string layout)
    {
        Start(layout);
        string said = Refused("drain");
        Assert.Contains("disk:20480+4096", said, StringComparison.Ordinal);
        Assert.Contains("give_up", said, StringComparison.Ordinal);
        Assert.Equal(VolumeState.Retrying, Volume.Health.State);
        Assert.Contains("disk:20480+4096", Volume.Health.Reason, StringComparison.Ordinal);
        Assert.Contains(layout, Volume.Health.Reason, StringComparison.Ordinal);
        // What lies before its segment is written back, and what was tried did not change the rest.
        for (int i = 0; i < 12; i++) Assert.Equal(i < 4 ? i + 1 : Old, _disk.Start[i * Block]);
        Assert.Equal(Eio, _client.Run(RequestKind.Read, 5 * Block, Block));
        for (int i = 0; i < 12; i++)
            if (i != 5) Assert.Equal(Filled(i + 1), _client.Read(i * Block, Block));
        _client.Write(40 * Block, Filled(41));
        _client.Flush();
        Assert.Equal("disk 20480 4096\n", Carry("lost_blocks"));
        // It stands there already: nobody waits for what will not come.
        Assert.Contains("disk:20480+4096", Refused("drop_caches"), StringComparison.Ordinal);
        Assert.Contains("disk:20480+4096", new StatusFigures(Volume).TextOf("lost_blocks"), StringComparison.Ordinal);
        _client.Stop();
        Assert.True(SegmentIs(2), "a segment that was not written back was used again");
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void ItHealsWhenAllThatIsLostIsOverwritten(string layout)
    {
        Start(layout);
        Refused("drain");
        _client.Write(5 * Block, Filled(60).AsSpan(0, 1024));
        Assert.Equal("disk 21504 3072\n", Carry("lost_blocks"));
        Assert.Equal(Eio, _client.Run(RequestKind.Read, (5 * Block) + 1024, 512));
        Assert.Equal(Filled(60)[..1024], _client.Read(5 * Block, 1024));
        Assert.Contains("disk:21504+3072", Refused("drain"), StringComparison.Ordinal);
        _client.Write((5 * Block) + 1024, Filled(61).AsSpan(0, 3072));
        AwaitHealth();
        Assert.Equal(60, _disk.Start[5 * Block]);
        Assert.Equal(61, _disk.Start[(5 * Block) + 1024]);
        CheckDisk();
        Assert.Equal("nothing is lost\n", Carry("lost_blocks"));
        Assert.StartsWith("drain: done", Carry("drain"), StringComparison.Ordinal);
        Reopen();
        Assert.Equal(60, _client.Read(5 * Block, Block)[0]);
        Assert.Equal(VolumeState.Healthy, Volume.Health.State);
    }

    /// <summary>Each block is known by the index; a header that has rotted holds up nothing.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ARottenHeaderLosesNothing(string layout)
    {
        Start(layout, []);
        _flash.Start[SegmentAt(2)] ^= 0x40;
        _flash.Start[SegmentAt(3) + 520] ^= 0x40;
        Assert.StartsWith("drain: done", Carry("drain"), StringComparison.Ordinal);
        Assert.Equal(VolumeState.Healthy, Volume.Health.State);
        for (int i = 0; i < 12; i++) Assert.Equal(i + 1, _disk.Start[i * Block]);
    }

    /// <summary>Nobody can tell which it is: then it may be each.</summary>
    [Fact]
    public void WithoutChecksumsOfBlocksAllOfASegmentMayBeLost()
    {
        _options = new WriteboostOptions { VerifyReads = false };
        Start("writeboost2");
        Assert.Contains("disk:16384+16384", Refused("drain"), StringComparison.Ordinal);
        Assert.Equal(Eio, _client.Run(RequestKind.Read, 4 * Block, Block));
        for (int i = 4; i < 7; i++) _client.Write(i * Block, Filled(i + 1));
        GiveUp("all");
        AwaitHealth();
        CheckDisk(7);
        Assert.Equal(Old, _disk.Start[7 * Block]);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void ABlockThatCannotBeReadIsNamedAndWaitedForAndCanBeGivenUp(string layout)
    {
        _options = new WriteboostOptions { CacheRetryUs = 0 };
        Start(layout, []);
        _cache.Offsets.Add(SegmentAt(2) + (2 * Block));
        Assert.Contains("disk:20480+4096", Refused("drain"), StringComparison.Ordinal);
        Assert.Equal("disk 20480 4096\n", Carry("lost_blocks"));
        // The device gives it again.
        _cache.Offsets.Clear();
        Volume.Resume();
        AwaitHealth();
        Assert.Equal(6, _disk.Start[5 * Block]);
        _client.Write(5 * Block, Filled(70));
        _client.Flush();
        for (long at = 1 << 20; at < _flash.SizeBytes; at += Block)
            if (new ReadOnlySpan<byte>(_flash.Start + at, Block).SequenceEqual(Filled(70))) _cache.Offsets.Add(at);
        Refused("drain");
        GiveUp("all");
        AwaitHealth();
        Assert.Equal(6, _client.Read(5 * Block, Block)[0]);
    }

    [Fact]
    public void ADeviceWithALostBlockStaysAttached()
    {
        using RamDevice other = new(4 << 20);
        Start("lc1", [5], new BackingSpec(2, "other", other));
        string said = Assert.Throws<UserErrorException>(() => Detach("disk")).Message;
        Assert.Contains("'disk': stays attached: 1 block lost", said, StringComparison.Ordinal);
        Assert.Contains("disk:20480+4096", said, StringComparison.Ordinal);
        // It has nothing that is dirty before what is lost, but its writes lie behind.
        _client.Device = 1;
        _client.Write(0, Filled(9));
        _client.Device = 0;
        said = Assert.Throws<UserErrorException>(() => Detach("other")).Message;
        Assert.Contains("disk:20480+4096", said, StringComparison.Ordinal);
        GiveUp("all");
        Detach("disk");
        CheckDisk();
    }

    /// <summary>Its module has formatted it: what was durable in the log before is not missed in the new one.</summary>
    [Fact]
    public void ALogThatHasBegunAnewHasLostNothing()
    {
        Start("lc1", []);
        AwaitHealth();
        _client.Stop();
        _client.Dispose();
        new Span<byte>(_flash.Start, 512).Clear();
        for (int i = 2; i <= Segments; i++) new Span<byte>(_flash.Start + SegmentAt(i), Block).Clear();
        Assert.Empty(Problems());
        Assert.Equal("nothing to repair", Assert.Single(Repair(new RepairOptions { Write = true }, sound: true)));
        _client = new DirectClient(_cache, [new BackingSpec(1, "disk", _backing)], _options, _ram);
        CheckDisk();
    }

    [Fact]
    public void PassingWhatIsLostIsMissed()
    {
        Mutant.Active = WriteboostMutant.R11LostPassed;
        try
        {
            Start("writeboost1");
            Volume.Drain();
            _client.Until(() => Volume.Log.DirtySegment > 2);
            Assert.Equal(Old, _client.Read(5 * Block, Block)[0]);
        }
        finally
        {
            Mutant.Active = null;
        }
    }

    // Three segments of four blocks, durable, of which some have rotted.
    private void Start(string layout, int[]? rots = null, params BackingSpec[] more)
    {
        Layout found = Layout.Find(layout);
        _options ??= new WriteboostOptions();
        (_options.Layout, _options.Log, _options.SyncIntervalUs) = (found, _log.Add, 0);
        (_options.IdleUs, _options.AllowWriteback) = (1000, false);
        _flash = new RamDevice((1 << 20) + (Segments * (long)found.DefaultSegmentBytes));
        using (RingContext io = new())
            WriteboostFormat.Format(io, _flash, found, found.DefaultSegmentBytes, Guid.NewGuid);
        new Span<byte>(_disk.Start, (int)_disk.SizeBytes).Fill(Old);
        (_cache, _backing) = (new BadBlocks(_flash), new BadBlocks(_disk));
        _client = new DirectClient(_cache, [new BackingSpec(1, "disk", _backing), .. more], _options, _ram);
        for (int i = 0; i < 12; i++)
        {
            _client.Write(i * Block, Filled(i + 1));
            if (i % 4 == 3) _client.Flush();
        }
        // Out of memory: only the device has them then.
        Rot(rots ?? [5]);
    }

    private void Rot(params int[] blocks)
    {
        foreach (int block in blocks) _flash.Start[SegmentAt(1 + (block / 4)) + ((1 + (block % 4)) * Block) + 99] ^= 4;
    }

    private long SegmentAt(long id) => (1 << 20) + ((id - 1) * _options.Layout.DefaultSegmentBytes);

    private bool SegmentIs(long id) => *(long*)(_flash.Start + SegmentAt(id)) == id;

    private void AwaitHealth()
    {
        Volume.Drain();
        _client.Until(() => Volume.Health.State == VolumeState.Healthy && Volume.IsDrained);
    }

    private void CheckGivenUp()
    {
        byte[] block = _client.Read(5 * Block, Block);
        Assert.Equal(Filled(Old)[..2048], block[..2048]);
        Assert.Equal(Filled(60)[..512], block[2048..2560]);
        Assert.Equal(Filled(Old)[..1536], block[2560..]);
    }

    private void CheckDisk(params int[] but)
    {
        for (int i = 0; i < 12; i++)
            if (i != 5 && !but.Contains(i)) Assert.Equal(i + 1, _disk.Start[(i * Block) + 99]);
    }

    private void Reopen(bool dies = false)
    {
        if (!dies) _client.Stop();
        else _ram.ProcessDied();
        _client.Dispose();
        if (dies) _ram.FreeAbandoned();
        _client = new DirectClient(_cache, [new BackingSpec(1, "disk", _backing)], _options, _ram);
    }

    private bool Detach(string name) => _client.Await(() =>
    {
        Volume.Detach(name, static () => false);
        return true;
    });

    private string GiveUp(string text) => _client.Await(() => Volume.GiveUp(text, new Patient()));

    private string Carry(string name) => _client.Await(
        () => VolumeCommand.Find(WriteboostCommands.Of(Volume), name).Run(new Patient()));

    private string Refused(string name) => Assert.Throws<UserErrorException>(() => Carry(name)).Message;

    private static byte[] Filled(int value)
    {
        byte[] data = new byte[Block];
        Array.Fill(data, (byte)value);
        return data;
    }
}
