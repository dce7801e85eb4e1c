using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Tests.Stress;

/// <summary>An engine as the stress tests drive it: over real threads and devices.</summary>
internal interface IStressEngine
{
    /// <summary>Name, for messages.</summary>
    string Name { get; }

    /// <summary>It has a cache device.</summary>
    bool HasCache { get; }

    /// <summary>Its cache device may grow while it is served.</summary>
    bool GrowsCache => HasCache;

    /// <summary>Bytes of the cache device at first.</summary>
    long CacheBytes => 4 << 20;

    /// <summary>Backing devices that are there all the time.</summary>
    int Residents { get; }

    /// <summary>Backing devices of which one is there now and then.</summary>
    int Guests { get; }

    /// <summary>Makes a blank cache device usable.</summary>
    void Format(IoContext io, Device cache);

    /// <summary>
    /// Opens a volume over the cache device, if the engine has one, and these backing devices. Devices stay the
    /// caller's.
    /// </summary>
    StressLife Open(IoContext io, Device? cache, IReadOnlyList<(string Name, Device Device)> disks);
}

/// <summary>One volume of an engine, from its start to its end, and what a user may do to it meanwhile.</summary>
internal abstract class StressLife(IVolume volume) : IDisposable
{
    /// <summary>What clients are served.</summary>
    public IVolume Volume => volume;

    /// <summary>One change of a tunable or one command, by chance.</summary>
    public abstract void Tune(ref Prng random, Action growCache);

    /// <summary>What <see cref="Request.Device"/> says for a device.</summary>
    public virtual ushort NumberOf(string disk) => 0;

    /// <summary>Serves one more device: its number.</summary>
    public virtual ushort Attach(string disk, Device device) => throw new NotSupportedException();

    /// <summary>Lets a device go; false: called off, it stays.</summary>
    public virtual bool TryDetach(string disk, Func<bool> callsOff) => throw new NotSupportedException();

    /// <summary>Asks for everything to be written back.</summary>
    public virtual void Drain()
    {
    }

    /// <summary>Everything is.</summary>
    public virtual bool IsDrained => true;

    /// <summary>Enough has happened: a slow machine is given the time that it takes.</summary>
    public virtual bool IsEnough => true;

    /// <summary>Throws unless enough has happened and nothing is wrong; what happened, in words.</summary>
    public abstract string Judge();

    public void Dispose() => volume.Dispose();
}
