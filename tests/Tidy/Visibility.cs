using System;
using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Weir.Tests.Tidy;

/// <summary>
/// Internal by default: a type of Core is public when the program or the bench names it, or when something public shows
/// it: as a base, a parameter, a result, a field. Mutants are public: theories take them as parameters.
/// </summary>
internal static class Visibility
{
    /// <summary>Public types of Core that nobody outside needs.</summary>
    public static IEnumerable<string> Check(IReadOnlyList<SourceFile> files)
    {
        Dictionary<string, (SourceFile File, HashSet<string> Shown)> types = [];
        foreach (SourceFile file in files.Where(static file => file.IsCSharp && file.IsIn("Core")))
            foreach (BaseTypeDeclarationSyntax type in PublicTypes(file)) Add(types, file, type);
        HashSet<string> needed = [.. files.Where(IsOutside).SelectMany(static file => Names(file.Root))];
        Queue<string> toSee = new(types.Keys.Where(needed.Contains));
        HashSet<string> reached = [.. toSee];
        while (toSee.TryDequeue(out string? name))
            foreach (string shown in types[name].Shown.Where(shown => types.ContainsKey(shown) && reached.Add(shown)))
                toSee.Enqueue(shown);
        return from type in types
               where !reached.Contains(type.Key) && !type.Key.EndsWith("Mutant", StringComparison.Ordinal)
               select $"{type.Value.File.Path}: {type.Key} is public, and nobody outside Core needs it";
    }

    private static bool IsOutside(SourceFile file) => file.IsCSharp && (file.IsIn("Frontends") || file.IsIn("bench"));

    private static IEnumerable<BaseTypeDeclarationSyntax> PublicTypes(SourceFile file) =>
        from type in file.Root.DescendantNodes(static node => node is not BaseTypeDeclarationSyntax)
            .OfType<BaseTypeDeclarationSyntax>()
        where type.Modifiers.Any(SyntaxKind.PublicKeyword)
        select type;

    private static void Add(Dictionary<string, (SourceFile File, HashSet<string> Shown)> types, SourceFile file,
        BaseTypeDeclarationSyntax type)
    {
        string name = type.Identifier.Text;
        HashSet<string> shown = types.TryGetValue(name, out var known) ? known.Shown : [];
        types[name] = (file, shown);
        shown.UnionWith(Names(type.BaseList));
        shown.UnionWith(Names((type as TypeDeclarationSyntax)?.ParameterList));
        if (type is not TypeDeclarationSyntax { Members: var members } declaration) return;
        bool isInterface = declaration is InterfaceDeclarationSyntax;
        foreach (MemberDeclarationSyntax member in members)
            if (isInterface || IsSeen(member)) shown.UnionWith(Names(SignatureOf(member)));
    }

    private static bool IsSeen(MemberDeclarationSyntax member) =>
        member.Modifiers.Any(SyntaxKind.PublicKeyword) || member.Modifiers.Any(SyntaxKind.ProtectedKeyword);

    private static SyntaxNode SignatureOf(MemberDeclarationSyntax member) => member switch
    {
        BaseMethodDeclarationSyntax method => method.WithBody(null).WithExpressionBody(null),
        PropertyDeclarationSyntax property => property.Type,
        IndexerDeclarationSyntax indexer => indexer.WithAccessorList(null).WithExpressionBody(null),
        BaseFieldDeclarationSyntax field => field.Declaration.Type,
        _ => member,
    };

    private static IEnumerable<string> Names(SyntaxNode? node) =>
        node == null ? [] :
        from name in node.DescendantNodesAndSelf().OfType<SimpleNameSyntax>() select name.Identifier.Text;
}
