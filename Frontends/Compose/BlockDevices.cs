using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Frontends.Commands;
using Weir.Frontends.Ublk;
using Weir.Native;

namespace Weir.Frontends.Compose;

/// <summary>Block devices of this machine that are served by Weir (ublk).</summary>
internal static class BlockDevices
{
    /// <summary>A line for each block device that Weir serves, or has left behind.</summary>
    public static IEnumerable<BlockDeviceNote> All()
    {
        // Without a driver there are no devices, and that is no error of who asks what there is.
        if (!System.IO.File.Exists(Native.Ublk.ControlDevice.Path)) return [];
        using UblkHost host = UblkHost.Open("");
        return UblkNote.All(host.Control).ConvertAll(static note => new BlockDeviceNote(
            UblkDevice.PathOf(note.Info.dev_id), note.Name, note.State, note.StandsOn));
    }

    /// <summary>Deletes a block device that a weir left when it died; <paramref name="force"/> says that its users may
    /// suffer.</summary>
    public static void GiveUp(string path, bool force)
    {
        bool isOurs = path.StartsWith(UblkDevice.PathPrefix, StringComparison.Ordinal);
        if (!uint.TryParse(isOurs ? path[UblkDevice.PathPrefix.Length..] : "", out uint id))
            throw new UserErrorException($"--device {path}: expected {UblkDevice.PathPrefix}N", Program.WrongUsage);
        using UblkHost host = UblkHost.Open("");
        UblkNote note = UblkNote.Find(host.Control, id)
            ?? throw new UserErrorException($"{path}: no block device of Weir's");
        if (!note.IsLeft)
            throw new UserErrorException($"{path}: is served by process {note.Info.ublksrv_pid}: stop that");
        if (!force)
            throw new UserErrorException($"{path}: whoever waits for it gets errors, and what was not flushed stays in "
                + "the cache: take it over with 'weir serve ... --recover', or give it up with --force");
        int result = host.Control.Stop(id);
        if (result >= 0) result = host.Control.Delete(id);
        if (result < 0) throw new UserErrorException($"{path}: cannot be deleted: {Errno.Text(result)}");
        UblkNote.Delete(id);
    }

    // What the volume stands on.
    private static string IdentityOf(VolumeSpec volume) =>
        UblkNote.IdentityOf(volume.Devices.Paths.Select(DeviceOpener.FileOf));

    /// <summary>
    /// Throws when users of a block device that a weir left wait for this volume: they have written what is in it and
    /// believe in it, so nobody else may change it.
    /// </summary>
    public static void CheckNoneWaits(VolumeSpec volume)
    {
        if (volume.ReadOnly || !UblkNote.AnyThere) return;
        using UblkHost host = UblkHost.Open(IdentityOf(volume));
        UblkServer.CheckLeft(host, recover: false);
    }

    /// <summary>Takes the driver; the volume will be a block device.</summary>
    public static IListening Listen(VolumeSpec volume, ServingSpec spec, UblkSpec ublk)
    {
        UblkCopy? copy = ublk.Copy switch
        {
            "user" => UblkCopy.User,
            "buffer" => UblkCopy.Buffer,
            "direct" => UblkCopy.Direct,
            _ => null,
        };
        UblkOptions options = new(spec.Queues, ublk.Recover, copy);
        return UblkListening.Open(UblkHost.Open(IdentityOf(volume)), options);
    }

    private sealed class UblkListening(UblkHost host, UblkOptions options) : IListening
    {
        private bool _serving;

        public static UblkListening Open(UblkHost host, UblkOptions options)
        {
            try
            {
                UblkServer.CheckLeft(host, options.Recover);
                // Whatever this program's threads do must not wait for the devices that it serves; those to come
                // inherit it, and the queues' own say it where they may not.
                _ = Libc.BecomeIoFlusher();
                return new UblkListening(host, options);
            }
            catch
            {
                host.Dispose();
                throw;
            }
        }

        public IServing Serve(OpenedVolume volume, int queues, Action<Exception> onFailure)
        {
            UblkServer server = UblkServer.Start(host, options, volume, onFailure, Program.Log);
            _serving = true;
            return server;
        }

        public void Dispose()
        {
            if (!_serving) host.Dispose();
        }
    }
}
