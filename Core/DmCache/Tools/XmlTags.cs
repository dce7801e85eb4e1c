using System.Collections.Generic;
using System.IO;
using System.Text;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Tools;

/// <summary>
/// The tags of an XML text one after the other, as far as the dumps of metadata need it: elements with attributes, no
/// text between them. Each element has to have its end: a text that was cut is no smaller one. Memory: one tag.
/// </summary>
internal sealed class XmlTags(TextReader reader)
{
    private const int MaxTagChars = 1 << 16;

    private readonly Dictionary<string, string> _attributes = [];
    private readonly StringBuilder _tag = new();
    private readonly Stack<string> _open = [];

    /// <summary>Name of the element.</summary>
    public string Name { get; private set; } = "";

    /// <summary>It ends here: <c>&lt;/name&gt;</c>.</summary>
    public bool IsEnd { get; private set; }

    /// <summary>The line of the text, from 1 on.</summary>
    public int Line { get; private set; } = 1;

    /// <summary>Goes on to the next tag; false: there is none.</summary>
    public bool TryRead()
    {
        do
        {
            if (TryFind()) continue;
            if (_open.TryPeek(out string? open)) throw Fault($"the text ends before </{open}>: it has been cut short");
            return false;
        }
        while (_tag.Length == 0 || _tag[0] is '?' or '!');
        Parse(_tag.ToString().TrimEnd('/').Trim());
        if (IsEnd) Close();
        else if (_tag[^1] != '/') _open.Push(Name);
        return true;
    }

    private void Close()
    {
        string open = _open.Count > 0 ? _open.Pop() : "";
        if (open != Name)
            throw Fault(open == "" ? $"</{Name}>, and nothing is open" : $"</{Name}>, expected </{open}>");
    }

    /// <summary>An attribute; null: it is not there.</summary>
    public string? this[string name] => _attributes.GetValueOrDefault(name);

    /// <summary>A number that has to be there.</summary>
    public long Number(string name, long most, long least = 0)
    {
        string text = this[name] ?? throw Fault($"<{Name}> has no {name}");
        return long.TryParse(text, out long value) && value >= least && value <= most ? value
            : throw Fault($"{name}=\"{text}\", expected a number from {least} to {most}");
    }

    /// <summary>What the user is told of a fault on this line.</summary>
    public UserErrorException Fault(string text) => new($"line {Line}: {text}");

    private bool TryFind()
    {
        int character;
        while ((character = Next()) != '<')
            if (character < 0) return false;
        _tag.Clear();
        while ((character = Next()) != '>' || IsInComment())
        {
            if (character < 0) throw Fault("the text ends inside a tag");
            if (_tag.Length == MaxTagChars) throw Fault($"a tag of more than {MaxTagChars} characters");
            _tag.Append((char)character);
        }
        return true;
    }

    private bool IsInComment()
    {
        bool isComment = _tag.Length >= 3 && _tag[0] == '!' && _tag[1] == '-' && _tag[2] == '-';
        return isComment && !(_tag.Length >= 5 && _tag[^1] == '-' && _tag[^2] == '-');
    }

    private int Next()
    {
        int character = reader.Read();
        if (character == '\n') Line++;
        return character;
    }

    private void Parse(string tag)
    {
        _attributes.Clear();
        IsEnd = tag.StartsWith('/');
        int at = IsEnd ? 1 : 0, end = at;
        while (end < tag.Length && !char.IsWhiteSpace(tag[end])) end++;
        Name = tag[at..end];
        for (at = SkipSpace(tag, end); at < tag.Length; at = SkipSpace(tag, at)) at = ParseAttribute(tag, at);
    }

    private int ParseAttribute(string tag, int at)
    {
        int equals = tag.IndexOf('=', at);
        if (equals < 0 || equals + 1 >= tag.Length || tag[equals + 1] is not ('"' or '\''))
            throw Fault($"<{Name}>: expected NAME=\"VALUE\"");
        int close = tag.IndexOf(tag[equals + 1], equals + 2);
        if (close < 0) throw Fault($"<{Name}>: a value without its end");
        _attributes[tag[at..equals].Trim()] = Unescape(tag[(equals + 2)..close]);
        return close + 1;
    }

    private static int SkipSpace(string tag, int at)
    {
        while (at < tag.Length && char.IsWhiteSpace(tag[at])) at++;
        return at;
    }

    private static string Unescape(string text) => !text.Contains('&') ? text
        : text.Replace("&quot;", "\"").Replace("&apos;", "'").Replace("&lt;", "<").Replace("&gt;", ">")
            .Replace("&amp;", "&");
}
