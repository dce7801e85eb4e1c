using System;
using System.IO;
using System.Text;
using Weir.Native;

namespace Weir.Frontends;

/// <summary>
/// What is known of a terminal without the runtime's console: that one sets terminals up as it starts, with escape
/// codes which it never takes back.
/// </summary>
internal static unsafe class Terminal
{
    /// <summary>Descriptors that may be one.</summary>
    public const int StandardOutput = 1, StandardError = 2;

    /// <summary>The descriptor is a terminal.</summary>
    public static bool IsOne(int descriptor) => TrySize(descriptor, out _);

    /// <summary>It is one on which a line, or the screen, can be drawn again.</summary>
    public static bool CanRedraw(int descriptor) =>
        Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb") && IsOne(descriptor);

    /// <summary>Columns, asked for anew each time, as windows change; 0: not known.</summary>
    public static int Columns(int descriptor) => TrySize(descriptor, out int columns) ? columns : 0;

    // struct winsize: rows, columns, and two that are not used.
    private static bool TrySize(int descriptor, out int columns)
    {
        ushort* size = stackalloc ushort[4];
        bool isTerminal = Libc.Control(descriptor, Const.TIOCGWINSZ, size) >= 0;
        columns = isTerminal ? size[1] : 0;
        return isTerminal;
    }
}

/// <summary>Text for a descriptor, at once and as it is.</summary>
/// <param name="write">Takes it.</param>
internal sealed class PlainWriter(Action<string> write) : TextWriter
{
    /// <inheritdoc/>
    public override Encoding Encoding => Encoding.UTF8;

    /// <inheritdoc/>
    public override void Write(char value) => write(value.ToString());

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => write(new string(buffer, index, count));

    /// <inheritdoc/>
    public override void Write(string? value) => write(value ?? "");

    /// <inheritdoc/>
    public override void WriteLine(string? value) => write(value + "\n");
}
