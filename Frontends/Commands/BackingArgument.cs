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
    /// Splits <c>[[ID:]NAME=]PATH</c>: a name has letters, digits, dots, dashes and underscores only, so that a path
    /// with an equals sign in it is taken for a path.
    /// </summary>
    public static BackingArgument Parse(string text) =>
        TryParseNamed(text) ?? new BackingArgument(null, VolumeSpec.DefaultName, WithPath(text, text));

    /// <summary>Splits <c>[ID:]NAME=PATH</c>; null when there is no name.</summary>
    public static BackingArgument? TryParseNamed(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        bool numbered = colon > 0 && colon < equals && !text.AsSpan(0, colon).ContainsAnyExceptInRange('0', '9');
        int start = numbered ? colon + 1 : 0;
        bool named = equals > start && text.AsSpan(start, equals - start).IndexOfAnyExcept(s_nameCharacters) < 0;
        if (!named) return null;
        string name = text[start..equals];
        if (name.Length > MaxNameLength)
            throw Usage($"--backing: a name of {name.Length} characters; expected at most {MaxNameLength}");
        int? id = numbered ? IdOf(text[..colon], text) : null;
        return new BackingArgument(id, name, WithPath(text[(equals + 1)..], text));
    }

    private static int IdOf(string number, string text) =>
        int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && id <= MaxId
            ? id
            : throw Usage($"--backing '{text}': device number {number}: expected 0 (not cached) to {MaxId}");

    private static string WithPath(string path, string text) =>
        path.Length > 0 ? path : throw Usage($"--backing '{text}': the path is missing");

    private static UserErrorException Usage(string message) => new(message, Program.WrongUsage);
}
