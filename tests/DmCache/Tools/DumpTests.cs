using System.IO;
using System.Linq;
using Weir.Core.DmCache.Format;
using Weir.Tests.DmCache.Format;
using Xunit;

namespace Weir.Tests.DmCache.Tools;

/// <summary>Dump writes what cache_dump 1.1 writes; restore makes of it what both versions accept.</summary>
public sealed class DumpTests
{
    public static TheoryData<string> Sets => [.. MetadataImage.Fixtures];

    /// <summary>Metadata that nobody has stopped yet are whole for the kernel's tools, too.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void NewMetadataAreDumped(int version)
    {
        MetadataImage image = OfflineTools.Format(version);
        foreach (Judge judge in Judge.Both)
        {
            judge.Accepts(image);
            Assert.Equal(OfflineTools.Dump(image).TrimEnd('\n'), judge.Dump(image).TrimEnd('\n'));
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void WhatKernelsHaveWrittenIsDumpedAsItsToolsDumpIt(string set)
    {
        string expected = File.ReadAllText(MetadataImage.FixturePath(set, "dump.xml"));
        // The older tool, which made some of them, ends the last line.
        Assert.Equal(expected.TrimEnd('\n'), OfflineTools.Dump(MetadataImage.OfKernel(set)));
    }

    [Fact]
    public void AnythingIsDumpedAsTheNewerToolDumpsIt()
    {
        for (ulong seed = 201; seed < 216; seed++)
        {
            using CacheModel model = new(seed);
            for (int step = 0; step < 300; step++) model.Step();
            model.Commit();
            if (model.Head.HintBytes > 0) Assert.Equal(Judge.New.Dump(model.Image), OfflineTools.Dump(model.Image));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void WhatIsRestoredIsAcceptedAndTheSame(int version)
    {
        for (ulong seed = 301; seed < 307; seed++)
        {
            using CacheModel model = new(seed);
            for (int step = 0; step < 300; step++) model.Step();
            // Metadata without hints come back with hints that are zero, as the judges make them.
            model.Image.Run(model.Metadata, () => model.Metadata.TryBeginHints("s3fifo", 4, (2, 0, 0)));
            model.Commit();
            string xml = OfflineTools.Dump(model.Image, withDiscards: true);
            MetadataImage restored = OfflineTools.Restore(xml, 2000, version);
            foreach (Judge judge in Judge.Both) judge.Accepts(restored);
            Assert.Equal(xml, OfflineTools.Dump(restored, withDiscards: true));
            Assert.Empty(OfflineTools.Check(restored).Problems);
            using CacheMetadata metadata = restored.Open();
            Assert.False(metadata.IsOurs);
            Assert.True(metadata.Head.IsClean);
            Assert.Equal(version, metadata.Head.Version);
        }
    }

    [Fact]
    public void WhatTheJudgesRestoreIsOpenedAndTheSame()
    {
        string xml = File.ReadAllText(MetadataImage.FixturePath("v1-wb-clean", "dump.xml"));
        foreach (Judge judge in Judge.Both)
            foreach (string version in (string[])["1", "2"])
                foreach (string[] omit in (string[][])[[], ["--omit-clean-shutdown"]])
                {
                    MetadataImage made = judge.Restore(xml, 1024, ["--metadata-version", version, .. omit]);
                    // The older one writes that hints have 0 bytes.
                    string width = judge == Judge.Old ? "hint_width=\"0\"" : "hint_width=\"4\"";
                    Assert.Equal(xml.Replace("hint_width=\"4\"", width), OfflineTools.Dump(made));
                    using CacheMetadata metadata = made.Open();
                    Assert.Equal(omit.Length == 0, metadata.Head.IsClean);
                    Assert.Equal(version, metadata.Head.Version.ToString());
                    Assert.Equal(195, made.Mappings(metadata).Count(static word => word != 0));
                    // And goes on from there.
                    made.Run(metadata, () => metadata.TrySetMapping(255, Mapping.WordOf(1999)));
                    made.Commit(metadata);
                    judge.Accepts(made);
                }
    }

    [Fact]
    public void AnOmittedFlagIsNotThere()
    {
        string xml = File.ReadAllText(MetadataImage.FixturePath("v1-wb-clean", "dump.xml"));
        using CacheMetadata metadata = OfflineTools.Restore(xml, 1024, 2, omitsClean: true).Open();
        Assert.False(metadata.Head.IsClean);
    }

}
