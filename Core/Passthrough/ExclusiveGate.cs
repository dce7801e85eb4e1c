using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Passthrough;

/*
 * Many ordinary writes, or one read-modify-write, at a time, across threads; nobody blocks, a refused caller comes
 * again. One word:
 *
 *   bits 0..29   ordinary writes under way
 *   bit 30       somebody wants the gate alone: no more ordinary writes enter
 *   bit 31       somebody has it alone
 *
 * Every change is a compare-exchange of the whole word, by any thread.
 */

/// <summary>A gate that lets many through, or one alone.</summary>
internal sealed class ExclusiveGate
{
    private const uint Wanted = 1u << 30;
    private const uint Alone = 1u << 31;

    private uint _word;

    /// <summary>Lets an ordinary write in, unless somebody is or wants to be alone.</summary>
    public bool TryEnter()
    {
        uint word = Volatile.Read(ref _word);
        while ((word & (Wanted | Alone)) == 0)
        {
            uint found = Interlocked.CompareExchange(ref _word, word + 1, word);
            if (found == word) return true;
            word = found;
        }
        return false;
    }

    /// <summary>Ends an ordinary write.</summary>
    public void Exit()
    {
        uint word = Interlocked.Decrement(ref _word);
        Invariant.Check((word & ~(Wanted | Alone)) != uint.MaxValue >> 2);
    }

    /// <summary>Lets one in alone when nobody is inside; else notes that it is wanted.</summary>
    public bool TryEnterAlone()
    {
        uint word = Volatile.Read(ref _word);
        while (true)
        {
            bool free = (word & ~Wanted) == 0;
            uint found = Interlocked.CompareExchange(ref _word, free ? Alone : word | Wanted, word);
            if (found == word) return free;
            word = found;
        }
    }

    /// <summary>Ends being alone. A wish noted meanwhile stays.</summary>
    public void ExitAlone()
    {
        uint before = Interlocked.And(ref _word, ~Alone);
        Invariant.Check((before & Alone) != 0);
    }
}
