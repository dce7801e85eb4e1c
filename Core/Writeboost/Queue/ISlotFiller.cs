namespace Weir.Core.Writeboost.Queue;

/// <summary>Fills log slots that were reserved, one after the other.</summary>
public interface ISlotFiller
{
    /// <summary>Slot <paramref name="slot"/> of <paramref name="segment"/>, in RAM segment <paramref name="ram"/>: its
    /// bytes, its entry, its place in the index.</summary>
    void Fill(WriteboostQueue queue, int ram, long segment, int slot);
}
