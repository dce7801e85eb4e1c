using System.Threading;
using Weir.Core.Io;

namespace Weir.Frontends.Nbd;

/// <summary>What one queue has done. Written by its thread, read by any; each number alone is exact.</summary>
internal sealed class NbdCounters
{
    /// <summary>Connections accepted so far, whatever became of them.</summary>
    public long AcceptedConnections;
    /// <summary>Connections that have been given an export.</summary>
    public long Connections;
    /// <summary>Connections turned away because there were too many.</summary>
    public long RefusedConnections;
    /// <summary>Connections ended because the client broke the protocol, before it had an export or later.</summary>
    public long BrokenConnections;
    /// <summary>Connections ended because the client said nothing, or did not come to an end, for too long.</summary>
    public long ExpiredConnections;
    /// <summary>Requests taken.</summary>
    public long Requests;
    /// <summary>Requests that were not valid.</summary>
    public long RefusedRequests;
    /// <summary>Changes of parts of sectors, read, merged and written.</summary>
    public long MergedChanges;
    /// <summary>Sends, each with all replies that were ready.</summary>
    public long Sends;

    /// <summary>The sums of all queues.</summary>
    public static void Report(NbdCounters[] queues, IStatusWriter status)
    {
        NbdCounters sum = new();
        foreach (NbdCounters queue in queues) sum.Add(queue);
        status.Counter("nbd_accepted_connections", sum.AcceptedConnections);
        status.Counter("nbd_connections", sum.Connections);
        status.Counter("nbd_refused_connections", sum.RefusedConnections);
        status.Counter("nbd_broken_connections", sum.BrokenConnections);
        status.Counter("nbd_expired_connections", sum.ExpiredConnections);
        status.Counter("nbd_requests", sum.Requests);
        status.Counter("nbd_refused_requests", sum.RefusedRequests);
        status.Counter("nbd_merged_changes", sum.MergedChanges);
        status.Counter("nbd_sends", sum.Sends);
    }

    private void Add(NbdCounters other)
    {
        AcceptedConnections += Volatile.Read(ref other.AcceptedConnections);
        Connections += Volatile.Read(ref other.Connections);
        RefusedConnections += Volatile.Read(ref other.RefusedConnections);
        BrokenConnections += Volatile.Read(ref other.BrokenConnections);
        ExpiredConnections += Volatile.Read(ref other.ExpiredConnections);
        Requests += Volatile.Read(ref other.Requests);
        RefusedRequests += Volatile.Read(ref other.RefusedRequests);
        MergedChanges += Volatile.Read(ref other.MergedChanges);
        Sends += Volatile.Read(ref other.Sends);
    }
}
