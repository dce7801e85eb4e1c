using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Weir.Tests.Tidy;

/// <summary>A function or accessor with a body, and the lines from its header to its end.</summary>
internal readonly record struct Function(string Name, int FirstLine, int LineCount);

/// <summary>Finds functions: methods, constructors, operators, accessors. What lies inside one belongs to it.</summary>
internal static class Functions
{
    public static IReadOnlyList<Function> In(SyntaxNode root) =>
    [
        .. root.DescendantNodes(static node => node is not BaseMethodDeclarationSyntax).Where(HasBody).Select(Measure),
    ];

    private static bool HasBody(SyntaxNode node) => node switch
    {
        BaseMethodDeclarationSyntax method => method.Body != null || method.ExpressionBody != null,
        // Of a property: its accessors, or all of it where there is nothing but an expression.
        AccessorDeclarationSyntax accessor => accessor.Body != null || accessor.ExpressionBody != null,
        PropertyDeclarationSyntax property => property.ExpressionBody != null,
        IndexerDeclarationSyntax indexer => indexer.ExpressionBody != null,
        _ => false,
    };

    private static Function Measure(SyntaxNode node)
    {
        FileLinePositionSpan span = node.SyntaxTree.GetLineSpan(node.Span);
        int first = span.StartLinePosition.Line + 1;
        return new Function(NameOf(node), first, span.EndLinePosition.Line + 2 - first);
    }

    private static string NameOf(SyntaxNode node) => node switch
    {
        MethodDeclarationSyntax method => method.Identifier.Text,
        PropertyDeclarationSyntax property => property.Identifier.Text,
        AccessorDeclarationSyntax { Parent.Parent: PropertyDeclarationSyntax property } => property.Identifier.Text,
        _ => node.Kind().ToString(),
    };
}
