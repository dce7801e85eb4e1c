using System;
using System.Runtime.InteropServices;
using Weir.Core.Base;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Recovery;

/// <summary>
/// Which block each place holds, so that one that two places hold is found. Four bytes a place, as long as the
/// directory is read, and a bit that says whether it is dirty.
/// </summary>
internal sealed unsafe class TagTable(SsdGeometry geometry, int assoc) : IDisposable
{
    /// <summary>No place.</summary>
    public const uint None = uint.MaxValue;

    // Tag and 1; 0: nothing.
    private readonly uint* _tags = (uint*)NativeMemory.AllocZeroed(geometry.Slots, sizeof(uint));
    private readonly byte* _dirty = (byte*)NativeMemory.AllocZeroed((geometry.Slots + 7) / 8);

    /// <summary>
    /// A place that holds this block and that a look-up would find; <see cref="None"/>: there is none.
    /// </summary>
    public uint Find(uint tag)
    {
        for (int attempt = 0; attempt <= assoc; attempt++)
        {
            uint first = geometry.SetOf(tag, attempt) * SsdGeometry.Ways;
            int way = new ReadOnlySpan<uint>(_tags + first, SsdGeometry.Ways).IndexOf(tag + 1);
            if (way >= 0) return first + (uint)way;
        }
        return None;
    }

    /// <summary>Place <paramref name="slot"/> holds a block.</summary>
    public void Add(uint slot, uint tag, bool isDirty = false)
    {
        Invariant.Check(slot < geometry.Slots);
        _tags[slot] = tag + 1;
        if (isDirty) _dirty[slot / 8] |= (byte)(1 << (int)(slot % 8));
    }

    /// <summary>It holds it no more.</summary>
    public void Remove(uint slot) => _tags[slot] = 0;

    /// <summary>It was added as a dirty one.</summary>
    public bool IsDirty(uint slot) => (_dirty[slot / 8] >> (int)(slot % 8) & 1) != 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_tags);
        NativeMemory.Free(_dirty);
    }
}
