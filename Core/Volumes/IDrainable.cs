using System;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Volumes;

/// <summary>
/// A volume with a cache that can be emptied while nobody is served: <see cref="Drainer"/> does it. Blocks are those of
/// the engine.
/// </summary>
public interface IDrainable : IVolume
{
    /// <summary>The state, and why.</summary>
    VolumeHealth Health { get; }

    /// <summary>
    /// Blocks that are not on their backing device yet, without those that are written already of what is under way.
    /// </summary>
    long DrainBlocksLeft { get; }

    /// <summary>Discarded and zeroed ranges that are not on their backing device yet.</summary>
    int DirtyRanges => 0;

    /// <summary>Blocks that cannot be written back any more: nothing has them.</summary>
    long LostBlockCount => 0;

    /// <summary>Names them in a sentence, as far as a line goes; null when there are none.</summary>
    string? LostSentence => null;

    /// <summary>
    /// Write-back waits for the user, who must give up what is lost or overwrite it: why, in a sentence; null: it does
    /// not.
    /// </summary>
    string? LostHold => null;

    /// <summary>What a drain leaves because its device was not given, for people; null: nothing.</summary>
    string? LeftOfAbsent => null;

    /// <summary>
    /// What the backing devices do not have, for people: "4096 blocks (16 MiB) are". Nothing of what was under way when
    /// a drain was called off counts as written.
    /// </summary>
    string StillDirty { get; }

    /// <summary>
    /// Begins to write everything back that is dirty now. Returns what <see cref="IsWrittenBack"/> takes.
    /// </summary>
    long Drain();

    /// <summary>All that was dirty at that <see cref="Drain"/> is on its backing device, and durably so.</summary>
    bool IsWrittenBack(long position);

    /// <summary>
    /// Whoever drained the cache may use the backing devices without it: nothing clean is believed at the next start.
    /// </summary>
    void OutdateClean();

    /// <summary>Throws unless <paramref name="range"/> of what is lost can be given up.</summary>
    /// <exception cref="UserErrorException">It is no such range, or nothing can be given up.</exception>
    void CheckGiveUp(string range) =>
        throw new UserErrorException($"give_up '{range}': engine {Engine} has nothing that could be given up", 2);

    /// <summary>Begins to give up what is lost of <paramref name="range"/>; null: nothing there is.</summary>
    IGiveUpOrder? BeginGiveUp(string range) => null;
}

/// <summary>Something lost is being given up, on the first queue's thread.</summary>
public interface IGiveUpOrder : IDisposable
{
    /// <summary>It is over: all is durable, or it could not be done.</summary>
    bool IsDone { get; }

    /// <summary>After the end: how many blocks were given up.</summary>
    /// <exception cref="UserErrorException">It could not be done.</exception>
    int End();
}
