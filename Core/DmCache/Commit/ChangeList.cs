using System;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Commit;

/// <summary>
/// The groups of places whose durable entries or marks are behind what is true, and who waits for the commit that
/// brings them up. Nothing says what has changed in a group: the committer compares.
/// </summary>
/// <remarks>
/// Protocol. Whoever changes a place does so first, then lists its group. A commit takes the list, and looks at the
/// places after that: it has at least what was listed before. Its number is a ticket: <see cref="Add"/> returns that of
/// the commit which will have the change, and it is durable when <see cref="Done"/> has reached it. List and numbers
/// are changed under the latch; <c>_done</c> and <c>_failure</c> are written by the committer, and read by any.
/// <c>_wanted</c> is added to by any, atomically, before the group is listed; bits are taken away by the committer's
/// thread alone.
/// </remarks>
internal sealed unsafe class ChangeList(uint groups) : IDisposable
{
    private uint* _listed = (uint*)NativeMemory.Alloc(groups, sizeof(uint));
    private uint* _taken = (uint*)NativeMemory.Alloc(groups, sizeof(uint));
    private byte* _isListed = (byte*)NativeMemory.AllocZeroed(groups);
    private ulong* _wanted = (ulong*)NativeMemory.AllocZeroed(groups, sizeof(ulong));
    private uint _groups = groups;
    private SpinLatch _latch;
    private int _count;
    private long _begun;
    private long _done;
    private int _isUrgent;
    private volatile string? _failure;

    /// <summary>Bytes of memory.</summary>
    public long MemoryBytes => _groups * (long)((2 * sizeof(uint)) + 1 + sizeof(ulong));

    /// <summary>Nothing is listed.</summary>
    public bool IsEmpty => Volatile.Read(ref _count) == 0;

    /// <summary>Somebody waits for what is listed.</summary>
    public bool IsUrgent => Volatile.Read(ref _isUrgent) != 0;

    /// <summary>Commits up to this number are durable; any thread.</summary>
    public long Done => Volatile.Read(ref _done);

    /// <summary>Why no commit will be durable any more; null: they will. Any thread.</summary>
    public string? Failure => _failure;

    /// <summary>The commit of this number, or a later one, is durable.</summary>
    public bool IsDone(long ticket) => ticket <= Done;

    /// <summary>
    /// The group has changed; <paramref name="isUrgent"/>: somebody waits. Returns the number of the commit that will
    /// have it.
    /// </summary>
    public long Add(uint group, bool isUrgent)
    {
        _latch.Enter();
        List(group);
        if (isUrgent) Volatile.Write(ref _isUrgent, 1);
        long ticket = _begun + 1;
        _latch.Exit();
        return ticket;
    }

    /// <summary>Somebody waits for what is listed: the number of the commit that will have it.</summary>
    public long Urge()
    {
        _latch.Enter();
        Volatile.Write(ref _isUrgent, 1);
        long ticket = _begun + 1;
        _latch.Exit();
        return ticket;
    }

    /// <summary>
    /// All places of these groups shall be marked that hold a block, now or later (B1); in one commit.
    /// </summary>
    public long WantMarks(uint firstGroup, uint count)
    {
        for (uint i = firstGroup; i < firstGroup + count; i++) Interlocked.Exchange(ref _wanted[i], ulong.MaxValue);
        _latch.Enter();
        for (uint i = firstGroup; i < firstGroup + count; i++) List(i);
        Volatile.Write(ref _isUrgent, 1);
        long ticket = _begun + 1;
        _latch.Exit();
        return ticket;
    }

    /// <summary>The marks that are wanted of a group, for places that hold a block.</summary>
    public ulong WantedOf(uint group) => Volatile.Read(ref _wanted[group]);

    /// <summary>At the start, or by the committer: these, and no others.</summary>
    public void SetWanted(uint group, ulong marks) => Interlocked.Exchange(ref _wanted[group], marks);

    /// <summary>A commit begins: takes the list. By the committer.</summary>
    public ReadOnlySpan<uint> Begin()
    {
        _latch.Enter();
        int count = _count;
        uint* taken = _listed;
        _listed = _taken;
        _taken = taken;
        for (int i = 0; i < count; i++) _isListed[_taken[i]] = 0;
        Volatile.Write(ref _count, 0);
        Volatile.Write(ref _isUrgent, 0);
        _begun++;
        _latch.Exit();
        return new ReadOnlySpan<uint>(_taken, count);
    }

    /// <summary>
    /// The commit that was begun last is durable; <paramref name="isWhole"/>: with all that it had taken, else a later
    /// one has the rest. By the committer, who wakes whoever waits.
    /// </summary>
    public void End(bool isWhole)
    {
        if (isWhole) Volatile.Write(ref _done, _begun);
    }

    /// <summary>No commit will be durable any more.</summary>
    public void Fail(string reason) => _failure = reason;

    /// <summary>More groups. Nothing is listed or under way; nobody else is at work in it.</summary>
    public void Grow(uint groups)
    {
        Invariant.Check(IsEmpty);
        GrownMemory.Grow(ref _listed, _groups, groups);
        GrownMemory.Grow(ref _taken, _groups, groups);
        GrownMemory.Grow(ref _isListed, _groups, groups);
        GrownMemory.Grow(ref _wanted, _groups, groups);
        _groups = groups;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_listed);
        NativeMemory.Free(_taken);
        NativeMemory.Free(_isListed);
        NativeMemory.Free(_wanted);
    }

    private void List(uint group)
    {
        Invariant.Check(group < _groups);
        if (_isListed[group] != 0) return;
        _isListed[group] = 1;
        _listed[_count] = group;
        Volatile.Write(ref _count, _count + 1);
    }
}
