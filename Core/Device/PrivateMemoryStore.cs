using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>Plain memory, gone with the process: for machines without tmpfs, and for those who say so.</summary>
public sealed class PrivateMemoryStore : IRamStore
{
    /// <inheritdoc/>
    public string BootId { get; } = Boot.Id();

    /// <inheritdoc/>
    public bool OutlivesProcess => false;

    /// <summary>Null: there was no earlier process as far as this memory is concerned.</summary>
    public IRamRegion? Open(string name) => null;

    /// <inheritdoc/>
    public IRamRegion Create(string name, long sizeBytes)
    {
        try
        {
            return new SlabRegion(new Slab(sizeBytes), sizeBytes);
        }
        catch (NativeException e)
        {
            throw new UserErrorException(e.Message);
        }
    }

    /// <summary>Nothing to remove.</summary>
    public void Delete(string name)
    {
    }

    private sealed unsafe class SlabRegion(Slab slab, long sizeBytes) : IRamRegion
    {
        public byte* Pointer => slab.Start;

        public long SizeBytes => sizeBytes;

        public void Dispose() => slab.Dispose();
    }
}
