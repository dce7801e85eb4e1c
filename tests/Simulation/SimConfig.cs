using System;
using System.Buffers.Binary;
using Weir.Core.Base;

namespace Weir.Tests.Simulation;

/// <summary>
/// Everything a seed decides once, for any engine: devices, lives, what goes wrong. An engine adds its own, and draws
/// them where <see cref="DrawSizes"/>, <see cref="DrawRest"/> and <see cref="Retune"/> say.
/// </summary>
public class SimConfig(ulong seed)
{
    private Prng _ids = new(seed + 1);
    private Prng _growth = new(seed + 4);
    private Prng _presence = new(seed + 5);

    /// <summary>The seed.</summary>
    public ulong Seed => seed;

    /// <summary>Of all backing devices together, when they have grown.</summary>
    public long BackingBytes { get; set; }

    /// <summary>Backing devices.</summary>
    public int Disks { get; set; } = 1;

    /// <summary>Of the cache device; 0: the engine has none.</summary>
    public long CacheBytes { get; set; }

    /// <summary>Of the metadata device; 0: the engine has none.</summary>
    public long MetadataBytes { get; set; }

    /// <summary>What the cache device gains on the way.</summary>
    public long GrowthBytes { get; set; }

    /// <summary>What the backing device gains on the way; only one that is alone does.</summary>
    public long BackingGrowthBytes { get; set; }

    /// <summary>Discards read as zeroes: else there are none.</summary>
    public virtual bool Discards => true;

    public int BackingBlockBytes { get; set; } = 512;
    public int CacheBlockBytes { get; set; } = 512;
    public bool RamOutlivesProcess { get; set; } = true;

    /// <summary>Devices fail.</summary>
    public bool Faults { get; set; }

    /// <summary>
    /// In most lives a flush of the cache device fails, the process dies, and the power in the life after.
    /// </summary>
    public bool LosesFlushes { get; set; }

    /// <summary>Something rots on the cache device, between lives.</summary>
    public bool Rot { get; set; }

    /// <summary>Something rots there while it is served.</summary>
    public bool RotsServed { get; set; }

    /// <summary>Every life begins with the same requests.</summary>
    public bool Echoes { get; set; }

    /// <summary>Most lives end in their first moments: recovery cut short, again and again.</summary>
    public bool Fragile { get; set; }

    public bool TaggedBacking { get; set; }
    public int Lives { get; set; }
    public int Queues { get; set; } = 1;

    /// <summary>Data to write lies as it will on the device, as the frontends have it.</summary>
    public virtual bool AlignsWrites => true;

    /// <summary>Devices may leave the volume while it is served, and come back.</summary>
    public virtual bool DevicesComeAndGo => false;

    /// <summary>Ids and secrets: random, and the same in every replay.</summary>
    public Guid NewGuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, _ids.Next());
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], _ids.Next());
        return new Guid(bytes);
    }

    /// <summary>Draws a configuration of <paramref name="engine"/>.</summary>
    public static SimConfig Draw(ulong seed, ISimEngine engine, ref Prng random)
    {
        SimConfig c = engine.NewConfig(seed);
        bool large = random.Chance(10);
        c.BackingBytes = (long)random.Between(1, large ? 7 : 2) << 20;
        c.BackingBytes += random.Below(200) * 4096L;
        c.CacheBytes = (3L << 19) + random.Below(large ? 4 << 20 : 1 << 20) / 4096 * 4096L;
        if (random.Chance(20)) c.BackingBlockBytes = 4096;
        if (random.Chance(20)) c.CacheBlockBytes = 4096;
        if (c.BackingBlockBytes == 512 && random.Chance(50)) c.BackingBytes += random.Below(8) * 512L;
        c.DrawSizes(ref random);
        c.RamOutlivesProcess = !random.Chance(10);
        c.TaggedBacking = random.Chance(50);
        c.Lives = random.Between(2, 6);
        c.Faults = engine.WithstandsErrors && random.Chance(15);
        c.Rot = engine.WithstandsRot && !c.Faults && random.Chance(12);
        c.Echoes = random.Chance(10);
        c.Fragile = !c.Echoes && random.Chance(15);
        c.Lives += c.Echoes ? 3 : c.Fragile ? 8 : 0;
        c.DrawRest();
        c.Retune();
        return c;
    }

    /// <summary>The user lets the volume have what its devices gain now.</summary>
    public bool Grows() => GrowthBytes + BackingGrowthBytes > 0 && _growth.Chance(3);

    /// <summary>The user suspends the volume now.</summary>
    public virtual bool Suspends() => false;

    /// <summary>Which of several devices is absent in the life that begins; -1: none.</summary>
    public int Absent() => Disks > 1 && _presence.Chance(35) ? _presence.Below(Disks) : -1;

    /// <summary>The user takes a device away now, or gives one back.</summary>
    public bool ChangesDevices() => Disks > 1 && DevicesComeAndGo && !Rot && _presence.Chance(2);

    /// <summary>Draws what a user may change from one start to the next.</summary>
    public virtual void Retune()
    {
    }

    /// <summary>Draws the sizes that the engine's format has.</summary>
    protected virtual void DrawSizes(ref Prng random)
    {
    }

    /// <summary>
    /// Draws the engine's form, how it grows, and how many devices it serves, from its own randomness.
    /// </summary>
    protected virtual void DrawRest()
    {
    }

    /// <summary>The cache device gains some of its units of <paramref name="unitBytes"/> on the way, perhaps.</summary>
    protected void DrawGrowth(long unitBytes)
    {
        if (_growth.Chance(15)) GrowthBytes = _growth.Between(1, 8) * unitBytes + _growth.Below(2) * 4096L;
    }

    /// <summary>Two or three backing devices, perhaps.</summary>
    protected void DrawDisks()
    {
        if (_presence.Chance(30)) Disks = _presence.Between(2, 3);
    }
}
