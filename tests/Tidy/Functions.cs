using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;

namespace Weir.Tests.Tidy;

/// <summary>A function or property with a body in braces, and the lines from its header to the closing one.</summary>
internal readonly record struct Function(string Header, int FirstLine, int LineCount);

/// <summary>
/// Finds functions by counting braces: good enough for code that compiles, far simpler than parsing. A brace opens a
/// type, a function (inside a type or namespace), or something inside a function, by the text before it.
/// </summary>
internal static partial class Functions
{
    private enum Scope
    {
        Type,
        Function,
        Inner,
    }

    public static IReadOnlyList<Function> In(string code)
    {
        code = CodeText.StripDirectives(code);
        List<Function> found = [];
        Stack<(Scope Scope, string Header, int Line)> open = new();
        int line = 1, headerStart = 0, headerLine = 1;
        for (int i = 0; i < code.Length; i++)
        {
            char c = code[i];
            if (c == '\n') line++;
            if (char.IsWhiteSpace(c) && headerStart == i) (headerStart, headerLine) = (i + 1, line);
            if (c is not ('{' or '}' or ';')) continue;
            string header = code[headerStart..i].Trim();
            if (c == '{') open.Push((Classify(open, header), header, headerLine));
            else if (c == '}' && open.TryPop(out var top) && top.Scope == Scope.Function)
                found.Add(new Function(top.Header, top.Line, line - top.Line + 1));
            (headerStart, headerLine) = (i + 1, line);
        }
        return found;
    }

    private static Scope Classify(Stack<(Scope Scope, string Header, int Line)> open, string header)
    {
        bool outside = open.All(scope => scope.Scope == Scope.Type);
        if (!outside) return Scope.Inner;
        return TypeHeader().IsMatch(header) ? Scope.Type : Scope.Function;
    }

    [GeneratedRegex(@"(^|\s)(namespace|class|struct|interface|enum|record)\s")]
    private static partial Regex TypeHeader();
}
