using System;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Tests.Simulation;

/// <summary>A request before it has memory.</summary>
public struct PlannedRequest
{
    public RequestKind Kind;
    public RequestFlags Flags;
    public long OffsetBytes;
    public long LengthBytes;
    /// <summary>Data that looks like what the engine itself writes, instead of tags.</summary>
    public bool Imitates;
    /// <summary>Not 0: data that is the same every time this request is drawn, instead of tags.</summary>
    public ulong Echo;
}

/// <summary>
/// Draws requests. Each life has a character: which kinds, how long, how hot, how deep, how much idle time.
/// </summary>
public sealed class Workload
{
    private const int Profiles = 8, EchoProfile = 8;
    private readonly long _sizeBytes;
    private readonly PlannedRequest[] _echo;
    private readonly bool _discards;
    private Prng _random;
    private int _echoed;
    private int _writes;
    private int _reads;
    private int _flushes;
    private int _zeroes;
    private int _fuaPercent;
    private int _largePercent;
    private int _partialPercent;
    private int _hotPercent;
    private long _hotStart;
    private long _hotBytes;

    /// <param name="sizeBytes">Bytes of the volume.</param>
    /// <param name="discards">Discards read as zeroes: else there are none.</param>
    /// <param name="echoes">Every life begins with the same requests.</param>
    /// <param name="seed">Of its randomness.</param>
    public Workload(long sizeBytes, bool discards, bool echoes, ulong seed)
    {
        _discards = discards;
        _sizeBytes = sizeBytes;
        _random = new Prng(seed);
        _echo = new PlannedRequest[echoes ? _random.Between(1, 2) : 0];
        for (int i = 0; i < _echo.Length; i++) _echo[i] = DrawEcho((ulong)i + 1);
        NextLife();
    }

    /// <summary>Requests in this life, crash permitting.</summary>
    public int Requests { get; private set; }

    /// <summary>Requests under way at most.</summary>
    public int QueueDepth { get; private set; }

    /// <summary>Requests whose range overlaps one under way are allowed.</summary>
    public bool MayOverlap { get; private set; }

    /// <summary>Percentage of requests followed by idle time.</summary>
    public int IdlePercent { get; private set; }

    /// <summary>Draws the character of the next life.</summary>
    public void NextLife()
    {
        (_writes, _reads, _flushes, _zeroes) = (60, 20, 10, 6);
        _fuaPercent = _random.Chance(30) ? 30 : 3;
        (_largePercent, _partialPercent, _hotPercent) = (10, 40, 60);
        Requests = _random.Between(10, 160);
        QueueDepth = _random.Chance(30) ? 1 : _random.Between(2, 32);
        MayOverlap = _random.Chance(60);
        IdlePercent = _random.Chance(50) ? 2 : _random.Between(0, 30);
        SetProfile(_echo.Length > 0 && _random.Chance(90) ? EchoProfile : _random.Below(Profiles));
        _echoed = 0;
        _hotBytes = Math.Min(_sizeBytes, (long)_random.Between(1, 24) << 12);
        _hotStart = _random.Below(_sizeBytes - _hotBytes + 1) & ~511L;
    }

    /// <summary>Draws the next request.</summary>
    public PlannedRequest Next()
    {
        if (_echoed < _echo.Length) return _echo[_echoed++];
        int pick = _random.Below(_writes + _reads + _flushes + _zeroes);
        if ((pick -= _writes) < 0) return Write();
        if ((pick -= _reads) < 0) return Place(RequestKind.Read, RequestFlags.None);
        if ((pick -= _flushes) < 0) return new PlannedRequest { Kind = RequestKind.Flush };
        return Zero();
    }

    /// <summary>Idle time after a request, in microseconds.</summary>
    public long IdleUs() => _random.Chance(20) ? _random.Below(3_000_000L) : _random.Below(30_000L);

    /// <summary>A number for whoever drives this workload.</summary>
    public int Below(int bound) => _random.Below(bound);

    private void SetProfile(int profile)
    {
        switch (profile)
        {
            case 0: // one write, one flush, as a database does
                (_flushes, _largePercent, _fuaPercent) = (50, 0, 10);
                break;
            case 1: // fills the log many times over
                (_reads, _flushes, _zeroes, _largePercent, _partialPercent, _hotPercent) = (5, 3, 2, 70, 10, 20);
                break;
            case 2: // zeroes and discards
                (_zeroes, _hotPercent) = (50, 80);
                break;
            case 3: // one block, everybody
                (_hotPercent, _partialPercent, MayOverlap) = (97, 60, true);
                break;
            case 4 or 7: // a short life that begins with a flush of what the last one left
                (_writes, _flushes, Requests) = (10, 60, _random.Between(1, 12));
                break;
            case 5: // scattered small writes that are never flushed
                (_flushes, _fuaPercent, _hotPercent, _largePercent) = (0, 0, 0, 3);
                break;
            case EchoProfile: // full segments that nobody flushes, one after the other
                (_reads, _flushes, _zeroes, _fuaPercent, _largePercent) = (0, 0, 0, 0, 100);
                (QueueDepth, IdlePercent, Requests) = (1, 0, _echo.Length + _random.Between(0, 4));
                break;
        }
    }

    /// <summary>
    /// A request that every life begins with, byte for byte: what a restarted program does, and what makes the log of
    /// one life look like that of another.
    /// </summary>
    private PlannedRequest DrawEcho(ulong number)
    {
        long blocks = _random.Chance(80) ? 31 : _random.Between(1, 62);
        PlannedRequest r = new() { LengthBytes = Math.Min(blocks << 12, _sizeBytes & ~4095L), Echo = number };
        r.OffsetBytes = _random.Below((_sizeBytes - r.LengthBytes) / 4096 + 1) << 12;
        r.Kind = _random.Chance(10) && _discards ? RequestKind.Discard : RequestKind.Write;
        return r;
    }

    private PlannedRequest Write()
    {
        if (_random.Chance(2)) return Imitation();
        RequestFlags flags = _random.Chance(_fuaPercent) ? RequestFlags.Fua : RequestFlags.None;
        return Place(RequestKind.Write, flags);
    }

    private PlannedRequest Imitation()
    {
        PlannedRequest r = Place(RequestKind.Write, RequestFlags.None);
        r.OffsetBytes = Math.Min(r.OffsetBytes & ~4095L, (_sizeBytes - 4096) & ~4095L);
        r.LengthBytes = 4096;
        r.Imitates = true;
        return r;
    }

    private PlannedRequest Zero()
    {
        RequestKind kind = _random.Chance(50) ? RequestKind.Discard : RequestKind.WriteZeroes;
        RequestFlags flags = _random.Chance(_fuaPercent) ? RequestFlags.Fua : RequestFlags.None;
        if (kind == RequestKind.WriteZeroes && _random.Chance(30)) flags |= RequestFlags.NoHole;
        if (kind == RequestKind.WriteZeroes && _random.Chance(15)) flags |= RequestFlags.FastZero;
        if (!_discards) kind = RequestKind.WriteZeroes;
        PlannedRequest r = Place(kind, flags);
        if (_random.Chance(25)) r.LengthBytes = 512 * (1 + _random.Below((_sizeBytes - r.OffsetBytes) / 512));
        if (_random.Chance(1)) (r.OffsetBytes, r.LengthBytes) = (0, _sizeBytes);
        return r;
    }

    private PlannedRequest Place(RequestKind kind, RequestFlags flags)
    {
        long length = Length();
        bool hot = _random.Chance(_hotPercent);
        long start = hot ? _hotStart : 0;
        long room = hot ? _hotBytes : _sizeBytes;
        long offset = start + _random.Below(room);
        bool aligned = length % 4096 == 0 && !_random.Chance(20);
        offset &= aligned ? ~4095L : ~511L;
        if (_random.Chance(2)) offset = (_sizeBytes - Math.Min(length, _sizeBytes)) & ~511L;
        offset = Math.Min(offset, _sizeBytes - 512);
        length = Math.Min(length, _sizeBytes - offset);
        return new PlannedRequest { Kind = kind, Flags = flags, OffsetBytes = offset, LengthBytes = length };
    }

    private long Length()
    {
        if (_random.Chance(_largePercent)) return 4096L * _random.Between(2, 64) - 512L * (_random.Chance(20) ? 3 : 0);
        if (_random.Chance(_partialPercent)) return 512L * _random.Between(1, 7);
        return _random.Chance(70) ? 4096 : 512L * _random.Between(1, 40);
    }
}
