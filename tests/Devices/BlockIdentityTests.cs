using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.Devices;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Devices;

/// <summary>What names a block device, from a sysfs, a udev database and a /dev of the test's own.</summary>
public sealed class BlockIdentityTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("weir-sys-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData("wwid", "eui.0025385b", "disk:eui.0025385b")]
    [InlineData("device/wwid", "naa.5000c500", "disk:naa.5000c500")]
    [InlineData("serial", "VOL1", "disk:VOL1")]
    [InlineData("dm/uuid", "LVM-abc", "disk:LVM-abc")]
    [InlineData("md/uuid", "6f2e:99", "disk:md/6f2e:99")]
    [InlineData("device/cid", "1501004d", "disk:mmc/1501004d")]
    [InlineData("bcache/backing_dev_uuid", "77-88", "disk:bcache/77-88")]
    public void ANameOfItsOwnIsTheFirst(string attribute, string value, string expected)
    {
        Attribute("9:127", attribute, value);
        IReadOnlyList<string> names = Of(9, 127);
        Assert.Equal([expected, "dev:9:127"], names);
        Assert.False(Device.IsPlace(names[0]));
        Assert.True(Device.IsPlace(names[1]));
        // Moved, it is still called so.
        Attribute("9:3", attribute, value);
        Assert.Equal(expected, Of(9, 3)[0]);
    }

    [Fact]
    public void UdevTellsWhatTheKernelDoesNot()
    {
        Udev("b9:0", "E:MD_UUID=11:22", "S:disk/by-id/md-uuid-11:22", "E:DEVTYPE=disk");
        Assert.Equal(["disk:md/11:22", "place:by-id/md-uuid-11:22", "dev:9:0"], Of(9, 0));
        Udev("b8:16", "E:ID_SERIAL=Disk_7");
        Assert.Equal("disk:serial/Disk_7", Of(8, 16)[0]);
    }

    [Fact]
    public void AnRbdImageIsKnownByItsIdsWhateverItsNumber()
    {
        foreach (string place in new[] { "252:0", "252:16" })
        {
            Attribute(place, "device/cluster_fsid", "f5");
            Attribute(place, "device/pool_id", "3");
            Attribute(place, "device/pool", "rbd");
            Attribute(place, "device/name", "image");
            Attribute(place, "device/image_id", "10ab");
            Attribute(place, "device/current_snap", "-");
        }
        Assert.Equal(["disk:rbd/f5/3/10ab", "place:rbd/rbd/image", "dev:252:0"], Of(252, 0));
        Assert.Equal("disk:rbd/f5/3/10ab", Of(252, 16)[0]);
        Attribute("252:16", "device/current_snap", "monday");
        Assert.Equal("disk:rbd/f5/3/10ab@monday", Of(252, 16)[0]);
    }

    [Fact]
    public void AZvolIsKnownByItsNameFromUdevOrFromItsLink()
    {
        Udev("b230:0", "S:zvol/tank/vm/disk1");
        Assert.Equal(["place:zvol/tank/vm/disk1", "dev:230:0"], Of(230, 0));
        Attribute("230:16", "uevent", "MAJOR=230\nMINOR=16\nDEVNAME=zd16");
        Directory.CreateDirectory(Path.Combine(_root, "dev/zvol/tank/vm"));
        File.WriteAllText(Path.Combine(_root, "dev/zd16"), "");
        File.CreateSymbolicLink(Path.Combine(_root, "dev/zvol/tank/vm/disk1"), "../../../zd16");
        Assert.Equal(["place:zvol/tank/vm/disk1", "dev:230:16"], Of(230, 16));
    }

    [Fact]
    public void AnNbdDeviceAndAPlainMappingAreKnownByWhatTheyAreCalled()
    {
        Attribute("43:0", "backend", "host/export");
        Assert.Equal(["place:nbd/host/export", "dev:43:0"], Of(43, 0));
        Attribute("253:0", "dm/name", "fast");
        Assert.Equal(["place:dm/fast", "dev:253:0"], Of(253, 0));
        // A uuid that is made of the name says no more than that.
        Attribute("253:1", "dm/uuid", "CRYPT-PLAIN-swap");
        Assert.True(Device.IsPlace(Of(253, 1)[0]));
    }

    [Fact]
    public void ALoopDeviceIsKnownByTheFileItStandsOn()
    {
        foreach (string place in new[] { "7:0", "7:5" }) Attribute(place, "loop/backing_file", "/data/disk.img");
        Attribute("7:5", "loop/offset", "0");
        BlockIdentity names = New();
        Assert.Equal(["loop:file:/data/disk.img", "disk:/data/disk.img", "dev:7:0"], names.Of(7, 0));
        // Memory of a killed process is found under the name that it has always had.
        Assert.Equal("disk:/data/disk.img", names.First);
        Assert.Equal("loop:file:/data/disk.img", Of(7, 5)[0]);
        Attribute("7:5", "loop/offset", "1048576");
        Assert.Equal("loop:file:/data/disk.img+1048576", Of(7, 5)[0]);
        foreach (string name in Of(7, 5)) Assert.True(Device.IsPlace(name));
    }

    [Fact]
    public void APartitionIsKnownByItsDiskOrItsOwnUuid()
    {
        Attribute("8:0", "wwid", "naa.1");
        Partition("8:0", "8:1", 1);
        Assert.Equal(["disk:naa.1#1", "dev:8:1"], Of(8, 1));
        Attribute("254:0", "size", "1");
        Partition("254:0", "254:2", 2);
        Attribute("254:2", "uevent", "DEVNAME=vda2\nPARTUUID=aa-bb");
        Assert.Equal(["disk:partuuid/aa-bb", "dev:254:2"], Of(254, 2));
        Partition("254:0", "254:3", 3);
        Udev("b254:3", "E:ID_PART_ENTRY_UUID=cc-dd");
        Assert.Equal(["disk:partuuid/cc-dd", "dev:254:3"], Of(254, 3));
        Partition("254:0", "254:4", 4);
        Assert.Equal(["dev:254:4"], Of(254, 4));
    }

    private IReadOnlyList<string> Of(uint major, uint minor) => New().Of(major, minor);

    private BlockIdentity New() => new(
        Path.Combine(_root, "sys"), Path.Combine(_root, "udev"), Path.Combine(_root, "dev"),
        static path => "file:" + path);

    private void Attribute(string device, string name, string value)
    {
        string path = Path.Combine(_root, "sys/dev/block", device, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, value + "\n");
    }

    // In sysfs a partition is a folder in its disk's, and dev/block has links to both.
    private void Partition(string disk, string partition, int number)
    {
        string block = Path.Combine(_root, "sys/dev/block");
        string inside = Path.Combine(block, disk, "part" + number);
        Directory.CreateDirectory(inside);
        File.WriteAllText(Path.Combine(inside, "partition"), number + "\n");
        Directory.CreateSymbolicLink(Path.Combine(block, partition), inside);
    }

    private void Udev(string name, params string[] lines)
    {
        string folder = Path.Combine(_root, "udev");
        Directory.CreateDirectory(folder);
        File.WriteAllLines(Path.Combine(folder, name), lines);
    }
}
