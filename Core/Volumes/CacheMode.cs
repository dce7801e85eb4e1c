namespace Weir.Core.Volumes;

/// <summary>What writes do, and what the cache may hold alone (dm-cache: io mode).</summary>
public enum CacheMode : byte
{
    /// <summary>A write to a cached block goes to the cache device, and home later: the cache holds it alone.</summary>
    Writeback = 0,
    /// <summary>It goes to both, and is answered when both have it: the cache may be lost.</summary>
    Writethrough = 1,
    /// <summary>Nothing is cached: all goes home, and what is written there leaves the cache.</summary>
    Passthrough = 2,
    /// <summary>What was read is cached; writes go home, and what they meet leaves the cache (ssdcache).</summary>
    Readcache = 3,
}
