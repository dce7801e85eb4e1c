using System;

namespace Weir.Frontends;

/// <summary>Devices of a volume that come and go while it is served. Control path; waits.</summary>
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
