using System;
using System.Globalization;
using System.IO;
using System.Runtime.InteropServices;
using Weir.Native.Ublk;
using Weir.Tests.Abi;
using Xunit;

namespace Weir.Tests.Vm;

/// <summary>
/// The program on real kernels: each scenario of <c>tests/Vm/scenarios</c> on Linux 6.12 and on Debian's newest.
/// </summary>
public sealed class VmTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static int Rounds =>
        int.TryParse(Environment.GetEnvironmentVariable("WEIR_VM_ROUNDS"), out int rounds)
            ? rounds
            : TestPlan.AmountOf("vm");

    [Theory]
    [InlineData("k6", "user", 2)]
    [InlineData("k6", "buffer", 1)]
    [InlineData("k7", "user", 1)]
    [InlineData("k7", "buffer", 2)]
    [InlineData("k7", "direct", 2)]
    public void BlockDeviceTakesWhatFioGives(string kernel, string copy, int queues)
    {
        string[] disks = [Disk("cache", 64)];
        new VmMachine { Kernel = kernel, Scenario = $"ublk-io.sh {copy} {queues}", Disks = disks }.MustPass();
    }

    [Theory]
    [InlineData("k6")]
    [InlineData("k7")]
    public void FileSystemsOutliveTheServer(string kernel) =>
        new VmMachine { Kernel = kernel, Scenario = $"filesystems.sh {Rounds}" }.MustPass();

    [Theory]
    [InlineData("k6")]
    [InlineData("k7")]
    public void TheKernelsNbdClientMountsIt(string kernel) =>
        new VmMachine { Kernel = kernel, Scenario = "nbd-client.sh" }.MustPass();

    [Theory]
    [InlineData("k6")]
    [InlineData("k7")]
    public void BlockDevicesComeAndGo(string kernel) =>
        new VmMachine { Kernel = kernel, Scenario = "devices.sh" }.MustPass();

    [Theory]
    [InlineData("k6")]
    [InlineData("k7")]
    public void UsersWithoutRightsServeDevicesOfTheirOwn(string kernel) =>
        new VmMachine { Kernel = kernel, Scenario = "unprivileged.sh" }.MustPass();

    [Fact]
    public void TheKernelsDmWriteboostTakesOurCacheAndWeTakeIts() =>
        new VmMachine { Kernel = "k6", Scenario = "interop.sh" }.MustPass();

    /// <summary>To and fro three times: stopped, killed, and after a crash of the kernel's.</summary>
    [Theory]
    [InlineData("k6", 2, 128)]
    [InlineData("k7", 1, 192)]
    public void TheKernelsDmCacheTakesOurCacheAndWeTakeIts(string kernel, int version, int sectors) =>
        new VmMachine { Kernel = kernel, Scenario = $"dmcache.sh {version} {sectors}" }.MustPass();

    [Theory]
    [InlineData("k6")]
    [InlineData("k7")]
    public void MemoryPressureStopsNobody(string kernel) =>
        new VmMachine
        {
            Kernel = kernel, Scenario = "pressure.sh", Memory = "640M",
            Disks = [Disk("cache", 64), Disk("disk", 192), Disk("swap", 768)],
        }.MustPass();

    /// <summary>
    /// The machine loses power at random moments; both kernels take turns on one pair of disks of each engine. The last
    /// life of dmcache looks at what the one before has left, so that each file system is looked at.
    /// </summary>
    [Fact]
    public void WhatWasSyncedOutlivesPowerCuts()
    {
        PowerCuts dmcache = new(_folder, "dmcache", ["ext4", "xfs", "btrfs"]);
        PowerCuts writeboost = new(_folder, "writeboost", ["ext4"]);
        for (int round = 0; round <= Rounds; round++) (round % 2 == 0 ? dmcache : writeboost).Cut();
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"vm: {Rounds + 1} power cuts, {dmcache.Files} and {writeboost.Files} files synced and compared"));
        Assert.True(dmcache.Files > 0 && writeboost.Files > 0, "nothing was written");
    }

    /// <summary>Our structures and constants against the newest header: this system's own may be older.</summary>
    [Fact]
    public void UblkStructsAndConstantsAreTheHeaders()
    {
        string assets = Environment.GetEnvironmentVariable("WEIR_VM_ASSETS")!;
        HeaderCheck check = new("sys/ioctl.h", "errno.h", Path.Combine(assets, "ublk_cmd.h"));
        check.Constants(typeof(UblkConst));
        check.Struct<ublksrv_ctrl_cmd>();
        check.Struct<ublksrv_ctrl_dev_info>();
        check.Struct<ublksrv_io_desc>();
        check.Struct<ublksrv_io_cmd>();
        check.Struct<ublk_param_basic>();
        check.Struct<ublk_param_discard>();
        check.Struct<ublk_param_devt>();
        check.Struct<ublk_param_zoned>();
        check.Struct<ublk_param_dma_align>();
        foreach (string field in new[] { "basic", "discard", "devt", "zoned", "dma" })
            check.Claim($"offsetof(struct ublk_params, {field}) == {Marshal.OffsetOf<ublk_params>(field)}");
        check.Run();
        Assert.Empty(check.Wrong);
        Assert.Empty(check.Unchecked);
    }

    private string Disk(string name, int mebibytes) => _folder.File(name, mebibytes << 20);
}
