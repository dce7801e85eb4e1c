namespace Weir.Core.Caching;

/// <summary>
/// Neighbouring blocks that come from neighbouring places: one device read. A run from the backing device may go
/// on over a few blocks that the cache has: they are laid over it afterwards.
/// </summary>
internal unsafe struct ReadRun(int source, long offsetBytes, byte* target, int blockBytes)
{
    /// <summary>A source: the backing device. Those from 0 on are the cache device's.</summary>
    public const int Home = -1;

    /// <summary>
    /// Bytes of blocks that the cache has, and one run goes over: reading them with it is cheaper than to begin again.
    /// </summary>
    private const int MaxGapBytes = 32 << 10;

    /// <summary><see cref="Home"/>, or what the engine pins for each block while it is read: a segment.</summary>
    public readonly int Source = source;
    /// <summary>Where it starts on the device.</summary>
    public readonly long OffsetBytes = offsetBytes;
    /// <summary>Where it goes.</summary>
    public readonly byte* Target = target;
    /// <summary>Bytes so far; 0 in the empty run.</summary>
    public long LengthBytes = blockBytes;
    /// <summary>
    /// State of the changes (<see cref="StripedVersions.Sample"/>) before its blocks were looked up; Busy: not to be
    /// kept in the cache.
    /// </summary>
    public long Sample = StripedVersions.Busy;

    private int _gapBytes;

    /// <summary>Takes the next block if it continues the run.</summary>
    public bool TryExtend(int source, long offset, byte* target, int blockBytes)
    {
        long length = LengthBytes + _gapBytes;
        bool continues = LengthBytes > 0 && source == Source
            && offset == OffsetBytes + length && target == Target + length;
        if (!continues) return false;
        LengthBytes = length + blockBytes;
        _gapBytes = 0;
        return true;
    }

    /// <summary>
    /// Goes on over a block that the cache has, if the run is longer than such gaps. Its bytes must be laid over
    /// the run's when it has been read. Nothing of the run is kept then.
    /// </summary>
    public bool TryGoOver(long offset, byte* target, int blockBytes)
    {
        long length = LengthBytes + _gapBytes;
        bool goes = LengthBytes > 2 * _gapBytes && Source == Home && _gapBytes < MaxGapBytes
            && offset == OffsetBytes + length && target == Target + length;
        if (!goes) return false;
        _gapBytes += blockBytes;
        Sample = StripedVersions.Busy;
        return true;
    }
}
