using System;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Policies.Structures;

/// <summary>What no policy brings in: long sequential streams, unless it costs no copy. Counted.</summary>
internal struct Admission
{
    private long _streams;
    private long _others;

    /// <summary>It may be brought in, as far as it is not part of a stream.</summary>
    public bool Admits(in Access access)
    {
        if (!access.IsSequential || access.IsCheap || Mutant.Is(PolicyMutant.StreamsAdmitted)) return true;
        _streams++;
        return false;
    }

    /// <summary>Notes one that the policy does not want, for a reason of its own. Returns false.</summary>
    public bool Refuse()
    {
        _others++;
        return false;
    }

    /// <summary>Says how many.</summary>
    public readonly void Report(Action<string, long> count)
    {
        count("not_promoted_sequential", _streams);
        count("not_promoted_by_policy", _others);
    }
}
