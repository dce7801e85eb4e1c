using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Recovery;

/// <summary>What is in a slot of a page.</summary>
internal enum SlotState : byte
{
    /// <summary>A page, as somebody has written it.</summary>
    Intact,
    /// <summary>Zeroes: never written.</summary>
    Blank,
    /// <summary>Anything else: torn by a power cut, or rotten.</summary>
    Damaged,
    /// <summary>The device cannot read it.</summary>
    Unreadable,
}

/// <summary>A slot of a page.</summary>
/// <param name="State">What is in it.</param>
/// <param name="Sequence">
/// Of an intact one, and of a damaged one whose header looks like its own; 0: not known.
/// </param>
internal readonly record struct FoundSlot(SlotState State, long Sequence)
{
    /// <summary>Something was here and is not whole.</summary>
    public bool IsDamaged => State is SlotState.Damaged or SlotState.Unreadable;
}

/// <summary>A page of the directory as it was found, both slots.</summary>
internal readonly unsafe struct FoundPage
{
    /// <summary>Both slots of page <paramref name="number"/>, and their bytes.</summary>
    public FoundPage(int number, FoundSlot slot0, FoundSlot slot1, byte* image0, byte* image1, bool wasStopped)
    {
        (Number, Slot0, Slot1) = (number, slot0, slot1);
        bool has0 = slot0.State == SlotState.Intact, has1 = slot1.State == SlotState.Intact;
        Chosen = has1 && (!has0 || slot1.Sequence > slot0.Sequence) ? 1 : has0 ? 0 : -1;
        Image = Chosen == 1 ? image1 : Chosen == 0 ? image0 : null;
        FoundSlot other = Chosen == 1 ? slot0 : slot1;
        IsInDoubt = Chosen >= 0 && wasStopped && other.IsDamaged
            && (other.Sequence == 0 || other.Sequence >= Sequence);
    }

    /// <summary>Which page.</summary>
    public int Number { get; }

    /// <summary>One slot.</summary>
    public FoundSlot Slot0 { get; }

    /// <summary>The other.</summary>
    public FoundSlot Slot1 { get; }

    /// <summary>The slot that counts: the newer intact one, 0 or 1; -1: the page is lost.</summary>
    public int Chosen { get; }

    /// <summary>The bytes of that slot, for as long as the visit lasts; null: lost.</summary>
    public byte* Image { get; }

    /// <summary>
    /// The last life has stopped in order, so that no write can have been cut: the other slot has rotten, and may have
    /// been the newer one. What is clean in this one need not be so.
    /// </summary>
    public bool IsInDoubt { get; }

    /// <summary>Neither slot is intact: what only this page named is lost.</summary>
    public bool IsLost => Chosen < 0;

    /// <summary>A slot is damaged, beside an intact one or not. After a power cut one may be.</summary>
    public bool HasDamage => Slot0.IsDamaged || Slot1.IsDamaged;

    /// <summary>Sequence of the slot that counts.</summary>
    public long Sequence => Chosen == 1 ? Slot1.Sequence : Slot0.Sequence;

    /// <summary>The slot that is written next.</summary>
    public int NextSlot => Chosen == 0 ? 1 : 0;

    /// <summary>Only dirty units of it count.</summary>
    public bool OnlyDirty => IsInDoubt || DirectoryPage.IsOpen(Image);
}
