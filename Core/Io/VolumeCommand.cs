using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;

namespace Weir.Core.Io;

/// <summary>
/// Something that users ask of a volume while it is served (<c>weir message NAME [ARGUMENTS]</c>): an order such as
/// <c>drain</c>, a question such as <c>dirty_ranges</c>, or both. Control path only.
/// </summary>
/// <param name="Name">In the words of the engine's kernel ancestors.</param>
/// <param name="Meaning">One line for the table of <c>weir message help</c>.</param>
public sealed record VolumeCommand(string Name, string Meaning)
{
    private const int PollMs = 20;
    private const string AnyNumber = "...";

    /// <summary>
    /// Its arguments, for people and for <see cref="Run"/>: words with blanks between them, such as <c>KEY VALUE</c>;
    /// <c>BEGIN-END...</c> for one or more. Empty: it takes none.
    /// </summary>
    public string Form { get; init; } = "";

    /// <summary>
    /// An order without arguments: begins it, or throws why that cannot be, and returns what looks how far it is. Else
    /// null.
    /// </summary>
    public Func<Func<OrderProgress>>? Begin { get; init; }

    /// <summary>The same with arguments, as many as <see cref="Form"/> says.</summary>
    public Func<IReadOnlyList<string>, Func<OrderProgress>>? BeginWith { get; init; }

    /// <summary>What to answer, in lines, when the order has ended, if it is one; null: what has been done.</summary>
    public Func<string>? Answer { get; init; }

    /// <summary>
    /// With arguments, as many as <see cref="Form"/> says: waits unless nobody does any more, and returns what to say.
    /// </summary>
    public Func<IReadOnlyList<string>, IOrderWaiter, string>? RunWith { get; init; }

    /// <summary>
    /// Carries it out, waits for its end, and returns the answer: where there is none, a line that says what has been
    /// done.
    /// </summary>
    /// <exception cref="UserErrorException">It has failed, or <paramref name="waiter"/> waits no longer, or the
    /// arguments are not of the form.</exception>
    public string Run(IOrderWaiter waiter, params IReadOnlyList<string> arguments)
    {
        if (Form.Length == 0) CheckNone(arguments);
        else if (!IsOfForm(arguments.Count)) throw new UserErrorException($"{Name}: expected {Form}: {Meaning}", 2);
        if (RunWith != null) return RunWith(arguments, waiter);
        Func<OrderProgress>? look = BeginWith != null ? BeginWith(arguments) : Begin?.Invoke();
        OrderProgress progress = look?.Invoke() ?? OrderProgress.Done;
        while (!progress.IsOver)
        {
            waiter.Report(progress);
            progress = waiter.GivesUp is { } reason ? progress.Fail(reason) : progress;
            if (progress.IsOver) break;
            Thread.Sleep(PollMs);
            progress = look!();
        }
        if (progress.Failure is { } failure) throw new UserErrorException($"{Name}: {failure}");
        return Answer?.Invoke() ?? $"{Name}: {progress.Said}\n";
    }

    /// <summary>The one called <paramref name="name"/>, in capitals or not; null: none is.</summary>
    public static VolumeCommand? FindOrNull(IReadOnlyList<VolumeCommand> all, string name)
    {
        foreach (VolumeCommand command in all)
            if (name.Equals(command.Name, StringComparison.OrdinalIgnoreCase)) return command;
        return null;
    }

    /// <summary>The one called <paramref name="name"/>; it is known to be there.</summary>
    public static VolumeCommand Find(IReadOnlyList<VolumeCommand> all, string name) =>
        FindOrNull(all, name) ?? throw Tunable.Unknown(name, []);

    private bool IsOfForm(int count)
    {
        int words = Form.AsSpan().Count(' ') + 1;
        return Form.EndsWith(AnyNumber, StringComparison.Ordinal) ? count >= words : count == words;
    }

    // An order takes 1, as writing to the kernel's file of that name did, and nothing else.
    private void CheckNone(IReadOnlyList<string> arguments)
    {
        if (arguments.Count == 0) return;
        if (Begin == null) throw new UserErrorException($"{Name} is a question and takes no value", 2);
        string text = string.Join(' ', arguments);
        if (text != "1")
            throw new UserErrorException($"{Name}: '{text}' is not a value; expected nothing or 1, as an order", 2);
    }
}
