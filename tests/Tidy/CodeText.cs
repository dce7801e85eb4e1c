using System.Text.RegularExpressions;

namespace Weir.Tests.Tidy;

/// <summary>Takes comments and the contents of strings out of C#, so that rules see code only.</summary>
internal static partial class CodeText
{
    public static string Strip(string text) => Tokens().Replace(text, static match =>
    {
        string kept = match.Value[0] is '/' ? "" : "\"\"";
        return kept + new string('\n', Newlines(match.Value));
    });

    /// <summary>Preprocessor lines go as well: they are neither functions nor references.</summary>
    public static string StripDirectives(string code) => Directives().Replace(code, "");

    private static int Newlines(string text)
    {
        int count = 0;
        foreach (char c in text) if (c == '\n') count++;
        return count;
    }

    // Comments, raw strings, verbatim strings, strings, characters; in this order.
    [GeneratedRegex(
        """
        //[^\n]*|/\*.*?\*/|\$*"{3,}.*?"{3,}|\$?@\$?"(?:[^"]|"")*"|\$?"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+'
        """, RegexOptions.Singleline)]
    private static partial Regex Tokens();

    [GeneratedRegex("^[ \t]*#[^\n]*", RegexOptions.Multiline)]
    private static partial Regex Directives();
}
