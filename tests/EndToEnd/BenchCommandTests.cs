using System.Text.Json;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary><c>weir bench</c> on the native binary: figures that fit together, whatever they are.</summary>
public sealed class BenchCommandTests : System.IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("writeboost", "--job randwrite", 1)]
    [InlineData("writeboost", "--job randread --fill", 1)]
    [InlineData("writeboost", "--job randrw --zipf 1.2 --queues 2", 2)]
    [InlineData("writeboost", "--job randwrite --sync --depth 4", 1)]
    [InlineData("passthrough", "--job write --block 64K", 1)]
    public void FiguresFitTogether(string engine, string job, int queues)
    {
        string cache = engine == "writeboost" ? " --cache ram:64M --option allow_writeback=0" : "";
        Outcome outcome = WeirProcess.Run(
            $"bench {engine}{cache} --backing b=ram:64M --size 16M --seconds 0.3 --warm-up 0.1 {job}".Split(' '));
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        JsonElement figures = JsonDocument.Parse(outcome.Output).RootElement;
        long Of(string name) => figures.GetProperty(name).GetInt64();
        Assert.Equal(0, Of("errors"));
        Assert.True(Of("requests") > 10);
        Assert.InRange(Of("requests"), Of("iops") * 0.2, Of("iops") * 0.8);
        Assert.True(0 < Of("p50_ns") && Of("p50_ns") <= Of("p99_ns") && Of("p99_ns") <= Of("p999_ns"));
        // Each queue has its own depth: the latency and the rate must say so (Little's law), within a factor.
        int depth = job.Contains("--depth 4") ? 4 : 32;
        Assert.InRange(Of("p50_ns") * 1e-9 * Of("iops"), 0, 4.0 * depth * queues);
    }

    /// <summary>Every place once: as many requests as there are, and of each block of the cache one.</summary>
    [Fact]
    public void OnceEndsWhenEveryPlaceHasBeenAsked()
    {
        Outcome outcome = WeirProcess.Run(("bench dmcache --cache ram:64M --metadata ram:8M --backing b=ram:64M "
            + "--size 16M --stride 64K --once --seconds 60").Split(' '));
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        JsonElement figures = JsonDocument.Parse(outcome.Output).RootElement;
        Assert.Equal(256, figures.GetProperty("requests").GetInt64());
        // One more to flush.
        Assert.Equal(257, figures.GetProperty("delta_requests_write").GetInt64());
    }

    /// <summary>It writes: what is there must be named, and let go, first.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void DataIsNotOverwrittenUnasked(bool inTheCache)
    {
        _folder.File("cache", 32 << 20);
        _folder.File("backing", 64 << 20);
        string precious = _folder.PathOf(inTheCache ? "cache" : "backing");
        byte[] data = Nbd.Wire.Random(1 << 20, 1);
        using (System.IO.FileStream file = System.IO.File.OpenWrite(precious)) file.Write(data);
        string arguments = $"bench writeboost --cache {_folder.PathOf("cache")} "
            + $"--backing b={_folder.PathOf("backing")} --size 16M --seconds 0.2 --warm-up 0.1";
        Outcome outcome = WeirProcess.Run(arguments.Split(' '));
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains($"{precious}: holds unknown content", outcome.Error);
        Assert.Contains("--force", outcome.Error);
        Assert.Equal(data, System.IO.File.ReadAllBytes(precious)[..data.Length]);
        if (!inTheCache) Assert.Equal(0, WeirProcess.Run((arguments + " --force").Split(' ')).ExitCode);
    }

    [Theory]
    [InlineData("--job x", "expected one of write, read")]
    [InlineData("--depth 0", "expected 1 to 1024")]
    [InlineData("--block 5", "expected whole sectors")]
    [InlineData("--size 1G", "has 64 MiB")]
    [InlineData("--zipf -1", "expected 0 to 10")]
    [InlineData("--zipf NaN", "expected 0 to 10")]
    [InlineData("--job read --zipf 1", "--zipf is for jobs at random places")]
    [InlineData("--job write --once", "--once is for jobs at random places")]
    [InlineData("--stride 512", "--stride 512: expected whole sectors of 512 bytes, 4 KiB")]
    [InlineData("--seconds 0", "--seconds 0: expected more than 0")]
    [InlineData("--seconds 1e7", "--seconds 10000000: expected more than 0, below 1000000")]
    [InlineData("--memory 4K", "--memory 4K: expected")]
    public void WrongUseIsOneLine(string arguments, string expected)
    {
        Outcome outcome = WeirProcess.Run(
            $"bench writeboost --cache ram:64M --backing b=ram:64M {arguments}".Split(' '));
        Assert.InRange(outcome.ExitCode, 1, 2);
        Assert.Contains(expected, outcome.Error);
        Assert.Equal("", outcome.Output);
        Assert.Single(outcome.Error.TrimEnd().Split('\n'));
    }
}
