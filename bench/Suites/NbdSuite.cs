using Weir.Bench.Reporting;

namespace Weir.Bench.Suites;

/// <summary>fio over NBD on a Unix socket: Weir and its neighbours, in turns, on files of one folder.</summary>
internal sealed class NbdSuite(Setting setting, Report report)
{
    /// <summary>What jobs on a plain file read and write.</summary>
    public const string Span = "256M";

    /// <summary>
    /// Of each job: half of what other suites take, because there are so many; all of them shall take seven minutes.
    /// </summary>
    public static double SecondsOf(Setting setting) => setting.Seconds / 2;

    /// <summary>All of it.</summary>
    public void Run()
    {
        new PlainFilePart(setting, report).Run();
        new MemoryHitPart(setting, report).Run();
        new SlowDiskPart(setting, report).Run();
        new StreamPart(setting, report).Run();
        new FullCachePart(setting, report).Run();
    }
}
