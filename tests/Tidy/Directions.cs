using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Weir.Tests.Tidy;

/// <summary>
/// Who may know whom: Native &lt;- Core &lt;- Frontends; inside Core, Base &lt;- Io &lt;- {Devices, the rooms that
/// engines share} and rooms &lt;- each engine. Every folder of Core that is not named here is an engine and sees Base,
/// Io, the shared rooms and itself.
/// </summary>
internal static partial class Directions
{
    /// <summary>What engines share. Each may see those before it.</summary>
    private static readonly string[] s_rooms = ["Caching", "Metadata", "Volumes", "Cleaning", "Traces"];

    private static bool IsCompose(string path) => path.StartsWith("Frontends/Compose/", StringComparison.Ordinal);

    public static IEnumerable<string> Check(SourceFile file)
    {
        if (!file.IsProduct) return [];
        return from name in References(file).Distinct()
               where !Allowed(file.Path, name)
               select $"{file.Path}: must not know {name}";
    }

    /// <summary>Product namespaces that the file names: in usings, aliases and full names.</summary>
    public static IEnumerable<string> References(SourceFile file) =>
        from node in file.Root.DescendantNodes()
        where node is QualifiedNameSyntax { Parent: not QualifiedNameSyntax } or MemberAccessExpressionSyntax
        let match = Reference().Match(node.ToString())
        where match.Success
        select match.Value;

    /// <summary>What <c>ProjectReference</c> says must agree.</summary>
    public static IEnumerable<string> CheckProject(SourceFile file)
    {
        string[] allowed = Path.GetDirectoryName(file.Path) switch
        {
            "Native" => [],
            "Core" => ["Native"],
            "Frontends" => ["Native", "Core"],
            _ => ["Native", "Core", "Frontends"],
        };
        return from Match match in ProjectReference().Matches(file.Text)
               where !allowed.Contains(match.Groups[1].Value)
               select $"{file.Path}: must not refer to {match.Groups[1].Value}";
    }

    private static bool Allowed(string path, string name)
    {
        string[] folders = path.Split('/');
        string[] names = name.Split('.');
        string module = names.Length > 2 ? names[2] : "";
        return folders[0] switch
        {
            "Native" => names[1] == "Native",
            "Core" => folders.Length < 3 || AllowedInCore(folders[1], names[1], module),
            _ => names[1] != "Core" || module is "" or "Base" or "Io" || IsCompose(path) || IsFrontendsRing(path, name),
        } && (IsCompose(path) || folders[0] != "Frontends" || KnowsFrontend(folders, names, module));
    }

    private static bool AllowedInCore(string folder, string project, string module)
    {
        // The numbers that results are made of, and plain memory, are everybody's.
        if (project == "Native") return folder == "Devices" || module is "Errno" or "Slab" or "GrowingSlab";
        if (project != "Core") return false;
        string[] below = folder switch
        {
            "Base" => [],
            "Io" => ["Base"],
            "Devices" => ["Base", "Io"],
            _ when s_rooms.Contains(folder) => ["Base", "Io", .. s_rooms[..Array.IndexOf(s_rooms, folder)]],
            _ => ["Base", "Io", .. s_rooms],
        };
        return module == folder || below.Contains(module);
    }

    /// <summary>
    /// A frontend speaks to the ring itself: its sockets and the devices share it. One whose clients think in bytes
    /// locks blocks as engines do. Who simulates reads traces.
    /// </summary>
    private static bool IsFrontendsRing(string path, string name) => name switch
    {
        "Weir.Core.Devices" => path.Split('/').Length > 2 && path.Split('/')[1] is "Nbd" or "Ublk" or "Bench",
        "Weir.Core.Caching" => path.StartsWith("Frontends/Nbd/", StringComparison.Ordinal),
        "Weir.Core.Traces" => path.StartsWith("Frontends/Simulate/", StringComparison.Ordinal)
            || path == "Frontends/Commands/SimulateCommand.cs",
        _ => false,
    };

    /// <summary>One frontend's classes are named by itself and by Compose only.</summary>
    private static bool KnowsFrontend(string[] folders, string[] names, string module) =>
        names[1] != "Frontends" || module is not ("Nbd" or "Ublk") || folders[1] == module;

    [GeneratedRegex(@"^Weir\.(?:Native|Core|Frontends)(?:\.[A-Z]\w*)?")]
    private static partial Regex Reference();

    [GeneratedRegex("ProjectReference Include=\"[^\"]*?(\\w+)\\.csproj\"")]
    private static partial Regex ProjectReference();
}
