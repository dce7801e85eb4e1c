using System;

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

    /// <summary>The region called <paramref name="name"/> as an earlier process left it, or null.</summary>
    IRamRegion? Open(string name);

    /// <summary>A new zeroed region, replacing any other of that name.</summary>
    IRamRegion Create(string name, long sizeBytes);

    /// <summary>
    /// Removes the region called <paramref name="name"/>, if any. Mappings stay valid until disposed.
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
}
