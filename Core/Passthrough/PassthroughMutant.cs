using Weir.Core.Base;

namespace Weir.Core.Passthrough;

/// <summary>
/// How the engine <c>passthrough</c> is broken in a run of the test build, see <see cref="Mutant"/>.
/// </summary>
public enum PassthroughMutant
{
    /// <summary>Nothing is broken.</summary>
    None,
    /// <summary>R6: a flush is acknowledged without one of the device.</summary>
    R6FlushSkipped,
    /// <summary>R6: FUA is acknowledged like any write.</summary>
    R6FuaIgnored,
    /// <summary>R6: after a failed flush the next one counts.</summary>
    R6FailureForgotten,
    /// <summary>R6: a flush begins beside another queue's.</summary>
    R6FlushesBeside,
    /// <summary>R14: a change with an edge inside a block shares its blocks with others.</summary>
    R14EdgeShared,
    /// <summary>R14: the last block of a change is not locked with the others.</summary>
    R14LastUnlocked,
    /// <summary>R14: a change of whole blocks does not wait for one that merges.</summary>
    R14WholeUnlocked,
    /// <summary>R14: of a block with an edge the rest is not kept.</summary>
    R14EdgeNotMerged,
    /// <summary>R14: nobody looks for locks that come later.</summary>
    R14GrantForgotten,
    /// <summary>R15: the stop does not flush the device.</summary>
    R15StopWithoutFlush,
    /// <summary>R16: the stop of a read-only volume flushes its device.</summary>
    R16ReadOnlyFlushes,
}
