using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Writeboost;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;
using Weir.Frontends.Commands;
using Weir.Frontends.Nbd;
using Weir.Native;

namespace Weir.Frontends;

/// <summary>
/// Puts the program together: the only file that names concrete engines, devices and frontends.
/// </summary>
internal static class Compose
{
    private const string OurCache = "a weir cache";

    /// <summary>Engines by the names that users give.</summary>
    public static IReadOnlyList<string> Engines { get; } = ["writeboost", "passthrough"];

    /// <summary>The engine has a cache device.</summary>
    public static bool HasCache(string engine) => engine != "passthrough";

    /// <summary>Throws when no layout is called <paramref name="name"/>.</summary>
    public static void CheckLayout(string name) => Layout.Find(name);

    /// <summary>Makes an empty cache; one line that says what was made.</summary>
    public static string Format(VolumeSpec spec, Action<string> log)
    {
        using Device cache = OpenDevice(spec.Cache!, readOnly: false, log);
        using RingContext io = new();
        string? content = Describe(io, cache);
        if (content != null && !spec.Force) throw Refusal(cache, content);
        Superblock plan = WriteboostFormat.Plan(cache, Layout.Find(spec.Layout), SegmentBytes(spec), Guid.NewGuid);
        Preallocate(cache);
        WriteboostFormat.Format(io, cache, Layout.Find(spec.Layout), plan.SegmentBytes, Guid.NewGuid);
        string limits = Layout.Find(spec.Layout).Limits;
        return $"{cache.Name}: writeboost, layout {spec.Layout}, {plan.SegmentCount} segments of "
            + ByteSize.Format(plan.SegmentBytes) + (limits.Length > 0 ? $" ({limits})" : "");
    }

    /// <summary>Opens a volume and everything below it.</summary>
    public static OpenedVolume Open(VolumeSpec spec, Action<string> log)
    {
        if (spec.Cache != null && DeviceOpener.IsSame(spec.Cache, spec.Backing!))
            throw new UserErrorException($"{spec.Cache}: is the backing device too; a cache needs a device of its own");
        List<IDisposable> below = [];
        try
        {
            return spec.Engine == "passthrough" ? OpenPassthrough(spec, below, log) : OpenWriteboost(spec, below, log);
        }
        catch
        {
            below.ForEach(static part => part.Dispose());
            throw;
        }
    }

    private static OpenedVolume OpenPassthrough(VolumeSpec spec, List<IDisposable> below, Action<string> log)
    {
        SetOptions([], spec);
        Device backing = Keep(below, OpenDevice(spec.Backing!, spec.ReadOnly, log));
        return new OpenedVolume(spec.Name, new PassthroughVolume(backing, spec.ReadOnly), [], below);
    }

    private static OpenedVolume OpenWriteboost(VolumeSpec spec, List<IDisposable> below, Action<string> log)
    {
        WriteboostOptions options = new()
        {
            Layout = Layout.Find(spec.Layout), VolumeName = spec.Name, ReadOnly = spec.ReadOnly, Log = log,
        };
        List<Tunable> tunables = WriteboostTunables.Of(options);
        SetOptions(tunables, spec);
        Device cache = Keep(below, OpenDevice(spec.Cache!, spec.ReadOnly, log));
        Device backing = Keep(below, OpenDevice(spec.Backing!, spec.ReadOnly, log));
        using RingContext io = new();
        Prepare(io, cache, backing, spec, options, log);
        WriteboostVolume volume = WriteboostVolume.Open(io, cache, backing, OpenMemory(log), options);
        tunables.AddRange(WriteboostTunables.OrdersTo(volume));
        return new OpenedVolume(spec.Name, volume, tunables, below);
    }

    /// <summary>Formats a blank cache; refuses what is neither blank nor ours. Checks first, writes then.</summary>
    private static void Prepare(
        RingContext io, Device cache, Device backing, VolumeSpec spec, WriteboostOptions options, Action<string> log)
    {
        string? content = Describe(io, cache);
        if (content != null && content != OurCache) throw Refusal(cache, content);
        if (content == OurCache) CheckSegmentSize(io, cache, spec);
        if (content == OurCache && !spec.ReadOnly) Preallocate(cache);
        if (content == OurCache) return;
        if (spec.ReadOnly) throw new UserErrorException($"{cache.Name}: is blank, and --read-only formats nothing");
        Superblock plan = WriteboostFormat.Plan(cache, Layout.Find(spec.Layout), SegmentBytes(spec), Guid.NewGuid);
        OpenChecks.Check(cache, backing, plan, options);
        Preallocate(cache);
        WriteboostFormat.Format(io, cache, Layout.Find(spec.Layout), plan.SegmentBytes, Guid.NewGuid);
        log($"{cache.Name}: was blank; formatted with {plan.SegmentCount} segments of "
            + $"{ByteSize.Format(plan.SegmentBytes)}");
    }

    /// <summary>A cache keeps the segment size it was formatted with: asking for another one is a mistake.</summary>
    private static void CheckSegmentSize(RingContext io, Device cache, VolumeSpec spec)
    {
        if (spec.SegmentBytes == null) return;
        Superblock found = SuperblockReader.Read(
            Layout.Find(spec.Layout), new BlockingIo(io), cache.OpenQueue(io), cache, out _, out _);
        if (found.SegmentBytes == spec.SegmentBytes) return;
        throw new UserErrorException($"{cache.Name}: was formatted with segments of "
            + $"{ByteSize.Format(found.SegmentBytes)}; --segment-size {ByteSize.Format(spec.SegmentBytes.Value)} "
            + "does not change that: leave it out");
    }

    private static string? Describe(RingContext io, Device cache)
    {
        (byte[] head, byte[] tail) = ContentProbe.Read(io, cache);
        if (SuperblockReader.IsOurs(head)) return OurCache;
        return ContentProbe.Describe(head, tail) ?? ContentProbe.DescribeMiddle(io, cache);
    }

    private static UserErrorException Refusal(Device cache, string content) => new(content == ContentProbe.DamagedCache
        ? $"{cache.Name}: holds {content}; what was written and not yet written back is still in its log"
        : $"{cache.Name}: holds {content}; 'weir format writeboost --cache {cache.Name} --force' would overwrite it");

    /// <summary>So that a full file system cannot fail a log write later (R16).</summary>
    private static void Preallocate(Device cache)
    {
        int result = cache.Preallocate();
        if (result < 0) throw new UserErrorException($"{cache.Name}: cannot reserve its space: {Errno.Text(result)}");
    }

    private static int SegmentBytes(VolumeSpec spec) =>
        (int)Math.Min(spec.SegmentBytes ?? Layout.Find(spec.Layout).DefaultSegmentBytes, int.MaxValue);

    /// <summary>Shared memory where there is some; without it, acknowledgements wait for the log (R1).</summary>
    private static IRamStore OpenMemory(Action<string> log)
    {
        try
        {
            return new SharedMemoryStore();
        }
        catch (UserErrorException e)
        {
            log($"no memory that outlives the process ({e.Message}): writes are acknowledged once they are durable");
            return new PrivateMemoryStore();
        }
    }

    private static Device Keep(List<IDisposable> below, Device device)
    {
        below.Add(device);
        return device;
    }

    /// <summary>Takes the addresses that clients connect to.</summary>
    public static IListening Listen(ServingSpec spec)
    {
        List<Listener> listeners = [];
        try
        {
            foreach (string address in spec.Listen) listeners.Add(Listener.Open(address));
            return new NbdListening([.. listeners]);
        }
        catch
        {
            listeners.ForEach(static listener => listener.Dispose());
            throw;
        }
    }

    private static Device OpenDevice(string path, bool readOnly, Action<string> log)
    {
        Device device = DeviceOpener.Open(path, readOnly);
        if (DeviceOpener.Warning(device) is { } warning) log(warning);
        return device;
    }

    private static void SetOptions(List<Tunable> tunables, VolumeSpec spec)
    {
        foreach ((string key, string value) in spec.Options) Tunable.Find(tunables, key).Set(value, atStart: true);
    }

    private sealed class NbdListening(Listener[] listeners) : IListening
    {
        private bool _serving;

        public IServing Serve(OpenedVolume volume, int queues, Action<Exception> onFailure)
        {
            NbdServer server = NbdServer.Start(new NbdServerOptions
            {
                Exports = [new Export(volume.Name, $"weir {volume.Volume.Engine} volume", volume.Volume)],
                Listeners = listeners,
                Queues = queues,
                OnFailure = onFailure,
            });
            _serving = true;
            return server;
        }

        public void Dispose()
        {
            if (_serving) return;
            foreach (Listener listener in listeners) listener.Dispose();
        }
    }
}
