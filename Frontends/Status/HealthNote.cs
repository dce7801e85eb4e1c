using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Frontends.Status;

/// <summary>
/// What is said when a volume stops that was not healthy, or has blocks that are lost. The exit code speaks of
/// durability alone (R15): a volume that has become read-only ends with 0 when all it has acknowledged is durable, and
/// must not do so without a word.
/// </summary>
internal sealed class HealthNote : IStatusWriter
{
    private string _state = "healthy";
    private string _reason = "";
    private string _lost = "";
    private long _dirtyBlocks;

    /// <summary>The lines, none when there is nothing to say.</summary>
    public IEnumerable<string> Lines
    {
        get
        {
            if (_state != "healthy")
                yield return $"the volume was {_state}: {_reason}; {_dirtyBlocks} dirty blocks stay on the cache "
                    + "device";
            if (_lost != "")
                yield return $"{_lost}; they read errors until they are overwritten or given up";
        }
    }

    /// <inheritdoc/>
    public void Number(string name, long value)
    {
        if (name == "dirty_blocks") _dirtyBlocks = value;
    }

    /// <inheritdoc/>
    public void Text(string name, string value)
    {
        if (name == "state") _state = value;
        if (name == "state_reason") _reason = value;
        if (name == "lost_blocks") _lost = value;
    }
}
