using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Bench.Measuring;

namespace Weir.Bench.Suites;

/// <summary>Peers in turns, each with its jobs.</summary>
/// <param name="setting">With fio.</param>
/// <param name="peers">In their order.</param>
/// <param name="jobs">They follow each other on one server, which has been filled.</param>
/// <param name="span">What is filled, and read and written, as fio says it.</param>
internal sealed class Contest(
    Setting setting, IReadOnlyList<Peer> peers, IReadOnlyList<string> jobs, string span)
{
    private const int SeedStep = 100;

    private int _seed;

    /// <summary>What has been measured.</summary>
    public Outcomes Outcomes { get; } = new(jobs, peers);

    /// <summary>Called when a peer has been filled, before its jobs.</summary>
    public Action<Peer> Filled { get; init; } = static _ => { };

    /// <summary>Called when a peer has done its jobs and still serves.</summary>
    public Action<Peer> Done { get; init; } = static _ => { };

    /// <summary>One round: the first has everyone, further ones have those that are judged.</summary>
    public void Run(int round)
    {
        foreach (Peer peer in peers.Where(peer => round == 0 || peer.IsJudged))
        {
            // The same for all peers, another for each job: none reads what the one before has just read, in its order.
            _seed = round * SeedStep;
            Run(peer);
            Console.WriteLine($"bench: round {round + 1}: {peer.Name}");
        }
    }

    private void Run(Peer peer)
    {
        try
        {
            using NbdServer? disk = peer.StartDisk?.Invoke();
            using NbdServer server = peer.Start();
            try
            {
                setting.Fio.OnNbd(FioJob.Fill, server.Uri, span, 0, 0);
                Filled(peer);
                foreach (string job in jobs.Where(job => peer.Jobs?.Contains(job) ?? true)) Measure(peer, server, job);
                Done(peer);
            }
            finally
            {
                if (server.Group is { } group) Outcomes.Add(peer.Name, group);
            }
        }
        catch (InvalidOperationException failure)
        {
            // One that dies under its limit says something too; the others go on.
            Console.WriteLine($"bench: {peer.Name}: {failure.Message}");
            Outcomes.Fail(peer.Name, failure.Message.ReplaceLineEndings(" "));
        }
    }

    private void Measure(Peer peer, NbdServer server, string job)
    {
        double before = server.CpuSeconds;
        FioResult result = setting.Fio.OnNbd(
            FioJob.Find(job), server.Uri, span, NbdSuite.SecondsOf(setting), ++_seed);
        Outcomes.Add(job, peer.Name, result, server.CpuSeconds - before);
    }
}
