using System;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.Tidy;

/// <summary>What STYLE.md says of commits: a subject says what the commit does.</summary>
public sealed partial class CommitTests
{
    private const string Recent = "200";

    /// <summary>Of the recent ones; a tree without git's folder, or a machine without git, has no history.</summary>
    [Fact]
    public void SubjectsSayWhatIsDone()
    {
        if (!Path.Exists(Path.Combine(SourceTree.Root, ".git")) || !HasGit) return;
        // The tree may belong to somebody else: it is only read.
        string[] subjects = Tool.Run("git", "-c", "safe.directory=*", "-C", SourceTree.Root, "log", "-n", Recent,
            "--no-merges", "--format=%s").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.NotEmpty(subjects);
        string[] wrong = [.. subjects.Where(static subject => !IsSubject(subject))];
        Assert.True(wrong.Length == 0, string.Join('\n', wrong));
    }

    [Theory]
    [InlineData("wip")]
    [InlineData("WIP: engine")]
    [InlineData("Begin block locks (wip)")]
    [InlineData("fixup! Read metadata")]
    [InlineData("squash! Read metadata")]
    [InlineData("read metadata")]
    [InlineData("Read metadata.")]
    [InlineData("Read")]
    public void SubjectsThatSayNothingAreCaught(string subject) => Assert.False(IsSubject(subject));

    [Theory]
    [InlineData("Read metadata, and wipe what is left")]
    [InlineData("Revert \"Read metadata\"")]
    public void SubjectsThatSaySomethingAreNot(string subject) => Assert.True(IsSubject(subject));

    private static bool HasGit =>
        Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(static folder => File.Exists($"{folder}/git"));

    private static bool IsSubject(string subject) =>
        subject.Contains(' ', StringComparison.Ordinal) && char.IsUpper(subject[0]) && !subject.EndsWith('.')
        && !Unfinished().IsMatch(subject);

    [GeneratedRegex(@"\bwip\b|^(fixup|squash|amend)!", RegexOptions.IgnoreCase)]
    private static partial Regex Unfinished();
}
