using System;

namespace Weir.Native;

/// <summary>
/// Zeroed anonymous memory that can become larger and stays where it is: its addresses are reserved from the start,
/// which costs nothing, and made usable as it grows. Where so many addresses are not to be had (ulimit -v), it has what
/// it needs and cannot grow.
/// </summary>
public sealed unsafe class GrowingSlab : IDisposable
{
    private const long PageBytes = 4096;
    private readonly nuint _reservedBytes;

    /// <summary>
    /// Memory of <paramref name="sizeBytes"/>, later of up to <paramref name="mostBytes"/>; throws
    /// <see cref="NativeException"/> when memory is short.
    /// </summary>
    public GrowingSlab(long sizeBytes, long mostBytes)
    {
        _reservedBytes = (nuint)RoundUp(Math.Max(sizeBytes, mostBytes));
        nint address = Reserve(_reservedBytes);
        if (address < 0) address = Reserve(_reservedBytes = (nuint)RoundUp(sizeBytes));
        NativeException.Check(address, $"cannot map {sizeBytes} bytes of memory");
        Start = (byte*)address;
        if (TryGrow(sizeBytes)) return;
        Dispose();
        throw new NativeException($"cannot map {sizeBytes} bytes of memory", Errno.ENOMEM);
    }

    /// <summary>First byte; never moves.</summary>
    public byte* Start { get; private set; }

    /// <summary>Bytes that can be used.</summary>
    public long SizeBytes { get; private set; }

    /// <summary>Makes at least <paramref name="sizeBytes"/> usable, the new ones zero. False: there are not so
    /// many.</summary>
    public bool TryGrow(long sizeBytes)
    {
        if (sizeBytes <= SizeBytes) return true;
        nuint bytes = (nuint)RoundUp(sizeBytes);
        if (bytes > _reservedBytes) return false;
        if (Libc.Protect(Start, bytes, Const.PROT_READ | Const.PROT_WRITE) < 0) return false;
        // Advice only: tables are looked into at random, and a miss of the TLB costs as much as one of the cache.
        if (bytes >= Slab.HugePageBytes) _ = Libc.Advise(Start, bytes, Const.MADV_HUGEPAGE);
        SizeBytes = (long)bytes;
        return true;
    }

    /// <summary>Unmaps.</summary>
    public void Dispose()
    {
        if (Start != null) _ = Libc.Unmap(Start, _reservedBytes);
        Start = null;
    }

    private static nint Reserve(nuint bytes) =>
        (nint)Libc.Map(bytes, Const.PROT_NONE, Const.MAP_PRIVATE | Const.MAP_ANONYMOUS | Const.MAP_NORESERVE, -1, 0);

    private static long RoundUp(long value) => Math.Max(PageBytes, (value + PageBytes - 1) & -PageBytes);
}
