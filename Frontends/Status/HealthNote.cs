using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Frontends.Status;

/// <summary>
/// What is said when a volume stops that was not healthy, or has blocks that are lost. The exit code speaks of
/// durability alone (R15): it is 1 where blocks are lost. A volume that has become read-only ends with 0 when all it
/// has acknowledged is durable, and must not do so without a word.
/// </summary>
internal sealed class HealthNote : IStatusWriter
{
    private string _state = "healthy";
    private string _reason = "";
    private string _lost = "";
    private string _alone = "";
    private long _dirtyBlocks;
    private long _dirtyRanges;

    /// <summary>Blocks are lost: not all of what was acknowledged is on a device.</summary>
    public bool HasLost => _lost != "";

    /// <summary>The lines, none when there is nothing to say.</summary>
    public IEnumerable<string> Lines
    {
        get
        {
            if (_state != "healthy") yield return $"the volume was {_state}: {_reason}{Left}";
            if (_alone != "") yield return _alone;
            if (_lost != "") yield return $"{_lost}; they read errors until they are overwritten or given up";
        }
    }

    private string Left
    {
        get
        {
            if (_dirtyBlocks + _dirtyRanges == 0) return "";
            string blocks = $"{_dirtyBlocks} dirty block{(_dirtyBlocks == 1 ? "" : "s")}";
            string ranges = _dirtyRanges == 0 ? "" : $" and {_dirtyRanges} discarded or zeroed ranges";
            return $"; {blocks}{ranges} stay{(_dirtyBlocks + _dirtyRanges == 1 ? "s" : "")} on the cache device";
        }
    }

    /// <inheritdoc/>
    public void Number(string name, long value)
    {
        if (name == "dirty_blocks") _dirtyBlocks = value;
        if (name == "dirty_ranges") _dirtyRanges = value;
    }

    /// <inheritdoc/>
    public void Text(string name, string value)
    {
        if (name == "state") _state = value;
        if (name == "state_reason") _reason = value;
        if (name == "lost_blocks") _lost = value;
        if (name == "flushes_without_cache") _alone = value;
    }
}
