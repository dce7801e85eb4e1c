using System.Collections.Generic;
using System.Threading;
using Weir.Core.Io;

namespace Weir.Frontends.Ublk;

/// <summary>What came to one hardware queue. Written by its thread, read by any.</summary>
internal sealed unsafe class UblkCounters
{
    private readonly long[] _requests = new long[(int)RequestKind.WriteZeroes + 1];
    private long _fua;
    private long _errors;
    private long _direct;

    /// <summary>Requests answered with an error.</summary>
    public long Errors
    {
        get => Volatile.Read(ref _errors);
        set => Volatile.Write(ref _errors, value);
    }

    /// <summary>Reads whose bytes went from the device below to whoever asked.</summary>
    public long Direct
    {
        get => Volatile.Read(ref _direct);
        set => Volatile.Write(ref _direct, value);
    }

    /// <summary>One more request.</summary>
    public void Count(Request* request)
    {
        Volatile.Write(ref _requests[(int)request->Kind], _requests[(int)request->Kind] + 1);
        if ((request->Flags & RequestFlags.Fua) != 0) Volatile.Write(ref _fua, _fua + 1);
    }

    /// <summary>The sums over <paramref name="all"/>.</summary>
    public static void Report(IEnumerable<UblkCounters> all, IStatusWriter status)
    {
        UblkCounters sum = new();
        foreach (UblkCounters one in all)
        {
            for (int i = 0; i < sum._requests.Length; i++) sum._requests[i] += Volatile.Read(ref one._requests[i]);
            sum._fua += Volatile.Read(ref one._fua);
            sum._errors += one.Errors;
            sum._direct += one.Direct;
        }
        status.Counter("ublk_reads", sum._requests[(int)RequestKind.Read]);
        status.Counter("ublk_direct_reads", sum._direct);
        status.Counter("ublk_writes", sum._requests[(int)RequestKind.Write]);
        status.Counter("ublk_flushes", sum._requests[(int)RequestKind.Flush]);
        status.Counter("ublk_fua_writes", sum._fua);
        status.Counter("ublk_discards", sum._requests[(int)RequestKind.Discard]);
        status.Counter("ublk_write_zeroes", sum._requests[(int)RequestKind.WriteZeroes]);
        status.Counter("ublk_errors", sum._errors);
    }
}
