using System;
using System.Text;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Caching;
using Weir.Core.Io;

namespace Weir.Frontends.Nbd;

/// <summary>A volume, or one device of it, under the name clients ask for.</summary>
internal sealed class Export
{
    // Of 64 KiB each, so that a request takes few of them: requests within 64 MiB meet only where they are.
    private const int LockCells = 1024, BlocksPerCell = 16;

    private readonly IVolumeExport _part;
    private volatile bool _isGone;
    private int _clients;

    /// <summary>
    /// Names the first of what <paramref name="volume"/> serves, or <paramref name="part"/>, and describes it to those
    /// who ask.
    /// </summary>
    public Export(string name, string description, IVolume volume, IVolumeExport? part = null)
    {
        Name = Encoding.UTF8.GetBytes(name);
        Description = Encoding.UTF8.GetBytes(description);
        if (Name.Length > Protocol.MaxStringBytes)
            throw new ArgumentException($"export name of {Name.Length} bytes; at most {Protocol.MaxStringBytes}");
        Volume = volume;
        _part = part ?? volume.Exports[0];
    }

    /// <summary>Under its own name.</summary>
    public static Export Of(OpenedExport export) =>
        new(export.Part.Name, $"weir {export.Volume.Engine} volume", export.Volume, export.Part);

    /// <summary>UTF-8, at most 4096 bytes.</summary>
    public byte[] Name { get; }

    /// <summary>UTF-8, for people.</summary>
    public byte[] Description { get; }

    /// <summary>What is served.</summary>
    public IVolume Volume { get; }

    /// <summary>
    /// Changes of whole sectors share their blocks (of 4 KiB); one that merges has its own alone, from the read to the
    /// write.
    /// </summary>
    public BlockLocks Locks { get; } = new(LockCells, BlocksPerCell);

    /// <summary>False in a test only: changes of parts of sectors then wait for nobody.</summary>
    // Mutants belong to a thread: that of whoever makes the export, not those that serve it.
    public bool IsGuarding { get; } = !Mutant.Is(NbdMutant.EdgesUnguarded);

    /// <summary>Bytes clients see.</summary>
    public long SizeBytes => _part.SizeBytes;

    /// <summary>Bytes of the requests that it likes best.</summary>
    public int PreferredBlockBytes => _part.PreferredBlockBytes;

    /// <summary>What requests say for it.</summary>
    public ushort Device => _part.Device;

    /// <summary>It is served no longer. Set once, by whoever takes it from the list.</summary>
    public bool IsGone
    {
        get => _isGone;
        set => _isGone = value;
    }

    /// <summary>Connections that serve it; once it is gone and this is 0, no request of it comes any more.</summary>
    public int Clients => Volatile.Read(ref _clients);

    /// <summary>
    /// One more connection; false, and none more, when it is gone. A full fence between count and look: whoever has set
    /// <see cref="IsGone"/> and then sees no client will see none later.
    /// </summary>
    public bool TryEnter()
    {
        Interlocked.Increment(ref _clients);
        if (!IsGone) return true;
        Leave();
        return false;
    }

    /// <summary>One connection less.</summary>
    public void Leave() => Interlocked.Decrement(ref _clients);

    /// <summary>Transmission flags. DF means something only with structured replies.</summary>
    public ExportFlags Flags(bool structured)
    {
        ExportFlags flags = ExportFlags.HasFlags | ExportFlags.SendFlush | ExportFlags.SendFua
            | ExportFlags.CanMultiConn | ExportFlags.SendCache;
        if (structured) flags |= ExportFlags.SendDf;
        if (_part.ReadOnly) return flags | ExportFlags.ReadOnly;
        if (_part.CanDiscard) flags |= ExportFlags.SendTrim;
        return flags | ExportFlags.SendWriteZeroes | ExportFlags.SendFastZero;
    }

    /// <summary>What requests on this export are judged by.</summary>
    public ExportLimits Limits(bool structured, bool blockStatus) => new()
    {
        SizeBytes = SizeBytes,
        Flags = Flags(structured),
        CanFastZero = _part.CanFastZero,
        Structured = structured,
        BlockStatus = blockStatus,
    };
}
