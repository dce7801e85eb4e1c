using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Stress;

/// <summary>A volume's lives, of any engine: clients on their queues, and one thread that gives orders.</summary>
internal sealed unsafe class StressVolume
{
    private const int Clients = 3;

    private readonly IStressEngine _engine;
    private readonly StressDevices _devices;
    private readonly StressDisk[] _disks;
    private readonly StressClient[] _clients = new StressClient[Clients];
    private Prng _random = new(99);
    private int _guest = -1;
    private int _controlled;

    public StressVolume(IStressEngine engine, StressDevices devices)
    {
        (_engine, _devices) = (engine, devices);
        _disks = new StressDisk[engine.Residents + engine.Guests];
        for (int i = 0; i < _disks.Length; i++)
            _disks[i] = new StressDisk($"{(char)('a' + i)}", i, Clients, mayGo: i >= engine.Residents);
        for (int i = 0; i < Clients; i++) _clients[i] = new StressClient(_disks, i, Clients);
    }

    public long Detaches { get; private set; }

    public long CalledOff { get; private set; }

    /// <summary>Of the last life.</summary>
    public string Summary { get; private set; } = "";

    /// <summary>One life; what was wrong, or null.</summary>
    public Exception? Live(int ms, Enum? mutant)
    {
        using RingContext io = new();
        using Device? cache = _engine.HasCache ? _devices.OpenCache() : null;
        List<(string Name, Device Device)> disks = OpenDisks();
        StressLife life = _engine.Open(io, cache, disks);
        foreach ((string name, _) in disks) _disks[name[0] - 'a'].Serve(life.NumberOf(name));
        _controlled = 0;
        long detached = Detaches;
        List<Action<Contention>> work = [contention => Control(life, contention)];
        foreach (StressClient client in _clients)
            work.Add(contention => client.Run(life.Volume, contention, () => Volatile.Read(ref _controlled) != 0));
        bool IsEnough() => life.IsEnough && (_engine.Guests == 0 || Detaches > detached);
        Exception? failure = Contention.Run(ms, mutant, IsEnough, work);
        if (failure != null) return failure;
        Judge(life);
        foreach (StressDisk disk in _disks) disk.Withdraw();
        life.Dispose();
        foreach ((_, Device device) in disks) device.Dispose();
        return null;
    }

    /// <summary>Reads everything through the volume, drains it, and reads everything from the devices.</summary>
    public void Verify()
    {
        using RingContext io = new();
        using Device? cache = _engine.HasCache ? _devices.OpenCache() : null;
        List<(string Name, Device Device)> disks = OpenDisks();
        using (StressLife life = _engine.Open(io, cache, disks))
        using (QueueDriver driver = new(life.Volume, 0, io))
        {
            foreach ((string name, _) in disks) Verify(driver, _disks[name[0] - 'a'], life.NumberOf(name));
            life.Drain();
            driver.Until(() => life.IsDrained, "the end of the drain");
            driver.Stop();
        }
        foreach ((_, Device device) in disks) device.Dispose();
        for (int i = 0; i < _disks.Length; i++)
        {
            string? wrong = _devices.Judge(i, _disks[i]);
            Assert.True(wrong == null, $"after the drain: {wrong}");
        }
    }

    private static void Verify(QueueDriver driver, StressDisk disk, ushort number)
    {
        const int Step = 64;
        driver.Device = number;
        for (int sector = 0; sector < StressDisk.Sectors; sector += Step)
        {
            Assert.Equal(0, driver.Do(RequestKind.Read, sector * 512L, Step * 512));
            string? wrong = disk.Judge(driver.Data, sector, Step);
            Assert.True(wrong == null, $"opened anew: {wrong}");
        }
    }

    private List<(string Name, Device Device)> OpenDisks()
    {
        List<(string Name, Device Device)> disks = [];
        for (int i = 0; i < _disks.Length; i++)
            if (i < _engine.Residents || i == _guest) disks.Add((_disks[i].Name, _devices.Open(i)));
        return disks;
    }

    private void Judge(StressLife life)
    {
        (long answers, long refusals) = (0, 0);
        foreach (StressClient client in _clients)
            (answers, refusals) = (answers + client.Answers, refusals + client.Refusals);
        Summary = $"{answers} answers, {refusals} refused, {Detaches} devices detached, {CalledOff} called off";
        Summary += ", " + life.Judge();
    }

    private void Control(StressLife life, Contention contention)
    {
        try
        {
            while (!contention.IsOver)
            {
                if (_engine.Guests == 0 || _random.Chance(90)) life.Tune(ref _random, _devices.GiveRoom);
                else if (_guest < 0) Attach(life);
                else Detach(life, contention);
                Thread.Sleep(_random.Below(4));
            }
        }
        finally
        {
            Volatile.Write(ref _controlled, 1);
        }
    }

    private void Attach(StressLife life)
    {
        int guest = _engine.Residents + _random.Below(_engine.Guests);
        ushort number = life.Attach(_disks[guest].Name, _devices.Open(guest));
        _guest = guest;
        _disks[guest].Serve(number);
    }

    // Called off at once or later, or not at all. Whoever is let go has everything.
    private void Detach(StressLife life, Contention contention)
    {
        int patience = _random.Chance(40) ? _random.Below(3) : int.MaxValue;
        if (!life.TryDetach(_disks[_guest].Name, () => contention.HasFailed || --patience < 0))
        {
            CalledOff++;
            return;
        }
        _disks[_guest].Withdraw();
        string? wrong = _devices.Judge(_guest, _disks[_guest]);
        Assert.True(wrong == null, $"after the detach: {wrong}");
        Detaches++;
        _guest = -1;
    }
}
