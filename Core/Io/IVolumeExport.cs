namespace Weir.Core.Io;

/// <summary>One device of a volume as clients see it. Any thread.</summary>
public interface IVolumeExport
{
    /// <summary>What clients ask for.</summary>
    string Name { get; }

    /// <summary>What <see cref="Request.Device"/> says for it.</summary>
    ushort Device { get; }

    /// <summary>Bytes clients see; may grow. Requests reach to the next multiple of 512 at most.</summary>
    long SizeBytes { get; }
}
