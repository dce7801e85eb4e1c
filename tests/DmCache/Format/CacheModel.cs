using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Weir.Core.Metadata.Persistent;
using Xunit;

namespace Weir.Tests.DmCache.Format;

/// <summary>Metadata beside what they should say, changed together at random.</summary>
internal sealed class CacheModel : IDisposable
{
    private static readonly uint[] s_sizes = [1, 63, 64, 65, 508, 509, 510, 1017, 1018, 1019, 2036, 5000, 40000];

    // So that no home is at two places, and all are before the end that the discards show.
    private const int HomesOfAPlace = 300;
    private const long DiscardSectors = 1 << 20;

    private readonly CacheShape _shape;
    private Prng _random;
    private ulong[] _mappings;
    private ulong[] _dirty;
    private uint[] _hints = [];
    private ulong[] _discards = [];

    public CacheModel(ulong seed)
    {
        _random = new Prng(seed);
        uint places = s_sizes[_random.Below(s_sizes.Length)];
        int version = _random.Between(1, 2);
        long blocks = CacheMetadata.BlocksFor(version, places) + _random.Below(500) + 1200;
        if (seed % 8 == 0) blocks = 16320 + 400;
        _shape = new CacheShape(version, 64 * (uint)_random.Between(1, 9), places, blocks);
        Image = MetadataImage.Blank(_shape.MetadataBlocks);
        Metadata = CacheMetadata.Create(_shape, 64);
        Metadata.Head.Mark = new WriterMark(new Guid(1, 2, 3, [4, 5, 6, 7, 8, 9, 10, 11]), false);
        _mappings = new ulong[places];
        _dirty = new ulong[version == 2 ? Bitset.WordsOf(places) : 0];
        Image.Run(Metadata, () => Metadata.TryBeginHints("smq", 4, (2, 0, 0)));
        _hints = new uint[places];
        Image.Commit(Metadata);
        CheckAll();
    }

    public MetadataImage Image { get; }

    public CacheMetadata Metadata { get; private set; }

    public Superblock Head => Metadata.Head;

    /// <summary>Changes something.</summary>
    public void Step()
    {
        switch (_random.Below(40))
        {
            case 0: Resize(); break;
            case 1: ResizeDiscards(); break;
            case 2: BeginHints(); break;
            case < 20: SetMapping(); break;
            case < 28: SetDirty(); break;
            case < 34: SetHint(); break;
            default: SetDiscard(); break;
        }
    }

    public void Commit()
    {
        Head.ReadHits += 3;
        Head.IsClean = _random.Chance(80);
        Image.Commit(Metadata);
    }

    public void Reopen()
    {
        Metadata.Dispose();
        Metadata = Image.Open();
        Assert.True(Metadata.IsOurs);
    }

    /// <summary>Everything reads as it should, and every block is counted as often as it is referred to.</summary>
    public void CheckAll()
    {
        Assert.Equal(_mappings, Image.Mappings(Metadata));
        if (_shape.Version == 2) Assert.Equal(_dirty, Image.DirtyWords(Metadata));
        Assert.Equal(_hints, Image.Hints(Metadata));
        Assert.Equal(_discards, Image.DiscardWords(Metadata));
        Assert.Equal(References.Of(Image), References.Counted(Image));
    }

    public void Dispose() => Metadata.Dispose();

    /// <summary>What the metadata say, to be compared after a crash.</summary>
    public (ulong[] Mappings, ulong[] Dirty, uint[] Hints, ulong[] Discards) Snapshot() =>
        ([.. _mappings], [.. _dirty], [.. _hints], [.. _discards]);

    private void SetMapping()
    {
        uint place = (uint)_random.Below(_mappings.Length);
        ulong word = _random.Chance(20) ? 0
            : Mapping.WordOf(
                place * (long)HomesOfAPlace + _random.Below(HomesOfAPlace),
                isDirty: _shape.Version == 1 && _random.Chance(50));
        Image.Run(Metadata, () => Metadata.TrySetMapping(place, word));
        _mappings[place] = word;
        if (word == 0 && _shape.Version == 2) SetDirty(place / 64, _dirty[place / 64] & ~(1UL << (int)(place % 64)));
    }

    private void SetDirty()
    {
        if (_shape.Version == 1) return;
        uint word = (uint)_random.Below(_dirty.Length);
        ulong bits = _random.Next();
        // Nothing that is not mapped is dirty.
        for (int i = 0; i < 64; i++)
            if (word * 64 + i >= _mappings.Length || _mappings[word * 64 + i] == 0) bits &= ~(1UL << i);
        SetDirty(word, bits);
    }

    private void SetDirty(uint word, ulong bits)
    {
        Image.Run(Metadata, () => Metadata.TrySetDirtyWord(word, bits));
        _dirty[word] = bits;
    }

    private void SetHint()
    {
        if (_hints.Length == 0) return;
        uint place = (uint)_random.Below(_hints.Length), hint = (uint)_random.Next();
        Image.Run(Metadata, () => Metadata.TrySetHint(place, hint));
        _hints[place] = hint;
    }

    private void SetDiscard()
    {
        if (_discards.Length == 0) return;
        long word = _random.Below(_discards.Length);
        ulong bits = _random.Next() & MaskOf(Head.DiscardBlocks, word);
        Image.Run(Metadata, () => Metadata.TrySetDiscardWord(word, bits));
        _discards[word] = bits;
    }

    private void BeginHints()
    {
        string name = _random.Chance(50) ? "smq" : "cleaner";
        int bytes = _random.Chance(80) ? 4 : 0;
        bool isSame = name == Head.PolicyName && bytes == Head.HintBytes;
        Commit();
        Image.Run(Metadata, () => Metadata.TryBeginHints(name, bytes, (2, 0, 0)));
        if (!isSame) _hints = new uint[bytes == 0 ? 0 : _mappings.Length];
    }

    private void ResizeDiscards()
    {
        long sectors = _random.Chance(50) ? DiscardSectors : 2 * DiscardSectors;
        // The judges take the backing device's size from this: no mapping lies behind it.
        long count = _random.Between(8192, 16384);
        bool isSame = sectors == Head.DiscardBlockSectors;
        Image.Run(Metadata, () => Metadata.TryResizeDiscards(sectors, count));
        ulong[] discards = new ulong[Bitset.WordsOf(count)];
        if (isSame) Array.Copy(_discards, discards, Math.Min(_discards.Length, discards.Length));
        discards[^1] &= MaskOf(count, discards.Length - 1);
        _discards = discards;
    }

    private void Resize()
    {
        uint places = s_sizes[_random.Below(s_sizes.Length - 1)];
        Commit();
        Image.Run(Metadata, () => Metadata.TryResize(places));
        Array.Resize(ref _mappings, (int)places);
        if (_hints.Length > 0) Array.Resize(ref _hints, (int)places);
        if (_shape.Version == 1) return;
        Array.Resize(ref _dirty, (int)Bitset.WordsOf(places));
        _dirty[^1] &= MaskOf(places, _dirty.Length - 1);
    }

    private static ulong MaskOf(long bits, long word) =>
        bits - word * 64 >= 64 ? ulong.MaxValue : (1UL << (int)(bits - word * 64)) - 1;
}

/// <summary>Who refers to the blocks of metadata, counted by a reader of its own that trusts what it reads.</summary>
internal static class References
{
    /// <summary>By walking everything from the superblock on.</summary>
    public static int[] Of(MetadataImage image)
    {
        int[] counts = new int[BitConverter.ToInt64(image.Block(0)[64..])];
        counts[0]++;
        long At(int offset) => BitConverter.ToInt64(image.Block(0)[offset..]);
        counts[At(80)]++;
        foreach (long bitmap in Bitmaps(image)) counts[bitmap]++;
        Walk(image, counts, At(88), isArray: false);
        Walk(image, counts, At(192), isArray: true);
        if (At(200) != 0) Walk(image, counts, At(200), isArray: true);
        Walk(image, counts, At(208), isArray: true);
        if (image.Block(0)[40] == 2) Walk(image, counts, At(284), isArray: true);
        return counts;
    }

    /// <summary>As the space map has it.</summary>
    public static int[] Counted(MetadataImage image)
    {
        int[] counts = new int[BitConverter.ToInt64(image.Block(0)[64..])];
        int[] swapped = [0, 2, 1, 3];
        long[] bitmaps = [.. Bitmaps(image)];
        for (int i = 0; i < counts.Length; i++)
            counts[i] = swapped[(image.Block(bitmaps[i / 16320])[16 + i % 16320 / 4] >> (i % 4 * 2)) & 3];
        return counts;
    }

    private static IEnumerable<long> Bitmaps(MetadataImage image)
    {
        long index = BitConverter.ToInt64(image.Block(0)[80..]);
        for (int i = 0; i < 255; i++)
            if (BitConverter.ToInt64(image.Block(index)[(16 + i * 16)..]) is not 0 and var bitmap) yield return bitmap;
    }

    private static void Walk(MetadataImage image, int[] counts, long block, bool isArray)
    {
        counts[block]++;
        bool isLeaf = BitConverter.ToInt32(image.Block(block)[4..]) == 2;
        int entries = BitConverter.ToInt32(image.Block(block)[16..]);
        int most = BitConverter.ToInt32(image.Block(block)[20..]);
        for (int i = 0; i < entries; i++)
        {
            long value = BitConverter.ToInt64(image.Block(block)[(32 + 8 * most + 8 * i)..]);
            if (!isLeaf) Walk(image, counts, value, isArray);
            else if (isArray) counts[value]++;
        }
    }
}
