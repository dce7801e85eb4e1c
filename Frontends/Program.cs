using System;
using System.CommandLine;
using Weir.Core.Base;
using Weir.Frontends.Commands;

namespace Weir.Frontends;

/// <summary>
/// The <c>weir</c> program: parses the command line, runs one command, turns errors into one line each.
/// </summary>
internal static class Program
{
    /// <summary>Exit codes of every command.</summary>
    public const int Done = 0, Failed = 1, WrongUsage = 2;

    private static int Main(string[] arguments)
    {
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
    }

    /// <summary>Prints the one line that every error gets on standard error.</summary>
    public static int Complain(string message, int exitCode)
    {
        Log(message);
        return exitCode;
    }

    /// <summary>One line on standard error; any thread.</summary>
    public static void Log(string line)
    {
        Output.BeforeLine?.Invoke();
        Console.Error.WriteLine("weir: " + line.ReplaceLineEndings(" "));
    }

    private static int Run(string[] arguments)
    {
        // No response files: a path that begins with '@' is a path.
        ParserConfiguration parsing = new() { ResponseFileTokenReplacer = null };
        ParseResult result = CommandTree.Build().Parse(arguments, parsing);
        if (result.Errors.Count > 0)
        {
            string what = result.UnmatchedTokens.Count > 0
                ? $"unknown command or argument '{result.UnmatchedTokens[0]}'"
                : result.Errors[0].Message.TrimEnd('.');
            return Complain(what + "; weir --help shows the usage", WrongUsage);
        }
        // Signals are the commands' own business: 'serve' finishes its flush whatever comes.
        return result.Invoke(new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        });
    }

    private static string Where(Exception e) => e.StackTrace is { } trace ? " " + trace.Split('\n')[0].Trim() : "";
}
