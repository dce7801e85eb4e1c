using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Frontends.Compose;

/// <summary>Devices of a volume that come and go while it is served: the engine's part. Control path; waits.</summary>
internal interface IDeviceControl
{
    /// <summary>
    /// Opens and attaches a device, written as for <c>--backing</c>. Throws <c>UserErrorException</c>.
    /// </summary>
    OpenedExport Attach(string text);

    /// <summary>
    /// Writes back what the cache has of the device, then lets it go; until shortly before the end
    /// <paramref name="isCancelled"/> calls it off. Throws <c>UserErrorException</c> when the device stays.
    /// </summary>
    void Detach(string name, Func<bool> isCancelled);
}

/// <summary>The commands with which an engine's devices come and go, and their exports with them.</summary>
/// <param name="devices">The engine's part.</param>
/// <param name="clients">The frontend's, known by the time that somebody can ask.</param>
internal sealed class DeviceCommands(IDeviceControl devices, Func<IServing> clients)
{
    private const int TurnMs = 50;

    // A device's number is another's only when nobody is served under it any more.
    private readonly Lock _changing = new();

    /// <summary>For the engine's list.</summary>
    public IReadOnlyList<VolumeCommand> All =>
    [
        new("attach", "serve a new device, or an absent one")
        {
            Form = "[ID:]NAME=PATH",
            RunWith = (arguments, waiter) => InTurn("attach", waiter, () => Attach(arguments[0])),
        },
        new("detach", "write back what is cached of it, let it go")
        {
            Form = "NAME",
            RunWith = (arguments, waiter) => InTurn("detach", waiter, () => Detach(arguments[0], waiter)),
        },
    ];

    private string Attach(string text)
    {
        OpenedExport export = devices.Attach(text);
        try
        {
            clients().Add(export);
        }
        catch
        {
            devices.Detach(export.Part.Name, static () => false);
            throw;
        }
        return $"attached {export.Describe(clients())}\n";
    }

    private string Detach(string name, IOrderWaiter waiter)
    {
        clients().CheckRemovable(name);
        devices.Detach(name, () => waiter.GivesUp != null);
        clients().Remove(name);
        return $"detached {name}\n";
    }

    // One after the other; whoever waits for his turn may go.
    private string InTurn(string order, IOrderWaiter waiter, Func<string> change)
    {
        while (!_changing.TryEnter(TurnMs))
            if (waiter.GivesUp is { } reason) throw new UserErrorException($"{order}: {reason}");
        try
        {
            return change();
        }
        finally
        {
            _changing.Exit();
        }
    }
}
