using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// Reads single blocks of backing devices, at most <paramref name="most"/> at a time; those that cannot be read say
/// nothing. Control path; one thread.
/// </summary>
internal sealed unsafe class SpotReader(BlockingIo io, int most)
{
    private const long SlowUs = 500_000, FastUs = 100_000;

    private readonly bool[] _hasRead = new bool[most];
    private int _window = 1;

    /// <summary>Block <paramref name="place"/> of those asked for last is in memory.</summary>
    public bool HasRead(int place) => _hasRead[place];

    /// <summary>Reads <paramref name="blocks"/> to <paramref name="memory"/>, 4 KiB each.</summary>
    /// <exception cref="UserErrorException">The watch of the I/O has called it off.</exception>
    public void Read(Device device, IReadOnlyList<long> blocks, byte* memory)
    {
        DeviceQueue queue = io.QueueOf(device);
        string what = $"blocks of {device.Name} looked at, to know it by";
        for (int done = 0, count; done < blocks.Count; done += count)
        {
            io.Watch?.Report(what, done, blocks.Count);
            count = Math.Min(_window, blocks.Count - done);
            long beganUs = io.Context.NowUs;
            for (int i = done; i < done + count; i++) Start(queue, blocks[i], memory, i);
            Array.Fill(_hasRead, true, done, count);
            if (io.Wait() < 0) ReadSingly(queue, blocks, memory, done, count);
            Adapt(io.Context.NowUs - beganUs);
        }
        io.Watch?.End();
    }

    private void ReadSingly(DeviceQueue queue, IReadOnlyList<long> blocks, byte* memory, int first, int count)
    {
        for (int i = first; i < first + count; i++)
        {
            Start(queue, blocks[i], memory, i);
            _hasRead[i] = io.Wait() >= 0;
        }
    }

    // What is under way cannot be called off: it shall not be much of a slow disk's time.
    private void Adapt(long tookUs)
    {
        if (tookUs > SlowUs) _window = Math.Max(1, _window / 2);
        else if (tookUs < FastUs) _window = Math.Min(most, 2 * _window);
    }

    private void Start(DeviceQueue queue, long block, byte* memory, int place) => io.Start(queue, IoKind.Read,
        block << Geometry.BlockShift, memory + ((long)place << Geometry.BlockShift), Geometry.BlockBytes);
}
