using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.SsdCache.Format;
using Xunit;

namespace Weir.Tests.SsdCache;

/// <summary>
/// Damaged and hostile directories: what is wrong is found or harmless; nothing crashes, runs for ever or takes memory
/// without bound.
/// </summary>
public sealed unsafe class DamageTests
{
    private const int Cuts = 3000;
    private const long MostBytes = 8 << 20, MostMs = 20_000;

    /// <summary>After an orderly stop each damage is a problem, after a power cut at least a note.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void EveryByteThatIsFlippedIsFound(bool isClean)
    {
        using SsdImage image = SsdImage.InUse(isClean: isClean);
        List<string> usual = SsdTools.Check(image.Device).Texts;
        Prng random = new(7);
        for (int at = 0; at < image.MetadataBytes; at++)
        {
            byte flipped = (byte)(1 << random.Below(8));
            *image.At(at) ^= flipped;
            CheckItems found = SsdTools.Check(image.Device);
            bool isTold = found.Problems.Count > 0 || (!isClean && at >= 8192
                && found.Texts.Except(usual).Any(static text => text.Contains("was being written")));
            Assert.True(isTold, $"byte {at}");
            *image.At(at) ^= flipped;
        }
        Assert.Equal(usual, SsdTools.Check(image.Device).Texts);
    }

    /// <summary>Numbers become other ones, and checksums are right: check, dump and repair end, and repair mends.
    /// </summary>
    [Fact]
    public void WhatCannotBeIsMended()
    {
        (int refused, int mended) = (0, 0);
        for (ulong seed = 1; seed <= Cuts; seed++)
        {
            Prng random = new(seed);
            using SsdImage image = SsdImage.InUse((SsdMode)(1 + (seed % 3)), isClean: seed % 2 == 0);
            for (int cuts = random.Between(1, 6); cuts > 0; cuts--) Cut(image, ref random);
            long before = GC.GetAllocatedBytesForCurrentThread(), began = Stopwatch.GetTimestamp();
            SsdTools.Check(image.Device);
            try
            {
                SsdTools.Dump(image.Device);
                SsdTools.Repair(image.Device, write: false);
                Assert.True(SsdTools.Repair(image.Device, dropsLost: true).IsDecided);
                List<string> left = SsdTools.Check(image.Device).Problems;
                Assert.True(left.Count == 0, $"seed {seed}: {string.Join('\n', left)}");
                mended++;
            }
            catch (UserErrorException)
            {
                refused++;
            }
            Assert.True(Stopwatch.GetElapsedTime(began).TotalMilliseconds < MostMs, $"seed {seed}");
            long took = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(took < MostBytes, $"seed {seed}: {took} bytes of memory");
        }
        Assert.InRange(refused, Cuts / 30, Cuts / 2);
        Assert.InRange(mended, Cuts / 2, Cuts);
    }

    /// <summary>Stretches of zeroes, of noise, and of other parts of the same device.</summary>
    [Fact]
    public void WhatIsTornAndMovedIsMended()
    {
        for (ulong seed = 1; seed <= Cuts / 4; seed++)
        {
            Prng random = new(seed);
            using SsdImage image = SsdImage.InUse(isClean: seed % 2 == 0);
            for (int tears = random.Between(1, 4); tears > 0; tears--)
            {
                int length = 512 * random.Between(1, 16), to = 512 * random.Below((image.MetadataBytes - length) / 512);
                int from = 512 * random.Below((image.MetadataBytes - length) / 512);
                Span<byte> target = image.Metadata.Slice(to, length);
                if (random.Below(3) == 0) target.Clear();
                else image.Metadata.Slice(from, length).CopyTo(target);
            }
            SsdTools.Check(image.Device);
            try
            {
                SsdTools.Repair(image.Device, dropsLost: true);
            }
            catch (UserErrorException)
            {
                continue;
            }
            Assert.Empty(SsdTools.Check(image.Device).Problems);
        }
    }

    // One number of a superblock or a page becomes another, and the checksum is right.
    private static void Cut(SsdImage image, ref Prng random)
    {
        long[] values = [0, 1, 2, -1, 7, 8, 16, 255, 256, 299, 300, 301, 4096, uint.MaxValue, int.MaxValue,
            long.MaxValue, long.MinValue, (long)random.Next(), random.Below(400)];
        long value = values[random.Below(values.Length)];
        bool isSuperblock = random.Below(6) == 0;
        byte* at = isSuperblock ? image.At(4096 * random.Below(2)) : image.Page(random.Below(3), random.Below(2));
        int offset = isSuperblock ? 8 + (4 * random.Below(24)) : 4 * random.Below(random.Below(2) == 0 ? 15 : 1024);
        if (random.Below(2) == 0 && offset % 8 == 0) *(long*)(at + offset) = value;
        else *(int*)(at + offset) = (int)value;
        bool isPage = !isSuperblock && DirectoryPage.Header(at).Magic == DirectoryPage.MagicValue
            && DirectoryPage.Header(at).Sequence is > 0 and < SsdSuperblock.MaxNumber;
        if (isPage) DirectoryPage.Seal(at, 4096);
        if (isSuperblock) *(uint*)(at + 4092) = Crc32C.Compute(at, 4092);
    }
}
