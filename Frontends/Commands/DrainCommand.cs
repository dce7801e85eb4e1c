using System.CommandLine;
using System.Runtime.InteropServices;
using System.Threading;
using Weir.Frontends.Compose;
using Weir.Frontends.Status;

namespace Weir.Frontends.Commands;

/// <summary><c>weir drain</c>: writes everything back, offline.</summary>
internal static class DrainCommand
{
    /// <summary>The command.</summary>
    public static Command Build()
    {
        VolumeOptions volume = new(EngineCommand.Drain, $"What the cache is for: {EngineTable.CacheNames}.");
        Command command = new("drain", "Write all dirty data of a cache that is not served to its backing device. Can "
            + "be interrupted, and started again.");
        volume.AddTo(command);
        command.SetAction(result =>
        {
            VolumeSpec spec = (volume.Read(result) with { MustExist = true }).Check();
            return Run(EngineTable.ToolsOf(spec.Engine, "drain"), spec);
        });
        return command;
    }

    private static int Run(IEngineTools tools, VolumeSpec spec)
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
            ToolRun run = new(spec, Program.Log, progress.Report);
            result = tools.Drain(run, () => Volatile.Read(ref stop) != 0);
        }
        finally
        {
            progress.Finish();
        }
        if (result == 0)
        {
            Output.Write($"weir: drained {spec.Devices.Cache}: {progress.Total} blocks written back\n");
            return Program.Done;
        }
        return Program.Complain(
            $"stopped, but not everything is durable: {Native.Errno.Text(result)}", Program.Failed);
    }
}
