using System;
using Weir.Core.Base;

namespace Weir.Core.Writeboost.Format;

/// <summary>
/// Device table of layout <c>native</c>: magic "WEIRDT01", nothing of its own before the devices, which are
/// <see cref="DeviceRecord"/>s. Copy A at byte 4 KiB, copy B at 516 KiB, each behind a copy of the superblock.
/// </summary>
public sealed unsafe class DeviceTable(Guid cacheId) : TwoCopyTable(MagicValue, VersionValue, cacheId)
{
    /// <summary>Size on disk.</summary>
    public const int Bytes = TableBytes;
    /// <summary>"WEIRDT01", little endian.</summary>
    public const ulong MagicValue = 0x3130544452494557;
    /// <summary>Format version.</summary>
    public const uint VersionValue = 1;
    /// <summary>Most devices: 0 is nobody's number, as in the seeds, and 255 is none.</summary>
    public const int MaxDevices = 254;

    /// <summary>Byte offsets of the copies.</summary>
    public static ReadOnlySpan<long> Offsets => [Superblock.Bytes, Superblock.CopyBOffset + Superblock.Bytes];

    /// <inheritdoc/>
    public override long OffsetA => Superblock.Bytes;

    /// <summary>The record of device <paramref name="id"/>.</summary>
    public ref DeviceRecord this[int id]
    {
        get
        {
            Invariant.Check(id is > 0 and <= MaxDevices);
            return ref ((DeviceRecord*)(Pointer + RecordsOffset))[id - 1];
        }
    }

    /// <inheritdoc/>
    public override bool IsConsistent
    {
        get
        {
            for (int id = 1; id <= MaxDevices; id++)
                if (!this[id].IsConsistent(id)) return false;
            return true;
        }
    }

    /// <summary>
    /// It names every device of which the log holds something. An empty one does not, before the first start or because
    /// the table was lost, nor one that an older weir has written after such a loss.
    /// </summary>
    public bool IsComplete
    {
        get
        {
            bool isEmpty = true;
            for (int id = 1; id <= MaxDevices; id++)
            {
                if (this[id].Id == 0) continue;
                if (!this[id].HasFirstPosition) return false;
                isEmpty = false;
            }
            return !isEmpty;
        }
    }

    /// <summary>
    /// By number, from where on the log's entries are of the device that has it now; of a number that is free none are,
    /// unless the table is not complete: then nobody can tell, and all count.
    /// </summary>
    public long[] FirstPositions()
    {
        long[] positions = new long[byte.MaxValue + 1];
        long free = IsComplete ? long.MaxValue : 0;
        for (int id = 1; id <= MaxDevices; id++)
            positions[id] = this[id].Id != 0 ? this[id].FirstPosition : free;
        return positions;
    }

    /// <summary>A whole table of the cache <paramref name="cacheId"/>.</summary>
    public static bool IsValid(byte* table, Guid cacheId) => IsValid(table, MagicValue, VersionValue, cacheId);
}
