using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;

namespace Weir.Core.Writeboost.Log;

/// <summary>
/// Plain memory in the place of a shared region: for a read-only volume, whose log never opens a segment.
/// </summary>
internal sealed unsafe class HeapRamStore : IRamStore
{
    public string BootId => "";

    public bool OutlivesProcess => false;

    public IReadOnlyList<IRamRegion> Open(string name) => [];

    public IRamRegion Create(string name, long sizeBytes) => new Region(sizeBytes);

    public void Delete(string name)
    {
    }

    private sealed class Region(long sizeBytes) : IRamRegion
    {
        private readonly AlignedMemory _memory = new(sizeBytes);

        public byte* Pointer => _memory.Pointer;

        public long SizeBytes => _memory.SizeBytes;

        public void Dispose() => _memory.Dispose();
    }
}
