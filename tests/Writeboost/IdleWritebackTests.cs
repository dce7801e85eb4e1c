using System;
using System.Linq;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>When nobody comes, all that is dirty reaches the backing device, and then the thread sleeps.</summary>
public sealed unsafe class IdleWritebackTests
{
    private static readonly byte[] s_data = Enumerable.Range(0, 8192).Select(static i => (byte)(i % 251 + 1)).ToArray();

    public static TheoryData<string> Layouts() => new(Layout.All.Select(static layout => layout.Name));

    private static DirectClient Open(RamDevice cache, RamDevice backing, string layout, bool writesBack = true) => new(
        cache, backing,
        new WriteboostOptions { Layout = Layout.Find(layout), IdleUs = 20_000, AllowWriteback = writesBack });

    private static Span<byte> Bytes(RamDevice device, long at, int length) => new(device.Start + at, length);

    private static RamDevice NewCache(string layout)
    {
        RamDevice cache = new(16 << 20);
        using RingContext io = new();
        WriteboostFormat.Format(io, cache, Layout.Find(layout), Layout.Find(layout).MinSegmentBytes, Guid.NewGuid);
        return cache;
    }

    private static void AwaitRest(DirectClient client)
    {
        client.Until(() => client.Volume.IsDrained && client.Volume.DirtyBlocks == 0);
        client.Until(() => client.DeadlineUs == long.MaxValue);
        Assert.Equal(VolumeState.Healthy, client.Volume.Health.State);
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void TheOpenSegmentIsWrittenBackWhenNobodyComes(string layout)
    {
        using RamDevice cache = NewCache(layout), backing = new(1 << 20);
        using DirectClient client = Open(cache, backing, layout);
        for (int round = 0; round < 3; round++)
        {
            client.Write(round * 65536, s_data);
            if (round == 1) client.Write(4096 * 100 + 512, s_data.AsSpan(0, 1024));
            if (round == 2) client.Flush();
            AwaitRest(client);
            Assert.Equal(s_data, Bytes(backing, round * 65536, 8192).ToArray());
        }
        Assert.Equal(s_data[..1024], Bytes(backing, 4096 * 100 + 512, 1024).ToArray());
        Assert.Equal(s_data, client.Read(65536, 8192));
        client.Stop();
    }

    [Fact]
    public void SoAreTheRangesInIt()
    {
        using RamDevice cache = NewCache("native"), backing = new(1 << 20);
        Bytes(backing, 0, 1 << 20).Fill(7);
        using DirectClient client = Open(cache, backing, "native");
        Assert.Equal(0, client.Run(RequestKind.WriteZeroes, 65536, 65536));
        Assert.Equal(0, client.Run(RequestKind.Discard, 262144, 65536));
        AwaitRest(client);
        Assert.False(Bytes(backing, 65536, 65536).ContainsAnyExcept((byte)0));
        Assert.False(Bytes(backing, 262144, 65536).ContainsAnyExcept((byte)0));
        client.Stop();
    }

    /// <summary>The next life has it all to do, and nobody connects: one segment or many.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void AStartWithDirtyDataWritesItBackByItself(string layout)
    {
        byte[] data = new byte[65536];
        data.AsSpan().Fill(1);
        foreach (int writes in new[] { 1, 6 })
        {
            using RamDevice cache = NewCache(layout), backing = new(1 << 20);
            using (DirectClient before = Open(cache, backing, layout, writesBack: false))
            {
                for (int i = 0; i < writes; i++) before.Write(i * 65536, data);
                before.Stop();
            }
            Assert.Equal(0, Bytes(backing, 0, 1)[0]);
            using DirectClient client = Open(cache, backing, layout);
            AwaitRest(client);
            Assert.Equal(data, Bytes(backing, (writes - 1) * 65536, 65536).ToArray());
            client.Stop();
        }
    }

    [Fact]
    public void AScrubThatIsWantedWhileAllIsAtRestBegins()
    {
        using RamDevice cache = NewCache("native"), backing = new(1 << 20);
        WriteboostOptions options = new() { IdleUs = 20_000 };
        using DirectClient client = new(cache, backing, options);
        for (int i = 0; i < 80; i++) client.Write(i * 4096, s_data.AsSpan(0, 4096));
        AwaitRest(client);
        Tunable.Find(WriteboostTunables.Of(options), "scrub_interval").Set("1", atStart: false);
        Assert.Equal(0, client.DeadlineUs);
        client.Stop();
    }
}
