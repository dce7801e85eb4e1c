using System;
using System.IO;
using Weir.Tests.Nbd;
using Weir.Tests.Tidy;
using Xunit;

namespace Weir.Tests.Interop;

/// <summary>
/// Caches go to the kernel's layouts and back: each side reads what the other wrote, dirty data included, and goes on.
/// The kernel is played by a program that shares no code with ours; kernel-judge.sh does the same with the module.
/// </summary>
public sealed class KernelInteropTests : IDisposable
{
    private const int Bytes = 4 << 20;

    private readonly TestFolder _folder = new();
    private readonly string _cache;
    private readonly string _backing;
    private readonly string _expected;

    public KernelInteropTests()
    {
        _cache = _folder.File("cache", 9 << 20);
        _backing = _folder.PathOf("backing");
        _expected = _folder.PathOf("expected");
        File.WriteAllBytes(_backing, Wire.Random(Bytes, 77));
    }

    public static TheoryData<string> Layouts() => ["writeboost2", "writeboost1", "lc1"];

    public void Dispose() => _folder.Dispose();

    private void Kernel(string action, string layout, params string[] more)
    {
        string program = Path.Combine(SourceTree.Root, "tests", "Interop", "kernel_image.py");
        Outcome outcome = WeirProcess.Tool("python3", [program, action, layout, _cache, _backing, _expected, .. more]);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
    }

    private WeirProcess Serve(string layout, params string[] more)
    {
        WeirProcess weir = WeirProcess.Serve(_folder, ["writeboost", "--cache", _cache, "--backing", _backing,
            "--layout", layout, "--option", "allow_writeback=0", .. more]);
        _folder.Remember(weir);
        return weir;
    }

    private void WeirReads(string layout)
    {
        byte[] expected = File.ReadAllBytes(_expected);
        using WeirProcess weir = Serve(layout);
        using (NbdClient client = weir.Connect()) Assert.Equal(expected, client.Read(0, Bytes));
        weir.Stop();
    }

    private byte[] WeirWrites(string layout, int seed, bool kill = false)
    {
        using WeirProcess weir = Serve(layout);
        Random random = new(seed);
        byte[] content;
        using (NbdClient client = weir.Connect())
        {
            content = client.Read(0, Bytes);
            for (int i = 0; i < 200; i++)
            {
                int offset = 512 * random.Next((1 << 20) / 512), length = 512 * random.Next(1, 12);
                byte[] data = Wire.Random(length, random.Next());
                client.Write(offset, data);
                data.CopyTo(content, offset);
            }
            Assert.Equal(0, client.Ask(Frontends.Nbd.NbdCommand.Flush, 0, 0));
        }
        if (kill) weir.Kill(); else weir.Stop();
        return content;
    }

    private void KernelReads(string layout, byte[] content)
    {
        Kernel("read", layout);
        Assert.Equal(content, File.ReadAllBytes(_expected));
    }

    /// <summary>Full and partial blocks; mark 0, as the module leaves it by default; a log that went round.</summary>
    [Theory]
    [InlineData("writeboost2", "")]
    [InlineData("writeboost2", "--torn")]
    [InlineData("writeboost2", "--segments 16 --first-id 100")]
    [InlineData("writeboost2", "--segments 14 --first-id 100 --mark 103 --torn")]
    [InlineData("writeboost1", "")]
    [InlineData("writeboost1", "--torn")]
    [InlineData("writeboost1", "--segments 8 --first-id 100")]
    [InlineData("writeboost1", "--segments 6 --first-id 100 --mark 102 --torn")]
    [InlineData("lc1", "")]
    [InlineData("lc1", "--torn")]
    [InlineData("lc1", "--segments 8 --first-id 100")]
    public void WeirReadsWhatTheKernelWrote(string layout, string options)
    {
        Kernel("make", layout, options.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        WeirReads(layout);
        Outcome drain = WeirProcess.Run("drain", "writeboost", "--cache", _cache, "--backing", _backing,
            "--layout", layout);
        Assert.True(drain.ExitCode == 0, drain.Error);
        Assert.Equal(File.ReadAllBytes(_expected), File.ReadAllBytes(_backing));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void TheKernelReadsWhatWeirWrote(string layout) => KernelReads(layout, WeirWrites(layout, 5));

    [Theory]
    [MemberData(nameof(Layouts))]
    public void TheKernelReadsWhatAKilledWeirHadFlushed(string layout) =>
        KernelReads(layout, WeirWrites(layout, 6, kill: true));

    /// <summary>Back and forth, each going on where the other ended.</summary>
    [Theory]
    [MemberData(nameof(Layouts))]
    public void ACacheGoesToAndFro(string layout)
    {
        Kernel("make", layout, "--segments", "2");
        for (int round = 0; round < 2; round++)
        {
            WeirReads(layout);
            KernelReads(layout, WeirWrites(layout, 10 + round));
            Kernel("more", layout, "--segments", "1", "--seed", $"{round + 20}");
        }
        WeirReads(layout);
    }

    /// <summary>The script that judges with the real module, with the program in its place.</summary>
    [Fact]
    public void TheJudgeJudges()
    {
        string folder = Path.Combine(SourceTree.Root, "tests", "Interop");
        string command = $"JUDGE_KERNEL='python3 {folder}/kernel_image.py' {folder}/kernel-judge.sh "
            + $"{WeirProcess.Binary} {_folder.PathOf("judge")}";
        Outcome outcome = WeirProcess.Tool("bash", "-c", command);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Contains("both agree after 8 rounds", outcome.Error, StringComparison.Ordinal);
    }
}
