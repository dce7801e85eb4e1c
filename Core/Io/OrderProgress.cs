namespace Weir.Core.Io;

/// <summary>
/// How far an order is, when somebody looks. Whoever begins one gets a function that looks, from any thread and without
/// waiting, until the order is done or has failed.
/// </summary>
public readonly record struct OrderProgress
{
    /// <summary>All of it is done.</summary>
    public static OrderProgress Done { get; } = DoneWith("done");

    /// <summary>All of it is done, and <paramref name="said"/> says what: for people, a few words.</summary>
    public static OrderProgress DoneWith(string said) => new() { IsOver = true, Said = said };

    /// <summary>It is done or has failed.</summary>
    public bool IsOver { get; private init; }

    /// <summary>Why it has failed, for people; null: it has not.</summary>
    public string? Failure { get; private init; }

    /// <summary>What has been done, for people; null while it is not.</summary>
    public string? Said { get; private init; }

    /// <summary>What is not done, for people: "4096 blocks (16 MiB) are still dirty"; empty: nothing to say.</summary>
    public string Left { get; private init; }

    /// <summary>Blocks left to do; 0 where an order does not count blocks.</summary>
    public long LeftBlocks { get; private init; }

    /// <summary>Blocks to do at the beginning.</summary>
    public long TotalBlocks { get; private init; }

    /// <summary>It goes on.</summary>
    public static OrderProgress UnderWay(string left, long leftBlocks = 0, long totalBlocks = 0) =>
        new() { Left = left, LeftBlocks = leftBlocks, TotalBlocks = totalBlocks };

    /// <summary>It ends here, for this <paramref name="reason"/>.</summary>
    public OrderProgress Fail(string reason) => this with
    {
        IsOver = true,
        Failure = string.IsNullOrEmpty(Left) ? reason : $"{Left}: {reason}",
    };
}

/// <summary>Whoever has given an order and waits for its end.</summary>
public interface IOrderWaiter
{
    /// <summary>Why he waits no longer, or null; asked now and then. The order itself goes on.</summary>
    string? GivesUp { get; }

    /// <summary>Is told how far the order is, while it goes on.</summary>
    void Report(in OrderProgress progress);
}
