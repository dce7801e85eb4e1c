using System;
using Weir.Core.DmCache.Places;
using Xunit;

namespace Weir.Tests.DmCache.Places;

/// <summary>D21: the seed's bitmap is too short for the last blocks, and wrong for sizes that are no power of two.
/// </summary>
public sealed class DiscardMapTests
{
    private const long KiB = 1024;

    /// <summary>
    /// A block counts as discarded where its whole piece is, and nowhere else; to the last one, and the rest behind it
    /// is no block. Beside it a bit for each sector of 512 bytes.
    /// </summary>
    [Theory]
    [InlineData(32 * KiB, 100, 0)]
    [InlineData(96 * KiB, 129, 512)]
    [InlineData(160 * KiB, 64, (160 * KiB) - 512)]
    [InlineData(96 * KiB, DiscardMap.MaxPieces, 32 * KiB)]
    [InlineData(96 * KiB, (3 * DiscardMap.MaxPieces) + 1, 512)]
    public void ABlockIsDiscardedWhereAllOfItIs(long blockBytes, long homes, long restBytes)
    {
        long sizeBytes = (homes * blockBytes) + restBytes;
        CacheGeometry geometry = new(blockBytes, 8, sizeBytes);
        Random random = new((int)homes);
        using DiscardMap map = new(geometry, sizeBytes);
        bool[] sectors = new bool[sizeBytes / 512];
        for (int round = 0; round < 30; round++)
        {
            long first = random.NextInt64(sectors.Length), count = random.NextInt64(sectors.Length - first) + 1;
            if (round % 3 == 0) first = sectors.Length - count;
            if (round % 5 == 4) Write(map, sectors, geometry, random.NextInt64(homes));
            else Discard(map, sectors, first, count);
            Compare(map, sectors, geometry);
        }
        Discard(map, sectors, 0, sectors.Length);
        for (long home = 0; home < homes - (map.PieceBytes / blockBytes); home++) Assert.True(map.IsDiscarded(home));
        Assert.False(map.IsDiscarded(homes));
    }

    private static void Discard(DiscardMap map, bool[] sectors, long first, long count)
    {
        map.Mark(first * 512, count * 512);
        sectors.AsSpan((int)first, (int)count).Fill(true);
    }

    private static void Write(DiscardMap map, bool[] sectors, in CacheGeometry geometry, long home)
    {
        map.NoteWrite(home);
        sectors[(geometry.HomeOffset(home) / 512) + 1] = false;
    }

    // Marked: all sectors of it are zeroes.
    private static void Compare(DiscardMap map, bool[] sectors, in CacheGeometry geometry)
    {
        int perBlock = geometry.BlockSectors;
        for (long home = 0; home < geometry.Homes; home++)
        {
            bool isZero = !sectors.AsSpan((int)(home * perBlock), perBlock).Contains(false);
            Assert.True(isZero || !map.IsDiscarded(home), $"block {home} is marked and not discarded");
        }
    }
}
