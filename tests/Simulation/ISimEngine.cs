using System;
using System.Collections.Generic;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Tests.Simulation;

/// <summary>How a start came to be: what may excuse an engine that refuses.</summary>
public readonly record struct SimOpening(bool ReadOnly, CrashKind Since, bool AnyAbsent, bool HasDropped);

/// <summary>
/// What the simulation drives: an engine, how it is started, what it promises. Members with a body are for engines
/// that can more than the simplest.
/// </summary>
public interface ISimEngine
{
    /// <summary>Name, for messages and WEIR_ENGINE.</summary>
    string Name { get; }

    /// <summary>Bytes its devices write whole or not at all; 512 unless the engine is a simple reference.</summary>
    int UnitBytes => 512;

    /// <summary>Survives I/O errors as the rules have it.</summary>
    bool WithstandsErrors { get; }

    /// <summary>Tells rot on its cache device from good data.</summary>
    bool WithstandsRot => false;

    /// <summary>Keeps in memory that outlives the process what it has acknowledged; that may be lost.</summary>
    bool KeepsInRam => true;

    /// <summary>
    /// Of two writes of a sector that are under way at a time, one comes after the other, for reads too. Else clients
    /// do not overlap: a device may take the bytes of a write, show them, and take them again.
    /// </summary>
    bool OrdersOverlaps => true;

    /// <summary>Where the copies of the superblock lie: damage to one is harmless, damage to all is refused.</summary>
    ReadOnlySpan<long> SuperblockOffsets => [];

    /// <summary>What breaks it, a rule each; see <see cref="SimMutants"/>.</summary>
    SimMutants Mutants => SimMutants.None;

    /// <summary>An empty configuration, about to be drawn.</summary>
    SimConfig NewConfig(ulong seed);

    /// <summary>The judge of a run with this configuration.</summary>
    Promise NewPromise(SimConfig config);

    /// <summary>Makes blank devices usable.</summary>
    void Format(SimConfig config, IoContext io, SimDevices devices)
    {
    }

    /// <summary>Opens the volume over the devices that are there; recovery included.</summary>
    IVolume Open(SimConfig config, IoContext io, SimDevices devices, IRamStore ram, bool readOnly);

    /// <summary>A start may be refused with these words; the next one may be told what to do about it.</summary>
    bool MayRefuse(SimConfig config, in SimOpening opening, string message) => false;

    /// <summary>
    /// Begins to let a device go; what it returns says how far that is: null under way, true gone, false it stays.
    /// </summary>
    Func<bool?> Detach(IVolume volume, int disk) => static () => false;

    /// <summary>Begins to serve a device again; as <see cref="Detach"/>.</summary>
    Func<bool?> Attach(IVolume volume, SimDisks disks, int disk) => static () => false;

    /// <summary>Begins to give up all that is lost; as <see cref="Detach"/>.</summary>
    Func<bool?> GiveUp(IVolume volume) => static () => true;

    /// <summary>What <see cref="Request.Device"/> says for a device.</summary>
    ushort NumberOf(IVolume volume, int disk) => 0;

    /// <summary>
    /// After a power cut: leaves bytes in the unused part of the cache device that imitate the engine's own format as
    /// well as anyone can who does not know its secrets.
    /// </summary>
    void Forge(SimConfig config, IoContext io, SimDevices devices)
    {
    }

    /// <summary>The volume takes no more changes because of a device that it was not given.</summary>
    bool LacksDevice(IVolume volume) => false;

    /// <summary>
    /// The cache device may be lost now, and nothing that was acknowledged is lost with it: writes go to both devices.
    /// </summary>
    bool IsCacheExpendable(IVolume volume) => false;

    /// <summary>Blocks come and go while the volume is read: what it has shown is to be looked at again.</summary>
    bool MovesBlocks => false;

    /// <summary>
    /// What the engine's own tools find wrong on devices that nobody has open, however their last user ended; null:
    /// nothing.
    /// </summary>
    string? Inspect(SimConfig config, SimDevices devices) => null;

    /// <summary>Once per request: gives the volume an order now and then, as a user may at any time.</summary>
    void Meddle(SimConfig config, IVolume volume)
    {
    }

    /// <summary>Begins to hold requests; as <see cref="Detach"/>.</summary>
    Func<bool?> Suspend(IVolume volume) => static () => false;

    /// <summary>Begins to let them go on; as <see cref="Detach"/>.</summary>
    Func<bool?> Resume(IVolume volume) => static () => false;

    /// <summary>
    /// What is wrong on the devices of a volume that is suspended, or was stopped, before it is disposed; null:
    /// nothing.
    /// </summary>
    string? InspectAtRest(IVolume volume, SimDevices devices) => null;

    /// <summary>Tells the volume that its devices may have become larger.</summary>
    void Grow(IVolume volume)
    {
    }

    /// <summary>Asks the volume to write everything back.</summary>
    void Drain(IVolume volume)
    {
    }

    /// <summary>Everything has been written back: the backing device alone holds the image.</summary>
    bool IsDrained(IVolume volume) => true;

    /// <summary>The state that it shows.</summary>
    VolumeState StateOf(IVolume volume);
}

/// <summary>An engine whose every device operation is made to fail once, in every way.</summary>
public interface IInjectedEngine : ISimEngine
{
    /// <summary>What <see cref="ErrorInjectionTests"/> goes through, series by series.</summary>
    IReadOnlyList<InjectionSeries> Series { get; }

    /// <summary>The configuration of a run; sizes too.</summary>
    SimConfig ConfigFor(in Injection injection);

    /// <summary>How often the workload is gone through: a few hundred device operations are enough.</summary>
    int WorkloadRounds => 3;

    /// <summary>What passes is over without anybody's help, but for a flush of which somebody has to know.</summary>
    bool Heals { get; }

    /// <summary>It has something that the backing device has not.</summary>
    bool HasDirty(IVolume volume) => false;

    /// <summary>
    /// A request has to succeed in spite of that error. <paramref name="isFlush"/>: it is a flush, or has FUA;
    /// <paramref name="hasLostFlush"/>: a flush was made to fail before.
    /// </summary>
    bool MustServe(in Injection injection, bool isFlush, bool hasLostFlush) => false;

    /// <summary>A volume may end in this state after that error.</summary>
    bool MayEnd(in Injection injection, VolumeState state);
}
