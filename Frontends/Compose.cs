using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Frontends.Commands;
using Weir.Frontends.Nbd;

namespace Weir.Frontends;

/// <summary>
/// Puts the program together: the only file that names concrete engines, devices and frontends.
/// </summary>
internal static class Compose
{
    /// <summary>Engines by the names that users give.</summary>
    public static IReadOnlyList<string> Engines { get; } = ["passthrough"];

    /// <summary>The engine has a cache device.</summary>
    public static bool HasCache(string engine) => engine != "passthrough";

    /// <summary>Makes an empty cache; one line that says what was made.</summary>
    public static string Format(VolumeSpec spec) =>
        throw new UserErrorException($"{spec.Engine} has no cache to format", Program.WrongUsage);

    /// <summary>Opens a volume and everything below it.</summary>
    public static OpenedVolume Open(VolumeSpec spec, Action<string> log)
    {
        Device backing = OpenDevice(spec.Backing!, spec.ReadOnly, log);
        try
        {
            RefuseOptions(spec);
            return new OpenedVolume(spec.Name, new PassthroughVolume(backing, spec.ReadOnly), [], backing);
        }
        catch
        {
            backing.Dispose();
            throw;
        }
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

    private static void RefuseOptions(VolumeSpec spec)
    {
        foreach ((string key, _) in spec.Options) Tunable.Find([], key);
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
