using System;

namespace Weir.Native;

/// <summary>
/// One stretch of zeroed anonymous memory, mapped once and cut up by its owner. From 2 MiB on it is 2 MiB aligned and
/// asks for huge pages; below that it is page aligned. Not inherited by child processes: pages under direct I/O
/// must not be shared by a fork.
/// </summary>
public sealed unsafe class Slab : IDisposable
{
    /// <summary>Size of a huge page on x86-64.</summary>
    public const long HugePageBytes = 2 << 20;

    private const long PageBytes = 4096;
    private byte* _mapping;
    private nuint _mappingBytes;

    /// <summary>
    /// Maps at least <paramref name="sizeBytes"/>; throws <see cref="NativeException"/> when memory is short.
    /// </summary>
    public Slab(long sizeBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sizeBytes);
        bool huge = sizeBytes >= HugePageBytes;
        SizeBytes = RoundUp(sizeBytes, huge ? HugePageBytes : PageBytes);
        _mappingBytes = (nuint)(SizeBytes + (huge ? HugePageBytes : 0));
        nint address = Libc.Map(_mappingBytes, Const.PROT_READ | Const.PROT_WRITE,
            Const.MAP_PRIVATE | Const.MAP_ANONYMOUS, -1, 0);
        NativeException.Check(address, $"cannot map {SizeBytes} bytes of memory");
        _mapping = (byte*)address;
        Start = (byte*)RoundUp(address, huge ? HugePageBytes : PageBytes);
        Trim();
        // Advice only: without huge pages everything works the same, a little slower.
        if (huge) _ = Libc.Advise(Start, (nuint)SizeBytes, Const.MADV_HUGEPAGE);
        _ = Libc.Advise(Start, (nuint)SizeBytes, Const.MADV_DONTFORK);
    }

    /// <summary>First byte.</summary>
    public byte* Start { get; private set; }

    /// <summary>Bytes, rounded up to whole pages.</summary>
    public long SizeBytes { get; }

    /// <summary>
    /// Takes all of it from the system now, so that none is missing later. 0, or a negative errno; kernels before 5.14
    /// say EINVAL.
    /// </summary>
    public int Populate() => (int)Libc.Advise(Start, (nuint)SizeBytes, Const.MADV_POPULATE_WRITE);

    /// <summary>From now on pages come one by one, and can be given back so.</summary>
    public void UseSmallPages() => _ = Libc.Advise(Start, (nuint)SizeBytes, Const.MADV_NOHUGEPAGE);

    /// <summary>
    /// Gives the system back what has been used of the first <paramref name="bytes"/>, which read as zeroes then.
    /// Nobody uses them, and no ring has them registered.
    /// </summary>
    public void GiveBack(long bytes)
    {
        if (bytes > 0) _ = Libc.Advise(Start, (nuint)RoundUp(bytes, PageBytes), Const.MADV_DONTNEED);
    }

    /// <summary>Unmaps. The owner has seen to it that no operation uses the memory any more.</summary>
    public void Dispose()
    {
        if (_mapping == null) return;
        byte* mapping = _mapping;
        _mapping = null;
        Start = null;
        _ = Libc.Unmap(mapping, _mappingBytes);
    }

    // What the alignment did not need: with other advice it would be mappings of its own, of which there is a limit.
    private void Trim()
    {
        nuint before = (nuint)(Start - _mapping), after = _mappingBytes - before - (nuint)SizeBytes;
        if (before > 0) _ = Libc.Unmap(_mapping, before);
        if (after > 0) _ = Libc.Unmap(Start + SizeBytes, after);
        _mapping = Start;
        _mappingBytes = (nuint)SizeBytes;
    }

    private static long RoundUp(long value, long unit) => (value + unit - 1) & -unit;
}

/// <summary>How much memory this process may lock, which bounds what it may register with io_uring.</summary>
public static class MemoryLock
{
    /// <summary>The soft limit in bytes; <see cref="long.MaxValue"/> for none. Root is not bound by it.</summary>
    public static long LimitBytes => ResourceLimit.Soft(Const.RLIMIT_MEMLOCK);

    /// <summary>
    /// Raises the soft limit to the hard one, which needs no right. Returns the limit that then holds.
    /// </summary>
    public static long Raise() => ResourceLimit.Raise(Const.RLIMIT_MEMLOCK);
}
