using Weir.Core.Caching;

namespace Weir.Core.Writeboost.Queue;

/// <summary>
/// Neighbouring blocks that come from neighbouring places: one device read. A run from the backing device may go
/// on over a few blocks that the log has: they are laid over it afterwards.
/// </summary>
public unsafe struct ReadRun(bool fromCache, long offsetBytes, byte* target, int segment)
{
    /// <summary>
    /// Blocks of the log that one run goes over: reading them with it is cheaper than to begin again.
    /// </summary>
    private const int MaxGap = 8;

    /// <summary>The cache device's, else the backing device's.</summary>
    public readonly bool FromCache = fromCache;
    /// <summary>Where it starts on the device.</summary>
    public readonly long OffsetBytes = offsetBytes;
    /// <summary>Where it goes.</summary>
    public readonly byte* Target = target;
    /// <summary>Pinned physical segment, once per block; -1 for the backing device.</summary>
    public readonly int Segment = segment;
    /// <summary>Blocks so far; 0 in the empty run.</summary>
    public int Blocks = 1;
    /// <summary>
    /// State of the changes (<see cref="StripedVersions.Sample"/>) before its blocks were looked up; Busy: not to be
    /// staged.
    /// </summary>
    public long Sample = StripedVersions.Busy;

    private int _gap;

    /// <summary>Takes the next block if it continues the run.</summary>
    public bool TryExtend(bool fromCache, long offset, byte* target, int segment)
    {
        long length = (long)(Blocks + _gap) << Geometry.BlockShift;
        bool continues = Blocks > 0 && fromCache == FromCache && segment == Segment
            && offset == OffsetBytes + length && target == Target + length;
        if (!continues) return false;
        Blocks += _gap + 1;
        _gap = 0;
        return true;
    }

    /// <summary>
    /// Goes on over a block that the log has, if the run is longer than such gaps. The block's bytes must be laid over
    /// the run's when it has been read. Nothing of the run is staged then.
    /// </summary>
    public bool TryGoOver(long offset, byte* target)
    {
        long length = (long)(Blocks + _gap) << Geometry.BlockShift;
        bool goes = Blocks > 2 * _gap && !FromCache && _gap < MaxGap
            && offset == OffsetBytes + length && target == Target + length;
        if (!goes) return false;
        _gap++;
        Sample = StripedVersions.Busy;
        return true;
    }
}
