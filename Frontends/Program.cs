using System;
using System.CommandLine;
using Weir.Core.Base;
using Weir.Frontends.Commands;
using Weir.Frontends.Status;

namespace Weir.Frontends;

/// <summary>
/// The <c>weir</c> program: parses the command line, runs one command, turns errors into one line each.
/// </summary>
internal static class Program
{
    /// <summary>Exit codes of every command.</summary>
    public const int Done = 0, Failed = 1, WrongUsage = 2;

    // Whoever does not read what is said holds up the end by this much, and nothing else at all.
    private const int ExitPatienceMs = 1000;

    /// <summary>Standard error, and the lines on standard output that say that a volume is served.</summary>
    public static LineWriter Errors { get; } = new(2, "standard error");

    /// <summary>See <see cref="Errors"/>.</summary>
    public static LineWriter Ready { get; } = new(1, "standard output");

    private static int Main(string[] arguments)
    {
        StandardStreams.FillUp();
        try
        {
            return Run(arguments);
        }
        catch (UserErrorException e)
        {
            return Complain(e.Message, e.ExitCode);
        }
        catch (Exception e)
        {
            return Complain($"internal error: {e.GetType().Name}: {e.Message}{Where(e)}", Failed);
        }
        finally
        {
            Ready.Flush(ExitPatienceMs);
            Errors.Flush(ExitPatienceMs);
        }
    }

    /// <summary>Prints the one line that every error gets on standard error; the program ends after it.</summary>
    public static int Complain(string message, int exitCode)
    {
        Log(message);
        Errors.Flush(ExitPatienceMs);
        return exitCode;
    }

    /// <summary>One line on standard error; any thread, and none waits for its reader.</summary>
    public static void Log(string line)
    {
        Output.BeforeLine?.Invoke();
        Errors.Add("weir: " + line.ReplaceLineEndings(" "));
        // Where a line is drawn again and again, in the commands that serve nobody, this one comes before it.
        if (Output.BeforeLine != null && ProgressLine.HasTerminal) Errors.Flush(ExitPatienceMs);
    }

    private static int Run(string[] arguments)
    {
        // No response files: a path that begins with '@' is a path.
        ParserConfiguration parsing = new() { ResponseFileTokenReplacer = null };
        ParseResult result = CommandTree.Build().Parse(arguments, parsing);
        if (result.Errors.Count > 0)
            return Complain(ParseFault.Of(result) + "; weir --help shows the usage", WrongUsage);
        // Signals are the commands' own business: 'serve' finishes its flush whatever comes.
        return result.Invoke(new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
            Output = new PlainWriter(Output.Write),
            Error = new PlainWriter(Errors.Write),
        });
    }

    private static string Where(Exception e) => e.StackTrace is { } trace ? " " + trace.Split('\n')[0].Trim() : "";
}
