using System;
using System.Collections.Generic;
using Weir.Core.Io;
using Weir.Core.SsdCache.Tools;

namespace Weir.Tests.SsdCache;

/// <summary>The offline tools on a device in memory.</summary>
internal static class SsdTools
{
    public static CheckItems Check(Device device)
    {
        using MemoryContext io = new();
        CheckItems items = new();
        new SsdChecker(io, device, items).Run();
        return items;
    }

    public static ItemLines Dump(Device device)
    {
        using MemoryContext io = new();
        ItemLines items = new();
        new SsdDumper(io, device, items).Run();
        return items;
    }

    /// <summary>Repairs; what it says, and whether all is decided.</summary>
    public static (bool IsDecided, List<string> Texts) Repair(Device device, bool write = true, bool dropsLost = false)
    {
        using MemoryContext io = new();
        CheckItems items = new();
        bool isDecided = new SsdRepairer(io, device, items) { Write = write, DropsLost = dropsLost }.Run();
        return (isDecided, items.Texts);
    }

    public static string Format(Device device, int blockBytes)
    {
        using MemoryContext io = new();
        return new SsdFormat(io, device, blockBytes).Run();
    }
}

/// <summary>Items, a line each: "kind name=value ...".</summary>
internal sealed class ItemLines : IItemWriter
{
    private string _line = "";

    public List<string> Lines { get; } = [];

    public bool WantsMore => true;

    public void Begin(string kind) => _line = kind;

    public void Number(string name, long value) => _line += $" {name}={value}";

    public void Text(string name, string value) => _line += $" {name}={value}";

    public void End() => Lines.Add(_line);

    public IEnumerable<string> Of(string kind) =>
        Lines.FindAll(line => line.StartsWith(kind + " ", StringComparison.Ordinal));
}
