using System.CommandLine;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Core.Base;
using Weir.Frontends.Status;

namespace Weir.Frontends.Commands;

/// <summary><c>weir drain</c>: writes everything back, offline.</summary>
internal static class DrainCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        Argument<string> engine = SharedOptions.Engine("What the cache is for: writeboost.");
        Option<string?> cache = SharedOptions.Cache();
        Option<string[]> backing = SharedOptions.Backing();
        Option<string?> layout = SharedOptions.Layout();
        Option<string[]> option = SharedOptions.EngineOption();
        Option<string[]> giveUp = new("--give-up")
        {
            HelpName = "NAME:OFFSET+LENGTH",
            Description = "Give up what is lost there, rotten in the cache and nowhere else, or with 'all' everywhere: "
                + "it reads what the backing device has.",
        };
        Command command = new("drain", "Write all dirty data of a cache that is not served to its backing device. Can "
            + "be interrupted, and started again.") { engine, cache, backing, layout, option, giveUp };
        command.SetAction(result =>
        {
            VolumeSpec spec = new VolumeSpec
            {
                Engine = result.GetValue(engine)!,
                Cache = result.GetValue(cache),
                Backings = result.GetValue(backing)!.Select(BackingArgument.Parse).ToArray(),
                Layout = result.GetValue(layout),
                Options = (result.GetValue(option) ?? []).Select(VolumeSpec.SplitOption).ToArray(),
                MustExist = true,
            }.Check();
            if (!Compose.HasCache(spec.Engine))
                throw new UserErrorException($"{spec.Engine} has no cache to drain", Program.WrongUsage);
            return Run(spec, result.GetValue(giveUp) ?? []);
        });
        return command;
    }

    private static int Run(VolumeSpec spec, string[] givesUp)
    {
        int stop = 0;
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            Volatile.Write(ref stop, 1);
        }
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
        ProgressLine progress = ProgressLine.OnStandardError();
        int result;
        try
        {
            result = Compose.Drain(
                spec, givesUp, () => Volatile.Read(ref stop) != 0, progress.Report, Program.Log);
        }
        finally
        {
            progress.Finish();
        }
        if (result == 0)
        {
            Output.Write($"weir: drained {spec.Cache}: {progress.Total} blocks written back\n");
            return Program.Done;
        }
        return Program.Complain(
            $"stopped, but not everything is durable: {Native.Errno.Text(result)}", Program.Failed);
    }
}
