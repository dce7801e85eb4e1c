using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>Reads both copies of the device table and decides which one counts. Writes nothing.</summary>
public static unsafe class DeviceTableReader
{
    /// <summary>
    /// The newer whole copy, or an empty table where the cache has met no device yet. The next update begins with the
    /// other copy: with B if <paramref name="copyBFirst"/>; it is due if the copies are not <paramref name="equal"/>.
    /// </summary>
    /// <exception cref="UserErrorException">There should be one, and neither copy is whole, or a number is wrong.
    /// </exception>
    public static DeviceTable Read(
        BlockingIo io, DeviceQueue queue, Device cache, in Superblock superblock, out bool copyBFirst, out bool equal)
    {
        using AlignedMemory memory = new(2 * DeviceTable.Bytes);
        byte* a = memory.Pointer, b = a + DeviceTable.Bytes;
        io.Start(queue, IoKind.Read, DeviceTable.Offsets[0], a, DeviceTable.Bytes);
        io.Start(queue, IoKind.Read, DeviceTable.Offsets[1], b, DeviceTable.Bytes);
        io.WaitOrFail("reading the device table", cache);
        bool aIsWhole = DeviceTable.IsValid(a, superblock.CacheId);
        bool bIsWhole = DeviceTable.IsValid(b, superblock.CacheId);
        bool aCounts = aIsWhole && (!bIsWhole || DeviceTable.GenerationOf(a) >= DeviceTable.GenerationOf(b));
        copyBFirst = aCounts;
        equal = aIsWhole && bIsWhole && DeviceTable.GenerationOf(a) == DeviceTable.GenerationOf(b);
        if (!aIsWhole && !bIsWhole && superblock.Epoch > 0)
            throw new UserErrorException($"{cache.Name}: both copies of the device table are damaged");
        DeviceTable table = new(superblock.CacheId);
        if (aIsWhole || bIsWhole) table.CopyFrom(aCounts ? a : b);
        CheckNumbers(table, cache);
        return table;
    }

    private static void CheckNumbers(DeviceTable table, Device cache)
    {
        for (int id = 1; id <= DeviceTable.MaxDevices; id++)
        {
            int found = table[id].Id;
            if (found == 0 || found == id) continue;
            table.Dispose();
            throw new UserErrorException(
                $"{cache.Name}: device table: place {id} holds device number {found}; expected {id}, or 0 for none");
        }
    }
}
