using System.Collections.Generic;
using System.CommandLine;
using System.Linq;
using Weir.Core.Base;

namespace Weir.Frontends.Compose;

/// <summary>An option of a command that means something to one engine, or to several.</summary>
internal abstract class EngineOption
{
    /// <summary>For the parser.</summary>
    public abstract Option Option { get; }

    /// <summary>What the user gave; null: nothing.</summary>
    public abstract object? Read(ParseResult result);

    /// <summary>Of any form that the parser knows.</summary>
    public static EngineOption Of<T>(Option<T> option) => new Typed<T>(option);

    private sealed class Typed<T>(Option<T> option) : EngineOption
    {
        public override Option Option => option;

        public override object? Read(ParseResult result) =>
            result.GetResult(option) is { Implicit: false } ? result.GetValue(option) : null;
    }
}

/// <summary>The options of all engines on one command; those of the same name are one.</summary>
internal sealed class EngineOptions
{
    private readonly Dictionary<string, EngineOption> _options = [];
    private readonly Dictionary<string, List<string>> _takenBy = [];

    /// <summary>Of <paramref name="command"/>.</summary>
    public EngineOptions(EngineCommand command)
    {
        foreach (IEngineKind kind in EngineTable.All)
            foreach (EngineOption option in kind.OptionsOf(command))
            {
                string name = option.Option.Name;
                if (_options.TryAdd(name, option)) _takenBy[name] = [];
                _takenBy[name].Add(kind.Name);
            }
    }

    /// <summary>For the command.</summary>
    public IEnumerable<Option> All => _options.Values.Select(static option => option.Option);

    /// <summary>What the user gave, by name. Throws when the engine has no use for it.</summary>
    public IReadOnlyDictionary<string, object> Read(ParseResult result, string engine)
    {
        _ = EngineTable.Find(engine);
        Dictionary<string, object> given = [];
        foreach ((string name, EngineOption option) in _options)
        {
            if (option.Read(result) is not { } value) continue;
            if (!_takenBy[name].Contains(engine))
                throw new UserErrorException($"{engine} has no use for {name}; leave it out", Program.WrongUsage);
            given[name] = value;
        }
        return given;
    }
}
