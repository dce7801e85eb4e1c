using System;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Tests.Simulation;

namespace Weir.Tests.Contract;

/// <summary>
/// A volume of some engine on devices in memory that count, and one queue of it; may be opened again.
/// </summary>
internal sealed class ContractVolume : IDisposable
{
    /// <summary>Neither a whole number of 4 KiB blocks nor of 64 KiB.</summary>
    public const long BackingBytes = (4 << 20) + 4096 + 512;

    private readonly Func<ContractStart, IVolume> _open;
    private readonly RamDevice _cacheMemory = new(16 << 20);
    private readonly RamDevice _backingMemory;
    private readonly SimRamStore _ram = new(new SimWorld(1, trace: false), outlivesProcess: true);
    private RingContext _io = new();
    private bool _isOpen;

    public ContractVolume(string engine, int backingBlockBytes = 512, bool readOnly = false)
    {
        _open = ContractEngines.Find(engine);
        _backingMemory = new RamDevice(BackingBytes & -backingBlockBytes, backingBlockBytes);
        (Cache, Backing) = (new CountingDevice(_cacheMemory), new CountingDevice(_backingMemory));
        (Volume, Driver) = Open(isBlank: true, readOnly);
    }

    public CountingDevice Cache { get; }

    public CountingDevice Backing { get; }

    public IVolume Volume { get; private set; }

    /// <summary>The only one.</summary>
    public IVolumeExport Export => Volume.Exports[0];

    public QueueDriver Driver { get; private set; }

    /// <summary>An orderly stop, and a new volume on what it leaves.</summary>
    public void Reopen(bool readOnly = false)
    {
        Driver.Stop();
        Close();
        (Volume, Driver) = Open(isBlank: false, readOnly);
    }

    public void Dispose()
    {
        if (_isOpen) Close();
        _io.Dispose();
        _ram.Dispose();
        _cacheMemory.Dispose();
        _backingMemory.Dispose();
    }

    private (IVolume Volume, QueueDriver Driver) Open(bool isBlank, bool readOnly)
    {
        IVolume volume = _open(new ContractStart(_io, Cache, Backing, _ram, isBlank, readOnly));
        _isOpen = true;
        return (volume, new QueueDriver(volume, 0, _io));
    }

    private void Close()
    {
        _io.Dispose();
        Volume.Dispose();
        Driver.Dispose();
        _io = new RingContext();
        _isOpen = false;
    }
}
