using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Weir.Tests.Tidy;

/// <summary>A text file of the project, by its path from the top, with forward slashes.</summary>
internal sealed record SourceFile(string Path, string Text)
{
    public string[] Lines { get; } = Text.Split('\n');

    public bool IsCSharp => Path.EndsWith(".cs", StringComparison.Ordinal);

    public bool IsProduct => IsCSharp && (IsIn("Native") || IsIn("Core") || IsIn("Frontends"));

    /// <summary>Of C#: its syntax, with everything behind a directive that the tests are built with.</summary>
    public SyntaxNode Root => _root ??= CSharpSyntaxTree.ParseText(Text, s_options).GetRoot();

    private static readonly CSharpParseOptions s_options = new(
        LanguageVersion.Preview, DocumentationMode.None, preprocessorSymbols: ["WEIR_MUTANTS"]);

    public bool IsIn(string folder) => Path.StartsWith(folder + "/", StringComparison.Ordinal);

    private SyntaxNode? _root;
}

/// <summary>The working tree the tests were built from.</summary>
internal static class SourceTree
{
    private static readonly string[] s_textExtensions =
        [".cs", ".md", ".sh", ".props", ".csproj", ".slnx", ".txt", ".json", ".editorconfig", ".gitignore", ".yml", ""];

    private static readonly string[] s_ignoredFolders = ["out", "bin", "obj", ".git"];

    public static string Root { get; } = FindRoot();

    public static IReadOnlyList<SourceFile> Files { get; } =
        Walk(Root).Where(IsText).Select(Read).OrderBy(file => file.Path, StringComparer.Ordinal).ToArray();

    private static SourceFile Read(string path) =>
        new(Path.GetRelativePath(Root, path).Replace('\\', '/'), File.ReadAllText(path));

    private static bool IsText(string path) => s_textExtensions.Contains(Path.GetExtension(path));

    private static IEnumerable<string> Walk(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder)) yield return file;
        foreach (string child in Directory.EnumerateDirectories(folder))
        {
            if (s_ignoredFolders.Contains(Path.GetFileName(child))) continue;
            foreach (string file in Walk(child)) yield return file;
        }
    }

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder != null && !File.Exists(Path.Combine(folder, "Weir.slnx")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("Weir.slnx is not above " + AppContext.BaseDirectory);
    }
}
