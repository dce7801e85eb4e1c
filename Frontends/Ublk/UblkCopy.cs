namespace Weir.Frontends.Ublk;

/// <summary>How the bytes of requests come and go.</summary>
internal enum UblkCopy
{
    /// <summary>By pread and pwrite between the driver's request and our memory (Linux 6.5).</summary>
    User,
    /// <summary>Through a buffer for each tag, which the driver copies to and from.</summary>
    Buffer,
    /// <summary>
    /// As <see cref="User"/>, but reads whose bytes nobody looks at go from the device below to whoever asked
    /// (Linux 6.16).
    /// </summary>
    Direct,
}
