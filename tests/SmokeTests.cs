using Xunit;

namespace Weir.Tests;

public sealed class SmokeTests
{
    [Fact]
    public void OnePlusOne() => Assert.Equal(2, 1 + 1);
}
