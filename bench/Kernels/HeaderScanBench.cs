using System;
using System.IO.Hashing;
using BenchmarkDotNet.Attributes;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;

namespace Weir.Bench.Kernels;

/// <summary>What a recovery does with each header before it believes it: fields, then checksum, then nonce.</summary>
public unsafe class HeaderScanBench
{
    private const int Headers = 256, SegmentBytes = 1 << 20;

    private readonly AlignedMemory _memory = new(Headers * Geometry.BlockBytes);
    private readonly AlignedMemory _foreign = new(Headers * Geometry.BlockBytes);
    private readonly uint[] _librarySums = new uint[Headers];
    private readonly Geometry _geometry = new(SegmentBytes, Headers + 1);
    private Superblock _superblock;

    /// <summary>Full headers of one log, and blocks that are none.</summary>
    [GlobalSetup]
    public void Fill()
    {
        _superblock = Layout.Native.NewSuperblock(SegmentBytes, Headers + 1, Guid.NewGuid);
        LogEntry* entries = stackalloc LogEntry[RecordHeader.MaxEntries];
        for (int e = 0; e < RecordHeader.MaxEntries; e++)
            entries[e] = LogEntry.ForData((1UL << 40) | (uint)e, SectorMask.Full, (uint)e);
        for (int i = 0; i < Headers; i++)
        {
            RecordInfo info = new()
            {
                Position = PositionOf(i), Sequence = i + 1, EntryCount = RecordHeader.MaxEntries,
            };
            Layout.Native.WriteHeader((byte*)HeaderAt(i), _superblock, _geometry, info, entries);
            _librarySums[i] = LibrarySum(HeaderAt(i));
        }
        new Random(1).NextBytes(new Span<byte>(_foreign.Pointer, (int)_foreign.SizeBytes));
        if (Kernel() != Headers || ScalarChain() != Headers || LibraryCrc32() != Headers || Foreign() != 0)
            throw new InvalidOperationException("the headers are not what was written");
    }

    /// <summary>Ours.</summary>
    [Benchmark(OperationsPerInvoke = Headers)]
    public int Kernel()
    {
        int valid = 0;
        for (int i = 0; i < Headers; i++)
            if (RecordHeader.IsValid(HeaderAt(i), _superblock, PositionOf(i))) valid++;
        return valid;
    }

    /// <summary>The same with the plain chain of the processor's instruction.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Headers)]
    public int ScalarChain()
    {
        int valid = 0;
        for (int i = 0; i < Headers; i++)
        {
            RecordHeader* header = HeaderAt(i);
            uint sum = ~Crc32C.AppendPortable(~0u, (byte*)header, RecordHeader.Bytes - sizeof(uint));
            if (FieldsAreValid(header, i) && sum == header->Checksum) valid++;
        }
        return valid;
    }

    /// <summary>The same with the library's CRC-32.</summary>
    [Benchmark(OperationsPerInvoke = Headers)]
    public int LibraryCrc32()
    {
        int valid = 0;
        for (int i = 0; i < Headers; i++)
            if (FieldsAreValid(HeaderAt(i), i) && LibrarySum(HeaderAt(i)) == _librarySums[i]) valid++;
        return valid;
    }

    /// <summary>Ours over what is no header.</summary>
    [Benchmark(OperationsPerInvoke = Headers)]
    public int Foreign()
    {
        int valid = 0;
        for (int i = 0; i < Headers; i++)
        {
            RecordHeader* block = (RecordHeader*)(_foreign.Pointer + (i * Geometry.BlockBytes));
            if (RecordHeader.IsValid(block, _superblock, PositionOf(i))) valid++;
        }
        return valid;
    }

    private RecordHeader* HeaderAt(int i) => (RecordHeader*)(_memory.Pointer + (i * Geometry.BlockBytes));

    private long PositionOf(int i) => _geometry.Position(i + 1, 0);

    private static uint LibrarySum(RecordHeader* header) =>
        Crc32.HashToUInt32(new ReadOnlySpan<byte>(header, RecordHeader.Bytes - sizeof(uint)));

    private bool FieldsAreValid(RecordHeader* header, int i) =>
        header->Magic == RecordHeader.MagicValue
        && header->Version == RecordHeader.VersionValue
        && header->Position == PositionOf(i)
        && header->CacheId == _superblock.CacheId
        && header->EntryCount <= RecordHeader.MaxEntries
        && header->Epoch <= _superblock.Epoch
        && header->Nonce == _superblock.NonceOf(header->Epoch);
}
