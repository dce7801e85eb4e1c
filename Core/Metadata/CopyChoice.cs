namespace Weir.Core.Metadata;

/// <summary>
/// Which of two copies counts that were written one after the other, each durable before the other one was begun.
/// </summary>
/// <param name="AIsWhole">Copy A is as somebody has written it.</param>
/// <param name="AGeneration">Its number; it rises with every update.</param>
/// <param name="BIsWhole">As <paramref name="AIsWhole"/>.</param>
/// <param name="BGeneration">As <paramref name="AGeneration"/>.</param>
internal readonly record struct CopyChoice(bool AIsWhole, long AGeneration, bool BIsWhole, long BGeneration)
{
    /// <summary>One of them is whole.</summary>
    public bool IsFound => AIsWhole || BIsWhole;

    /// <summary>Copy B is the one that counts.</summary>
    public bool TakesB => BIsWhole && (!AIsWhole || BGeneration > AGeneration);

    /// <summary>The copy that is not whole, "A" before "B"; null: both are.</summary>
    public string? Damaged => !AIsWhole ? "A" : !BIsWhole ? "B" : null;

    /// <summary>The next update begins with copy B: it is the one that may be lost.</summary>
    public bool BeginsWithB => AIsWhole && (!BIsWhole || BGeneration < AGeneration);
}
