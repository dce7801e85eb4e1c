using System;
using FsCheck;
using FsCheck.Fluent;
using Weir.Core.Base;
using Xunit;

namespace Weir.Tests.Base;

public sealed unsafe class Crc32CTests
{
    /// <summary>RFC 3720, appendix B.4, and the check value of the CRC catalogues.</summary>
    [Fact]
    public void KnownVectors()
    {
        Assert.Equal(0xE3069283u, Crc32C.Compute("123456789"u8));
        Assert.Equal(0u, Crc32C.Compute([]));
        byte[] data = new byte[32];
        Assert.Equal(0x8A9136AAu, Crc32C.Compute(data));
        data.AsSpan().Fill(0xFF);
        Assert.Equal(0x62A8AB43u, Crc32C.Compute(data));
        for (int i = 0; i < 32; i++) data[i] = (byte)i;
        Assert.Equal(0x46DD794Eu, Crc32C.Compute(data));
        data.AsSpan().Reverse();
        Assert.Equal(0x113FDB5Cu, Crc32C.Compute(data));
    }

    [Fact]
    public void KernelEqualsPortableEqualsBitByBit() => Prop.ForAll(
        ArbMap.Default.ArbFor<int>(), ArbMap.Default.ArbFor<uint>(), (seed, register) =>
        {
            Random random = new(seed);
            // Both sides of every border between stretches, words and bytes.
            int length = random.Next(5) switch
            {
                0 => random.Next(20),
                1 => 504 * random.Next(1, 4) + random.Next(-9, 10),
                2 => 4096 * random.Next(1, 4) + random.Next(-9, 10),
                3 => 4080 * random.Next(1, 4) + random.Next(-9, 10),
                _ => random.Next(20_000),
            };
            byte[] data = new byte[length + 8];
            random.NextBytes(data);
            int skip = random.Next(8);
            fixed (byte* p = data)
            {
                uint expected = BitByBit(register, p + skip, length);
                Assert.Equal(expected, Crc32C.AppendPortable(register, p + skip, length));
                Assert.Equal(expected, Crc32C.AppendStreams(register, p + skip, length));
                Assert.Equal(expected, Crc32C.Append(register, p + skip, length));
                Assert.Equal(~BitByBit(~0u, p + skip, length), Crc32C.Compute(p + skip, length));
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void SumsOfPartsMakeTheSumOfTheWhole() => Prop.ForAll(
        ArbMap.Default.ArbFor<int>(), seed =>
        {
            Random random = new(seed);
            byte[] data = new byte[random.Next(1, 9000)];
            random.NextBytes(data);
            int cut = random.Next(data.Length);
            uint parts = Crc32C.Append(Crc32C.Append(~0u, data.AsSpan(0, cut)), data.AsSpan(cut));
            Assert.Equal(Crc32C.Compute(data), ~parts);
        }).QuickCheckThrowOnFailure();

    private static uint BitByBit(uint register, byte* data, int length)
    {
        for (int i = 0; i < length; i++)
        {
            register ^= data[i];
            for (int bit = 0; bit < 8; bit++)
                register = (register >> 1) ^ ((register & 1) != 0 ? 0x82F63B78u : 0u);
        }
        return register;
    }
}
