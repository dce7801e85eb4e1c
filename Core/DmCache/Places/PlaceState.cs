using System;

namespace Weir.Core.DmCache.Places;

/*
 * The life of a place:
 *
 *   free --> filling --> mapped --> leaving --> leaving, committed --> free
 *   (FreePlaces)  |         |                                            ^
 *                 |         +-- dirty, written, in doubt: see below      |
 *                 +---------------------------- given up ----------------+
 *
 * A place is free only when the durable metadata have no entry for it (B3).
 */

/// <summary>What is known of a place, in one byte that is changed by compare-exchange.</summary>
[Flags]
internal enum PlaceState : byte
{
    /// <summary>Free, or filling: nothing finds it.</summary>
    None = 0,
    /// <summary>It holds a block, and requests find it.</summary>
    Mapped = 1,
    /// <summary>Its home may have older bytes.</summary>
    Dirty = 2,
    /// <summary>A write of it has begun since somebody has taken this away (B4).</summary>
    Written = 4,
    /// <summary>Its home may have newer bytes too, or older: nobody can tell without comparing them.</summary>
    Doubtful = 8,
    /// <summary>No commit has taken it up: no flush of the cache device may cover its bytes (B2).</summary>
    Fresh = 16,
    /// <summary>It held a block, and the durable metadata may still say so.</summary>
    Leaving = 32,
    /// <summary>Write-back has it.</summary>
    Cleaning = 64,
    /// <summary>
    /// No write of it was under way when this was set, and none has begun since; never with Dirty or Written. Its mark
    /// may go once both devices are flushed after that (B1).
    /// </summary>
    Quiet = 128,
    /// <summary>Any of these: home may not have what it holds, and it does not leave.</summary>
    Kept = Dirty | Doubtful | Cleaning,
}
