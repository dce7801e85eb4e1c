using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Weir.Core.Base;

namespace Weir.Tests.Simulation;

/// <summary>What a power cut does to completed but unflushed writes.</summary>
public enum CutMode
{
    AllLost, AllKept, CoinPerSector, FewKept, FewLost, CoinPerWrite, NewestLost, OnlyNewestKept, OldestLost,
    TornOne, AllTorn, PrefixAndOne,
}

/// <summary>
/// The medium below a simulated device: what reads see now (<see cref="Current"/>), what a power cut leaves for
/// certain (<see cref="Durable"/>), and in between the list of completed writes that no flush has covered.
/// </summary>
public sealed unsafe class SimMedia : IDisposable
{
    private const long ArenaBytes = 8 << 20;
    private const long SectorBytes = 512;
    private readonly List<Unflushed> _unflushed = [];
    private readonly HashSet<long> _dropped = [];
    private readonly byte* _arena;
    private readonly int _unitBytes;
    private long _arenaUsed;

    private struct Unflushed
    {
        public long Offset;
        public long Length;
        /// <summary>Where the data is in the arena; -1 for zeroes.</summary>
        public long Data;
        public long Seq;
        /// <summary>A failed flush dropped it: no other flush makes it durable.</summary>
        public bool Orphan;
    }

    /// <param name="sizeBytes">Size of the medium.</param>
    /// <param name="unitBytes">What the device writes whole or not at all: 512, or 4096.</param>
    public SimMedia(long sizeBytes, int unitBytes)
    {
        SizeBytes = sizeBytes;
        _unitBytes = unitBytes;
        Current = (byte*)SimMemory.Rent(sizeBytes);
        Durable = (byte*)SimMemory.Rent(sizeBytes);
        _arena = (byte*)SimMemory.Rent(ArenaBytes, clear: false);
        NativeMemory.Clear(Durable, (nuint)sizeBytes);
    }

    public long SizeBytes { get; }

    /// <summary>What reads see.</summary>
    public byte* Current { get; }

    /// <summary>What survives any power cut.</summary>
    public byte* Durable { get; }

    /// <summary>Number of the next completed write.</summary>
    public long Seq { get; private set; }

    /// <summary>
    /// True for a sector that a failed flush dropped, that was shown as written until the power went, and that nobody
    /// has written since: a later life, which knows of no failure, may have read it and keep a copy.
    /// </summary>
    public bool HasDropped(long offset) => _dropped.Contains(offset / SectorBytes);

    /// <summary>True for any sector.</summary>
    public bool HasDroppedAny => _dropped.Count > 0;

    /// <summary>A write, or zeroes where <paramref name="from"/> is null: visible now, durable perhaps.</summary>
    public void Write(long offset, long length, byte* from)
    {
        if (from != null && _arenaUsed + length > ArenaBytes) MakeDurable(Seq);
        long data = -1;
        if (from != null)
        {
            Invariant.Check(_arenaUsed + length <= ArenaBytes);
            data = _arenaUsed;
            _arenaUsed += length;
            Buffer.MemoryCopy(from, _arena + data, length, length);
        }
        ForgetDropped(offset, length);
        _unflushed.Add(new Unflushed { Offset = offset, Length = length, Data = data, Seq = Seq++ });
        Copy(Current, offset, length, data, 0);
    }

    /// <summary>
    /// A write that is durable by itself. What was written before to the same place cannot come back.
    /// </summary>
    public void WriteDurably(long offset, long length, byte* from)
    {
        ForgetDropped(offset, length);
        for (int i = 0; i < _unflushed.Count;)
        {
            Unflushed u = _unflushed[i];
            bool meets = u.Offset < offset + length && offset < u.Offset + u.Length;
            if (meets && !u.Orphan) Copy(Durable, u.Offset, u.Length, u.Data, 0);
            if (meets) _unflushed.RemoveAt(i);
            else i++;
        }
        Buffer.MemoryCopy(from, Current + offset, length, length);
        Buffer.MemoryCopy(from, Durable + offset, length, length);
    }

    /// <summary>Fills the medium before the simulation begins.</summary>
    public void Preset(long offset, long length, byte* from)
    {
        Buffer.MemoryCopy(from, Current + offset, length, length);
        Buffer.MemoryCopy(from, Durable + offset, length, length);
    }

    /// <summary>What completed before <paramref name="seqLimit"/> becomes durable, dropped writes excepted.</summary>
    public void MakeDurable(long seqLimit)
    {
        int kept = 0;
        for (int i = 0; i < _unflushed.Count; i++)
        {
            Unflushed u = _unflushed[i];
            if (u.Seq < seqLimit && !u.Orphan) Copy(Durable, u.Offset, u.Length, u.Data, 0);
            else _unflushed[kept++] = u;
        }
        _unflushed.RemoveRange(kept, _unflushed.Count - kept);
        if (kept == 0) _arenaUsed = 0;
        else if (_arenaUsed > ArenaBytes / 2) Compact();
    }

    /// <summary>A failed flush: the device forgets about half of what it should have made durable.</summary>
    public void FailFlush(long seqLimit, ref Prng random)
    {
        Span<Unflushed> all = CollectionsMarshal.AsSpan(_unflushed);
        for (int i = 0; i < all.Length; i++)
        {
            // Its bytes are of no use any more: a device that fails for long would fill the arena with them.
            if (all[i].Seq < seqLimit && random.Chance(50)) (all[i].Orphan, all[i].Data) = (true, -1);
        }
    }

    /// <summary>Power is gone: each unflushed unit is kept or lost, as <paramref name="mode"/> has it.</summary>
    public void PowerCut(CutMode mode, ref Prng random)
    {
        Span<Unflushed> all = CollectionsMarshal.AsSpan(_unflushed);
        int special = all.Length == 0 ? 0 : random.Below(all.Length);
        for (int i = 0; i < all.Length; i++)
        {
            if (!all[i].Orphan) Cut(all[i], i, all.Length, special, mode, ref random);
        }
        foreach (Unflushed u in all) NoteDropped(u);
        foreach (Unflushed u in all) Buffer.MemoryCopy(Durable + u.Offset, Current + u.Offset, u.Length, u.Length);
        _unflushed.Clear();
        _arenaUsed = 0;
    }

    /// <summary>Bit rot: flips one bit of a byte, on the medium itself.</summary>
    public void Rot(long offset, int bit)
    {
        Current[offset] ^= (byte)(1 << bit);
        Durable[offset] ^= (byte)(1 << bit);
    }

    public void Dispose()
    {
        SimMemory.Return((nint)Current);
        SimMemory.Return((nint)Durable);
        SimMemory.Return((nint)_arena);
    }

    // In their order: the newest write of a sector decides, and one that is on the medium all the same is not dropped.
    private void NoteDropped(in Unflushed u)
    {
        for (long at = u.Offset; at < u.Offset + u.Length; at += SectorBytes)
        {
            if (u.Orphan && !Sector(Current, at).SequenceEqual(Sector(Durable, at))) _dropped.Add(at / SectorBytes);
            else _dropped.Remove(at / SectorBytes);
        }
    }

    private static ReadOnlySpan<byte> Sector(byte* medium, long at) => new(medium + at, (int)SectorBytes);

    private void ForgetDropped(long offset, long length)
    {
        if (_dropped.Count == 0) return;
        for (long at = offset; at < offset + length; at += SectorBytes) _dropped.Remove(at / SectorBytes);
    }

    private void Cut(in Unflushed u, int index, int count, int special, CutMode mode, ref Prng random)
    {
        bool whole = mode switch
        {
            CutMode.AllLost => false,
            CutMode.CoinPerWrite => random.Chance(50),
            CutMode.OldestLost => index > 0,
            CutMode.NewestLost => index < count - 1,
            CutMode.OnlyNewestKept => index == count - 1,
            CutMode.PrefixAndOne => index < special / 2 || index == special,
            _ => true,
        };
        if (!whole) return;
        if (mode == CutMode.AllTorn || (mode == CutMode.TornOne && index == special)) Tear(u, ref random);
        else if (mode is CutMode.CoinPerSector or CutMode.FewKept or CutMode.FewLost) CoinPerUnit(u, mode, ref random);
        else Copy(Durable, u.Offset, u.Length, u.Data, 0);
    }

    private void CoinPerUnit(in Unflushed u, CutMode mode, ref Prng random)
    {
        int percent = mode == CutMode.FewKept ? 6 : mode == CutMode.FewLost ? 94 : 50;
        for (long at = 0; at < u.Length; at += _unitBytes)
        {
            if (random.Chance(percent)) CopyUnit(u, at);
        }
    }

    /// <summary>Keeps a write but for its beginning, its end, or one unit in between.</summary>
    private void Tear(in Unflushed u, ref Prng random)
    {
        long units = (u.Length + _unitBytes - 1) / _unitBytes;
        long first = random.Below(units);
        long last = first;
        int how = random.Below(3);
        if (how == 0) last = units - 1;
        else if (how == 1) first = 0;
        for (long unit = 0; unit < units; unit++)
        {
            if (unit < first || unit > last) CopyUnit(u, unit * _unitBytes);
        }
    }

    private void CopyUnit(in Unflushed u, long at) =>
        Copy(Durable, u.Offset + at, Math.Min(_unitBytes, u.Length - at), u.Data, at);

    private void Copy(byte* target, long offset, long length, long data, long at)
    {
        if (data < 0) NativeMemory.Clear(target + offset, (nuint)length);
        else Buffer.MemoryCopy(_arena + data + at, target + offset, length, length);
    }

    /// <summary>Moves what is left to the front of the arena.</summary>
    private void Compact()
    {
        long used = 0;
        Span<Unflushed> all = CollectionsMarshal.AsSpan(_unflushed);
        for (int i = 0; i < all.Length; i++)
        {
            if (all[i].Data < 0) continue;
            Buffer.MemoryCopy(_arena + all[i].Data, _arena + used, all[i].Length, all[i].Length);
            all[i].Data = used;
            used += all[i].Length;
        }
        _arenaUsed = used;
    }
}

/// <summary>Large zeroed blocks, kept per thread from one seed to the next.</summary>
public static unsafe class SimMemory
{
    private const long BlockBytes = 12 << 20;

    [ThreadStatic]
    private static Stack<nint>? t_free;

    /// <summary>At least <paramref name="sizeBytes"/>, page aligned.</summary>
    public static nint Rent(long sizeBytes, bool clear = true)
    {
        Invariant.Check(sizeBytes <= BlockBytes);
        t_free ??= new Stack<nint>();
        nint block = t_free.Count > 0 ? t_free.Pop() : (nint)NativeMemory.AlignedAlloc((nuint)BlockBytes, 4096);
        if (clear) NativeMemory.Clear((void*)block, (nuint)sizeBytes);
        return block;
    }

    /// <summary>This thread's stock, also that of threads of which only one runs at a time.</summary>
    public static Stack<nint> Stock
    {
        get => t_free ??= new Stack<nint>();
        set => t_free = value;
    }

    /// <summary>Gives a block back to this thread's stock.</summary>
    public static void Return(nint block) => (t_free ??= new Stack<nint>()).Push(block);

    /// <summary>Gives this thread's stock back to the system.</summary>
    public static void FreeAll()
    {
        while (t_free != null && t_free.TryPop(out nint block)) NativeMemory.AlignedFree((void*)block);
    }
}
