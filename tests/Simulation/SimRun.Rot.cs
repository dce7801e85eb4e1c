using System;
using System.Collections.Generic;
using Weir.Core.Base;

namespace Weir.Tests.Simulation;

public sealed unsafe partial class SimRun
{
    private const int MarginWrites = 4;

    /// <summary>What rots.</summary>
    private enum Rotten
    {
        /// <summary>A data block: it may read EIO, no other may.</summary>
        Data,
        /// <summary>A header, current or not: the engine may refuse, or read EIO, but never wrong.</summary>
        Header,
        /// <summary>One copy of the superblock: everything reads right.</summary>
        OneSuperblock,
        /// <summary>All copies: the engine refuses.</summary>
        AllSuperblocks,
    }

    /// <summary>R5: flips a bit of something that was flushed long ago. Nothing may ever read wrong.</summary>
    private void RotAndReopen()
    {
        int pick = _world.Random.Below(100);
        Rotten what = pick switch
        {
            < 50 => Rotten.Data,
            < 80 => Rotten.Header,
            < 92 => Rotten.OneSuperblock,
            _ => Rotten.AllSuperblocks,
        };
        // A copy that was just being written is no second witness: superblocks rot after an orderly stop.
        WriteMargin(stop: what is Rotten.OneSuperblock or Rotten.AllSuperblocks);
        if (_world.Random.Chance(50)) LosePower();
        if (!Damage(what)) return;
        _world.Restart(long.MaxValue);
        bool opened = OpenRotten(what);
        if (opened && what == Rotten.AllSuperblocks) throw new SimViolationException("opened without a superblock");
        if (!opened) return;
        CompareRotten(what);
        if (what == Rotten.Data) WriteBackAround(what);
    }

    /// <summary>A rotten block keeps its error, and nothing else from being written back, over a restart too.</summary>
    private void WriteBackAround(Rotten what)
    {
        for (int i = 0; i < 2; i++)
        {
            _engine.Drain(_volume!);
            _client!.Idle(4_000_000);
            CompareRotten(what);
            if (i == 0) Stop();
            if (i == 0) AfterStop();
            if (i == 0) _world.Restart(long.MaxValue);
            if (i == 0) Open(readOnly: false);
        }
        GiveUpAndReopen(what);
    }

    /// <summary>
    /// R11 in the layouts of the kernel: a start cannot tell which block has rotted, but what was served goes on to be
    /// known. Write-back waits at it, and passes when it is given up.
    /// </summary>
    private void RotWhileServed()
    {
        _world.Restart(long.MaxValue);
        Open(readOnly: false);
        Verify(durable: true);
        Work();
        _client!.Drain();
        Request(Core.Io.RequestKind.Flush, 0);
        _client.ReadAll(_image);
        if (!Damage(Rotten.Data)) return;
        CompareRotten(Rotten.Data);
        _engine.Drain(_volume!);
        _client.Idle(4_000_000);
        CompareRotten(Rotten.Data);
        GiveUpAndReopen(Rotten.Data);
    }

    /// <summary>
    /// What is lost is given up: no error is left, over a restart of any kind, and nothing else is touched.
    /// </summary>
    private void GiveUpAndReopen(Rotten what)
    {
        Func<bool?> done = _engine.GiveUp(_volume!);
        for (int i = 0; i < DrainSteps && done() == null; i++) _client!.Idle(100_000);
        if (done() == null) throw new SimStuckException("what is lost is never given up");
        // Where nothing but the log's memory knows what was lost, it is over when write-back has passed it.
        if (_config.RotsServed) _engine.Drain(_volume!);
        for (int i = 0; i < DrainSteps && _config.RotsServed && !_engine.IsDrained(_volume!); i++)
            _client!.Idle(100_000);
        if (_config.RotsServed && !_engine.IsDrained(_volume!))
            throw new SimStuckException("write-back does not go on after what was lost is given up");
        for (int i = 0; i < 2; i++)
        {
            CompareRotten(what, mayFail: false);
            if (i != 0) return;
            int end = _world.Random.Below(3);
            if (end == 0) Stop();
            if (end == 0) AfterStop();
            else _world.Kill();
            Bury();
            if (end == 1) LosePower();
            _world.Restart(long.MaxValue);
            Open(readOnly: false);
        }
    }

    private bool Damage(Rotten what)
    {
        if (what is Rotten.OneSuperblock or Rotten.AllSuperblocks)
        {
            int only = _world.Random.Below(_engine.SuperblockOffsets.Length);
            for (int i = 0; i < _engine.SuperblockOffsets.Length; i++)
            {
                bool chosen = what == Rotten.AllSuperblocks || i == only;
                if (chosen) Rot(_engine.SuperblockOffsets[i] + _world.Random.Below(4096));
            }
            return true;
        }
        long target = what == Rotten.Data ? PickData() : PickHeader();
        if (target >= 0) Rot(target);
        return target >= 0;
    }

    private void Rot(long offset)
    {
        _world.Note(SimEvent.Fault, offset, text: "rot");
        _devices.Cache!.Media.Rot(offset, _world.Random.Below(8));
    }

    /// <summary>
    /// Some work, then a few flushed writes to the first block: the headers that follow record how far the log is
    /// durable, so that damage below cannot be taken for a torn end. Then the process dies or stops.
    /// </summary>
    private void WriteMargin(bool stop)
    {
        _world.Restart(long.MaxValue);
        Open(readOnly: false);
        Verify(durable: true);
        Work();
        _client!.Drain();
        for (int i = 0; i < MarginWrites; i++)
        {
            Request(Core.Io.RequestKind.Flush, 0);
            Request(Core.Io.RequestKind.Write, 4096);
        }
        Request(Core.Io.RequestKind.Flush, 0);
        _client.ReadAll(_image);
        if (stop) Stop();
        _world.Kill();
        Bury();
        _ram.Empty();
        _ram.FreeAbandoned();
    }

    private void Request(Core.Io.RequestKind kind, long lengthBytes)
    {
        _client!.TrySubmit(new PlannedRequest { Kind = kind, LengthBytes = lengthBytes }, mayOverlap: true);
        _client.Drain();
    }

    /// <summary>A byte of a tagged sector on the cache device that holds what the image shows; -1 for none.</summary>
    private long PickData()
    {
        var places = new List<long>();
        byte* media = _devices.Cache!.Media.Current;
        for (long at = 0; at + 512 <= _devices.Cache.SizeBytes; at += 512)
        {
            if (!SectorTag.HasMagic(media + at, 1)) continue;
            long sector = ((long*)(media + at))[2];
            if (sector < SectorTag.PerBlock || sector >= _history.SectorCount) continue;
            if (SectorTag.Parse(media + at, sector) == _image[sector]) places.Add(at);
        }
        if (places.Count == 0) return -1;
        long place = places[_world.Random.Below(places.Count)];
        _rotSector = ((long*)(media + place))[2];
        return place + _world.Random.Below(512);
    }

    /// <summary>A byte of a block of the cache device that is no client data; -1 for none.</summary>
    private long PickHeader()
    {
        var places = new List<long>();
        byte* media = _devices.Cache!.Media.Current;
        for (long at = 0; at + 4096 <= _devices.Cache.SizeBytes; at += 4096)
        {
            if (!SectorTag.HasMagic(media + at, 8) && !IsZeroBlock(media + at)) places.Add(at);
        }
        return places.Count == 0 ? -1 : places[_world.Random.Below(places.Count)] + _world.Random.Below(4096);
    }

    private static bool IsZeroBlock(byte* block) => !new ReadOnlySpan<byte>(block, 4096).ContainsAnyExcept((byte)0);

    private bool OpenRotten(Rotten what)
    {
        try
        {
            Open(readOnly: false);
            return true;
        }
        catch (UserErrorException e) when (what is Rotten.Header or Rotten.AllSuperblocks)
        {
            _world.Note(SimEvent.Note, text: "refused: " + e.Message);
            return false;
        }
    }

    private void CompareRotten(Rotten what, bool mayFail = true)
    {
        var found = new ulong[_image.Length];
        _client!.TolerateErrors = mayFail && (what is Rotten.Data or Rotten.Header);
        _client.ReadAllPieces(found);
        for (long x = SectorTag.PerBlock; x < found.Length; x++)
        {
            bool near = what == Rotten.Header || x / SectorTag.PerBlock == _rotSector / SectorTag.PerBlock;
            // What is given up shows an older content.
            bool excused = (found[x] == SectorTag.Unknown) == mayFail && near;
            if (found[x] == _image[x] || excused) continue;
            string shown = found[x] == SectorTag.Unknown ? "an error" : $"{found[x]:x}";
            throw new SimViolationException(
                $"after rot of {what} (sector {_rotSector}): sector {x} shows {shown}, "
                + $"not {_image[x]:x} (R5)" + _history.Explain(x));
        }
    }
}
