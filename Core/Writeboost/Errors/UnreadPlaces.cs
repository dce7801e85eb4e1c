namespace Weir.Core.Writeboost.Errors;

/// <summary>Places, slots of one segment or of several, that the device does not give: one bit each.</summary>
internal sealed class UnreadPlaces(int places)
{
    private readonly ulong[] _bits = new ulong[(places + 63) / 64];

    /// <summary>How many.</summary>
    public int Count { get; private set; }

    /// <summary>All have been read, or none was tried.</summary>
    public void Clear()
    {
        if (Count == 0) return;
        System.Array.Clear(_bits);
        Count = 0;
    }

    /// <summary><paramref name="place"/> could not be read; said once for each.</summary>
    public void Add(int place)
    {
        _bits[place / 64] |= 1UL << (place % 64);
        Count++;
    }

    /// <summary>That one could not.</summary>
    public bool Has(int place) => Count != 0 && (_bits[place / 64] & (1UL << (place % 64))) != 0;

    /// <summary>None of <paramref name="count"/> places from <paramref name="first"/> on could be read.</summary>
    public bool HasAll(int first, int count)
    {
        for (int place = first; place < first + count; place++)
            if (!Has(place)) return false;
        return true;
    }
}
