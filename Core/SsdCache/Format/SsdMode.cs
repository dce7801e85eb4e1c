namespace Weir.Core.SsdCache.Format;

/// <summary>What a write does (dm-ssdcache: writethrough, writeback, readcache), as the superblock keeps it.</summary>
internal enum SsdMode : uint
{
    /// <summary>Both devices are written, and both must answer: the cache may be lost.</summary>
    Writethrough = 1,
    /// <summary>The cache is written, and home later: the cache may hold it alone.</summary>
    Writeback = 2,
    /// <summary>Home is written, and what the cache holds of it is gone: only reads fill.</summary>
    Readcache = 3,
}
