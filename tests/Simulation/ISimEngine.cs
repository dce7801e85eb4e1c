using System;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Tests.Simulation;

/// <summary>What the simulation drives: an engine and how to start it.</summary>
public interface ISimEngine
{
    /// <summary>Name, for messages.</summary>
    string Name { get; }

    /// <summary>Bytes its devices write whole or not at all; 512 unless the engine is a simple reference.</summary>
    int UnitBytes { get; }

    /// <summary>Survives I/O errors and bit rot as the rules have it.</summary>
    bool WithstandsFaults { get; }

    /// <summary>Where the copies of the superblock lie: damage to one is harmless, damage to all is refused.</summary>
    ReadOnlySpan<long> SuperblockOffsets { get; }

    /// <summary>Draws what belongs to the engine in a configuration.</summary>
    void Configure(SimConfig config, ref Prng random);

    /// <summary>Makes a blank cache device usable.</summary>
    void Format(SimConfig config, IoContext io, Device cache);

    /// <summary>Opens the volume over the devices that are there; recovery included.</summary>
    IVolume Open(SimConfig config, IoContext io, Device cache, SimDisks disks, IRamStore ram, bool readOnly);

    /// <summary>
    /// Begins to let a device go; what it returns says how far that is: null under way, true gone, false it stays.
    /// </summary>
    Func<bool?> Detach(IVolume volume, int disk);

    /// <summary>Begins to serve a device again; as <see cref="Detach"/>.</summary>
    Func<bool?> Attach(IVolume volume, SimDisks disks, int disk);

    /// <summary>Begins to give up all that is lost; as <see cref="Detach"/>.</summary>
    Func<bool?> GiveUp(IVolume volume);

    /// <summary>What <see cref="Request.Device"/> says for a device.</summary>
    ushort NumberOf(IVolume volume, int disk);

    /// <summary>
    /// After a power cut: leaves bytes in the unused part of the cache device that imitate the engine's own format as
    /// well as anyone can who does not know its secrets.
    /// </summary>
    void Forge(SimConfig config, IoContext io, SimDevice cache, SimDisks disks);

    /// <summary>The volume takes no more changes because of a device that it was not given.</summary>
    bool LacksDevice(IVolume volume);

    /// <summary>Tells the volume that its devices may have become larger.</summary>
    void Grow(IVolume volume);

    /// <summary>Asks the volume to write everything back.</summary>
    void Drain(IVolume volume);

    /// <summary>Everything has been written back: the backing device alone holds the image.</summary>
    bool IsDrained(IVolume volume);
}
