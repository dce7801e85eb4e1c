namespace Weir.Core.Writeboost.Queue;

/// <summary>Neighbouring blocks that come from neighbouring places: one device read.</summary>
public unsafe struct ReadRun(bool fromCache, long offsetBytes, byte* target, int segment)
{
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

    /// <summary>Takes the next block if it continues the run.</summary>
    public bool TryExtend(bool fromCache, long offset, byte* target, int segment)
    {
        long length = (long)Blocks << Geometry.BlockShift;
        bool continues = Blocks > 0 && fromCache == FromCache && segment == Segment
            && offset == OffsetBytes + length && target == Target + length;
        if (continues) Blocks++;
        return continues;
    }
}
