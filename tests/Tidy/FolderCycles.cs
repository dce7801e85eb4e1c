using System;
using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Weir.Tests.Tidy;

/// <summary>
/// Which folders of an engine know which: a folder knows another if it names a type that is declared there. The files
/// that lie in no folder of it are one too, ".". Mutants are everybody's.
/// </summary>
internal static class FolderCycles
{
    /// <summary>
    /// Pairs of folders that know each other, in which <paramref name="known"/> does not name them; cycles that are
    /// left without the known pairs; and known ones that are none any more.
    /// </summary>
    public static IEnumerable<string> Check(
        string engine, IReadOnlyCollection<SourceFile> files, IReadOnlyCollection<(string, string)> known)
    {
        SortedDictionary<string, SortedSet<string>> graph = GraphOf(engine, files);
        foreach ((string a, string b) in PairsOf(graph))
        {
            if (!known.Contains((a, b))) yield return $"{engine}: {a} and {b} know each other";
            graph[a].Remove(b);
            graph[b].Remove(a);
        }
        foreach ((string a, string b) in known.Except(PairsOf(GraphOf(engine, files))))
            yield return $"{engine}: {a} and {b} know each other no more: take them from the list";
        foreach (string folder in graph.Keys)
            if (Reaches(graph, folder, folder, [])) yield return $"{engine}: {folder} knows itself through others";
    }

    private static List<(string, string)> PairsOf(SortedDictionary<string, SortedSet<string>> graph) =>
        [.. from a in graph.Keys from b in graph[a]
            where string.CompareOrdinal(a, b) < 0 && graph[b].Contains(a) select (a, b)];

    private static bool Reaches(
        SortedDictionary<string, SortedSet<string>> graph, string from, string to, HashSet<string> seen) =>
        graph[from].Any(next => next == to || (seen.Add(next) && Reaches(graph, next, to, seen)));

    private static SortedDictionary<string, SortedSet<string>> GraphOf(
        string engine, IReadOnlyCollection<SourceFile> files)
    {
        SourceFile[] own = [.. files.Where(file => file.IsCSharp && file.IsIn(engine))];
        Dictionary<string, string> homes = [];
        foreach (SourceFile file in own)
            foreach (string type in TypesIn(file)) homes.TryAdd(type, FolderOf(engine, file));
        SortedDictionary<string, SortedSet<string>> graph = new(StringComparer.Ordinal);
        foreach (SourceFile file in own)
        {
            string folder = FolderOf(engine, file);
            graph.TryAdd(folder, new SortedSet<string>(StringComparer.Ordinal));
            foreach (string name in NamesIn(file))
            {
                bool isOthers = homes.TryGetValue(name, out string? home) && home != folder;
                if (isOthers && !name.EndsWith("Mutant", StringComparison.Ordinal)) graph[folder].Add(home!);
            }
        }
        return graph;
    }

    private static string FolderOf(string engine, SourceFile file)
    {
        string[] parts = file.Path[(engine.Length + 1)..].Split('/');
        return parts.Length > 1 ? parts[0] : ".";
    }

    // Nested types are named through the one around them.
    private static IEnumerable<string> TypesIn(SourceFile file) =>
        from type in file.Root.DescendantNodes().OfType<BaseTypeDeclarationSyntax>()
        where type.Parent is BaseNamespaceDeclarationSyntax
        select type.Identifier.ValueText;

    private static IEnumerable<string> NamesIn(SourceFile file) =>
        from name in file.Root.DescendantNodes().OfType<SimpleNameSyntax>()
        where !IsMember(name)
        select name.Identifier.ValueText;

    // Behind a dot, or what an initializer sets.
    private static bool IsMember(SimpleNameSyntax name) => name.Parent switch
    {
        MemberAccessExpressionSyntax access => access.Name == name,
        MemberBindingExpressionSyntax or NameColonSyntax => true,
        AssignmentExpressionSyntax { Parent: InitializerExpressionSyntax } set => set.Left == name,
        _ => false,
    };
}
