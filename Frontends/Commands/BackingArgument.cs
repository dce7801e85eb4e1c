using System;
using System.Buffers;
using System.Globalization;
using Weir.Core.Base;

namespace Weir.Frontends.Commands;

/// <summary>A backing device as the user writes it.</summary>
/// <param name="Id">Its number in the cache's log; 0: not cached at all; null: not given.</param>
/// <param name="Name">Export name.</param>
/// <param name="Path">What to open.</param>
internal sealed record BackingArgument(int? Id, string Name, string Path)
{
    /// <summary>How it is written, for the usage.</summary>
    public const string Form = "[[ID:]NAME=]PATH";

    private const int MaxNameLength = 255;

    /// <summary>Largest number, as the seeds have it.</summary>
    private const int MaxId = 254;

    private static readonly SearchValues<char> s_nameCharacters = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    /// <summary>
    /// Splits <c>[[ID:]NAME=]PATH</c>. A path with an equals sign in it has a slash before that; anything else before
    /// one is a name, and is refused when it cannot be.
    /// </summary>
    public static BackingArgument Parse(string text) =>
        TryParseNamed(text) ?? new BackingArgument(null, VolumeSpec.DefaultName, WithPath(text, text));

    /// <summary>Splits <c>[ID:]NAME=PATH</c>; null when there is no name.</summary>
    public static BackingArgument? TryParseNamed(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0 || IsPath(text.AsSpan(0, equals))) return null;
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        bool numbered = colon > 0 && colon < equals && !text.AsSpan(0, colon).ContainsAnyExceptInRange('0', '9');
        string name = text[(numbered ? colon + 1 : 0)..equals];
        CheckName(name, text);
        int? id = numbered ? IdOf(text[..colon], text) : null;
        return new BackingArgument(id, name, WithPath(text[(equals + 1)..], text));
    }

    // The options of a modelled disk have equals signs too.
    private static bool IsPath(ReadOnlySpan<char> text) => text.ContainsAny('/', '?');

    private static void CheckName(string name, string text)
    {
        if (name.Length == 0) throw Usage($"--backing '{text}': the name is missing; {PathHint(text)}");
        int wrong = name.AsSpan().IndexOfAnyExcept(s_nameCharacters);
        if (wrong >= 0)
            throw Usage($"--backing '{text}': '{name}' is no name: expected letters A to Z and a to z, digits, dots, "
                + $"dashes and underscores; {PathHint(text)}");
        if (name.Length > MaxNameLength)
            throw Usage($"--backing: a name of {name.Length} characters; expected at most {MaxNameLength}");
    }

    private static string PathHint(string text) => $"if it is a path, write './{text}'";

    private static int IdOf(string number, string text) =>
        int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id <= MaxId
            ? id
            : throw Usage($"--backing '{text}': device number {number}: expected 0 (not cached) to {MaxId}");

    private static string WithPath(string path, string text) =>
        path.Length > 0 ? path : throw Usage($"--backing '{text}': the path is missing");

    private static UserErrorException Usage(string message) => new(message, Program.WrongUsage);
}
