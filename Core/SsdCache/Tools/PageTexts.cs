using Weir.Core.SsdCache.Format;
using Weir.Core.SsdCache.Recovery;

namespace Weir.Core.SsdCache.Tools;

/// <summary>What is wrong with a page as a whole, for people.</summary>
internal sealed class PageTexts(SsdGeometry geometry, in SsdSuperblock superblock)
{
    private readonly SsdSuperblock _superblock = superblock;

    /// <summary>It may name data that are nowhere else; not so in a cache that nobody has served yet.</summary>
    public bool MayBeDirty => _superblock.Mode == SsdMode.Writeback;

    /// <summary>What is damaged; null: nothing.</summary>
    public string? Of(in FoundPage page)
    {
        string what = $"page {page.Number}, {Sets(page.Number)}: ";
        if (page.IsLost)
            return what + $"no slot is intact ({Word(page.Slot0)}, {Word(page.Slot1)}): what it named is lost"
                + (MayBeDirty ? ", dirty blocks too" : "; nothing of it was dirty");
        if (!page.HasDamage) return null;
        what += $"slot {1 - page.Chosen} {Word(page.Chosen == 0 ? page.Slot1 : page.Slot0)}";
        return page.IsInDoubt ? what + ", and may have been the newer one"
            : _superblock.IsClean ? what + "; it was the older one" : what + ": it was being written";
    }

    /// <summary>Nothing is wrong with it, a power cut leaves it so.</summary>
    public bool IsNormal(in FoundPage page) => !page.IsLost && (!page.HasDamage || !_superblock.IsClean);

    private string Sets(int page) =>
        $"sets {geometry.FirstSetOf(page)} to {geometry.FirstSetOf(page) + geometry.SetsOf(page) - 1}";

    private static string Word(FoundSlot slot) => slot.State switch
    {
        SlotState.Intact => "is intact",
        SlotState.Blank => "is blank",
        SlotState.Damaged => "is damaged",
        _ => "cannot be read",
    };
}
