using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;

namespace Weir.Tests.Tidy;

/// <summary>The rules of STYLE.md that a machine can check. Each returns what breaks it, with file and line.</summary>
internal static partial class Rules
{
    public const int FileLinesMax = 600, FunctionLinesMax = 70, LineColumnsMax = 120;

    public static IEnumerable<string> FileSize(SourceFile file)
    {
        if (file.IsCSharp && file.Lines.Length > FileLinesMax)
            yield return $"{file.Path}: {file.Lines.Length} lines; at most {FileLinesMax}";
    }

    public static IEnumerable<string> FunctionSize(SourceFile file) => !file.IsCSharp ? [] :
        from function in Functions.In(file.Code)
        where function.LineCount > FunctionLinesMax
        select $"{file.Path}:{function.FirstLine}: a function of {function.LineCount} lines; at most "
            + $"{FunctionLinesMax}";

    public static IEnumerable<string> LineLength(SourceFile file) =>
        !file.IsCSharp && !file.Path.EndsWith(".sh", StringComparison.Ordinal) ? [] :
        from line in Numbered(file)
        where line.Text.Length > LineColumnsMax
        select $"{file.Path}:{line.Number}: {line.Text.Length} columns; at most {LineColumnsMax}";

    /// <summary>Folders of somebody's machine: what is written here must work on any.</summary>
    public static IEnumerable<string> MachinePaths(SourceFile file) =>
        Matches(file, file.Text, MachinePath(), "a path of one machine");

    public static IEnumerable<string> Unfinished(SourceFile file) =>
        Matches(file, file.Text, UnfinishedMark(), "unfinished work");

    public static IEnumerable<string> NotImplemented(SourceFile file) =>
        file.IsCSharp ? Matches(file, file.Code, NotImplementedMark(), "not implemented") : [];

    public static IEnumerable<string> SkippedTests(SourceFile file) =>
        file.IsCSharp ? Matches(file, file.Code, SkipMark(), "a skipped test") : [];

    /// <summary>Error numbers are the kernel's, and have one place.</summary>
    public static IEnumerable<string> ErrorNumbers(SourceFile file) =>
        file.IsProduct && !file.Path.StartsWith("Native/", StringComparison.Ordinal)
            ? Matches(file, file.Code, ErrorNumber(), "an error number of its own; Errno has them") : [];

    /// <summary>File-scoped namespace as the folder says.</summary>
    public static IEnumerable<string> Namespaces(SourceFile file)
    {
        Match declared = NamespaceLine().Match(file.Code);
        if (!file.IsProduct || !declared.Success) yield break;
        string folder = file.Path[..file.Path.LastIndexOf('/')].Replace('/', '.');
        string expected = "Weir." + folder;
        if (declared.Groups[1].Value != expected)
            yield return $"{file.Path}: namespace {declared.Groups[1].Value}; expected {expected}";
    }

    private static IEnumerable<string> Matches(SourceFile file, string text, Regex what, string name) =>
        from Match match in what.Matches(text)
        select $"{file.Path}:{text.AsSpan(0, match.Index).Count('\n') + 1}: {name}: {match.Value.Trim()}";

    private static IEnumerable<(int Number, string Text)> Numbered(SourceFile file) =>
        file.Lines.Select((text, index) => (index + 1, text));

    // Built from parts, so that this file does not break its own rules.
    [GeneratedRegex(@"(?<![\w.$}/-])/(" + @"work\b|root\b|home/\w|tmp/\w|Users/\w" + @")[\w/.-]*")]
    private static partial Regex MachinePath();

    [GeneratedRegex(@"\b(TO" + "DO|FIX" + "ME|XX" + "X|HA" + @"CK)\b")]
    private static partial Regex UnfinishedMark();

    [GeneratedRegex(@"\bNotImplemented" + @"Exception\b")]
    private static partial Regex NotImplementedMark();

    [GeneratedRegex(@"\bSkip(Unless|When|Type)?\s*=|\bAssert\.Skip|\bExplicit\s*=\s*true")]
    private static partial Regex SkipMark();

    [GeneratedRegex(@"\bconst\s+int\b[^;]*\bE[a-z]{2,}\s*=\s*-?\d")]
    private static partial Regex ErrorNumber();

    [GeneratedRegex(@"^namespace\s+([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();
}
