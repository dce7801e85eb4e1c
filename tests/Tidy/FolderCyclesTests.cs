using System.Collections.Generic;
using Xunit;

namespace Weir.Tests.Tidy;

/// <summary>
/// Inside an engine, folders know those below them: Format, then Log, Index, then Recovery and Writeback, then Queue.
/// No two know each other.
/// </summary>
public sealed class FolderCyclesTests
{
    private static readonly (string, string)[] s_none = [];

    [Fact]
    public void FoldersOfWriteboostKnowThoseBelowThem() =>
        Assert.Empty(FolderCycles.Check("Core/Writeboost", SourceTree.Files, s_none));

    [Fact]
    public void FoldersOfPassthroughKnowThoseBelowThem() =>
        Assert.Empty(FolderCycles.Check("Core/Passthrough", SourceTree.Files, s_none));

    [Fact]
    public void TwoThatKnowEachOtherAreCaught() => Assert.Equal(
        ["Core/E: A and B know each other"],
        FolderCycles.Check("Core/E", [File("A/X", "class X { Y y; }"), File("B/Y", "struct Y { X x; }")], s_none));

    [Fact]
    public void ARingOfThreeIsCaught()
    {
        SourceFile[] files =
        [
            File("A/X", "class X { Y y; }"), File("B/Y", "enum Y { }"), File("B/V", "class V : Z { }"),
            File("C/Z", "interface Z { X x { get; } }"),
        ];
        Assert.Contains("Core/E: A knows itself through others", FolderCycles.Check("Core/E", files, s_none));
    }

    [Fact]
    public void WhatIsListedAndNoPairAnyMoreIsCaught() => Assert.Equal(
        ["Core/E: A and B know each other no more: take them from the list"],
        FolderCycles.Check("Core/E", [File("A/X", "class X { Y y; }"), File("B/Y", "class Y { }")], [("A", "B")]));

    [Fact]
    public void NeitherMembersNorCommentsNorMutantsAreReferences()
    {
        IReadOnlyCollection<SourceFile> files =
        [
            File("A/X", "class X { Y y; }"),
            File("B/Y", "class Y { int Get() => This.X + Mutant.Is(XMutant.One); } // X"),
            File("A/XMutant", "enum XMutant { One }"),
        ];
        Assert.Empty(FolderCycles.Check("Core/E", files, s_none));
    }

    private static SourceFile File(string path, string type) =>
        new($"Core/E/{path}.cs", $"namespace Weir.Core.E;\n\ninternal {type}\n");
}
