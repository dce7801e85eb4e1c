using System;

namespace Weir.Core.Writeboost.Writeback;

/// <content>
/// The open segment's turn: what lies in it reaches the backing device too when nobody comes any more. The rest of the
/// segment is given up for that, so not in every short pause of a client.
/// </content>
internal sealed unsafe partial class WritebackEngine
{
    /// <summary>Idle times without a request, but a second at least.</summary>
    private const int OpenPatience = 10;
    private const long LeastOpenUs = 1_000_000;

    // Never: there is nothing that could be written back. Poison only moves on, and so would come back for ever.
    private long OpenDueUs
    {
        get
        {
            bool isInOpenSegment = _log.DirtySegment == _log.HeadSegment && _options.AllowWriteback;
            if (!isInOpenSegment || !HasWorkInOpenSegment) return long.MaxValue;
            return _activity.LastUs + Math.Max(OpenPatience * _options.IdleUs, LeastOpenUs);
        }
    }

    private bool HasWorkInOpenSegment =>
        _log.Table.RangesIn(_log.Geometry.Physical(_log.HeadSegment)) > 0
        || _dirty.PresentBlocks > _index.RottenCount;
}
