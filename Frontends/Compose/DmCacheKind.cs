using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.DmCache.Settings;
using Weir.Core.DmCache.Tools;
using Weir.Core.DmCache.Volume;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Frontends.Commands;

namespace Weir.Frontends.Compose;

/// <summary>The block cache on the kernel's metadata.</summary>
internal sealed partial class DmCacheKind : IEngineKind
{
    /// <inheritdoc/>
    public string Name => "dmcache";

    /// <inheritdoc/>
    public IReadOnlyList<DeviceRole> Roles { get; } = [DeviceRole.Cache, DeviceRole.Metadata, DeviceRole.Backing];

    /// <inheritdoc/>
    public IEngineTools Tools => this;

    /// <inheritdoc/>
    public void Check(VolumeSpec spec)
    {
        IReadOnlyList<BackingArgument> backings = spec.Devices.Backings;
        if (backings.Count > 1) throw Usage($"{Name} has one backing device; {backings.Count} are named");
        foreach (BackingArgument backing in backings)
            if (backing.Id is { } id)
                throw Usage($"--backing {id}:{backing.Name}: {Name} has no device numbers; leave '{id}:' out");
        spec.CheckNoMemory();
        _ = GivenBlockBytes(spec);
    }

    /// <inheritdoc/>
    public OpenedVolume Open(Opening opening)
    {
        VolumeSpec spec = opening.Spec;
        if (spec.Devices.Cache == null) throw Usage($"{Name} needs --cache PATH");
        DmCacheOptions options = new()
        {
            VolumeName = spec.Name, ExportName = spec.Devices.Backings[0].Name, ReadOnly = spec.ReadOnly,
            Log = opening.Log, BlockBytes = GivenBlockBytes(spec) ?? 0, ReservesSpace = true,
        };
        List<Tunable> tunables = DmCacheTunables.Of(options);
        opening.SetOptions(tunables);
        BackingArgument named = spec.Devices.Backings[0];
        (Device cache, Device? metadata) = (opening.Cache(), opening.Metadata());
        Device backing = opening.Backing(named);
        DmCacheVolume.CheckDevices(cache, metadata, backing, options);
        using RingContext io = new();
        Prepare(io, cache, metadata, opening, options);
        DmCacheVolume volume = DmCacheVolume.Open(io, cache, metadata, backing, options);
        return new OpenedVolume(volume, [new OpenedExport(volume, volume)], tunables, opening.Below)
        {
            Commands = DmCacheCommands.Of(volume, tunables),
        };
    }

    // Makes metadata on a blank device; refuses what is neither blank nor theirs. Checks first, writes then.
    private void Prepare(
        RingContext io, Device cache, Device? metadata, Opening opening, DmCacheOptions options)
    {
        Device home = metadata ?? cache;
        (byte[] head, byte[] tail) = ContentProbe.Read(io, home);
        if (MetadataProbe.IsSuperblock(head)) return;
        using MetadataDevice device = new(io, home);
        if (!opening.Spec.Force) CheckRoom(io, cache, device, (head, tail), opening);
        if (opening.Spec.MustExist) throw new UserErrorException($"{home.Name}: is blank: no cache");
        if (opening.Spec.ReadOnly)
            throw new UserErrorException($"{home.Name}: is blank, and --read-only formats nothing");
        CacheFormat format = new(device, options.MetadataVersion,
            options.BlockBytes == 0 ? DefaultBlockBytes : options.BlockBytes)
        { CacheName = cache.Name, Reserve = () => Reserve(opening.Space, cache, metadata) };
        string made = format.Run(cache.SizeBytes, isAtHead: metadata == null);
        opening.Log($"{home.Name}: was blank; formatted: {made}");
    }

    private void CheckRoom(
        RingContext io, Device cache, MetadataDevice metadata, (byte[] Head, byte[] Tail) ends, Opening opening)
    {
        Device home = metadata.Device;
        if (MetadataProbe.Find(metadata) is { } found)
            throw new UserErrorException($"{home.Name}: holds {found}: 'weir check {Name}' and 'weir repair {Name}' "
                + "look at it; 'weir format --force' would lose it");
        Content content = Contents.Of(io, home, ends.Head, ends.Tail, opening.Progress, except: this);
        if (!content.IsBlank)
            throw new UserErrorException($"{home.Name}: holds {content.Description}; 'weir format {Name} --force' "
                + "would overwrite it");
        if (home != cache) CheckBlank(io, cache, opening);
    }

    // The blocks of a cache whose metadata are lost would be forgotten.
    private void CheckBlank(RingContext io, Device cache, Opening opening)
    {
        (byte[] head, byte[] tail) = ContentProbe.Read(io, cache);
        Content content = Contents.Of(io, cache, head, tail, opening.Progress, except: this);
        if (content.IsBlank) return;
        throw new UserErrorException($"{cache.Name}: holds {content.Description}, and the metadata device is blank; "
            + $"'weir format {Name} --force' would begin a new cache there");
    }

    private static void Reserve(SpaceReservation space, Device cache, Device? metadata)
    {
        space.Take(cache);
        if (metadata != null) space.Take(metadata);
    }

    // Null: the user has not said one.
    private static long? GivenBlockBytes(VolumeSpec spec) =>
        spec.OwnOrNull<string>(SizeOption) is { } text ? SimulatedEngine.DmCache.BlockBytesOf(text) : null;

    private static UserErrorException Usage(string message) => new(message, Program.WrongUsage);
}
