using System;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Format;

/// <summary>Between what the superblock says and its bytes.</summary>
internal static unsafe class SuperblockCodec
{
    /// <summary>Versions that are known.</summary>
    public const int FirstVersion = 1, LastVersion = 2;

    /// <summary>Sectors of a metadata block.</summary>
    public const uint MetadataBlockSectors = 8;

    /// <summary>Throws when the block is not the superblock of metadata that can be opened.</summary>
    public static void Check(byte* bytes)
    {
        DiskSuperblock* disk = (DiskSuperblock*)bytes;
        if (!new ReadOnlySpan<byte>(bytes, BlockKind.BlockBytes).ContainsAnyExcept((byte)0))
            throw new RefusedMetadataException("the superblock is blank: 4096 zeroes") { IsBlank = true };
        if (disk->Magic != DiskSuperblock.MagicValue)
            throw new RefusedMetadataException(
                $"no metadata of dm-cache: magic {disk->Magic:x}, expected {DiskSuperblock.MagicValue:x}");
        if (DiskSuperblock.Kind.Fault(bytes, 0) is { } fault)
            throw new DamagedMetadataException(0, DiskSuperblock.Kind.Name, fault);
        if (disk->Version is < FirstVersion or > LastVersion)
            throw new RefusedMetadataException(
                $"metadata of version {disk->Version}; known are {FirstVersion} and {LastVersion}");
        if (disk->CompatibleReadOnly != 0 || disk->Incompatible != 0)
            throw new RefusedMetadataException(
                $"metadata with unknown features: {disk->CompatibleReadOnly:x} when read only, {disk->Incompatible:x}");
        CheckSizes(disk);
    }

    private static void CheckSizes(DiskSuperblock* disk)
    {
        long blocks = disk->SpaceMap.Blocks;
        if (blocks is < 1 or > SpaceMapFormat.MaxBlocks)
            throw Damaged($"metadata of {blocks} blocks, expected 1 to {SpaceMapFormat.MaxBlocks}");
        if (disk->BlockSectors == 0) throw Damaged("cache blocks of 0 sectors");
        // Entries need blocks: what is larger cannot be true, and is not to be counted up to.
        if (PersistentArray.BlocksOf(disk->Places, sizeof(ulong)) > blocks)
            throw Damaged($"{disk->Places} cache blocks, more than {blocks} metadata blocks can hold");
        long discards = disk->DiscardBlocks;
        if (discards < 0 || discards > blocks * BlockKind.BlockBytes * 8L)
            throw Damaged($"{discards} discard blocks, more than {blocks} metadata blocks can hold");
    }

    /// <summary>What the bytes say.</summary>
    public static Superblock Read(DiskSuperblock* disk) => new()
    {
        Version = (int)disk->Version,
        IsClean = (disk->Flags & DiskSuperblock.CleanFlag) != 0,
        NeedsCheck = (disk->Flags & DiskSuperblock.NeedsCheckFlag) != 0,
        Uuid = disk->Uuid,
        PolicyName = NameOf(new ReadOnlySpan<byte>(disk->PolicyName, DiskSuperblock.NameBytes)),
        PolicyVersion = (disk->PolicyMajor, disk->PolicyMinor, disk->PolicyPatch),
        HintBytes = disk->HintBytes,
        BlockSectors = disk->BlockSectors,
        Places = disk->Places,
        DiscardBlockSectors = disk->DiscardBlockSectors,
        DiscardBlocks = disk->DiscardBlocks,
        ReadHits = disk->ReadHits,
        ReadMisses = disk->ReadMisses,
        WriteHits = disk->WriteHits,
        WriteMisses = disk->WriteMisses,
        Mark = !disk->IsMarked ? null
            : new WriterMark(disk->MarkCache, (disk->MarkFlags & DiskSuperblock.InDoubtFlag) != 0,
                disk->MarkCacheName, disk->MarkBackingName, (disk->MarkFlags & DiskSuperblock.LostFlushFlag) != 0),
    };

    /// <summary>Puts it into the bytes; what it does not say stays as it is there.</summary>
    public static void Write(Superblock from, DiskSuperblock* disk)
    {
        const uint flags = DiskSuperblock.CleanFlag | DiskSuperblock.NeedsCheckFlag;
        disk->Flags = (disk->Flags & ~flags) | (from.IsClean ? DiskSuperblock.CleanFlag : 0)
            | (from.NeedsCheck ? DiskSuperblock.NeedsCheckFlag : 0);
        disk->Number = 0;
        disk->Uuid = from.Uuid;
        disk->Magic = DiskSuperblock.MagicValue;
        disk->Version = (uint)from.Version;
        Span<byte> name = new(disk->PolicyName, DiskSuperblock.NameBytes);
        name.Clear();
        Encoding.Latin1.GetBytes(from.PolicyName, name);
        (disk->PolicyMajor, disk->PolicyMinor, disk->PolicyPatch) = from.PolicyVersion;
        disk->HintBytes = from.HintBytes;
        disk->BlockSectors = from.BlockSectors;
        disk->MetadataBlockSectors = MetadataBlockSectors;
        disk->Places = from.Places;
        disk->DiscardBlockSectors = from.DiscardBlockSectors;
        disk->DiscardBlocks = from.DiscardBlocks;
        (disk->ReadHits, disk->ReadMisses) = (from.ReadHits, from.ReadMisses);
        (disk->WriteHits, disk->WriteMisses) = (from.WriteHits, from.WriteMisses);
    }

    /// <summary>Leaves the mark, or takes it away, and makes the block whole. The last thing to be done.</summary>
    public static void Seal(WriterMark? mark, byte* bytes)
    {
        DiskSuperblock* disk = (DiskSuperblock*)bytes;
        new Span<byte>(bytes + DiskSuperblock.MarkOffset, DiskSuperblock.Bytes - DiskSuperblock.MarkOffset).Clear();
        if (mark is { } ours)
        {
            disk->MarkMagic = DiskSuperblock.MarkMagicValue;
            disk->MarkCache = ours.Cache;
            disk->MarkFlags = (ours.IsInDoubt ? DiskSuperblock.InDoubtFlag : 0)
                | (ours.LostFlush ? DiskSuperblock.LostFlushFlag : 0);
            (disk->MarkCacheName, disk->MarkBackingName) = (ours.CacheName, ours.BackingName);
            disk->MarkSum = disk->SumOf();
        }
        DiskSuperblock.Kind.Seal(bytes, 0);
        Invariant.Check(disk->IsMarked == mark.HasValue);
    }

    /// <summary>
    /// Notes in a whole superblock that a flush of the cache device has failed (B6). Where there is no mark of weir's,
    /// all that is clean is in doubt.
    /// </summary>
    public static void NoteLostFlush(byte* bytes)
    {
        WriterMark mark = Read((DiskSuperblock*)bytes).Mark ?? new WriterMark(Guid.NewGuid(), IsInDoubt: true);
        Seal(mark with { LostFlush = true }, bytes);
    }

    private static string NameOf(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.Latin1.GetString(end < 0 ? bytes : bytes[..end]);
    }

    private static DamagedMetadataException Damaged(string found) => new(0, DiskSuperblock.Kind.Name, found);
}
