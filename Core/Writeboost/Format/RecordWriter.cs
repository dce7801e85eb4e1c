using System;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// Builds record headers: the log's sealing and recovery's finishing of an earlier life use the same steps.
/// </summary>
public static unsafe class RecordWriter
{
    /// <summary>Clears <paramref name="header"/> and fills what places it in the chain.</summary>
    public static void Begin(
        RecordHeader* header, in Superblock superblock, long position, long sequence, uint previousChecksum)
    {
        new Span<byte>(header, RecordHeader.Bytes).Clear();
        header->Magic = RecordHeader.MagicValue;
        header->Version = RecordHeader.VersionValue;
        header->CacheId = superblock.CacheId;
        header->Nonce = superblock.NonceOf(superblock.Epoch);
        header->Epoch = superblock.Epoch;
        header->Position = position;
        header->Sequence = sequence;
        header->PreviousChecksum = previousChecksum;
    }

    /// <summary>Copies <paramref name="count"/> entries.</summary>
    public static void SetEntries(RecordHeader* header, LogEntry* entries, int count)
    {
        Invariant.Check(count is > 0 and <= RecordHeader.MaxEntries);
        header->EntryCount = (ushort)count;
        new Span<LogEntry>(entries, count).CopyTo(new Span<LogEntry>(RecordHeader.Entries(header), count));
    }

    /// <summary>Seals the header with its checksum.</summary>
    public static void Finish(RecordHeader* header) => header->Checksum = RecordHeader.ComputeChecksum(header);
}
