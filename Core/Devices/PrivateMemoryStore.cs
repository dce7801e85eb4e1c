using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Core.Devices;

/// <summary>
/// Plain memory, gone with the process: for machines without tmpfs, and for those who say so. What an earlier process
/// left in memory that outlived it is still found.
/// </summary>
/// <param name="search">Where that may be.</param>
public sealed class PrivateMemoryStore(params IReadOnlyList<string> search) : IRamStore
{
    private readonly List<string> _search = [.. search];

    /// <inheritdoc/>
    public string BootId { get; } = Boot.Id();

    /// <inheritdoc/>
    public bool OutlivesProcess => false;

    /// <inheritdoc/>
    public string Places => string.Join(", ", _search);

    /// <inheritdoc/>
    public IReadOnlyList<IRamRegion> Open(string name) => SharedMemoryStore.OpenIn(_search, name);

    /// <inheritdoc/>
    public void AlsoSearch(string folder)
    {
        if (!_search.Contains(folder)) _search.Add(folder);
    }

    /// <inheritdoc/>
    public IRamRegion Create(string name, long sizeBytes)
    {
        Delete(name);
        try
        {
            return new SlabRegion(new Slab(sizeBytes), sizeBytes);
        }
        catch (NativeException e)
        {
            throw new UserErrorException(e.Message);
        }
    }

    /// <inheritdoc/>
    public void Delete(string name) => SharedMemoryStore.DeleteIn(_search, name);

    private sealed unsafe class SlabRegion(Slab slab, long sizeBytes) : IRamRegion
    {
        public byte* Pointer => slab.Start;

        public long SizeBytes => sizeBytes;

        public void Dispose() => slab.Dispose();
    }
}
