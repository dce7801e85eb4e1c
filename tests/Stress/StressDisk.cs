using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Tests.Simulation;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>
/// What one backing device must show, sector by sector. Its sectors belong to threads in turn: first in stripes that
/// share 4 KiB blocks with others, then in long ones. Only the owner writes a sector and its number here, one request
/// of a stripe at a time, so every read can be judged.
/// </summary>
internal sealed unsafe class StressDisk(string name, int number, int owners, bool mayGo)
{
    /// <summary>Sectors of a device.</summary>
    public const int Sectors = 6144;

    /// <summary>Bytes of a device.</summary>
    public const long Bytes = Sectors * SectorTag.Bytes;

    /// <summary>Most sectors of a stripe.</summary>
    public const int StripeMax = 256;

    // Neither a multiple of a block's sectors nor so few that whole blocks are rare.
    private const int ShortStripe = 13, ShortEnd = 200 * ShortStripe;

    private readonly ulong[] _expected = new ulong[Sectors];
    private int _inFlight;
    private int _served;

    public string Name => name;

    /// <summary>It is detached now and then.</summary>
    public bool MayGo => mayGo;

    /// <summary>Number on the volume while it is served, else -1.</summary>
    public int Device => Volatile.Read(ref _served) - 1;

    /// <summary>Clients may ask for it from now on.</summary>
    public void Serve(ushort device) => Volatile.Write(ref _served, device + 1);

    /// <summary>No request begins from now on, and none is under way.</summary>
    public void Withdraw()
    {
        Interlocked.Exchange(ref _served, 0);
        Assert.True(Contention.Await(() => Volatile.Read(ref _inFlight) == 0), $"{name}: requests hang");
    }

    /// <summary>One more request, if it is served.</summary>
    public bool TryBegin(out ushort device)
    {
        Interlocked.Increment(ref _inFlight);
        int served = Volatile.Read(ref _served);
        device = (ushort)(served - 1);
        if (served == 0) End();
        return served != 0;
    }

    public void End() => Interlocked.Decrement(ref _inFlight);

    /// <summary>A stripe of this owner.</summary>
    public static int AnyStripe(ref Prng random, int owner, int owners) =>
        (random.Below(StripeCount / owners) * owners) + owner;

    public static int StripeCount => (ShortEnd / ShortStripe) + ((Sectors - ShortEnd) / StripeMax);

    /// <summary>First sector and count.</summary>
    public static (int First, int Count) StripeOf(int stripe) => stripe < ShortEnd / ShortStripe
        ? (stripe * ShortStripe, ShortStripe)
        : (ShortEnd + ((stripe - (ShortEnd / ShortStripe)) * StripeMax), StripeMax);

    /// <summary>The sectors hold write <paramref name="id"/> now, 0 for zeroes; what they held is copied.</summary>
    public void Expect(int first, int count, ulong id, Span<ulong> before)
    {
        _expected.AsSpan(first, count).CopyTo(before);
        _expected.AsSpan(first, count).Fill(id);
    }

    /// <summary>The write was refused.</summary>
    public void TakeBack(int first, int count, Span<ulong> before) =>
        before[..count].CopyTo(_expected.AsSpan(first));

    public void Fill(byte* data, int first, int count, ulong id) => SectorTag.Fill(data, Salted(first), count, id);

    /// <summary>What is wrong with sectors as they were read, or null.</summary>
    public string? Judge(byte* data, int first, int count)
    {
        for (int i = 0; i < count; i++)
        {
            byte* sector = data + (i * SectorTag.Bytes);
            if (SectorTag.Parse(sector, Salted(first + i)) == _expected[first + i]) continue;
            return $"{name}, sector {first + i} (of thread {OwnerOf(first + i)}): "
                + $"{SectorTag.Describe(sector, Salted(first + i))} instead of write {_expected[first + i]}";
        }
        return null;
    }

    private int OwnerOf(int sector) =>
        (sector < ShortEnd ? sector / ShortStripe : (ShortEnd / ShortStripe) + ((sector - ShortEnd) / StripeMax))
        % owners;

    // A sector of another device is as wrong as one of another place.
    private long Salted(long sector) => ((long)(number + 1) << 32) + sector;
}
