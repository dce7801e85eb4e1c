using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Recovery;

/// <summary>Reads both copies of a table and decides which one counts. Writes nothing.</summary>
internal static unsafe class TableReader
{
    private const string ReadingSamples = "reading the samples of devices";

    /// <summary>
    /// <paramref name="table"/> becomes the newer whole copy; false, and it stays empty, when none is whole. The next
    /// update begins with the other copy: with B if <paramref name="copyBFirst"/>; it is due if the copies are not
    /// <paramref name="equal"/>.
    /// </summary>
    /// <exception cref="UserErrorException">The device cannot be read.</exception>
    public static bool TryRead(
        BlockingIo io, DeviceQueue queue, Device cache, TwoCopyTable table, out bool copyBFirst, out bool equal)
    {
        using AlignedMemory memory = new(2 * TwoCopyTable.TableBytes);
        byte* a = memory.Pointer, b = a + TwoCopyTable.TableBytes;
        io.Start(queue, IoKind.Read, table.OffsetA, a, TwoCopyTable.TableBytes);
        io.Start(queue, IoKind.Read, table.OffsetB, b, TwoCopyTable.TableBytes);
        io.WaitOrFail(table is SampleTable ? ReadingSamples : "reading the device table", cache);
        (bool aIsWhole, bool bIsWhole) = (table.IsWhole(a), table.IsWhole(b));
        long aGeneration = TwoCopyTable.GenerationOf(a), bGeneration = TwoCopyTable.GenerationOf(b);
        bool aCounts = aIsWhole && (!bIsWhole || aGeneration >= bGeneration);
        copyBFirst = aCounts;
        equal = aIsWhole && bIsWhole && aGeneration == bGeneration;
        if (aIsWhole || bIsWhole) table.CopyFrom(aCounts ? a : b);
        return aIsWhole || bIsWhole;
    }

    /// <summary>
    /// The device table, empty where the cache has met no device yet; the rest as <see cref="TryRead"/>.
    /// </summary>
    /// <exception cref="UserErrorException">There should be one, and neither copy is whole, or a number is
    /// wrong.</exception>
    public static DeviceTable ReadDevices(
        BlockingIo io, DeviceQueue queue, Device cache, in Superblock superblock, out bool copyBFirst, out bool equal)
    {
        DeviceTable table = new(superblock.CacheId);
        bool found = TryRead(io, queue, cache, table, out copyBFirst, out equal);
        if (!found && superblock.Epoch > 0)
        {
            table.Dispose();
            throw new UserErrorException($"{cache.Name}: both copies of the device table are damaged");
        }
        CheckConsistent(table, cache);
        return table;
    }

    /// <summary>
    /// The samples that the last life kept; empty where there are none that speak for it, as in a cache that an older
    /// weir has served since.
    /// </summary>
    public static SampleTable ReadSamples(
        BlockingIo io, DeviceQueue queue, Device cache, in Superblock superblock, out bool copyBFirst)
    {
        SampleTable table = new(superblock.CacheId);
        bool found = TryRead(io, queue, cache, table, out copyBFirst, out _) && table.IsConsistent;
        table.IsLost = !found && superblock.Epoch > 0 && IsAnyThere(io, queue, cache, table);
        if (table.IsConsistent && (!found || table.IsOfLife(superblock.Epoch))) return table;
        for (int id = 1; id <= DeviceTable.MaxDevices; id++) table[id] = default;
        return table;
    }

    /// <summary>
    /// The samples of a cache in a kernel's layout, and where the last life's memory was; empty where none were kept.
    /// </summary>
    public static SampleTable ReadSegmentSamples(
        BlockingIo io, DeviceQueue queue, Device cache, ref Superblock superblock, out bool copyBFirst)
    {
        SampleTable table = new(superblock.CacheId);
        TryRead(io, queue, cache, table, out copyBFirst, out _);
        if (!table.IsConsistent)
            for (int id = 1; id <= DeviceTable.MaxDevices; id++) table[id] = default;
        table.GetMemory(ref superblock);
        return table;
    }

    // Of a table that was never written the places are blank; what lies there is damaged else.
    private static bool IsAnyThere(BlockingIo io, DeviceQueue queue, Device cache, TwoCopyTable table)
    {
        using AlignedMemory memory = new(2 * Geometry.BlockBytes);
        io.Start(queue, IoKind.Read, table.OffsetA, memory.Pointer, Geometry.BlockBytes);
        io.Start(queue, IoKind.Read, table.OffsetB, memory.Pointer + Geometry.BlockBytes, Geometry.BlockBytes);
        io.WaitOrFail(ReadingSamples, cache);
        return table.IsHead(memory.Pointer) || table.IsHead(memory.Pointer + Geometry.BlockBytes);
    }

    private static void CheckConsistent(DeviceTable table, Device cache)
    {
        if (table.IsConsistent) return;
        for (int id = 1; id <= DeviceTable.MaxDevices; id++)
        {
            int found = table[id].Id;
            if (table[id].IsConsistent(id)) continue;
            (long size, long first) = (table[id].SizeBytes, table[id].FirstPosition);
            table.Dispose();
            throw new UserErrorException($"{cache.Name}: device table: place {id} holds device number {found} of "
                + $"{size} bytes, from position {first} on; expected {id}, or 0 for none, and no number below 0");
        }
    }
}
