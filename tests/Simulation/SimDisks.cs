using System;
using System.Collections.Generic;

namespace Weir.Tests.Simulation;

/// <summary>
/// The backing devices of one cache. The history sees their sectors as one row, first device first; every device but
/// the last ends at a multiple of 4 KiB.
/// </summary>
public sealed class SimDisks
{
    private readonly List<SimDevice> _devices = [];
    private readonly List<long> _starts = [];
    private readonly List<bool> _absent = [];
    private readonly List<bool> _left = [];

    /// <summary>Bytes of all, when they have grown.</summary>
    public long SizeBytes { get; private set; }

    /// <summary>How many there are, the absent ones among them.</summary>
    public int Count => _devices.Count;

    /// <summary>One of them.</summary>
    public SimDevice this[int index] => _devices[index];

    /// <summary>Adds the next one.</summary>
    public void Add(SimDevice device)
    {
        _devices.Add(device);
        _starts.Add(SizeBytes);
        _absent.Add(false);
        _left.Add(false);
        SizeBytes += device.Media.SizeBytes;
    }

    /// <summary>The device is not given to the volume of this life.</summary>
    public bool IsAbsent(int index) => _absent[index];

    /// <summary>At most one is absent; -1 for none.</summary>
    public void SetAbsent(int index)
    {
        for (int i = 0; i < Count; i++) (_absent[i], _left[i]) = (i == index, false);
    }

    /// <summary>The volume has let it go in this life.</summary>
    public void Leave(int index) => _absent[index] = _left[index] = true;

    /// <summary>As <see cref="Leave"/> says.</summary>
    public bool HasLeft(int index) => _left[index];

    /// <summary>It is back.</summary>
    public void Return(int index) => _absent[index] = _left[index] = false;

    /// <summary>Any is.</summary>
    public bool AnyAbsent => _absent.Contains(true);

    /// <summary>Where the device begins in the row.</summary>
    public long StartOf(int index) => _starts[index];

    /// <summary>The device that has the byte at <paramref name="offset"/> of the row.</summary>
    public int At(long offset)
    {
        int index = Count - 1;
        while (_starts[index] > offset) index--;
        return index;
    }

    /// <summary>Bytes from <paramref name="offset"/> to its device's end, at most <paramref name="length"/>.</summary>
    public long Clip(long offset, long length)
    {
        int index = At(offset);
        return Math.Min(length, _starts[index] + _devices[index].SizeBytes - offset);
    }

    /// <summary>What the device shows of a sector of the row.</summary>
    public unsafe byte* Sector(long sector)
    {
        int index = At(sector * 512);
        return _devices[index].Media.Current + (sector * 512) - _starts[index];
    }

    /// <summary>As <see cref="SimMedia.HasDropped"/>.</summary>
    public bool HasDropped(long sector)
    {
        int index = At(sector * 512);
        return _devices[index].Media.HasDropped((sector * 512) - _starts[index]);
    }

    /// <summary>As <see cref="SimMedia.HasDropped"/>, of any sector.</summary>
    public bool HasDroppedAny => _devices.Exists(device => device.Media.HasDroppedAny);
}
