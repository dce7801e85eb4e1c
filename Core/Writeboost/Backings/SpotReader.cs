using System;
using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Backings;

/// <summary>
/// Reads single blocks of backing devices, at most <paramref name="most"/> at a time; those that cannot be read say
/// nothing. Control path; one thread.
/// </summary>
public sealed unsafe class SpotReader(BlockingIo io, int most)
{
    private readonly bool[] _hasRead = new bool[most];

    /// <summary>Block <paramref name="place"/> of those asked for last is in memory.</summary>
    public bool HasRead(int place) => _hasRead[place];

    /// <summary>Reads <paramref name="blocks"/> to <paramref name="memory"/>, 4 KiB each.</summary>
    public void Read(Device device, IReadOnlyList<long> blocks, byte* memory)
    {
        DeviceQueue queue = io.QueueOf(device);
        for (int i = 0; i < blocks.Count; i++) Start(queue, blocks[i], memory, i);
        Array.Fill(_hasRead, true);
        if (io.Wait() >= 0) return;
        for (int i = 0; i < blocks.Count; i++)
        {
            Start(queue, blocks[i], memory, i);
            _hasRead[i] = io.Wait() >= 0;
        }
    }

    private void Start(DeviceQueue queue, long block, byte* memory, int place) => io.Start(queue, IoKind.Read,
        block << Geometry.BlockShift, memory + ((long)place << Geometry.BlockShift), Geometry.BlockBytes);
}
