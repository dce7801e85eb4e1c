using System.Collections.Generic;
using Weir.Core.Devices;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>Plain memory that claims to outlive the process, so that acknowledgements do not wait.</summary>
internal sealed class PrivateMemory : IRamStore
{
    private readonly PrivateMemoryStore _store = new();

    public string BootId => _store.BootId;

    public bool OutlivesProcess => true;

    public IReadOnlyList<IRamRegion> Open(string name) => [];

    public IRamRegion Create(string name, long sizeBytes) => _store.Create(name, sizeBytes);

    public void Delete(string name) => _store.Delete(name);
}
