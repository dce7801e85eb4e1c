using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Frontends.Commands;
using Weir.Frontends.Nbd;

namespace Weir.Frontends.Compose;

/// <summary>How clients reach a volume.</summary>
internal static class Listening
{
    /// <summary>Takes the addresses that clients connect to, or the driver that makes block devices.</summary>
    public static IListening Open(VolumeSpec volume, ServingSpec spec)
    {
        if (spec.Ublk != null) return BlockDevices.Listen(volume, spec, spec.Ublk);
        BlockDevices.CheckNoneWaits(volume);
        List<Listener> listeners = [];
        try
        {
            foreach (string address in spec.Listen) listeners.Add(Listener.Open(address, spec.Insecure));
            return new NbdListening([.. listeners], spec);
        }
        catch
        {
            listeners.ForEach(static listener => listener.Dispose());
            throw;
        }
    }

    private sealed class NbdListening(Listener[] listeners, ServingSpec spec) : IListening
    {
        private bool _serving;

        public IServing Serve(OpenedVolume volume, int queues, Action<Exception> onFailure)
        {
            NbdServer server = NbdServer.Start(new NbdServerOptions
            {
                Exports = [.. volume.Exports.Select(Export.Of)],
                Listeners = listeners,
                Queues = queues,
                MaxConnections = spec.MaxConnections,
                MemoryBytes = spec.RequestMemoryBytes,
                Log = Program.Log,
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
