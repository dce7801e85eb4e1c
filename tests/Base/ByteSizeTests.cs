using Weir.Core.Base;
using Xunit;

namespace Weir.Tests.Base;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData("0", 0L)]
    [InlineData("4096", 4096L)]
    [InlineData("512K", 512L << 10)]
    [InlineData("64m", 64L << 20)]
    [InlineData("1G", 1L << 30)]
    [InlineData("8191T", 8191L << 40)]
    public void ReadsWhatUsersWrite(string text, long bytes) => Assert.Equal(bytes, ByteSize.Parse(text, "x"));

    [Theory]
    [InlineData("")]
    [InlineData("K")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1.5G")]
    [InlineData("1KK")]
    [InlineData("1 K")]
    [InlineData("0x10")]
    [InlineData("9999999999T")]
    [InlineData("99999999999999999999")]
    public void RefusesTheRest(string text)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => ByteSize.Parse(text, "--segment-size"));
        Assert.Equal(2, error.ExitCode);
        Assert.StartsWith(
            "--segment-size: '" + text + "' is not a size", error.Message, System.StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0L, "0 B")]
    [InlineData(1023L, "1023 B")]
    [InlineData(1536L << 20, "1.5 GiB")]
    [InlineData(256L << 20, "256 MiB")]
    [InlineData(4096L << 40, "4096 TiB")]
    public void WritesTheLargestUnit(long bytes, string text) => Assert.Equal(text, ByteSize.Format(bytes));
}
