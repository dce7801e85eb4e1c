using System.Collections.Generic;
using Weir.Core.Io;

namespace Weir.Tests.Example;

/// <summary>An engine as small as one can be: a pass-through with a read cache in RAM.</summary>
internal sealed class ExampleVolume(Device backing, string name, int blocks, bool readOnly) : IVolume, IVolumeExport
{
    public Device Backing => backing;

    public BlockCache Cache { get; } = new(blocks);

    /// <summary>0, or the error of a flush: no flush is believed after one that failed (R6).</summary>
    public volatile int FlushError;

    public string Engine => "example";
    public string Name => name;
    ushort IVolumeExport.Device => 0;
    public IReadOnlyList<IVolumeExport> Exports => [this];
    public long SizeBytes => backing.ClientBytes;
    public bool ReadOnly => readOnly;
    public bool CanDiscard => !readOnly;
    public bool CanFastZero => false;

    public IVolumeQueue OpenQueue(int index, IoContext io) => new ExampleQueue(this, io);

    public void Report(IStatusWriter status)
    {
        status.Text("state", FlushError < 0 ? "degraded" : "healthy");
        status.Number("state_number", FlushError < 0 ? 5 : 0);
        status.Gauge("size_bytes", SizeBytes);
        status.Counter("hits", Cache.Hits);
    }

    public void Dispose() => Cache.Dispose();
}
