using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Frontends.Compose;
using Weir.Frontends.Recording;

namespace Weir.Frontends.Commands;

/// <summary>What the command line says about a volume, checked as far as that goes without opening anything.</summary>
internal sealed record VolumeSpec
{
    /// <summary>Export name when <c>--backing</c> gives none.</summary>
    public const string DefaultName = "weir";

    /// <summary>The word for memory that does not outlive the process.</summary>
    public const string NoMemory = "none";

    /// <summary>Engine's name.</summary>
    public required string Engine { get; init; }

    /// <summary>What it stands on.</summary>
    public DeviceSpec Devices { get; init; } = new();

    /// <summary>Export name of the first slow device.</summary>
    public string Name => Devices.Backings.Count > 0 ? Devices.Backings[0].Name : DefaultName;

    /// <summary>The engine's own options, such as <c>--layout</c>, as far as they were given.</summary>
    public IReadOnlyDictionary<string, object> Own { get; init; } = new Dictionary<string, object>();

    /// <summary>The folder for memory that outlives the process, or <see cref="NoMemory"/>; null: the best.</summary>
    public string? Memory { get; init; }

    /// <summary>A file to record in what clients ask for (<c>--option trace=PATH</c>); null: none.</summary>
    public string? Trace { get; init; }

    /// <summary>Write nothing anywhere.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Format nothing: the cache must be there.</summary>
    public bool MustExist { get; init; }

    /// <summary>Format whatever is there.</summary>
    public bool Force { get; init; }

    /// <summary>What can be tuned (<c>--option</c>), in the order given.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Options { get; init; } = [];

    /// <summary>An option of the engine's own; null: it was not given.</summary>
    public T? OwnOrNull<T>(string name) where T : class => (T?)Own.GetValueOrDefault(name);

    /// <summary>The same of values that are no objects.</summary>
    public T? OwnValue<T>(string name) where T : struct => (T?)Own.GetValueOrDefault(name);

    /// <summary>Throws when the parts do not go together.</summary>
    public VolumeSpec Check()
    {
        IEngineKind kind = EngineTable.Find(Engine);
        Devices.Check(kind);
        kind.Check(this);
        return this;
    }

    /// <summary>For engines that keep nothing in memory beyond their process.</summary>
    public void CheckNoMemory()
    {
        if (Memory == null) return;
        throw new UserErrorException(
            $"{Engine} has no use for --memory {Memory}: it acknowledges nothing that only memory has; leave it out",
            Program.WrongUsage);
    }

    /// <summary>Takes the option that is no engine's from the others; given more than once, the last counts.</summary>
    public VolumeSpec TakeTrace()
    {
        List<KeyValuePair<string, string>> others = [];
        string? trace = null;
        foreach (KeyValuePair<string, string> option in Options)
        {
            if (!option.Key.Equals(TraceRecorder.Key, StringComparison.OrdinalIgnoreCase)) others.Add(option);
            else if (option.Value.Length > 0) trace = option.Value;
            else throw new UserErrorException($"--option {option.Key}=: expected a file", Program.WrongUsage);
        }
        return this with { Options = others, Trace = trace };
    }

    /// <summary>Splits <c>KEY=VALUE</c>.</summary>
    public static KeyValuePair<string, string> SplitOption(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
            throw new UserErrorException($"--option '{text}': expected KEY=VALUE", Program.WrongUsage);
        return new(text[..equals], text[(equals + 1)..]);
    }
}
