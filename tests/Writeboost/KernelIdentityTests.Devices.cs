using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Writeboost;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <content>Several devices, one of which may be another one.</content>
public sealed unsafe partial class KernelIdentityTests
{
    /// <summary>To take the first of two devices must not forget what was found of the second.</summary>
    [Fact]
    public void WhatTheLogHasOfTwoDevicesCountsAfterAStartWithNothingDirty()
    {
        Load(TwoDisks());
        using (DirectClient client = Open("lc1", Given(1, "x", _a), Given(2, "y", _b)))
        {
            client.DrainAll();
            client.Stop();
        }
        using (DirectClient client = Open("lc1", Given(1, "x", _a), Given(2, "y", _b))) client.Stop();
        Assert.Equal((Place(1, 0, "ram:4194304"), Place(2, 0, "ram:5242880")), (PlaceAt(1), PlaceAt(2)));
    }

    /// <summary>There are places for so many in the ring, and a start may compare each with each.</summary>
    [Fact]
    public void ADeviceIsOpenedOnceToBeLookedAt()
    {
        Load(TwoDisks());
        OpenedDevice first = new(_a), second = new(_b);
        using DirectClient client = Open("lc1", Given(1, "x", first), Given(2, "y", second));
        // For the start, and by the one queue.
        Assert.Equal((2, 2), (first.Opened, second.Opened));
    }

    [Fact]
    public void TwoThatHaveChangedNumbersAreToldApart()
    {
        Load(TwoDisks());
        string refused = Refused(() => Open("lc1", Given(1, "x", _b), Given(2, "y", _a)));
        Assert.Contains("it holds what device 2 held: give 2:NAME=", refused, StringComparison.Ordinal);
        // One has nothing dirty, the other is missed.
        refused = Refused(() => Open("lc1", Given(3, "z", _b)));
        Assert.Contains("holds what device 2 of the cache held", refused, StringComparison.Ordinal);
        using DirectClient client = Open("lc1", Given(1, "x", _a), Given(2, "y", _b));
        Assert.Equal(Filled(31, 4096), client.Read(80 * 512, 4096));
        client.Device = 1;
        Assert.Equal(Filled(32, 4096), client.Read(80 * 512, 4096));
    }

    /// <summary>Nor at a start: an unknown device is not taken as long as it may be the one that is missed.</summary>
    [Fact]
    public void ANewDeviceIsRefusedWhileOneThatItMayBeIsMissed()
    {
        KernelImage image = new("lc1", Segments);
        image.Put(1, Block(80, 0xFF, 31), Block(80, 0xFF, 32) with { Device = 2 });
        Load(image);
        using RamDevice other = new(6 * Mib), small = new(40 * 512);
        string refused = Refused(() => Open("lc1", Given(1, "x", _a), Given(3, "z", other)));
        Assert.Contains("is new to this cache", refused, StringComparison.Ordinal);
        Assert.Contains("give 2:NAME=ram:", refused, StringComparison.Ordinal);
        Assert.Contains("--option rebind=1", refused, StringComparison.Ordinal);
        using (DirectClient client = Open("lc1", Given(1, "x", _a), Given(3, "z", small)))
        {
            refused = Refused(() => Attach(client, Given(4, "w", other)));
            Assert.Contains("is new to this cache", refused, StringComparison.Ordinal);
            client.Stop();
        }
        // It has been served under its number, where it still is.
        using (DirectClient client = Open("lc1", Given(1, "x", _a), Given(2, "y", _b), Given(3, "z", other)))
            client.Stop();
        using DirectClient missing = Open("lc1", Given(1, "x", _a), Given(3, "z", other));
        Assert.Equal(Filled(31, 4096), missing.Read(80 * 512, 4096));
    }

    [Fact]
    public void AtRunTimeAMissedDeviceIsComparedToo()
    {
        Load(TwoDisks());
        using RamDevice other = new(6 * Mib);
        using DirectClient client = Open("lc1", Given(1, "x", _a));
        string refused = Refused(() => Attach(client, Given(2, "y", other)));
        Assert.Contains("has none of 2 blocks", refused, StringComparison.Ordinal);
        refused = Refused(() => Attach(client, Given(3, "z", _b)));
        Assert.Contains("holds what device 2 of the cache held", refused, StringComparison.Ordinal);
        Attach(client, Given(2, "y", _b));
        client.Device = 1;
        Assert.Equal(Filled(32, 4096), client.Read(80 * 512, 4096));
        // What is known of it has ended with that: it is served.
        client.Write(8 * 512, Filled(50, 4096));
        client.Await(() =>
        {
            client.Volume.Detach("y", static () => false);
            return true;
        });
        Assert.Equal(50, _b.Start[8 * 512]);
        Attach(client, Given(2, "y", other));
    }

    /// <summary>Without the question the other disk is written over.</summary>
    [Fact]
    public void AMutantThatDoesNotAskIsCaught()
    {
        Load(TwoDisks());
        Mutant.Active = WriteboostMutant.R13LogNotAsked;
        try
        {
            using DirectClient client = Open("lc1", Given(1, "x", _b), Given(2, "y", _a));
            client.DrainAll();
            Assert.Equal((32, 31), (_a.Start[80 * 512], _b.Start[80 * 512]));
        }
        finally
        {
            Mutant.Active = null;
        }
    }
}
