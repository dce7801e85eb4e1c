using System.IO;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.DmCache.Tools;

/// <summary>The tools as commands of the real binary.</summary>
public sealed class CommandTests
{
    [Fact]
    public void ACacheIsDumpedRestoredCheckedAndRepaired()
    {
        using Scratch scratch = new();
        string metadata = scratch["meta"], xml = scratch["xml"], made = scratch["made"];
        MetadataImage image = MetadataImage.OfKernel("v1-wb-clean");
        File.WriteAllBytes(metadata, image.Bytes);
        string dumped = Weir("dump", "dmcache", "--metadata", metadata);
        Assert.Equal(File.ReadAllText(MetadataImage.FixturePath("v1-wb-clean", "dump.xml")), dumped);
        Assert.Contains("in_doubt_blocks=109", Weir("check", "dmcache", "--metadata", metadata));
        File.WriteAllText(xml, dumped);
        File.WriteAllBytes(made, new byte[image.Bytes.Length]);
        Assert.Contains("195 mapped, 86 dirty", Weir("restore", "dmcache", "--metadata", made, "--input", xml));
        Assert.Equal(dumped, Weir("dump", "dmcache", "--metadata", made));
        MetadataImage damaged = new(File.ReadAllBytes(made));
        Damage.Do(damaged, "leaked");
        File.WriteAllBytes(made, damaged.Bytes);
        Assert.Equal(1, Try("check", "dmcache", "--metadata", made).Code);
        Weir("repair", "dmcache", "--metadata", made, "--write");
        Assert.Contains("verdict=sound", Weir("check", "dmcache", "--metadata", made));
        Assert.Equal(dumped, Weir("dump", "dmcache", "--metadata", made));
    }

    [Fact]
    public void NothingIsWrittenOverMetadataWithoutForce()
    {
        using Scratch scratch = new();
        string metadata = scratch["meta"], xml = scratch["xml"];
        File.WriteAllText(xml, File.ReadAllText(MetadataImage.FixturePath("v1-wb-clean", "dump.xml")));
        MetadataImage image = MetadataImage.OfKernel("v1-wb-clean");
        // The kernel would format this anew without a word.
        image.Block(0).Clear();
        File.WriteAllBytes(metadata, image.Bytes);
        (int code, _, string error) = Try("restore", "dmcache", "--metadata", metadata, "--input", xml);
        Assert.Equal(1, code);
        Assert.Contains("blocks of dm-cache metadata, and no superblock", error);
        Assert.Equal(image.Bytes, File.ReadAllBytes(metadata));
        Weir("restore", "dmcache", "--metadata", metadata, "--input", xml, "--force");
        Judge.New.Accepts(new MetadataImage(File.ReadAllBytes(metadata)));
    }

    [Fact]
    public void MetadataAtTheHeadOfTheCacheAreFormattedAndFound()
    {
        using Scratch scratch = new();
        string cache = scratch["cache"];
        using (FileStream file = File.Create(cache)) file.SetLength(64 << 20);
        Assert.Contains("959 places of 64 KiB, metadata of 1028 blocks", Weir("format", "dmcache", "--cache", cache));
        Assert.Contains("verdict=sound", Weir("check", "dmcache", "--cache", cache));
        MetadataImage head = new(File.ReadAllBytes(cache)[..(1028 * MetadataImage.BlockBytes)]);
        foreach (Judge judge in Judge.Both) judge.Accepts(head);
    }

    private static string Weir(params string[] arguments) => Tool.Run(WeirProcess.Binary, arguments);

    private static (int Code, string Output, string Error) Try(params string[] arguments) =>
        Tool.Try(WeirProcess.Binary, arguments);
}
