using System.Collections.Generic;
using System.CommandLine;
using System.Linq;
using Weir.Core.Base;
using Weir.Frontends.Compose;

namespace Weir.Frontends.Commands;

/// <summary>The devices that the command line names, by what they are to the engine.</summary>
internal sealed record DeviceSpec
{
    /// <summary>The fast one, or null.</summary>
    public string? Cache { get; init; }

    /// <summary>Where the engine keeps what it knows of the cache, or null: there.</summary>
    public string? Metadata { get; init; }

    /// <summary>The slow ones, at least one where a volume is served.</summary>
    public IReadOnlyList<BackingArgument> Backings { get; init; } = [];

    /// <summary>All of them.</summary>
    public IEnumerable<string> Paths =>
        new[] { Cache, Metadata }.OfType<string>().Concat(Backings.Select(static backing => backing.Path));

    /// <summary>Throws when the engine has no use for one of them, or misses one.</summary>
    public void Check(IEngineKind kind)
    {
        bool hasCache = kind.HasUseFor(DeviceRole.Cache);
        bool hasMetadata = Metadata != null && kind.HasUseFor(DeviceRole.Metadata);
        // Metadata can be looked at alone; who serves asks for both.
        if (hasCache && Cache == null && !hasMetadata) throw Usage($"{kind.Name} needs --cache PATH");
        if (!hasCache && Cache != null) throw Usage($"{kind.Name} has no cache; leave --cache out");
        if (!kind.HasUseFor(DeviceRole.Metadata) && Metadata != null)
            throw Usage($"{kind.Name} has no metadata device; leave --metadata out");
        CheckNames();
    }

    private void CheckNames()
    {
        HashSet<string> names = [];
        foreach (BackingArgument backing in Backings)
            if (!names.Add(backing.Name))
                throw Usage($"two --backing devices have the name '{backing.Name}'; expected --backing NAME=PATH");
    }

    private static UserErrorException Usage(string message) => new(message, Program.WrongUsage);
}

/// <summary>
/// The options that name devices: one for each role that some engine has a use for. A new object for each command.
/// </summary>
/// <param name="withBackings">The slow devices too.</param>
internal sealed class DeviceOptions(bool withBackings = true)
{
    private readonly Option<string?> _cache = SharedOptions.Cache();

    private readonly Option<string?>? _metadata =
        EngineTable.All.Any(static kind => kind.HasUseFor(DeviceRole.Metadata)) ? SharedOptions.Metadata() : null;

    private readonly Option<string[]>? _backing = withBackings ? SharedOptions.Backing() : null;

    /// <summary>For the command.</summary>
    public IEnumerable<Option> All => new Option?[] { _cache, _metadata, _backing }.OfType<Option>();

    /// <summary>What the user gave.</summary>
    public DeviceSpec Read(ParseResult result) => new()
    {
        Cache = result.GetValue(_cache),
        Metadata = _metadata == null ? null : result.GetValue(_metadata),
        Backings = _backing == null ? [] : [.. result.GetValue(_backing)!.Select(BackingArgument.Parse)],
    };
}
