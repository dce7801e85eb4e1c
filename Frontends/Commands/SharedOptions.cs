using System.CommandLine;

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

    /// <summary>Where an engine keeps what it knows of the cache.</summary>
    public static Option<string?> Metadata() => new("--metadata")
    {
        HelpName = "PATH",
        Description = "The device that says what is where in the cache: a file or a block device.",
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

    /// <summary>Where a served volume listens for status, messages and stop.</summary>
    public static Option<string> Control(bool required = true) => new("--control")
    {
        HelpName = "PATH",
        Description = "Control socket of the served volume.",
        Required = required,
    };
}
