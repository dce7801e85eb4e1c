using System;
using System.Collections.Generic;
using System.Numerics;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// Looks for anything but zeroes on a device whose beginning and end look blank: at all of it, or, where that would
/// take minutes, at both ends and at <see cref="Places"/> places between them. Holes of a file are skipped.
/// </summary>
internal sealed class ContentScan
{
    /// <summary>What is looked at as a whole: a few seconds' reading.</summary>
    public const long UsualWholeBytes = 1L << 30;

    /// <summary>How much of each end of what is larger.</summary>
    public const long UsualEndBytes = 64L << 20;

    /// <summary>Places spread evenly over what is larger, and bytes of each.</summary>
    public const int Places = 4096, PlaceBytes = 64 << 10;

    private const int PieceBytes = 1 << 20, InFlight = 8;

    // Segments begin at multiples of their size behind the superblock region; the largest have 4 MiB.
    private const long FirstSegment = 1 << 20, LargestSegmentBytes = 4 << 20;

    private readonly BlockingIo _io;
    private readonly Device _device;
    private readonly (long Offset, int Bytes)[] _batch = new (long, int)[InFlight];
    private long _found = -1;

    /// <summary>On the thread that owns <paramref name="io"/>.</summary>
    public ContentScan(IoContext io, Device device) => (_io, _device) = (new BlockingIo(io), device);

    /// <summary>As <see cref="UsualWholeBytes"/>.</summary>
    public long WholeBytes { get; init; } = UsualWholeBytes;

    /// <summary>As <see cref="UsualEndBytes"/>.</summary>
    public long EndBytes { get; init; } = UsualEndBytes;

    /// <summary>What tells devices of ours.</summary>
    public ContentMark[] Marks { get; init; } = [];

    /// <summary>Is told of what, how many are done, of how many.</summary>
    public Action<string, long, long>? Progress { get; init; }

    /// <summary>What is there behind <see cref="ContentProbe.HeadBytes"/>; blank: nothing was found.</summary>
    /// <exception cref="UserErrorException">The device cannot be read.</exception>
    public unsafe Content Run()
    {
        using Slab memory = new(InFlight * PieceBytes);
        long totalBytes = 0, doneBytes = 0;
        foreach ((_, int bytes) in Pieces()) totalBytes += bytes;
        DeviceQueue queue = _io.QueueOf(_device);
        int count = 0;
        foreach ((long offset, int bytes) in Pieces())
        {
            // A mark tells whose this is, if anything does.
            if (_found >= 0 && offset > _found + MarksApartBytes) break;
            _io.Start(queue, IoKind.Read, offset, memory.Start + (count * PieceBytes), bytes);
            _batch[count++] = (offset, bytes);
            doneBytes += bytes;
            if (count < InFlight) continue;
            if (FindMark(memory.Start, count) is { } mark) return Content.Of(mark);
            Progress?.Invoke("MiB looked through", doneBytes >> 20, totalBytes >> 20);
            count = 0;
        }
        if (FindMark(memory.Start, count) is { } last) return Content.Of(last);
        return _found < 0 ? default : Content.Unknown(_found);
    }

    private long MarksApartBytes
    {
        get
        {
            long most = 0;
            foreach (ContentMark mark in Marks) most = Math.Max(most, mark.ApartBytes);
            return most;
        }
    }

    private unsafe ContentMark? FindMark(byte* memory, int count)
    {
        _io.WaitOrFail("reading", _device);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> piece = new(memory + (i * PieceBytes), _batch[i].Bytes);
            int at = piece.IndexOfAnyExcept((byte)0);
            if (at < 0) continue;
            if (_found < 0) _found = _batch[i].Offset + at;
            if (ContentProbe.FindMark(piece, Marks) is { } mark) return mark;
        }
        return null;
    }

    /// <summary>What is read, in the order of the device.</summary>
    internal IEnumerable<(long Offset, int Bytes)> Pieces()
    {
        long dataBytes = 0;
        foreach ((long from, long to) in Extents()) dataBytes += to - from;
        long stepBytes = dataBytes <= WholeBytes ? 0 : StepBytes(dataBytes);
        foreach ((long from, long to) in Extents())
        {
            for (long at = from; at < to;)
            {
                bool isWhole = stepBytes == 0 || IsAtAnEnd(at);
                int bytes = (int)Math.Min(isWhole ? PieceBytes : PlaceBytes, to - at);
                yield return (at, bytes);
                at = isWhole ? at + bytes : NextPlace(at, stepBytes);
            }
        }
    }

    private bool IsAtAnEnd(long at) => at < EndBytes || at >= _device.SizeBytes - EndBytes;

    // Where segments begin, whatever their size, as far as the steps allow; and where the last end begins.
    private long NextPlace(long at, long stepBytes)
    {
        long next = FirstSegment + ((((at - FirstSegment) / stepBytes) + 1) * stepBytes);
        long endStart = (_device.SizeBytes - EndBytes) & -_device.LogicalBlockBytes;
        return at < endStart ? Math.Min(next, endStart) : next;
    }

    private static long StepBytes(long dataBytes)
    {
        long stepBytes = (dataBytes + Places - 1) / Places;
        return stepBytes > LargestSegmentBytes
            ? (stepBytes + LargestSegmentBytes - 1) / LargestSegmentBytes * LargestSegmentBytes
            : (long)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(stepBytes, PlaceBytes));
    }

    private IEnumerable<(long From, long To)> Extents()
    {
        for (long at = ContentProbe.HeadBytes; at < _device.SizeBytes;)
        {
            long end = Math.Max(_device.ExtentEnd(at, out bool isHole), at + _device.LogicalBlockBytes);
            if (!isHole) yield return (at, Math.Min(end, _device.SizeBytes));
            at = end;
        }
    }
}
