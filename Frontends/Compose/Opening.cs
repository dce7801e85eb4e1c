using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Frontends.Commands;

namespace Weir.Frontends.Compose;

/// <summary>A volume on its way to be opened: what was asked for, and what has been opened below it so far.</summary>
/// <param name="spec">What the user said.</param>
/// <param name="log">Takes one line at a time.</param>
/// <param name="progress">Is told of what, how many are done, of how many; null: nobody wants to know.</param>
/// <param name="stopAsked">Nobody waits for it any more; null: somebody always does.</param>
internal sealed class Opening(
    VolumeSpec spec, Action<string> log, Action<string, long, long>? progress, Func<bool>? stopAsked)
{
    private readonly List<IDisposable> _below = [];

    /// <summary>What the user said.</summary>
    public VolumeSpec Spec => spec;

    /// <summary>Takes one line at a time.</summary>
    public Action<string> Log => log;

    /// <summary>Is told of what, how many are done, of how many; or null.</summary>
    public Action<string, long, long>? Progress => progress;

    /// <summary>Nobody waits for it any more; or null.</summary>
    public Func<bool>? StopAsked => stopAsked;

    /// <summary>What was opened, in the order of disposal.</summary>
    public IReadOnlyList<IDisposable> Below => _below;

    /// <summary>Opens a volume and everything below it; nothing stays open when that fails.</summary>
    public static OpenedVolume Run(
        VolumeSpec spec, Action<string> log, Action<string, long, long>? progress = null,
        Func<bool>? stopAsked = null) => Run(EngineTable.Find(spec.Engine), spec, log, progress, stopAsked);

    /// <summary>The same of an engine that need not be in the table.</summary>
    public static OpenedVolume Run(
        IEngineKind kind, VolumeSpec spec, Action<string> log, Action<string, long, long>? progress = null,
        Func<bool>? stopAsked = null)
    {
        CheckDistinct(spec.Devices);
        Opening opening = new(spec, log, progress, stopAsked);
        try
        {
            return kind.Open(opening);
        }
        catch
        {
            opening.Space.GiveBack();
            opening._below.ForEach(static part => part.Dispose());
            throw;
        }
    }

    /// <summary>The fast device.</summary>
    public Device Cache() => Keep(OpenDevice(spec.Devices.Cache!, spec.ReadOnly, log));

    /// <summary>The one for metadata alone; null: none was named.</summary>
    public Device? Metadata() =>
        spec.Devices.Metadata is { } path ? Keep(OpenDevice(path, spec.ReadOnly, log)) : null;

    /// <summary>A slow device.</summary>
    public Device Backing(BackingArgument backing) => Keep(OpenBacking(backing.Path, spec.ReadOnly, log));

    /// <summary>Sets what <c>--option</c> says; throws when there is no such key.</summary>
    public void SetOptions(IReadOnlyList<Tunable> tunables)
    {
        foreach ((string key, string value) in spec.Options) Tunable.Find(tunables, key).Set(value, atStart: true);
        foreach ((string key, _) in spec.Options)
            if (Tunable.Find(tunables, key).Note?.Invoke() is { } note) log($"--option {key}: {note}");
    }

    /// <summary>A device of whole sectors. Says on the log what works, but not as well as it could.</summary>
    public static Device OpenDevice(string path, bool readOnly, Action<string> log, bool anySize = false)
    {
        Device device = DeviceOpener.Open(path, readOnly, anySize);
        if (DeviceOpener.Warning(device) is { } warning) log(warning);
        return device;
    }

    /// <summary>A file of any size: its last partial sector is served too.</summary>
    public static Device OpenBacking(string path, bool readOnly, Action<string> log) =>
        OpenDevice(path, readOnly, log, anySize: true);

    /// <summary>What was taken for a volume that is made; it goes back when the volume is not opened.</summary>
    public SpaceReservation Space { get; } = new();

    /// <summary>Shared memory where there is some; without it, acknowledgements wait for the log (R1).</summary>
    public static IRamStore OpenMemory(string? chosen, Action<string> log)
    {
        if (chosen == VolumeSpec.NoMemory) return new PrivateMemoryStore(MemoryPlaces.ToSearch(null));
        // What the user names is there, or he is told that it is not.
        if (chosen != null) return new SharedMemoryStore(Path.GetFullPath(chosen));
        try
        {
            return new SharedMemoryStore();
        }
        catch (UserErrorException e)
        {
            log($"no memory that outlives the process ({e.Message}): writes are acknowledged once they are durable");
            return new PrivateMemoryStore(MemoryPlaces.ToSearch(null));
        }
    }

    // No device is named twice.
    private static void CheckDistinct(DeviceSpec devices)
    {
        (string? cache, string? metadata) = (devices.Cache, devices.Metadata);
        if (cache != null) CheckIsNot(cache, metadata, "the metadata device", "a cache needs");
        for (int i = 0; i < devices.Backings.Count; i++)
        {
            string path = devices.Backings[i].Path;
            if (cache != null) CheckIsNot(cache, path, "the backing device", "a cache needs");
            if (metadata != null) CheckIsNot(metadata, path, "the backing device", "metadata need");
            for (int j = 0; j < i; j++)
                if (DeviceOpener.IsSame(devices.Backings[j].Path, path))
                    throw new UserErrorException($"{path}: is backing device '{devices.Backings[j].Name}' and "
                        + $"'{devices.Backings[i].Name}'; each needs a device of its own");
        }
    }

    private static void CheckIsNot(string path, string? other, string name, string needs)
    {
        if (other != null && DeviceOpener.IsSame(path, other))
            throw new UserErrorException($"{path}: is {name} too; {needs} a device of its own");
    }

    private Device Keep(Device device)
    {
        _below.Add(device);
        return device;
    }
}
