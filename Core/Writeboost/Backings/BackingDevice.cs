using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Backings;

/// <summary>How far a backing device takes part.</summary>
public enum BackingState
{
    /// <summary>Clients are served.</summary>
    Attached,
    /// <summary>Clients are served, and its dirty data is being written back so that it can go.</summary>
    Draining,
    /// <summary>New requests fail with ESHUTDOWN.</summary>
    Leaving,
    /// <summary>It was not given at the start; the log may hold data of it.</summary>
    Absent,
}

/// <summary>
/// One backing device of a cache, under the number that the log calls it by. Name, size and identity as the device
/// table has them, also while it is absent.
/// </summary>
public sealed class BackingDevice(int id, string name, Device? device)
{
    private int _threshold = -1;
    private int _state = (int)(device == null ? BackingState.Absent : BackingState.Attached);

    /// <summary>Its number in log entries and in the index's keys: 1 to 254; 0 is nobody's, as in the seeds.</summary>
    public int Id { get; } = id;

    /// <summary>What clients and messages call it.</summary>
    public string Name { get; } = name;

    /// <summary>How far it takes part. Written on the first queue's thread.</summary>
    public BackingState State
    {
        get => (BackingState)Volatile.Read(ref _state);
        internal set => Volatile.Write(ref _state, (int)value);
    }

    /// <summary>Nobody has given the device.</summary>
    public bool IsAbsent => device == null;

    /// <summary>What is written back to. Not for an absent one.</summary>
    public Device Device
    {
        get
        {
            Invariant.Check(device != null);
            return device;
        }
    }

    /// <summary>Bytes of its whole blocks; of an absent device, what it had when it was last here.</summary>
    public long SizeBytes => Math.Min(device?.SizeBytes ?? LastSizeBytes, MostBytes);

    /// <summary>Bytes that clients see: a file may end inside its last block.</summary>
    public long ClientBytes => Math.Min(device?.ClientBytes ?? LastSizeBytes, MostBytes);

    /// <summary>
    /// What is used of it: what keys can name; less where it has grown beyond that and had less before.
    /// </summary>
    public long MostBytes { get; init; } = BackingTable.MaxDeviceBytes;

    /// <summary>It is larger than what keys can name.</summary>
    public bool IsTooLarge => device?.SizeBytes > BackingTable.MaxDeviceBytes;

    /// <summary>
    /// Percent of its time that write-back may take while clients are at work (seed 000: each device's own
    /// migrate_threshold); -1: the volume's. Written by the control thread.
    /// </summary>
    public int WritebackThreshold
    {
        get => Volatile.Read(ref _threshold);
        set => Volatile.Write(ref _threshold, value);
    }

    /// <summary>Its own share, or that of the <paramref name="volume"/>, in percent.</summary>
    internal int ThresholdOr(int volume) => WritebackThreshold >= 0 ? WritebackThreshold : volume;

    /// <summary>Bytes when it was last served; 0 where nothing tells.</summary>
    public long LastSizeBytes { get; init; }

    /// <summary>It is smaller than when it was last served.</summary>
    public bool HasShrunk { get; init; }

    /// <summary>The cache has not met it before.</summary>
    public bool IsNew { get; init; }

    /// <summary>Whether it holds what the cache knows of it.</summary>
    public ContentVerdict Content { get; init; }

    /// <summary>The same where the cache keeps no device table; found when the log has been read.</summary>
    public ContentVerdict ContentByLog { get; internal set; }

    /// <summary>It may have been written since the last life that had it stopped in order.</summary>
    public bool WasWrittenMeanwhile { get; init; }

    /// <summary>What the cache knew of its content is damaged.</summary>
    public bool HasLostSamples { get; init; }

    /// <summary>The cache knows only the place where it was found.</summary>
    public bool IsKnownByPlace { get; init; }

    /// <summary>Some or all that it held has changed.</summary>
    public bool HoldsSomethingElse => Content is ContentVerdict.Changed or ContentVerdict.Other;

    /// <summary>
    /// What the log holds of this number below is another device's. Set until the volume is served.
    /// </summary>
    public long FirstPosition { get; set; }

    /// <summary>The state's name in status and documents.</summary>
    public static string NameOf(BackingState state) => state switch
    {
        BackingState.Attached => "attached",
        BackingState.Draining => "draining",
        BackingState.Leaving => "leaving",
        _ => "absent",
    };
}
