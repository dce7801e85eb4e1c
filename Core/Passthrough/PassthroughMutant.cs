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
    /// <summary>R15: the stop does not flush the device.</summary>
    R15StopWithoutFlush,
    /// <summary>R16: the stop of a read-only volume flushes its device.</summary>
    R16ReadOnlyFlushes,
}
