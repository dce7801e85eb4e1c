using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Errno = Weir.Native.Errno;

namespace Weir.Core.Volumes;

/// <summary>
/// Space of devices, so that a full file system cannot fail a write to them later (R16). It is taken once everything
/// else is checked, and whoever does not come to use it gives it back.
/// </summary>
public sealed class SpaceReservation
{
    private readonly List<(Device Device, long From, long End)> _taken = [];

    /// <summary>
    /// Takes that of all of <paramref name="device"/>, of which <paramref name="usedBytes"/> were in use before.
    /// </summary>
    /// <exception cref="UserErrorException">There is not enough; nothing of this reservation is taken.</exception>
    public void Take(Device device, long usedBytes = 0)
    {
        // What was in use has its space, if it has not been lost on a way: it is not mixed up with what is new.
        long size = device.SizeBytes, used = long.Min(usedBytes, size);
        Take(device, 0, used, size);
        Take(device, used, size, size);
    }

    /// <summary>Takes only that behind <paramref name="usedBytes"/>, which are written meanwhile.</summary>
    /// <exception cref="UserErrorException">There is not enough; nothing of this reservation is taken.</exception>
    public void TakeBehind(Device device, long usedBytes) =>
        Take(device, usedBytes, device.SizeBytes, device.SizeBytes);

    /// <summary>Files have as much space as before, and what was written since.</summary>
    public void GiveBack()
    {
        foreach ((Device device, long from, long end) in _taken) device.GiveBack(from, end);
        _taken.Clear();
    }

    private void Take(Device device, long from, long end, long size)
    {
        if (from >= end) return;
        int result = device.Preallocate(from, end);
        if (result > 0) _taken.Add((device, from, end));
        if (result >= 0) return;
        GiveBack();
        throw new UserErrorException(
            $"{device.Name}: cannot reserve the space of its {size} bytes: {Errno.Text(result)}");
    }
}
