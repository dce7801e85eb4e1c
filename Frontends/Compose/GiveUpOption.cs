using System.CommandLine;
using Weir.Core.Base;
using Weir.Core.Volumes;
using Weir.Frontends.Commands;

namespace Weir.Frontends.Compose;

/// <summary>
/// <c>weir drain --give-up</c>, of the engines whose blocks can be lost, and what is said of a drain that leaves some.
/// </summary>
internal static class GiveUpOption
{
    private const string Name = "--give-up";

    private const string Hint = "--give-up NAME:OFFSET+LENGTH, or --give-up all, gives them up";

    /// <summary>The option.</summary>
    public static EngineOption New() => EngineOption.Of(new Option<string[]>(Name)
    {
        HelpName = "NAME:OFFSET+LENGTH",
        Description = "Give up what is lost there, rotten or unreadable in the cache and nowhere else, or with 'all' "
            + "everywhere: it reads what the backing device has.",
    });

    /// <summary>What it was given.</summary>
    public static string[] ValuesOf(VolumeSpec spec) => spec.OwnOrNull<string[]>(Name) ?? [];

    /// <summary>Why a drain has not written everything back.</summary>
    public static UserErrorException Unfinished(Drainer drainer, IDrainable volume, string? cache)
    {
        if (volume.Health.State != VolumeState.Healthy && !(drainer.HasReachedEnd && volume.LostSentence != null))
            return new UserErrorException($"stopped: the volume became {VolumeHealth.NameOf(volume.Health.State)}: "
                + $"{volume.Health.Reason}; what is not written back stays on the cache device"
                + (volume.LostSentence is { } also ? $"; {also}; {Hint}" : ""));
        return drainer.HasReachedEnd && volume.LostSentence is { } lost
            ? new UserErrorException($"{cache}: all else is written back, but {lost}; {Hint}")
            : new UserErrorException($"interrupted: {volume.StillDirty} left in {cache}; start again to go on");
    }
}
