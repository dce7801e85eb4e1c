using System;

namespace Weir.Core.Caching;

/// <summary>
/// Recognises sequential streams among the requests of one queue thread: several at a time, each for itself. A request
/// continues a stream when it begins at its end, or a little beyond: clients spread one stream over several queues, and
/// send neighbours out of order. The stream that was quiet longest gives its place to a new one. One thread.
/// </summary>
internal sealed class SequentialDetector
{
    /// <summary>Streams told apart at a time: a few files being copied, a backup, a scrub.</summary>
    public const int Count = 16;

    /// <summary>Requests that may lie between the end of a stream and its next one: seven other queues.</summary>
    private const int MaxGapRequests = 7;

    private readonly Stream[] _streams = new Stream[Count];
    private long _clock;

    /// <summary>
    /// Takes note of a request, <paramref name="start"/> being its device and first byte in one number. Returns how far
    /// its stream has come, in bytes from its first request to its last.
    /// </summary>
    public long Note(ulong start, long lengthBytes)
    {
        int place = Find(start, (ulong)lengthBytes * MaxGapRequests);
        ref Stream stream = ref _streams[place < 0 ? Oldest() : place];
        if (place < 0) stream = new Stream { Start = start, End = start };
        stream.End = Math.Max(stream.End, start + (ulong)lengthBytes);
        stream.Used = ++_clock;
        return (long)(stream.End - stream.Start);
    }

    // Behind the end too: neighbours that were overtaken. They belong to the stream and do not lengthen it.
    private int Find(ulong start, ulong reach)
    {
        for (int i = 0; i < Count; i++)
        {
            ref Stream stream = ref _streams[i];
            bool near = start <= stream.End + reach && start + reach >= stream.End && start >= stream.Start;
            if (stream.Used != 0 && near) return i;
        }
        return -1;
    }

    private int Oldest()
    {
        int oldest = 0;
        for (int i = 1; i < Count; i++)
            if (_streams[i].Used < _streams[oldest].Used) oldest = i;
        return oldest;
    }

    private struct Stream
    {
        public ulong Start;
        public ulong End;
        public long Used;
    }
}
