using System.CommandLine;
using Weir.Core.Base;

namespace Weir.Frontends.Commands;

/// <summary>Arguments and options that several commands have. A new object for each, as the parser wants it.</summary>
internal static class SharedOptions
{
    /// <summary>The engine.</summary>
    public static Argument<string> Engine(string description) => new("ENGINE") { Description = description };

    /// <summary>The fast device.</summary>
    public static Option<string?> Cache() =>
        new("--cache") { HelpName = "PATH", Description = "The fast device: a file or a block device." };

    /// <summary>The form of what is written to the cache device.</summary>
    public static Option<string> Layout() => new("--layout")
    {
        HelpName = "LAYOUT",
        Description = "On-disk layout of the cache: native; or the kernel module's writeboost2, writeboost1, lc1.",
        DefaultValueFactory = _ => "native",
    };

    /// <summary>Segment size.</summary>
    public static Option<string?> SegmentSize() => new("--segment-size")
    {
        HelpName = "SIZE",
        Description = "Bytes per log segment when the cache is formatted: 128K to 4M, a power of two (default 1M).",
    };

    /// <summary>Where a served volume listens for status, messages and stop.</summary>
    public static Option<string> Control() => new("--control")
    {
        HelpName = "PATH",
        Description = "Control socket of the served volume.",
        Required = true,
    };

    /// <summary>Reads a size, null when it was not given.</summary>
    public static long? SizeOf(string? text, string option) => text == null ? null : ByteSize.Parse(text, option);
}
