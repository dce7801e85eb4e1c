using System;
using System.Collections.Generic;
using System.IO;
using System.Net.Sockets;
using Weir.Frontends.Nbd;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Writes and flushes with many requests in flight until the server is gone, and keeps the book.</summary>
internal sealed class LedgerClient(Ledger ledger, Random random)
{
    private const int InFlightMax = 32;
    private const int SectorsMax = 64;

    private readonly Dictionary<ulong, LedgerWrite> _writes = [];
    private readonly Dictionary<ulong, List<LedgerWrite>> _flushes = [];
    private ulong _cookie;

    /// <summary>Acknowledgements taken in so far.</summary>
    public int Acknowledged { get; private set; }

    /// <summary>Goes on until the connection ends or <paramref name="requests"/> are acknowledged.</summary>
    public void Run(NbdClient client, int requests = int.MaxValue)
    {
        try
        {
            while (Acknowledged < requests)
            {
                while (_writes.Count + _flushes.Count < InFlightMax) SubmitOne(client);
                TakeOne(client);
            }
            while (_writes.Count + _flushes.Count > 0) TakeOne(client);
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException)
        {
            TakeTheRest(client);
        }
    }

    /// <summary>What the server sent before it died counts: the client could have read it.</summary>
    private void TakeTheRest(NbdClient client)
    {
        try
        {
            while (true) TakeOne(client);
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException)
        {
            _writes.Clear();
            _flushes.Clear();
        }
    }

    private void SubmitOne(NbdClient client)
    {
        ulong cookie = ++_cookie;
        if (random.Next(20) == 0)
        {
            _flushes.Add(cookie, ledger.SubmitFlush());
            client.Request(NbdCommand.Flush, cookie, 0, 0);
            return;
        }
        (int first, int count) = Choose();
        bool fua = random.Next(30) == 0;
        LedgerWrite write = ledger.Submit(first, count, fua);
        _writes.Add(cookie, write);
        client.Request(
            NbdCommand.Write, cookie, (long)first * Ledger.SectorBytes, (long)count * Ledger.SectorBytes,
            fua ? CommandFlags.Fua : 0, Ledger.DataOf(write));
    }

    /// <summary>Mostly whole blocks, some partial, some long; never where a write is under way.</summary>
    private (int First, int Count) Choose()
    {
        while (true)
        {
            int count =
                random.Next(4) switch { 0 => random.Next(1, 8), 1 => 8 * random.Next(1, SectorsMax / 8), _ => 8 };
            int first = random.Next(ledger.SectorCount - count);
            if (count % 8 == 0) first &= ~7;
            if (ledger.IsFree(first, count)) return (first, count);
        }
    }

    private void TakeOne(NbdClient client)
    {
        (ulong cookie, int error) = client.TakeSimple();
        Assert.Equal(0, error);
        Acknowledged++;
        if (_writes.Remove(cookie, out LedgerWrite? write)) ledger.Acknowledge(write);
        else Ledger.AcknowledgeFlush(_flushes[cookie]);
        _flushes.Remove(cookie);
    }
}
