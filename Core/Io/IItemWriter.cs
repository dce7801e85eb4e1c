namespace Weir.Core.Io;

/// <summary>
/// Receives what an offline tool finds, item by item: text for people or JSON for programs behind it. A tool keeps
/// nothing of what it has reported, so its memory does not grow with the device.
/// </summary>
public interface IItemWriter : IStatusWriter
{
    /// <summary>False when nobody reads any more: the tool may end.</summary>
    bool WantsMore { get; }

    /// <summary>An item of kind <paramref name="kind"/> begins; its fields follow.</summary>
    void Begin(string kind);

    /// <summary>It is complete.</summary>
    void End();
}
