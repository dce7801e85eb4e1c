using System;
using System.IO;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.DmCache;

/// <summary>thin-provisioning-tools, of two versions: what they say of metadata is what counts.</summary>
internal sealed class Judge
{
    private readonly string _folder;

    private Judge(string name, string folder) => (Name, _folder) = (name, folder);

    /// <summary>0.9, of the distribution.</summary>
    public static Judge Old { get; } = new("0.9", "");

    /// <summary>1.1, from where the virtual machines' parts are.</summary>
    public static Judge New { get; } = new("1.1", Path.Combine(
        Environment.GetEnvironmentVariable("WEIR_VM_ASSETS") ?? "", "tpt", "usr", "sbin"));

    public static Judge[] Both => [Old, New];

    public string Name { get; }

    /// <summary>cache_check says that all is well.</summary>
    public void Accepts(MetadataImage image)
    {
        (int code, string output) = Check(image);
        Assert.True(code == 0, $"cache_check {Name}: exit {code}: {output}");
    }

    /// <summary>cache_check finds something.</summary>
    public bool Refuses(MetadataImage image) => Check(image).Code != 0;

    /// <summary>cache_dump's XML.</summary>
    public string Dump(MetadataImage image) => With(image, path => Tool.Run(PathOf("cache_dump"), path));

    /// <summary>The same as far as it comes: 1.1 ends with an error where there is no array of hints.</summary>
    public string DumpSoFar(MetadataImage image) =>
        With(image, path => Tool.Try(PathOf("cache_dump"), path).Output);

    /// <summary>Metadata of <paramref name="blocks"/> blocks that cache_restore makes of XML.</summary>
    public MetadataImage Restore(string xml, long blocks, params string[] options)
    {
        using Scratch scratch = new();
        File.WriteAllText(scratch["in.xml"], xml);
        File.WriteAllBytes(scratch["meta"], new byte[blocks * MetadataImage.BlockBytes]);
        Tool.Run(PathOf("cache_restore"), ["-i", scratch["in.xml"], "-o", scratch["meta"], .. options]);
        return new MetadataImage(File.ReadAllBytes(scratch["meta"]));
    }

    public override string ToString() => Name;

    private string PathOf(string tool) => Path.Combine(_folder, tool);

    private (int Code, string Output) Check(MetadataImage image) => With(image, path =>
    {
        (int code, string output, string error) = Tool.Try(PathOf("cache_check"), path);
        return (code, output + error);
    });

    private static T With<T>(MetadataImage image, Func<string, T> use)
    {
        using Scratch scratch = new();
        File.WriteAllBytes(scratch["meta"], image.Bytes);
        return use(scratch["meta"]);
    }
}
