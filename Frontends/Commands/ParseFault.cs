using System;
using System.CommandLine;
using System.CommandLine.Parsing;

namespace Weir.Frontends.Commands;

/// <summary>What the parser of the command line did not understand, in words for people.</summary>
internal static class ParseFault
{
    /// <summary>Of a result that has errors.</summary>
    public static string Of(ParseResult result)
    {
        if (result.UnmatchedTokens.Count > 0) return $"unknown command or argument '{result.UnmatchedTokens[0]}'";
        ParseError error = result.Errors[0];
        // With its one value, and no text: the value is not of the kind. The parser would name a type of the program.
        if (error.SymbolResult is OptionResult { Tokens: [var value] } given && Expected(given.Option) is { } expected)
            return $"{given.Option.Name} {value.Value}: expected {expected}";
        return error.Message.TrimEnd('.');
    }

    private static string? Expected(Option option)
    {
        Type type = Nullable.GetUnderlyingType(option.ValueType) ?? option.ValueType;
        return type == typeof(int) ? $"a whole number up to {int.MaxValue}"
            : type == typeof(long) ? $"a whole number up to {long.MaxValue}"
            : type == typeof(double) ? "a number"
            : type == typeof(Guid) ? "a UUID such as 5d0c1f0e-7a3b-4c52-9d43-1f6a0e8b2c11"
            : null;
    }
}
