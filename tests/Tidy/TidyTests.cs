using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace Weir.Tests.Tidy;

/// <summary>The rules hold for every file, and each rule catches a file that breaks it.</summary>
public sealed class TidyTests
{
    private static void Holds(Func<SourceFile, IEnumerable<string>> rule)
    {
        string[] broken = SourceTree.Files.SelectMany(rule).ToArray();
        Assert.True(broken.Length == 0, string.Join('\n', broken));
    }

    private static void Catches(Func<SourceFile, IEnumerable<string>> rule, string path, string text) =>
        Assert.NotEmpty(rule(new SourceFile(path, text)));

    private static void Accepts(Func<SourceFile, IEnumerable<string>> rule, string path, string text) =>
        Assert.Empty(rule(new SourceFile(path, text)));

    [Fact]
    public void TheTreeIsWhereTheTestsCameFrom()
    {
        Assert.Contains(SourceTree.Files, file => file.Path == "Core/Io/IVolume.cs");
        Assert.Contains(SourceTree.Files, file => file.Path == "build.sh");
        Assert.DoesNotContain(SourceTree.Files, file => file.Path.StartsWith("out/", StringComparison.Ordinal));
    }

    [Fact]
    public void FilesAreShort() => Holds(Rules.FileSize);

    [Fact]
    public void FunctionsAreShort() => Holds(Rules.FunctionSize);

    [Fact]
    public void LinesAreShort() => Holds(Rules.LineLength);

    [Fact]
    public void NothingNamesOneMachine() => Holds(Rules.MachinePaths);

    [Fact]
    public void NothingIsLeftForLater() => Holds(Rules.Unfinished);

    [Fact]
    public void NothingIsMissingBehindAMethod() => Holds(Rules.NotImplemented);

    [Fact]
    public void NoTestIsSkipped() => Holds(Rules.SkippedTests);

    [Fact]
    public void ErrorNumbersHaveOnePlace() => Holds(Rules.ErrorNumbers);

    [Fact]
    public void NamespacesFollowFolders() => Holds(Rules.Namespaces);

    [Fact]
    public void FoldersKnowOnlyWhatIsBelowThem() => Holds(Directions.Check);

    [Fact]
    public void TypesAreInternalByDefault()
    {
        string[] broken = [.. Visibility.Check(SourceTree.Files)];
        Assert.True(broken.Length == 0, string.Join('\n', broken));
    }

    [Fact]
    public void APublicTypeThatNobodyNeedsIsCaught()
    {
        SourceFile core = new("Core/A.cs", "public class A { public B F() { C c; } } public class B; public class C;");
        Assert.Equal(3, Visibility.Check([core]).Count());
        string[] broken = [.. Visibility.Check([core, new SourceFile("Frontends/D.cs", "class D { A a; }")])];
        Assert.Contains(" C ", Assert.Single(broken), StringComparison.Ordinal);
    }

    [Fact]
    public void ProjectsReferOnlyToWhatIsBelowThem() =>
        Holds(file => file.Path.EndsWith(".csproj", StringComparison.Ordinal) ? Directions.CheckProject(file) : []);

    [Fact]
    public void EveryRuleOfSizeCatches()
    {
        string line = "    x();\n";
        Catches(Rules.FileSize, "Core/A.cs", string.Concat(Enumerable.Repeat(line, 601)));
        Accepts(Rules.FileSize, "Core/A.cs", string.Concat(Enumerable.Repeat(line, 500)));
        Catches(Rules.FunctionSize, "Core/A.cs", FunctionOf(69));
        Accepts(Rules.FunctionSize, "Core/A.cs", FunctionOf(67));
        Catches(Rules.LineLength, "Core/A.cs", new string('x', 121));
        Accepts(Rules.LineLength, "Core/A.cs", new string('x', 120) + "\n");
    }

    private static string FunctionOf(int statements) =>
        "class A\n{\n    void F()\n    {\n" + string.Concat(
            Enumerable.Repeat("        x();\n", statements)) + "    }\n}\n";

    [Theory]
    [InlineData("cd /wo" + "rk/x")]
    [InlineData("\"/ro" + "ot\"")]
    [InlineData("see /ho" + "me/joe/notes")]
    [InlineData("(/tm" + "p/lab)")]
    public void MachinePathsAreCaught(string text) => Catches(Rules.MachinePaths, "README.md", text);

    [Theory]
    [InlineData("/dev/shm, /proc/self/status, /usr/include/zlib.h, /run")]
    [InlineData("notes/wo" + "rk/a, net/ro" + "ot, $HOME/wo" + "rk, https://x.org/wo" + "rk/y")]
    [InlineData("Path.GetTempPath()")]
    public void OtherPathsAreNot(string text) => Accepts(Rules.MachinePaths, "README.md", text);

    [Fact]
    public void EveryMarkIsCaught()
    {
        Catches(Rules.Unfinished, "Core/A.cs", "// TO" + "DO: later");
        Catches(Rules.Unfinished, "README.md", "FIX" + "ME");
        Catches(Rules.NotImplemented, "Core/A.cs", "throw new NotImplemented" + "Exception();");
        Catches(Rules.SkippedTests, "tests/A.cs", "[Fact(Sk" + "ip = \"\")]");
        Catches(Rules.SkippedTests, "tests/A.cs", "Assert.Sk" + "ip(\"\");");
        Catches(Rules.ErrorNumbers, "Core/A.cs", "private const int Eio = 5, Eshutdown = 108;");
        Catches(Rules.ErrorNumbers, "Core/A.cs", "private const int Other = 5, Eshutdown = 108;");
        Accepts(Rules.ErrorNumbers, "Native/A.cs", "private const int Eio = 5;");
        Accepts(Rules.ErrorNumbers, "Core/A.cs", "private const int Edge = Other; const int Pause = 5;");
        Catches(Rules.Namespaces, "Core/Io/A.cs", "namespace Weir.Core.Base;");
        Accepts(Rules.Namespaces, "Core/Devices/A.cs", "namespace Weir.Core.Devices;");
    }

    [Theory]
    [InlineData("Native/A.cs", "using Weir.Core.Base;")]
    [InlineData("Core/Base/A.cs", "using Weir.Core.Io;")]
    [InlineData("Core/Io/A.cs", "using Weir.Core.Devices;")]
    [InlineData("Core/Io/A.cs", "using Weir.Native;")]
    [InlineData("Core/Writeboost/A.cs", "using Weir.Native;")]
    [InlineData("Core/Writeboost/Log/A.cs", "using Weir.Core.Devices;")]
    [InlineData("Core/Writeboost/A.cs", "using Weir.Core.Passthrough;")]
    [InlineData("Core/Caching/A.cs", "using Weir.Core.Writeboost;")]
    [InlineData("Core/Caching/A.cs", "using Weir.Core.Volumes;")]
    [InlineData("Core/Volumes/A.cs", "using Weir.Core.Devices;")]
    [InlineData("Core/Devices/A.cs", "using Weir.Core.Volumes;")]
    [InlineData("Core/Traces/A.cs", "using Weir.Core.DmCache;")]
    [InlineData("Core/Devices/A.cs", "Weir.Frontends.Program.Main();")]
    [InlineData("Frontends/Server.cs", "using Weir.Core.Writeboost;")]
    [InlineData("Frontends/Server.cs", "using Weir.Frontends.Nbd;")]
    [InlineData("Frontends/Nbd/A.cs", "using Weir.Core.Writeboost;")]
    [InlineData("Frontends/Commands/A.cs", "using Weir.Core.Writeboost;")]
    public void WrongDirectionsAreCaught(string path, string text) => Catches(Directions.Check, path, text);

    [Theory]
    [InlineData("Core/Devices/A.cs", "using Weir.Native; using Weir.Core.Io; using Weir.Core.Base;")]
    [InlineData("Core/Writeboost/Log/A.cs", "using Weir.Core.Writeboost.Format; using Weir.Core.Io;")]
    [InlineData("Core/Writeboost/A.cs", "using Weir.Core.Volumes; using Weir.Core.Cleaning;")]
    [InlineData("Core/Cleaning/A.cs", "using Weir.Core.Volumes; using Weir.Core.Caching;")]
    [InlineData("Frontends/Compose/A.cs", "using Weir.Core.Writeboost; using Weir.Frontends.Nbd;")]
    [InlineData("Frontends/Nbd/A.cs", "namespace Weir.Frontends.Nbd; using Weir.Core.Devices;")]
    [InlineData("Core/Writeboost/A.cs", "using Errno = Weir.Native.Errno;")]
    [InlineData("Core/Io/A.cs", "// Weir.Frontends in a comment\n\"Weir.Native in a string\"")]
    public void RightDirectionsAreNot(string path, string text) => Accepts(Directions.Check, path, text);

    [Fact]
    public void WrongProjectReferencesAreCaught()
    {
        const string reference = "<ProjectReference Include=\"../Core/Core.csproj\" />";
        Assert.NotEmpty(Directions.CheckProject(new SourceFile("Native/Native.csproj", reference)));
        Assert.Empty(Directions.CheckProject(new SourceFile("Frontends/Frontends.csproj", reference)));
    }
}
