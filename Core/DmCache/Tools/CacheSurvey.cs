using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.Metadata.Persistent;

namespace Weir.Core.DmCache.Tools;

/// <summary>
/// All that metadata hold, as far as it can be read, whatever state they are in: what is wrong is told, and reading
/// goes on. Memory: what the metadata hold, no more than the device is large. Writes nothing.
/// </summary>
public sealed unsafe class CacheSurvey : IDisposable
{
    private const int MemoryBlocks = 1024;

    private readonly MetadataDevice _device;
    private readonly BlockManager _blocks = new(MemoryBlocks);
    private readonly AlignedMemory _superblock = new(BlockKind.BlockBytes);
    private readonly Action<string> _problem;
    private readonly BlockReferences _references;

    private CacheSurvey(MetadataDevice device, Action<string> problem)
    {
        _device = device;
        _problem = problem;
        device.Read(0).CopyTo(new Span<byte>(_superblock.Pointer, BlockKind.BlockBytes));
        SuperblockCodec.Check(_superblock.Pointer);
        Head = SuperblockCodec.Read(Disk);
        _blocks.Limit = Disk->SpaceMap.Blocks;
        long most = Math.Min(_device.Blocks, _blocks.Limit);
        if (PersistentArray.BlocksOf(Head.Places, sizeof(ulong)) > most)
            throw new DamagedMetadataException(
                0, DiskSuperblock.Kind.Name, $"{Head.Places} cache blocks, more than {most} metadata blocks can hold");
        if (PersistentArray.BlocksOf(Bitset.WordsOf(Head.DiscardBlocks), sizeof(ulong)) > most)
            throw new DamagedMetadataException(
                0, DiskSuperblock.Kind.Name, $"{Head.DiscardBlocks} discard blocks in {most} metadata blocks");
        _references = new BlockReferences(_blocks.Limit);
        Mappings = new ArrayContent<ulong>(Head.Places);
        Discards = new ArrayContent<ulong>(Bitset.WordsOf(Head.DiscardBlocks));
    }

    /// <summary>The superblock.</summary>
    internal Superblock Head { get; }

    /// <summary>Blocks that the metadata have, by themselves.</summary>
    public long Blocks => _blocks.Limit;

    /// <summary>The mappings.</summary>
    internal ArrayContent<ulong> Mappings { get; }

    /// <summary>Version 2: the dirty bits.</summary>
    internal ArrayContent<ulong>? Dirty { get; private set; }

    /// <summary>The hints; null: there are none.</summary>
    internal ArrayContent<uint>? Hints { get; private set; }

    /// <summary>The discard marks.</summary>
    internal ArrayContent<ulong> Discards { get; }

    /// <summary>Who refers to what.</summary>
    internal BlockReferences References => _references;

    /// <summary>Problems of blocks, arrays and counts.</summary>
    public long Problems { get; private set; }

    /// <summary>
    /// Reads everything. Throws <see cref="UserErrorException"/> when there is no superblock that can be relied upon.
    /// </summary>
    /// <param name="device">Where the metadata are.</param>
    /// <param name="problem">Is told what is wrong, a sentence at a time.</param>
    public static CacheSurvey Run(MetadataDevice device, Action<string> problem)
    {
        CacheSurvey? survey = null;
        try
        {
            survey = new CacheSurvey(device, problem);
            survey.ReadAll();
            return survey;
        }
        catch (Exception fault) when (fault is DamagedMetadataException or RefusedMetadataException)
        {
            survey?.Dispose();
            throw new UserErrorException($"{device.Device.Name}: {fault.Message}");
        }
    }

    /// <summary>The mapping at a place.</summary>
    internal Mapping At(long place) => new(Mappings[place]);

    /// <summary>
    /// Homes that can be cached: of a backing device of so many bytes; 0: that is not known, and the discard marks say
    /// how many there are at most.
    /// </summary>
    internal long HomesOf(long backingBytes)
    {
        if (backingBytes > 0) return backingBytes / 512 / Head.BlockSectors;
        // Rounded up: what the discard marks cover may be more than there is.
        UInt128 sectors = (UInt128)Head.DiscardBlockSectors * (UInt128)Head.DiscardBlocks;
        return sectors == 0 ? long.MaxValue
            : (long)UInt128.Min(long.MaxValue, (sectors + Head.BlockSectors - 1) / Head.BlockSectors);
    }

    /// <summary>The dirty flag of a place, as it lies on disk; what cannot be read counts as set.</summary>
    internal bool HasDirtyFlag(long place) => Dirty == null ? At(place).IsDirty
        : (Dirty.IsLost(place / 64) && !Mutant.Is(DmCacheMutant.RepairForgetsDirty))
            || (Dirty[place / 64] >> (int)(place % 64) & 1) != 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        _blocks.Dispose();
        _superblock.Dispose();
    }

    private DiskSuperblock* Disk => (DiskSuperblock*)_superblock.Pointer;

    private void ReadAll()
    {
        _references.Add(0);
        ArraySurvey arrays = new(_device, _blocks, _references, Problem);
        arrays.Read("mappings", Disk->MappingRoot, sizeof(ulong), Mappings.Count, Mappings);
        if (Head.Version == 2)
        {
            Dirty = new ArrayContent<ulong>(Bitset.WordsOf(Head.Places));
            arrays.Read("dirty bits", Disk->DirtyRoot, sizeof(ulong), Dirty.Count, Dirty);
        }
        if (Disk->HintRoot != 0) ReadHints(arrays);
        arrays.Read("discards", Disk->DiscardRoot, sizeof(ulong), Discards.Count, Discards);
        CompareCounts();
    }

    private void ReadHints(ArraySurvey arrays)
    {
        long count = arrays.Measure(Disk->HintRoot, CacheMetadata.HintBytes);
        if (PersistentArray.BlocksOf(count, CacheMetadata.HintBytes) > Math.Min(_device.Blocks, _blocks.Limit))
            count = 0;
        Hints = new ArrayContent<uint>(count);
        arrays.Read("hints", Disk->HintRoot, CacheMetadata.HintBytes, count, Hints);
    }

    private void CompareCounts()
    {
        SpaceMap space = new(_blocks, _blocks.Limit);
        try
        {
            _blocks.BeginOperation();
            _device.Run(_blocks, () => space.TryLoad(Disk->SpaceMap));
            List<long> own = [];
            space.ListOwn(own);
            foreach (long block in own)
                if (!_references.Add(block)) Problem($"space map: block {block} is in use twice");
            CompareCounts(space);
        }
        catch (DamagedMetadataException damage)
        {
            Problem("space map: " + damage.Message);
        }
    }

    private void CompareCounts(SpaceMap space)
    {
        if (space.Allocated != Disk->SpaceMap.Allocated)
            Problem(
                $"space map: {Disk->SpaceMap.Allocated} blocks in use by its root, {space.Allocated} by its counts");
        (long leaked, long firstLeaked, long missed, long firstMissed) = (0, 0, 0, 0);
        for (long block = 0; block < space.Blocks; block++)
        {
            (long counted, long found) = (space.Count(block), _references[block]);
            if (counted > found && leaked++ == 0) firstLeaked = block;
            if (counted < found && missed++ == 0) firstMissed = block;
        }
        if (leaked > 0)
            Problem($"space map: it counts too many references to {leaked} blocks, the first is {firstLeaked}: leaked");
        if (missed > 0)
            Problem($"space map: it counts too few references to {missed} blocks, the first is {firstMissed}: "
                + "they would be written over");
    }

    private void Problem(string text)
    {
        Problems++;
        _problem(text);
    }
}
