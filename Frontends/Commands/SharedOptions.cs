using System.CommandLine;
using Weir.Core.Base;

namespace Weir.Frontends.Commands;

/// <summary>Arguments and options that several commands have. A new object for each, as the parser wants it.</summary>
internal static class SharedOptions
{
    /// <summary>What "blank" means for a device.</summary>
    public const string HowFarItLooks = "Up to 1 GiB (holes of files do not count) is looked at as a whole; of more, "
        + "the first and last 64 MiB and 4096 places of 64 KiB between them.";

    /// <summary>The engine.</summary>
    public static Argument<string> Engine(string description) => new("ENGINE") { Description = description };

    /// <summary>The fast device.</summary>
    public static Option<string?> Cache() =>
        new("--cache") { HelpName = "PATH", Description = "The fast device: a file or a block device." };

    /// <summary>The form of what is written to the cache device.</summary>
    public static Option<string?> Layout() => new("--layout")
    {
        HelpName = "LAYOUT",
        Description = "On-disk layout of the cache: native, writeboost2 (dm-writeboost 2.2), writeboost1 or lc1. What "
            + "is there is recognised, but for lc1, which has no magic number; a new cache is native without it.",
    };

    /// <summary>The slow devices.</summary>
    public static Option<string[]> Backing() => new("--backing")
    {
        HelpName = BackingArgument.Form,
        Description = "A slow device and the name clients ask for: a file, a block device, or a modelled disk "
            + "slow:PATH?seek=8ms&bandwidth=150M. May be given more than once: several devices on one cache, each "
            + "under its number there; with number 0 it is served without the cache.",
        Required = true,
    };

    /// <summary>Engine options.</summary>
    public static Option<string[]> EngineOption() => new("--option")
    {
        HelpName = "KEY=VALUE",
        Description = "An engine option; 'weir message --control PATH help' lists them.",
    };

    /// <summary>Where memory is that outlives the process.</summary>
    public static Option<string?> Memory() => new("--memory")
    {
        HelpName = "DIR|none",
        Description = "A folder on tmpfs for the memory that outlives the process (default: /run/weir where that can "
            + "be, else /dev/shm); none: acknowledge writes when they are durable.",
    };

    /// <summary>Segment size.</summary>
    public static Option<string?> SegmentSize() => new("--segment-size")
    {
        HelpName = "SIZE",
        Description = "Bytes per log segment when the cache is formatted: 128K to 4M, a power of two (default 1M).",
    };

    /// <summary>Where a served volume listens for status, messages and stop.</summary>
    public static Option<string> Control(bool required = true) => new("--control")
    {
        HelpName = "PATH",
        Description = "Control socket of the served volume.",
        Required = required,
    };

    /// <summary>Reads a size, null when it was not given.</summary>
    public static long? SizeOf(string? text, string option) => text == null ? null : ByteSize.Parse(text, option);
}
