using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>fio over NBD on a Unix socket: Weir and its neighbours, in turns, on files of one folder.</summary>
internal sealed class NbdSuite(Setting setting, Report report)
{
    /// <summary>What jobs on a plain file read and write.</summary>
    public const string Span = "256M";

    // There are 250 runs of jobs in three rounds, and all of it shall take seven minutes.
    private const double ShareOfSeconds = 0.4;

    /// <summary>Of each job: less than other suites take, because there are so many.</summary>
    public static double SecondsOf(Setting setting) => setting.Seconds * ShareOfSeconds;

    /// <summary>All of it.</summary>
    public void Run()
    {
        new TransportPart(setting, report).Run();
        new PlainFilePart(setting, report).Run();
        new SlowDiskPart(setting, report).Run();
        new StreamPart(setting, report).Run();
        new FullCachePart(setting, report).Run();
    }
}
