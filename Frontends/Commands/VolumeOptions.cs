using System.CommandLine;
using System.Linq;
using Weir.Frontends.Compose;

namespace Weir.Frontends.Commands;

/// <summary>What a command is told about a volume: the engine, its devices, and options of its own.</summary>
internal sealed class VolumeOptions
{
    private readonly Argument<string> _engine;
    private readonly DeviceOptions _devices;
    private readonly EngineOptions _own;
    private readonly Option<string[]> _option = SharedOptions.EngineOption();
    private readonly bool _isTuned;

    /// <summary>A new set for <paramref name="command"/>.</summary>
    /// <param name="command">Which of them.</param>
    /// <param name="engine">What the engine is for, for the help.</param>
    /// <param name="withBackings">Slow devices are given.</param>
    /// <param name="isTuned">So is <c>--option</c>.</param>
    public VolumeOptions(EngineCommand command, string engine, bool withBackings = true, bool isTuned = true)
    {
        _engine = SharedOptions.Engine(engine);
        _devices = new DeviceOptions(withBackings);
        _own = new EngineOptions(command);
        _isTuned = isTuned;
    }

    /// <summary>Adds them to the command.</summary>
    public void AddTo(Command command)
    {
        command.Add(_engine);
        foreach (Option option in _devices.All) command.Add(option);
        foreach (Option option in _own.All) command.Add(option);
        if (_isTuned) command.Add(_option);
    }

    /// <summary>What the user gave; not checked yet.</summary>
    public VolumeSpec Read(ParseResult result) => new()
    {
        Engine = result.GetValue(_engine)!,
        Devices = _devices.Read(result),
        Own = _own.Read(result, result.GetValue(_engine)!),
        Options = !_isTuned ? [] : [.. (result.GetValue(_option) ?? []).Select(VolumeSpec.SplitOption)],
    };
}
