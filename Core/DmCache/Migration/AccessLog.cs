using System.Runtime.InteropServices;
using Weir.Core.DmCache.Policies;

namespace Weir.Core.DmCache.Migration;

/// <summary>One access, until the policy is told.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AccessRecord
{
    /// <summary>The block.</summary>
    public long Home;
    /// <summary>Where it was; <see cref="PolicyInfo.NoPlace"/>: nowhere.</summary>
    public uint Place;
    /// <summary>Sectors of it.</summary>
    public ushort Sectors;
    /// <summary>What kind.</summary>
    public AccessFlags Flags;

    /// <summary>As policies see it.</summary>
    public readonly Access Access => new(Flags, Sectors);
}

/// <summary>
/// What one queue's requests have met, until the policy's latch is free: so no request waits for it. One thread.
/// </summary>
internal sealed class AccessLog
{
    /// <summary>Accesses kept: few enough that a policy is never far behind.</summary>
    private const int Capacity = 64;

    private readonly AccessRecord[] _records = new AccessRecord[Capacity];
    private int _count;

    /// <summary>It has to be emptied before anything is added.</summary>
    public bool IsFull => _count == Capacity;

    /// <summary>Nothing is in it.</summary>
    public bool IsEmpty => _count == 0;

    /// <summary>What there is, in order.</summary>
    public System.ReadOnlySpan<AccessRecord> Records => System.MemoryExtensions.AsSpan(_records, 0, _count);

    /// <summary>Adds one; when it is full those in it are given up.</summary>
    public void Add(in AccessRecord record)
    {
        if (IsFull) _count = 0;
        _records[_count++] = record;
    }

    /// <summary>The policy has been told.</summary>
    public void Clear() => _count = 0;
}
