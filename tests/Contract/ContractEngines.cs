using System;
using System.Collections.Generic;
using Weir.Core.DmCache.Settings;
using Weir.Core.DmCache.Tools;
using Weir.Core.DmCache.Volume;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Format;
using Weir.Tests.Example;
using Weir.Core.Writeboost.Settings;
using Weir.Core.Writeboost.Tools;
using Weir.Core.Writeboost.Volume;
using Xunit;

namespace Weir.Tests.Contract;

/// <summary>What a volume is opened on: devices as a volume before has left them, or both blank.</summary>
internal readonly record struct ContractStart(
    IoContext Io, Device Cache, Device Backing, IRamStore Ram, bool IsBlank, bool ReadOnly);

/// <summary>The engines, and their forms, that keep the contract of volumes: one line each.</summary>
internal static class ContractEngines
{
    private const string Example = "example";

    private static readonly Dictionary<string, Func<ContractStart, IVolume>> s_all = new()
    {
        ["passthrough"] = static start => new PassthroughVolume(start.Backing, readOnly: start.ReadOnly),
        [Example] = static start => new ExampleVolume(start.Backing, "disk", blocks: 64, start.ReadOnly),
        ["dmcache writeback"] = static start => DmCache(start, CacheMode.Writeback),
        ["dmcache writethrough"] = static start => DmCache(start, CacheMode.Writethrough),
        ["dmcache passthrough"] = static start => DmCache(start, CacheMode.Passthrough),
        ["writeboost native"] = static start => Writeboost(start, "native"),
        ["writeboost writeboost2"] = static start => Writeboost(start, "writeboost2"),
        ["writeboost writeboost1"] = static start => Writeboost(start, "writeboost1"),
        ["writeboost lc1"] = static start => Writeboost(start, "lc1"),
    };

    /// <summary>Their names, for theories.</summary>
    public static TheoryData<string> Names() => [.. s_all.Keys];

    /// <summary>Bytes of the sectors that a backing device of it may have.</summary>
    public static int[] BlockBytesOf(string name) =>
        name == Example ? [512] : [512, 4096];

    /// <summary>The one of this name.</summary>
    public static Func<ContractStart, IVolume> Find(string name) => s_all[name];

    private static WriteboostVolume Writeboost(in ContractStart start, string name)
    {
        Layout layout = Layout.Find(name);
        if (start.IsBlank)
            WriteboostFormat.Format(start.Io, start.Cache, layout, layout.MinSegmentBytes, Guid.NewGuid);
        int? id = name == "lc1" ? 1 : null;
        return WriteboostVolume.Open(
            start.Io, start.Cache, [new BackingSpec(id, "disk", start.Backing)], start.Ram,
            new WriteboostOptions { Layout = layout, RamSegments = 4, ReadOnly = start.ReadOnly });
    }

    // The metadata are at the head of the cache device.
    private static DmCacheVolume DmCache(in ContractStart start, CacheMode mode)
    {
        if (start.IsBlank)
        {
            using MetadataDevice metadata = new(start.Io, start.Cache);
            new CacheFormat(metadata, version: 2, 64 << 10).Run(start.Cache.SizeBytes, isAtHead: true);
        }
        DmCacheOptions options = new() { Mode = mode, Policy = "lru", ReadOnly = start.ReadOnly };
        return DmCacheVolume.Open(start.Io, start.Cache, null, start.Backing, options);
    }
}
