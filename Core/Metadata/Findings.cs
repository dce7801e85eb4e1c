using Weir.Core.Io;

namespace Weir.Core.Metadata;

/// <summary>What a tool finds in metadata, as items for the user: the first problems, and how many there are.</summary>
internal sealed class Findings(IItemWriter items)
{
    // Enough to see what kind of damage it is.
    private const int MostTold = 200;

    /// <summary>Problems so far, told or not.</summary>
    public long Problems { get; private set; }

    /// <summary>One more problem.</summary>
    public void Problem(string text)
    {
        if (++Problems <= MostTold) Say("problem", text);
        if (Problems == MostTold) Say("note", "more problems are counted, but not told");
    }

    /// <summary>An item of one text.</summary>
    public void Say(string kind, string text)
    {
        items.Begin(kind);
        items.Text("text", text);
        items.End();
    }
}
