using System;
using System.Text;
using Weir.Core.Io;

namespace Weir.Frontends.Nbd;

/// <summary>A volume under the name clients ask for.</summary>
internal sealed class Export
{
    /// <summary>Names <paramref name="volume"/> and describes it to those who ask.</summary>
    public Export(string name, string description, IVolume volume)
    {
        Name = Encoding.UTF8.GetBytes(name);
        Description = Encoding.UTF8.GetBytes(description);
        if (Name.Length > Protocol.MaxStringBytes)
            throw new ArgumentException($"export name of {Name.Length} bytes; at most {Protocol.MaxStringBytes}");
        Volume = volume;
    }

    /// <summary>UTF-8, at most 4096 bytes.</summary>
    public byte[] Name { get; }

    /// <summary>UTF-8, for people.</summary>
    public byte[] Description { get; }

    /// <summary>What is served.</summary>
    public IVolume Volume { get; }

    /// <summary>Transmission flags. DF means something only with structured replies.</summary>
    public ExportFlags Flags(bool structured)
    {
        ExportFlags flags = ExportFlags.HasFlags | ExportFlags.SendFlush | ExportFlags.SendFua
            | ExportFlags.CanMultiConn | ExportFlags.SendCache;
        if (structured) flags |= ExportFlags.SendDf;
        if (Volume.ReadOnly) return flags | ExportFlags.ReadOnly;
        if (Volume.CanDiscard) flags |= ExportFlags.SendTrim;
        return flags | ExportFlags.SendWriteZeroes | ExportFlags.SendFastZero;
    }

    /// <summary>What requests on this export are judged by.</summary>
    public ExportLimits Limits(bool structured, bool blockStatus) => new()
    {
        SizeBytes = Volume.SizeBytes,
        Flags = Flags(structured),
        CanFastZero = Volume.CanFastZero,
        Structured = structured,
        BlockStatus = blockStatus,
    };
}
