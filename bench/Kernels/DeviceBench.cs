using System;
using System.IO;
using BenchmarkDotNet.Attributes;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Bench.Kernels;

/// <summary>
/// What one random 4 KiB operation costs a queue thread, 64 at a time: RAM, tmpfs, the disk under /tmp.
/// </summary>
public unsafe class DeviceBench : IIoHandler
{
    private const int Depth = 64;
    private const int BlockBytes = 4096;
    private const long DeviceBytes = 64 << 20;

    private RingContext _io = null!;
    private Slab _slab = null!;
    private Device _device = null!;
    private DeviceQueue _queue = null!;
    private string? _path;
    private ushort _handler;
    private int _done;
    private ulong _random = 1;

    /// <summary>What is measured.</summary>
    [Params("ram", "tmpfs", "disk")]
    public string Where { get; set; } = "";

    /// <summary>Buffers are pinned once.</summary>
    [Params(true, false)]
    public bool Registered { get; set; }

    /// <summary>On the thread that runs the benchmark: the ring belongs to it.</summary>
    [GlobalSetup]
    public void Open()
    {
        _io = new RingContext();
        _slab = new Slab(Depth * BlockBytes);
        if (Registered && !_io.RegisterSlab(_slab.Start, _slab.SizeBytes))
            throw new InvalidOperationException(_io.Warning);
        _handler = _io.AddHandler(this);
        _device = Where == "ram" ? new RamDevice(DeviceBytes) : FileDevice.Open(MakeFile());
        _queue = _device.OpenQueue(_io);
        Run(IoKind.Write);
    }

    /// <summary>Closes and removes.</summary>
    [GlobalCleanup]
    public void Close()
    {
        _io.Dispose();
        _device.Dispose();
        _slab.Dispose();
        if (_path != null) File.Delete(_path);
    }

    /// <summary>Random reads.</summary>
    [Benchmark(OperationsPerInvoke = Depth)]
    public int Read() => Run(IoKind.Read);

    /// <summary>Random writes.</summary>
    [Benchmark(OperationsPerInvoke = Depth)]
    public int Write() => Run(IoKind.Write);

    /// <inheritdoc/>
    public void Completed(IoOp* op)
    {
        if (op->Result != BlockBytes) throw new InvalidOperationException(Errno.Text(op->Result));
        _io.Release(op);
        _done++;
    }

    private int Run(IoKind kind)
    {
        _done = 0;
        for (int i = 0; i < Depth; i++)
        {
            _random = _random * 6364136223846793005 + 1442695040888963407;
            IoOp* op = _io.Acquire(_handler, kind);
            op->OffsetBytes = (long)(_random >> 33) % (DeviceBytes / BlockBytes) * BlockBytes;
            op->LengthBytes = BlockBytes;
            op->Buffer = _slab.Start + i * BlockBytes;
            _queue.Submit(op);
        }
        while (_done < Depth)
        {
            _io.Pump(true, long.MaxValue);
            _io.RunCompletions();
        }
        return _done;
    }

    /// <summary>Filled: holes and unwritten extents would measure the file system.</summary>
    private string MakeFile()
    {
        string directory = Where == "tmpfs" ? SharedMemoryStore.DefaultDirectory : Path.GetTempPath();
        _path = Path.Combine(directory, $"weir-bench-{Guid.NewGuid():n}");
        using FileStream file = File.Create(_path);
        byte[] zeroes = new byte[1 << 20];
        for (long at = 0; at < DeviceBytes; at += zeroes.Length) file.Write(zeroes);
        file.Flush(flushToDisk: true);
        return _path;
    }
}
