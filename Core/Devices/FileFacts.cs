using System.Collections.Generic;

namespace Weir.Core.Devices;

/// <summary>What opening a file or block device found out.</summary>
/// <param name="Path">As the user gave it.</param>
/// <param name="SizeBytes">Bytes; of a backing file, of any number.</param>
/// <param name="LogicalBlockBytes">512 or 4096.</param>
/// <param name="IsBlockDevice">A block device; else a regular file.</param>
/// <param name="IsReadOnly">Opened for reading only.</param>
/// <param name="IsDirect">Around the page cache.</param>
/// <param name="WritesDurably">A write can be durable by itself: the flag that asks for it reaches the disk.</param>
/// <param name="Identity">WWN or serial of a disk, file system and inode of a file.</param>
/// <param name="Identities">All that it answers to, the best first.</param>
/// <param name="Warning">One line to print, or null.</param>
public sealed record FileFacts(
    string Path, long SizeBytes, int LogicalBlockBytes, bool IsBlockDevice, bool IsReadOnly, bool IsDirect,
    bool WritesDurably, string Identity, IReadOnlyList<string> Identities, string? Warning)
{
    /// <summary>What the page cache holds as one: a page, or a larger block of the file system.</summary>
    public int CachedUnitBytes { get; init; } = 4096;

    /// <summary>Of a block device: what it is told that nobody needs gains something.</summary>
    public bool GivesSpaceBack { get; init; } = true;

    /// <summary>
    /// Whoever reads or writes it may be held up until that is done, though he has asked not to be: on FUSE the kernel
    /// says that it heeds RWF_NOWAIT, and waits for the program behind all the same.
    /// </summary>
    public bool MayBlock { get; init; }
}
