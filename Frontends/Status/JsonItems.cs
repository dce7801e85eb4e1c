using System;
using Weir.Core.Io;

namespace Weir.Frontends.Status;

/// <summary>What an offline tool finds, one JSON object per line and item, its kind under "item".</summary>
internal sealed class JsonItems : IItemWriter, IDisposable
{
    private JsonStatus? _item;

    /// <inheritdoc/>
    public bool WantsMore => !Output.IsClosed;

    /// <inheritdoc/>
    public void Begin(string kind)
    {
        _item = new JsonStatus();
        _item.Text("item", kind);
    }

    /// <inheritdoc/>
    public void End()
    {
        Output.Write(_item!.Finish());
        _item.Dispose();
        _item = null;
    }

    /// <inheritdoc/>
    public void Dispose() => _item?.Dispose();

    /// <inheritdoc/>
    public void Number(string name, long value) => _item!.Number(name, value);

    /// <inheritdoc/>
    public void Text(string name, string value) => _item!.Text(name, value);
}
