using Weir.Core.Volumes;

namespace Weir.Core.Passthrough;

/// <summary>What one queue has done; see <see cref="RequestCounters"/>.</summary>
internal sealed class PassthroughCounters() : RequestCounters(own: 1)
{
    /// <summary>Requests that have failed.</summary>
    public const int Errors = FirstOwn;
}
