using System;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Migration;

/// <summary>The policy that a volume has now, behind its latch.</summary>
/// <remarks>
/// Protocol. The latch is for the policy and its host, and for the host being another one. Requests never wait for it:
/// they leave their accesses in a log, which is told when the latch is free. Who moves a block waits, for as long as
/// another thread tells a log; a block comes and goes for the policy and for requests in one hold of the latch, so no
/// policy hears of a place that it does not know.
/// </remarks>
internal sealed class PolicySlot(PolicyHost host) : IDisposable
{
    private SpinLatch _latch;

    /// <summary>The policy; under the latch.</summary>
    public PolicyHost Host { get; private set; } = host;

    /// <summary>Takes the latch if it is free.</summary>
    public bool TryEnter() => _latch.TryEnter();

    /// <summary>Takes the latch, waiting for its holder.</summary>
    public void Enter() => _latch.Enter();

    /// <summary>Leaves.</summary>
    public void Exit() => _latch.Exit();

    /// <summary>Another policy from now on, which knows all places; under the latch. Returns the old one.</summary>
    public PolicyHost Replace(PolicyHost host)
    {
        PolicyHost old = Host;
        Host = host;
        return old;
    }

    /// <inheritdoc/>
    public void Dispose() => Host.Dispose();
}
