using System;

namespace Weir.Core.Caching;

/// <summary>
/// Recognises sequential streams among the requests of one queue thread: several at a time, each for itself. A request
/// continues a stream when it begins at its end, or a little beyond: clients spread one stream over several queues, and
/// send neighbours out of order. The stream that was quiet longest gives its place to a new one. One thread.
/// </summary>
internal sealed class SequentialDetector
{
    /// <summary>Requests that make a stream long, if nobody says otherwise (the seed's sequential_threshold).</summary>
    public const int UsualThreshold = 512;

    /// <summary>Streams told apart at a time: a few files being copied, a backup, a scrub.</summary>
    public const int Count = 16;

    /// <summary>Requests that may lie between the end of a stream and its next one: seven other queues.</summary>
    private const int MaxGapRequests = 7;

    private readonly Stream[] _streams = new Stream[Count];

    // Places, from the one that was used last to the one that was quiet longest.
    private readonly byte[] _order = [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0];

    /// <summary>
    /// Takes note of a request, <paramref name="start"/> being its device and first byte in one number. Returns how far
    /// its stream has come, in bytes from its first request to its last.
    /// </summary>
    public long Note(ulong start, long lengthBytes)
    {
        int found = Find(start, (ulong)lengthBytes * MaxGapRequests);
        int place = found < 0 ? _order[^1] : found;
        ref Stream stream = ref _streams[place];
        if (found < 0) stream = new Stream { Start = start, End = start, IsUsed = true };
        stream.End = Math.Max(stream.End, start + (ulong)lengthBytes);
        NoteUse((byte)place);
        return (long)(stream.End - stream.Start);
    }

    /// <summary>
    /// The same; true: the stream is long, as it has come as far as <paramref name="threshold"/> requests of this size
    /// do.
    /// </summary>
    public bool IsLong(ulong start, long lengthBytes, int threshold) =>
        Note(start, lengthBytes) / Math.Max(1, lengthBytes) >= threshold;

    // Behind the end too: neighbours that were overtaken. They belong to the stream and do not lengthen it. One branch
    // for a stream, and one that is foreseen: where requests are scattered, each of the comparisons is a toss-up.
    private int Find(ulong start, ulong reach)
    {
        for (int i = 0; i < Count; i++)
        {
            ref Stream stream = ref _streams[i];
            bool isNear = stream.IsUsed & start <= stream.End + reach & start + reach >= stream.End
                & start >= stream.Start;
            if (isNear) return i;
        }
        return -1;
    }

    private void NoteUse(byte place)
    {
        Span<byte> newer = _order.AsSpan(0, Array.IndexOf(_order, place));
        newer.CopyTo(_order.AsSpan(1));
        _order[0] = place;
    }

    private struct Stream
    {
        public ulong Start;
        public ulong End;
        public bool IsUsed;
    }
}
