namespace Weir.Core.Writeboost.Format;

/// <summary>What a record header says beside its entries, whatever the layout.</summary>
public struct RecordInfo
{
    /// <summary>Where the header lies in the endless log.</summary>
    public long Position;

    /// <summary>Number of the record; in layouts with one record per segment the segment's id.</summary>
    public long Sequence;

    /// <summary>Entries that count; the record's slots follow its header.</summary>
    public int EntryCount;

    /// <summary>The life that wrote it; 0 where the layout has none.</summary>
    public long Epoch;

    /// <summary>D as known when it was written; 0 where the layout has none.</summary>
    public long DurablePosition;

    /// <summary>
    /// Everything below was on the backing device when it was written; 0 where the layout does not say.
    /// </summary>
    public long MarkPosition;

    /// <summary>The chain: checksum of the header with the sequence before; 0 where the layout has none.</summary>
    public uint PreviousChecksum;

    /// <summary>What the next header's <see cref="PreviousChecksum"/> will be.</summary>
    public uint Checksum;

    /// <summary>Position after the record.</summary>
    public readonly long EndPosition => Position + 1 + EntryCount;
}
