namespace Weir.Core.SsdCache;

/// <summary>
/// How the engine <c>ssdcache</c> is broken in a run of the test build, see <see cref="Base.Mutant"/>.
/// </summary>
public enum SsdCacheMutant
{
    /// <summary>Nothing is broken.</summary>
    None,
    /// <summary>B1: what is cached changes while the device says that nothing does.</summary>
    B1ClosedPageChanged,
    /// <summary>B1: a page is closed while something in it is under way.</summary>
    B1ClosedInUse,
    /// <summary>B1: sectors that go to both devices are there meanwhile.</summary>
    B1ThroughNotInvalid,
    /// <summary>B2: a page names bytes that no flush covers.</summary>
    B2EntryBeforeFlush,
    /// <summary>B3: a way is taken whose dirty block the device still names.</summary>
    B3NamedWayTaken,
    /// <summary>B4: a block that was written while it was written back counts as clean.</summary>
    B4WrittenIgnored,
    /// <summary>B4: a block counts as clean before its home is flushed.</summary>
    B4HomeUnflushed,
    /// <summary>B5: a write to the cache alone is acknowledged before anything would find it.</summary>
    B5EntryNotAwaited,
    /// <summary>B6: a flush does not see that a dirty entry has changed.</summary>
    B6ChangeNotNoted,
    /// <summary>B6: a flush is acknowledged without one of the backing device.</summary>
    B6HomeUnflushed,
    /// <summary>B6: a flush is acknowledged before the pages are durable.</summary>
    B6PagesUnflushed,
    /// <summary>B6: FUA is acknowledged like any write.</summary>
    B6FuaIgnored,
    /// <summary>B6: the next start does not hear of a flush that has failed.</summary>
    B6LossNotNoted,
    /// <summary>B6: the stop flushes nothing.</summary>
    B6StopUnflushed,
    /// <summary>B8: a block is filled while it may be written.</summary>
    B8FillUnlocked,
    /// <summary>B9: cached sectors stay although home has newer ones.</summary>
    B9StaleKept,
    /// <summary>B11: a clean sector that cannot be read is an error.</summary>
    B11CleanNotReadAtHome,
    /// <summary>B12: a mode is named while blocks are still dirty.</summary>
    B12NamedTooEarly,
    /// <summary>B13: what memory has is served before the device has it.</summary>
    B13MemoryUnwritten,
    /// <summary>B13: after a power cut clean sectors of an open page are believed.</summary>
    B13OpenBelieved,
    /// <summary>B14: nobody looks whether the devices are those of the cache.</summary>
    B14AnyDeviceTaken,
}
