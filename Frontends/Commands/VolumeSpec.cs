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

    private const int MaxNameLength = 255;

    /// <summary>Engine's name.</summary>
    public required string Engine { get; init; }

    /// <summary>Export name.</summary>
    public string Name { get; init; } = DefaultName;

    /// <summary>The fast device, or null.</summary>
    public string? Cache { get; init; }

    /// <summary>The slow device, or null.</summary>
    public string? Backing { get; init; }

    /// <summary>On-disk layout.</summary>
    public string Layout { get; init; } = "native";

    /// <summary>Bytes per segment when formatting, or null for the default.</summary>
    public long? SegmentBytes { get; init; }

    /// <summary>Write nothing anywhere.</summary>
    public bool ReadOnly { get; init; }

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
        return this;
    }

    /// <summary>Splits <c>[NAME=]PATH</c>: a name has letters, digits, dots, dashes and underscores only.</summary>
    public static (string Name, string Path) SplitBacking(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        bool named = equals > 0 && text.AsSpan(0, equals).IndexOfAnyExcept(s_nameCharacters) < 0;
        (string name, string path) = named ? (text[..equals], text[(equals + 1)..]) : (DefaultName, text);
        if (name.Length > MaxNameLength)
            throw Usage($"--backing: a name of {name.Length} characters; expected at most {MaxNameLength}");
        return path.Length > 0 ? (name, path) : throw Usage($"--backing '{text}': the path is missing");
    }

    /// <summary>Splits <c>KEY=VALUE</c>.</summary>
    public static KeyValuePair<string, string> SplitOption(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0) throw Usage($"--option '{text}': expected KEY=VALUE");
        return new(text[..equals], text[(equals + 1)..]);
    }

    private static readonly System.Buffers.SearchValues<char> s_nameCharacters = System.Buffers.SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    private static UserErrorException Usage(string message) => new(message, Program.WrongUsage);
}
