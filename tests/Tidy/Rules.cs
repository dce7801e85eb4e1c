using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

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
        from function in Functions.In(file.Root)
        where function.LineCount > FunctionLinesMax
        select $"{file.Path}:{function.FirstLine}: {function.Name} has {function.LineCount} lines; at most "
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

    public static IEnumerable<string> NotImplemented(SourceFile file) => Named(file, "NotImplemented" + "Exception");

    /// <summary>Attributes that leave a test out, and calls that do.</summary>
    public static IEnumerable<string> SkippedTests(SourceFile file) =>
        from node in Nodes(file)
        where node is AttributeArgumentSyntax { NameEquals.Name.Identifier.Text: { } name } && IsSkip(name)
            || node is MemberAccessExpressionSyntax { Expression: IdentifierNameSyntax { Identifier.Text: "Assert" } }
                call && IsSkip(call.Name.Identifier.Text)
        select $"{At(file, node)}: a skipped test: {node}";

    private static bool IsSkip(string name) =>
        name == "Explicit" || name.StartsWith("Sk" + "ip", StringComparison.Ordinal);

    /// <summary>Error numbers are the kernel's, and have one place.</summary>
    public static IEnumerable<string> ErrorNumbers(SourceFile file) =>
        !file.IsProduct || file.IsIn("Native") ? [] :
        from node in Nodes(file)
        where node is VariableDeclaratorSyntax { Initializer.Value: var value } variable
            && ErrorName().IsMatch(variable.Identifier.Text) && IsNumber(value) && IsConstant(node)
        select $"{At(file, node)}: an error number of its own; Errno has them: {node}";

    private static bool IsNumber(ExpressionSyntax value) =>
        (value is PrefixUnaryExpressionSyntax { Operand: var operand } ? operand : value)
        .IsKind(SyntaxKind.NumericLiteralExpression);

    private static bool IsConstant(SyntaxNode variable) =>
        variable.Parent?.Parent is FieldDeclarationSyntax field && field.Modifiers.Any(SyntaxKind.ConstKeyword)
        || variable.Parent?.Parent is LocalDeclarationStatementSyntax { IsConst: true };

    /// <summary>File-scoped namespace as the folder says.</summary>
    public static IEnumerable<string> Namespaces(SourceFile file) =>
        !file.IsProduct ? [] :
        from node in Nodes(file).OfType<BaseNamespaceDeclarationSyntax>()
        let expected = "Weir." + file.Path[..file.Path.LastIndexOf('/')].Replace('/', '.')
        where node.Name.ToString() != expected
        select $"{At(file, node)}: namespace {node.Name}; expected {expected}";

    private static IEnumerable<string> Named(SourceFile file, string name) =>
        from node in Nodes(file)
        where node is IdentifierNameSyntax identifier && identifier.Identifier.Text == name
        select $"{At(file, node)}: {name}";

    private static IEnumerable<SyntaxNode> Nodes(SourceFile file) => file.IsCSharp ? file.Root.DescendantNodes() : [];

    private static string At(SourceFile file, SyntaxNode node) =>
        $"{file.Path}:{node.GetLocation().GetLineSpan().StartLinePosition.Line + 1}";

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

    [GeneratedRegex("^E[a-z]{2,}$")]
    private static partial Regex ErrorName();
}
