using System;
using System.Text.Json;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>fio writes, reads back and checks, over NBD, against the real process.</summary>
public sealed class FioTests
{
    private static Outcome Fio(TestFolder folder, WeirProcess weir, params string[] arguments) => WeirProcess.ToolIn(
        folder.Path, "fio", ["--name=job", "--ioengine=nbd", "--uri=" + weir.Uri, "--verify=crc32c", "--verify_fatal=1",
            "--verify_state_save=0", "--iodepth=32", "--output-format=json", .. arguments]);

    private static void Verified(Outcome fio)
    {
        Assert.True(fio.ExitCode == 0, fio.Error + fio.Output);
        JsonElement job = JsonDocument.Parse(fio.Output[fio.Output.IndexOf('{', StringComparison.Ordinal)..])
            .RootElement.GetProperty("jobs")[0];
        Assert.Equal(0, job.GetProperty("error").GetInt32());
        Assert.True(job.GetProperty("read").GetProperty("total_ios").GetInt64() > 0, "nothing was read back");
    }

    private static WeirProcess Serve(TestFolder folder, string cacheSize, params string[] more)
    {
        long cacheBytes = Weir.Core.Base.ByteSize.Parse(cacheSize, "test");
        WeirProcess weir = WeirProcess.Serve(
            folder, ["writeboost", "--cache", folder.File("cache", cacheBytes), "--backing",
                "disk=" + folder.File("backing", 128 << 20), .. more]);
        folder.Remember(weir);
        return weir;
    }

    /// <summary>With a cache that holds everything, and with one that must write back to take it all.</summary>
    [Theory]
    [InlineData("256M", "randwrite", "4k-4k")]
    [InlineData("24M", "randwrite", "4k-4k")]
    [InlineData("256M", "randrw", "512-256k")]
    [InlineData("24M", "randrw", "512-256k")]
    public void WhatIsWrittenIsReadBack(string cache, string mode, string blockSizes)
    {
        using TestFolder folder = new();
        using WeirProcess weir = Serve(folder, cache);
        Verified(Fio(folder, weir, "--rw=" + mode, "--bsrange=" + blockSizes, "--size=96M", "--fsync=64"));
        weir.Stop();
    }

    [Fact]
    public void WhatWasWrittenIsThereAfterAnOrderlyStop()
    {
        using TestFolder folder = new();
        using (WeirProcess weir = Serve(folder, "64M"))
        {
            Verified(Fio(folder, weir, "--rw=randwrite", "--bs=8k", "--size=48M"));
            weir.Stop();
        }
        using WeirProcess again = Serve2(folder);
        Verified(Fio(folder, again, "--rw=randwrite", "--bs=8k", "--size=48M", "--verify_only"));
        again.Stop();
    }

    [Fact]
    public void TwoQueuesServeTwoClients()
    {
        using TestFolder folder = new();
        using WeirProcess weir = Serve(folder, "64M", "--queues", "2");
        Verified(Fio(
            folder, weir, "--rw=randrw", "--bsrange=512-64k", "--size=32M", "--numjobs=2", "--offset_increment=32M"));
        Assert.Equal(2, weir.Number("queues"));
        weir.Stop();
    }

    [Fact]
    public void PassthroughIsVerifiedTheSameWay()
    {
        using TestFolder folder = new();
        using WeirProcess weir = WeirProcess.Serve(
            folder, "passthrough", "--backing", folder.File("backing", 64 << 20));
        Verified(Fio(folder, weir, "--rw=randrw", "--bsrange=512-256k", "--size=48M"));
        weir.Stop();
    }

    private static WeirProcess Serve2(TestFolder folder) => WeirProcess.Serve(
        folder, "writeboost", "--cache", folder.PathOf("cache"), "--backing", "disk=" + folder.PathOf("backing"));
}
