using System.Collections.Generic;
using System.CommandLine;
using System.Linq;
using Weir.Core.Base;
using Weir.Frontends.Commands;
using Weir.Frontends.Compose;
using Xunit;

namespace Weir.Tests.Compose;

/// <summary>What users may say to an engine, and what they are told when it has no use for it.</summary>
public sealed class EngineTableTests
{
    private static readonly EngineCommand[] s_commands = System.Enum.GetValues<EngineCommand>();

    private static string ErrorOf(System.Action action)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(action);
        Assert.Equal(2, error.ExitCode);
        Assert.DoesNotContain('\n', error.Message);
        return error.Message;
    }

    [Fact]
    public void EveryEngineIsFoundByItsName()
    {
        foreach (IEngineKind kind in EngineTable.All) Assert.Same(kind, EngineTable.Find(kind.Name));
        Assert.Equal("unknown engine 'nonsense'; this version has: writeboost, dmcache, passthrough",
            ErrorOf(static () => EngineTable.Find("nonsense")));
        Assert.Equal("passthrough has no cache to drain",
            ErrorOf(static () => EngineTable.ToolsOf("passthrough", "drain")));
    }

    /// <summary>A volume stands on backing devices; who has a cache has tools for it.</summary>
    [Fact]
    public void RolesSayWhatThereIs()
    {
        foreach (IEngineKind kind in EngineTable.All)
        {
            Assert.True(kind.HasUseFor(DeviceRole.Backing));
            Assert.Equal(kind.HasUseFor(DeviceRole.Cache), kind.Tools != null);
        }
    }

    /// <summary>No device is left out without a word.</summary>
    [Fact]
    public void ADeviceWithoutUseIsRefused()
    {
        VolumeSpec spec = new()
        {
            Engine = "passthrough",
            Devices = new DeviceSpec { Backings = [BackingArgument.Parse("b=B")], Metadata = "M" },
        };
        Assert.Equal("passthrough has no metadata device; leave --metadata out", ErrorOf(() => spec.Check()));
        DeviceSpec withCache = spec.Devices with { Metadata = null, Cache = "C" };
        Assert.Equal("passthrough has no cache; leave --cache out",
            ErrorOf(() => (spec with { Devices = withCache }).Check()));
        DeviceSpec all = withCache with { Metadata = "M" };
        Assert.Equal("writeboost has no metadata device; leave --metadata out",
            ErrorOf(() => (spec with { Engine = "writeboost", Devices = all }).Check()));
        Assert.Same(spec.Devices.Backings,
            (spec with { Devices = withCache with { Cache = null } }).Check().Devices.Backings);
    }

    /// <summary>Every command can be built with the options of all engines; no name twice, whoever takes it.</summary>
    [Fact]
    public void OptionsOfOneNameAreOne()
    {
        foreach (EngineCommand command in s_commands)
        {
            List<string> names = [.. new EngineOptions(command).All.Select(static option => option.Name)];
            Assert.Equal(names.Distinct(), names);
        }
    }

    /// <summary>An option of another engine is refused, and one that was not given is not there.</summary>
    [Fact]
    public void AnOptionWithoutUseIsRefused()
    {
        VolumeOptions options = new(EngineCommand.Serve, "");
        Command command = new("serve");
        options.AddTo(command);
        ParseResult given = command.Parse("passthrough --backing B --layout lc1");
        Assert.Equal("passthrough has no use for --layout; leave it out", ErrorOf(() => options.Read(given)));
        VolumeSpec spec = options.Read(command.Parse("writeboost --backing B --layout lc1"));
        Assert.Equal("lc1", spec.OwnOrNull<string>("--layout"));
        Assert.Equal(["--layout"], spec.Own.Keys);
    }
}
