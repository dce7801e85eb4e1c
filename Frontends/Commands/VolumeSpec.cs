using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;

namespace Weir.Frontends.Commands;

/// <summary>What the command line says about a volume, checked as far as that goes without opening anything.</summary>
internal sealed record VolumeSpec
{
    /// <summary>Export name when <c>--backing</c> gives none.</summary>
    public const string DefaultName = "weir";

    /// <summary>Engine's name.</summary>
    public required string Engine { get; init; }

    /// <summary>Export name of the first slow device.</summary>
    public string Name => Backings.Count > 0 ? Backings[0].Name : DefaultName;

    /// <summary>The fast device, or null.</summary>
    public string? Cache { get; init; }

    /// <summary>The slow devices, at least one where a volume is served.</summary>
    public IReadOnlyList<BackingArgument> Backings { get; init; } = [];

    /// <summary>On-disk layout; null: the one that is there, or native.</summary>
    public string? Layout { get; init; }

    /// <summary>Bytes per segment when formatting, or null for the default.</summary>
    public long? SegmentBytes { get; init; }

    /// <summary>The word for memory that does not outlive the process.</summary>
    public const string NoMemory = "none";

    /// <summary>The folder for memory that outlives the process, or <see cref="NoMemory"/>; null: the best.</summary>
    public string? Memory { get; init; }

    /// <summary>Write nothing anywhere.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Format nothing: the cache must be there.</summary>
    public bool MustExist { get; init; }

    /// <summary>Format whatever is there.</summary>
    public bool Force { get; init; }

    /// <summary>Engine options in the order given.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Options { get; init; } = [];

    /// <summary>Throws when the parts do not go together.</summary>
    public VolumeSpec Check()
    {
        if (!Compose.Engines.Contains(Engine))
            throw Usage($"unknown engine '{Engine}'; this version has: {string.Join(", ", Compose.Engines)}");
        Compose.CheckLayout(Layout);
        if (Compose.HasCache(Engine) && Cache == null) throw Usage($"{Engine} needs --cache PATH");
        if (!Compose.HasCache(Engine) && Cache != null) throw Usage($"{Engine} has no cache; leave --cache out");
        CheckBackings();
        return this;
    }

    private void CheckBackings()
    {
        HashSet<string> names = [];
        foreach (BackingArgument backing in Backings)
        {
            if (!names.Add(backing.Name))
                throw Usage($"two --backing devices have the name '{backing.Name}'; expected --backing NAME=PATH");
            if (!Compose.HasCache(Engine) && backing.Id > 0)
                throw Usage($"--backing {backing.Id}:{backing.Name}: {Engine} has no cache, and so no device numbers");
        }
        if (Compose.HasCache(Engine) && Backings.Count > 0 && Backings.All(static backing => backing.Id == 0))
            throw Usage("no --backing device has a number other than 0: then 'passthrough' is the engine to use");
    }

    /// <summary>Splits <c>KEY=VALUE</c>.</summary>
    public static KeyValuePair<string, string> SplitOption(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0) throw Usage($"--option '{text}': expected KEY=VALUE");
        return new(text[..equals], text[(equals + 1)..]);
    }

    private static UserErrorException Usage(string message) => new(message, Program.WrongUsage);
}
