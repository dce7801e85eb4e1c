using System;
using Weir.Core.Io;
using Weir.Core.Volumes;

namespace Weir.Core.Writeboost.Queue;

/// <summary>What a queue does with a request that has come.</summary>
internal enum RequestAction : byte
{
    /// <summary>Newest versions from RAM, cache, ranges and backing device.</summary>
    Read,
    /// <summary>Answered when everything acknowledged before is durable.</summary>
    Flush,
    /// <summary>Into the log, as soon as there is room.</summary>
    Log,
    /// <summary>Round the log if that holds nothing newer; else into it.</summary>
    GoAround,
    /// <summary>EIO.</summary>
    Fail,
    /// <summary>The backing device alone serves it, without the cache.</summary>
    PassOn,
}

/// <summary>
/// What is done with a request, by the volume's state and by the request's kind and way. The state is looked at once
/// per request: whoever comes after it has changed goes by the new one.
/// </summary>
internal static class Dispatch
{
    private const int Columns = 8;

    private const RequestAction Read = RequestAction.Read, Sync = RequestAction.Flush, Log = RequestAction.Log,
        Past = RequestAction.GoAround, Fail = RequestAction.Fail, Pass = RequestAction.PassOn;

    // Only writes have a way: "again" has been refused on the way round the log. While a device refuses something, and
    // while flushes fail because of what may be lost, everything is taken; in the latter case a flush says so itself.
    private static ReadOnlySpan<RequestAction> Table =>
    [
     // none  read  write around again flush discard zeroes
        Fail, Read, Log,  Past,  Log,  Sync, Log,    Log,  // healthy
        Fail, Read, Fail, Fail,  Fail, Sync, Fail,   Fail, // read-only
        Fail, Read, Fail, Fail,  Fail, Fail, Fail,   Fail, // failed
        Fail, Pass, Pass, Pass,  Pass, Pass, Pass,   Pass, // pass-through
        Fail, Read, Log,  Past,  Log,  Sync, Log,    Log,  // retrying
        Fail, Read, Log,  Past,  Log,  Sync, Log,    Log,  // degraded
    ];

    /// <summary>The cell; <paramref name="path"/> counts for writes alone.</summary>
    public static RequestAction Of(VolumeState state, RequestKind kind, WritePath path)
    {
        int way = kind == RequestKind.Write ? (int)path : kind > RequestKind.Write ? (int)WritePath.Refused : 0;
        return Table[((int)state * Columns) + (int)kind + way];
    }
}
