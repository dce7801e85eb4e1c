namespace Weir.Core.Traces;

/// <summary>What a simulated cache did with a trace.</summary>
public struct SimulationCounts
{
    /// <summary>Accesses of blocks.</summary>
    public long Accesses;

    /// <summary>Of these, of blocks that were not cached.</summary>
    public long Misses;

    /// <summary>Requests.</summary>
    public long Requests;

    /// <summary>Of these, with at least one block that was not cached.</summary>
    public long RequestMisses;

    /// <summary>Blocks brought in.</summary>
    public long Promotions;

    /// <summary>Blocks that gave way.</summary>
    public long Evictions;

    /// <summary>Bytes that the policy keeps about blocks.</summary>
    public long MemoryBytes;

    /// <summary>How long it took, on one processor.</summary>
    public double Seconds;

    /// <summary>Misses as a share of accesses.</summary>
    public readonly double MissRatio => Accesses == 0 ? 0 : (double)Misses / Accesses;

    /// <summary>The same of requests.</summary>
    public readonly double RequestMissRatio => Requests == 0 ? 0 : (double)RequestMisses / Requests;
}
