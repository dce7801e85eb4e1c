using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Weir.Core.DmCache.Tools;
using Weir.Core.Devices;

namespace Weir.Tests.DmCache.Tools;

/// <summary>The tools on a metadata image in memory.</summary>
internal static class OfflineTools
{
    /// <summary>What check finds wrong.</summary>
    public static CheckItems Check(MetadataImage image, long backingBytes = 0)
    {
        CheckItems items = new();
        With(image, device => new CacheChecker(device, items) { BackingBytes = backingBytes }.Run());
        return items;
    }

    /// <summary>The XML.</summary>
    public static string Dump(MetadataImage image, bool withDiscards = false) => With(image, device =>
    {
        StringBuilder xml = new();
        using CacheSurvey survey = CacheSurvey.Run(device, static _ => { });
        new CacheDumper(survey) { WithDiscards = withDiscards }.WriteXml(piece => xml.Append(piece));
        return xml.ToString();
    });

    /// <summary>Metadata of an empty cache of 300 blocks.</summary>
    public static MetadataImage Format(int version)
    {
        const long block = 64 << 10;
        MetadataImage image = MetadataImage.Blank(100);
        With(image, device => new CacheFormat(device, version, block).Run(300 * block, isAtHead: false));
        return image;
    }

    /// <summary>Metadata made of XML.</summary>
    public static MetadataImage Restore(string xml, long blocks, int version, bool omitsClean = false)
    {
        MetadataImage image = MetadataImage.Blank(blocks);
        With(image, device => new CacheRestorer(device) { Version = version, OmitsCleanShutdown = omitsClean }
            .Run(new StringReader(xml)));
        return image;
    }

    /// <summary>Repairs; what it says, and whether all is decided.</summary>
    public static (bool IsDecided, List<string> Texts) Repair(
        MetadataImage image, bool write = true, bool dropsLost = false)
    {
        CheckItems items = new();
        bool isDecided = With(image, device =>
            new CacheRepairer(device, items) { Write = write, DropsLost = dropsLost }.Run());
        return (isDecided, items.Texts);
    }

    [ThreadStatic]
    private static (RamDevice Ram, MetadataDevice Device)? t_devices;

    // The last one serves again if its size is right: a fuzz makes many thousands.
    private static (RamDevice Ram, MetadataDevice Device) DeviceOf(long sizeBytes)
    {
        if (t_devices is { } last && last.Ram.SizeBytes == sizeBytes) return last;
        t_devices?.Device.Dispose();
        t_devices?.Ram.Dispose();
        RamDevice ram = new(sizeBytes);
        t_devices = (ram, new MetadataDevice(new MemoryContext(), ram));
        return t_devices.Value;
    }

    private static unsafe T With<T>(MetadataImage image, Func<MetadataDevice, T> use)
    {
        (RamDevice ram, MetadataDevice device) = DeviceOf(image.Bytes.Length);
        image.Bytes.CopyTo(new Span<byte>(ram.Start, image.Bytes.Length));
        T result = use(device);
        new ReadOnlySpan<byte>(ram.Start, image.Bytes.Length).CopyTo(image.Bytes);
        return result;
    }
}
