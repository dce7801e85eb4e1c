using Weir.Core.Base;

namespace Weir.Core.DmCache.Queue;

/// <summary>Numbers from 0 on, each in use or free. One thread.</summary>
internal sealed class FreeNumbers
{
    private readonly int[] _free;
    private int _count;

    /// <summary>All of <paramref name="count"/> are free.</summary>
    public FreeNumbers(int count)
    {
        _free = new int[count];
        for (int i = 0; i < count; i++) _free[i] = i;
        _count = count;
    }

    /// <summary>None is free.</summary>
    public bool IsEmpty => _count == 0;

    /// <summary>Takes one; there is one.</summary>
    public int Take()
    {
        Invariant.Check(_count > 0);
        return _free[--_count];
    }

    /// <summary>It is free again.</summary>
    public void Return(int number)
    {
        Invariant.Check(_count < _free.Length);
        _free[_count++] = number;
    }
}
