namespace Weir.Core.Io;

/// <summary>One device of a volume as clients see it. Any thread.</summary>
public interface IVolumeExport
{
    /// <summary>What clients ask for.</summary>
    string Name { get; }

    /// <summary>What <see cref="Request.Device"/> says for it.</summary>
    ushort Device { get; }

    /// <summary>Bytes clients see. A multiple of 512; may grow.</summary>
    long SizeBytes { get; }
}
