using System;
using System.Collections.Generic;
using Weir.Core.Base;

namespace Weir.Core.Io;

/// <summary>
/// Memory that outlives the process (R1): in the product a file on tmpfs, in the simulation a dictionary that a power
/// cut empties. Control path only.
/// </summary>
public unsafe interface IRamStore
{
    /// <summary>Identifies this boot of the machine; 36 characters (<c>/proc/sys/kernel/random/boot_id</c>).</summary>
    string BootId { get; }

    /// <summary>
    /// What is there outlives the process. False: plain memory, and acknowledgements wait for the log (R1).
    /// </summary>
    bool OutlivesProcess { get; }

    /// <summary>Where regions are looked for, for people.</summary>
    string Places => "memory";

    /// <summary>Bytes of the largest region that there is room for.</summary>
    long RoomBytes => long.MaxValue;

    /// <summary>
    /// The regions called <paramref name="name"/> as earlier processes left them, in whatever place; the caller
    /// disposes of them.
    /// </summary>
    IReadOnlyList<IRamRegion> Open(string name);

    /// <summary>Looks in <paramref name="folder"/> too: an earlier process has said that its memory is there.</summary>
    void AlsoSearch(string folder)
    {
    }

    /// <summary>A new zeroed region, replacing all others of that name.</summary>
    /// <exception cref="UserErrorException">There is no place for it.</exception>
    IRamRegion Create(string name, long sizeBytes);

    /// <summary>
    /// Removes the regions called <paramref name="name"/>, if any. Mappings stay valid until disposed.
    /// </summary>
    void Delete(string name);
}

/// <summary>A mapped region, page aligned. Disposing unmaps it and leaves the contents to the next process.</summary>
public unsafe interface IRamRegion : IDisposable
{
    /// <summary>First byte, at least 4 KiB aligned.</summary>
    byte* Pointer { get; }

    /// <summary>Bytes.</summary>
    long SizeBytes { get; }

    /// <summary>Where it is, for people.</summary>
    string Place => "memory";

    /// <summary>The folder that the next process has to look in; empty when there is none.</summary>
    string Folder => "";

    /// <summary>
    /// Somebody can take it away while it is used: <see cref="FindLoss"/> is to be asked again and again.
    /// </summary>
    bool CanVanish => false;

    /// <summary>
    /// Why the next process would not find it as it is, in words that follow its place; null: it would. A system call;
    /// not for the data path.
    /// </summary>
    string? FindLoss() => null;
}
