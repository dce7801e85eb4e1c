using System.Runtime.InteropServices;

namespace Weir.Core.Caching;

/// <summary>What a lock lets others do with its blocks meanwhile.</summary>
public enum BlockLockMode : byte
{
    /// <summary>Shared: everybody but <see cref="Exclusive"/> (dm-cache: a read; OCF: a read).</summary>
    Read,
    /// <summary>
    /// Shared: everybody but <see cref="Copy"/> and <see cref="Exclusive"/> (dm-cache: a client's write).
    /// </summary>
    Write,
    /// <summary>
    /// Readers only: who has it copies the blocks, and then takes them alone (<see cref="BlockLocks.Promote"/>;
    /// dm-cache: a migration at the level of writes).
    /// </summary>
    Copy,
    /// <summary>Nobody (dm-cache: a migration at the level of reads; OCF: a write; a read-modify-write).</summary>
    Exclusive,
}

/// <summary>What <see cref="BlockLocks.Promote"/> says.</summary>
public enum Promotion
{
    /// <summary>The lock is exclusive now.</summary>
    Done,
    /// <summary>It will be: it comes through the grant queue, and is held as it was meanwhile.</summary>
    Parked,
    /// <summary>Another waits for the same: one of them has to give way. Held as it was.</summary>
    Refused,
}

/// <summary>
/// A lock of neighbouring blocks, taken, parked or free: memory of the caller's that stays where it is until it is free
/// again. The caller fills the first four fields before <see cref="BlockLocks.Take"/>.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct BlockLock
{
    /// <summary>First block.</summary>
    public long FirstBlock;
    /// <summary>Blocks, at least one.</summary>
    public long BlockCount;
    /// <summary>Free for the caller: what it is for.</summary>
    public void* Owner;
    /// <summary>How; <see cref="BlockLockMode.Exclusive"/> after a promotion.</summary>
    public BlockLockMode Mode;

    /// <summary>Parked: it has its cell as <see cref="Mode"/> says and waits to have it alone.</summary>
    internal bool IsPromoting;
    /// <summary>Number of the grant queue through which it comes if it is parked.</summary>
    internal ushort Queue;
    /// <summary>Cells it has, in the order in which cells are taken.</summary>
    internal int Held;
    /// <summary>Next of a cell's parked ones, or of those granted.</summary>
    internal BlockLock* Next;
}
