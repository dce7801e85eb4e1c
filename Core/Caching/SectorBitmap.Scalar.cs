namespace Weir.Core.Caching;

// Word by word: what blocks below 128 KiB use, and the twins of the vector forms.
internal readonly unsafe partial struct SectorBitmap
{
    internal void SetScalar(int first, int end)
    {
        for (int word = first >> WordShift; word << WordShift < end; word++) _words[word] |= Within(word, first, end);
    }

    internal void ClearScalar(int first, int end)
    {
        for (int word = first >> WordShift; word << WordShift < end; word++) _words[word] &= ~Within(word, first, end);
    }

    internal bool AnyScalar(int first, int end)
    {
        for (int word = first >> WordShift; word << WordShift < end; word++)
            if ((_words[word] & Within(word, first, end)) != 0) return true;
        return false;
    }

    internal bool AllScalar(int first, int end)
    {
        for (int word = first >> WordShift; word << WordShift < end; word++)
            if ((~_words[word] & Within(word, first, end)) != 0) return false;
        return true;
    }

    internal void OrScalar(ulong* other)
    {
        for (int i = 0; i < _wordCount; i++) _words[i] |= other[i];
    }

    internal void AndNotScalar(ulong* other)
    {
        for (int i = 0; i < _wordCount; i++) _words[i] &= ~other[i];
    }

    /// <summary>The bits of a word that lie in a range that touches it.</summary>
    private static ulong Within(int word, int first, int end)
    {
        ulong mask = ulong.MaxValue;
        int start = word << WordShift;
        if (first > start) mask <<= first - start;
        if (end < start + WordBits) mask &= ~(ulong.MaxValue << (end - start));
        return first < end ? mask : 0;
    }
}
