using System;
using Weir.Core.Base;
using Weir.Core.Volumes;

namespace Weir.Core.SsdCache.Queue;

/// <summary>What a lookup of the part of a request in one block has found (seed 004: enum of results).</summary>
internal enum LookupResult : byte
{
    /// <summary>All its sectors are cached.</summary>
    ReadClean,
    /// <summary>It had to wait for a write of its sectors.</summary>
    ReadBusy,
    /// <summary>The block is there, some of the sectors are not.</summary>
    ReadInvalid,
    /// <summary>The block is not there.</summary>
    ReadMiss,
    /// <summary>The block is there, and nobody writes these sectors.</summary>
    WriteInvalid,
    /// <summary>The block was not there, and has a way now.</summary>
    WriteMiss,
    /// <summary>It had to wait for another write of its sectors, and is cached all the same (queue_busy).</summary>
    WriteBusy,
    /// <summary>It had to wait, or writes are not cached in this mode.</summary>
    WriteCancel,
    /// <summary>No way for it: none can be had, or none is wanted (skip_write_insert).</summary>
    WriteSkip,
    /// <summary>It did not wait for the directory (async_lookup).</summary>
    WriteDone,
    /// <summary>Part of a sequential stream; not counted among the seed's.</summary>
    Bypass,
}

/// <summary>What is done then.</summary>
[Flags]
internal enum LookupAction : byte
{
    /// <summary>Nothing.</summary>
    None = 0,
    /// <summary>Cached sectors come from the cache.</summary>
    ReadCache = 1,
    /// <summary>The others come from home.</summary>
    ReadHome = 2,
    /// <summary>What has come from home is put into the cache.</summary>
    Fill = 4,
    /// <summary>The bytes go to the cache.</summary>
    WriteCache = 8,
    /// <summary>The bytes go home.</summary>
    WriteHome = 16,
    /// <summary>What is cached of the sectors leaves: the clean before home is written, the dirty after.</summary>
    Drop = 32,
    /// <summary>The cache has refused the bytes, and home gets them; never in the table.</summary>
    Rescue = 64,
}

/// <summary>
/// The table that the engine goes by: result and mode say what is done; the one option that counts here,
/// disable_writeback, takes fills away. What the other options do is done when a result is found
/// (<see cref="ResultOfRead"/>, <see cref="ResultOfWrite"/>).
/// </summary>
/// <remarks>
/// <code>
///                writethrough        writeback         readcache           passthrough
/// READ_CLEAN     cache               cache             cache               home
/// READ_BUSY      cache, home         cache, home       cache, home         home
/// READ_INVALID   cache, home, fill   as before         as before           home
/// READ_MISS      home, fill          home, fill        home, fill          home
/// WRITE_INVALID  home, cache         cache             home, drop          home, drop
/// WRITE_MISS     home, cache         cache             home                home
/// WRITE_BUSY     home, cache         cache             home, drop          home, drop
/// WRITE_CANCEL   home, drop          home, drop        home, drop          home, drop
/// WRITE_SKIP     home                home              home                home
/// WRITE_DONE     home                home              home                home
/// BYPASS (read)  cache, home         cache, home       cache, home         home
/// </code>
/// A dirty sector is only in the cache, in whatever mode: reads take it from there.
/// </remarks>
internal static class LookupTable
{
    private const LookupAction Cached = LookupAction.ReadCache;
    private const LookupAction Both = LookupAction.ReadCache | LookupAction.ReadHome;
    private const LookupAction Home = LookupAction.ReadHome;
    private const LookupAction Filled = LookupAction.ReadCache | LookupAction.ReadHome | LookupAction.Fill;
    private const LookupAction Through = LookupAction.WriteHome | LookupAction.WriteCache;
    private const LookupAction Later = LookupAction.WriteCache;
    private const LookupAction Around = LookupAction.WriteHome;
    private const LookupAction Dropped = LookupAction.WriteHome | LookupAction.Drop;

    // Rows: LookupResult; columns: CacheMode.
    private static readonly LookupAction[] s_actions =
    [
        // writeback, writethrough, passthrough, readcache
        Cached, Cached, Home, Cached,
        Both, Both, Home, Both,
        Filled, Filled, Home, Filled,
        Filled, Filled, Home, Filled,
        Later, Through, Dropped, Dropped,
        Later, Through, Around, Around,
        Later, Through, Dropped, Dropped,
        Dropped, Dropped, Dropped, Dropped,
        Around, Around, Around, Around,
        Around, Around, Around, Around,
        Both, Both, Home, Both,
    ];

    private const int Modes = 4;

    /// <summary>What is done.</summary>
    public static LookupAction ActionOf(LookupResult result, CacheMode mode, bool disablesWriteback)
    {
        Invariant.Check((int)mode < Modes);
        LookupAction action = s_actions[((int)result * Modes) + (int)mode];
        return disablesWriteback ? action & ~LookupAction.Fill : action;
    }

    /// <summary>What a read has found.</summary>
    public static LookupResult ResultOfRead(bool isThere, bool isAllValid, bool hasWaited, bool isSequential) =>
        isThere && isAllValid ? LookupResult.ReadClean
        : isSequential ? LookupResult.Bypass
        : hasWaited ? LookupResult.ReadBusy
        : isThere ? LookupResult.ReadInvalid : LookupResult.ReadMiss;

    /// <summary>
    /// What a write has found: of a block that is there, or for which a way was looked for if the mode wants one.
    /// </summary>
    public static LookupResult ResultOfWrite(bool isThere, bool isNew, bool hasWaited, CacheMode mode, bool queuesBusy)
    {
        if (!isThere) return LookupResult.WriteSkip;
        bool isCached = mode is CacheMode.Writeback or CacheMode.Writethrough;
        if (!isCached || (hasWaited && !queuesBusy)) return LookupResult.WriteCancel;
        if (hasWaited) return LookupResult.WriteBusy;
        return isNew ? LookupResult.WriteMiss : LookupResult.WriteInvalid;
    }
}
