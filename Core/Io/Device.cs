using System;
using System.Collections.Generic;

namespace Weir.Core.Io;

/// <summary>
/// A block device below an engine: file, disk, RAM, model, or simulation. Shared by threads; I/O goes through one
/// <see cref="DeviceQueue"/> per thread.
/// </summary>
public abstract class Device : IDisposable
{
    /// <summary>What the user called it, for messages.</summary>
    public abstract string Name { get; }

    /// <summary>Usable bytes, a multiple of <see cref="LogicalBlockBytes"/>.</summary>
    public abstract long SizeBytes { get; }

    /// <summary>
    /// Bytes that clients see: less than <see cref="SizeBytes"/> where a file ends inside its last logical block. What
    /// lies beyond reads as zeroes, and what is written there is nowhere.
    /// </summary>
    public virtual long ClientBytes => SizeBytes;

    /// <summary>Smallest unit and alignment of offset, length and memory: 512 or 4096.</summary>
    public abstract int LogicalBlockBytes { get; }

    /// <summary>Flush works and means something (R14).</summary>
    public abstract bool CanFlush { get; }

    /// <summary>It heeds <see cref="IoOp.Durable"/>. When such a write fails, a flush may have failed with it: whatever
    /// no flush had covered yet may be gone.</summary>
    public virtual bool CanWriteDurably => false;

    /// <summary>
    /// What tells this device from another one of equal size: WWN, inode, export name. At most 128 bytes of UTF-8.
    /// </summary>
    public abstract string Identity { get; }

    /// <summary>
    /// All that it answers to, the best first; a cache keeps the first one, and knows it again by any. Some name the
    /// device itself, some only the place where it was found: <see cref="IsPlace"/>.
    /// </summary>
    public virtual IReadOnlyList<string> Identities => [Identity];

    /// <summary><paramref name="identity"/> is one of <see cref="Identities"/>.</summary>
    public bool AnswersTo(string identity)
    {
        foreach (string own in Identities)
            if (own == identity) return true;
        return false;
    }

    /// <summary>
    /// <paramref name="identity"/> names a place, where another device may be found next time: a number, a path, an
    /// inode that a copy does not keep.
    /// </summary>
    public static bool IsPlace(string identity)
    {
        foreach (string kind in s_places)
            if (identity.StartsWith(kind, StringComparison.Ordinal)) return true;
        return false;
    }

    // What device mapper calls CRYPT-PLAIN or CRYPT-TEMP has no name but the user's; a path is what an older weir wrote
    // of a loop device.
    private static readonly string[] s_places =
        ["dev:", "file:", "loop:", "place:", "disk:/", "disk:CRYPT-PLAIN-", "disk:CRYPT-TEMP-"];

    /// <summary>What the kernel calls it: MAJOR:MINOR of a block device; of others the name.</summary>
    public virtual string KernelName => Name;

    /// <summary>
    /// Milliseconds for which operations have been under way and none has ended; 0: none are. Any thread.
    /// </summary>
    public virtual long SilentMs => 0;

    /// <summary>
    /// Another one after each change of what it holds, whoever has made it; and where that cannot be told, as after a
    /// reboot. 0: it never can tell. Synchronous, short.
    /// </summary>
    public virtual ulong ChangeStamp => 0;

    /// <summary>
    /// It had <paramref name="before"/> as its <see cref="ChangeStamp"/> and has <paramref name="now"/>: nothing shows
    /// that nobody has written to it. False for a device that never could tell.
    /// </summary>
    public static bool MayHaveChanged(ulong before, ulong now) => before != 0 && before != now;

    /// <summary>The thread's own queue; called on that thread.</summary>
    public abstract DeviceQueue OpenQueue(IoContext io);

    /// <summary>
    /// Where the extent around <paramref name="offsetBytes"/> ends and whether it holds data; devices that cannot tell
    /// say "data to the end". Synchronous, short, callable from any queue thread.
    /// </summary>
    public virtual long ExtentEnd(long offsetBytes, out bool isHole)
    {
        isHole = false;
        return SizeBytes;
    }

    /// <summary>
    /// Sees to it that no write can fail for want of space (R16): allocates this part of the file. Synchronous, control
    /// path. 0: it had its space already, as devices have that own it; 1: it has taken some, which
    /// <see cref="GiveBack"/> would return; or a negative errno, and nothing is taken.
    /// </summary>
    public virtual int Preallocate(long fromBytes, long endBytes) => 0;

    /// <summary>
    /// Returns the space of this part of the file where it holds no data. Nobody may be writing there. Synchronous,
    /// control path.
    /// </summary>
    public virtual void GiveBack(long fromBytes, long endBytes)
    {
    }

    /// <summary>
    /// Keeps a small text with the device, durably, under a name: for what must be known at the next start although no
    /// place on the device itself is ours. Synchronous, control path. 0, or a negative errno.
    /// </summary>
    public virtual int LeaveNote(string name, string text) => -EnotSup;

    /// <summary>Where the note of this name is kept; null when there is none. Synchronous, control path.</summary>
    public virtual string? FindNote(string name) => null;

    private const int EnotSup = 95;

    /// <summary>
    /// Looks at the size again: true when it has become larger, and <see cref="SizeBytes"/> says so from now on. It
    /// never shrinks, and what is larger than <paramref name="mostBytes"/> is not taken. Synchronous, control path;
    /// devices that cannot grow say false.
    /// </summary>
    /// <param name="mostBytes">What its owner can use.</param>
    /// <param name="foundBytes">What there is now.</param>
    public virtual bool TryGrow(long mostBytes, out long foundBytes)
    {
        foundBytes = ClientBytes;
        return false;
    }

    /// <summary>The same, of any size.</summary>
    public bool TryGrow() => TryGrow(long.MaxValue, out _);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>One thread's way to one device.</summary>
public abstract unsafe class DeviceQueue
{
    /// <summary>
    /// Starts <paramref name="op"/>. Exactly one completion follows through <see cref="IoContext.Complete"/>, never
    /// from inside this call's caller's frame: completions are queued and run by the loop. The result is the full
    /// length (0 for flush, discard, zeroes) or a negative errno. A range operation (Discard, WriteZeroes) guarantees
    /// zeroes afterwards. Memory stays valid until the completion.
    /// </summary>
    public abstract void Submit(IoOp* op);

    /// <summary>Once per turn of the thread's loop, for ways that have work of their own.</summary>
    public virtual void Poll()
    {
    }

    /// <summary>Reads can go to <see cref="IoOp.ClientBuffer"/>.</summary>
    public virtual bool TakesClientBuffers => false;

    /// <summary>Lets go of what the thread's context holds for it. Nothing is under way; nothing follows.</summary>
    public virtual void Close()
    {
    }
}
