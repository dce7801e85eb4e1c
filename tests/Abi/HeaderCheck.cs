using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Weir.Tests.Abi;

/// <summary>
/// Collects statements about the system's C headers and has gcc decide them: one <c>_Static_assert</c> per line. A line
/// whose assertion fails is wrong; a line that names something unknown to the headers could not be checked.
/// </summary>
internal sealed partial class HeaderCheck(params string[] headers)
{
    private readonly List<string> _claims = [];

    public List<string> Wrong { get; } = [];

    public List<string> Unchecked { get; } = [];

    public int Count => _claims.Count;

    public void Claim(string condition) => _claims.Add(condition);

    /// <summary>Size and offsets of <typeparamref name="T"/>, whose fields carry the C names.</summary>
    public void Struct<T>()
        where T : unmanaged
    {
        string name = "struct " + typeof(T).Name;
        Claim($"sizeof({name}) == {Marshal.SizeOf<T>()}");
        foreach (FieldInfo field in typeof(T).GetFields(BindingFlags.Public | BindingFlags.Instance))
        {
            Claim($"offsetof({name}, {field.Name}) == {Marshal.OffsetOf<T>(field.Name)}");
            if (SizeOf(field) is { } size) Claim($"sizeof((({name} *)0)->{field.Name}) == {size}");
        }
    }

    /// <summary>Every public constant of a static class.</summary>
    public void Constants(Type type)
    {
        foreach (FieldInfo field in type.GetFields(BindingFlags.Public | BindingFlags.Static))
            if (field.IsLiteral && field.GetRawConstantValue() is IFormattable value)
                Claim($"(long long)({field.Name}) == {value.ToString(null, CultureInfo.InvariantCulture)}LL");
    }

    /// <summary>Asks gcc. Throws when there is no gcc, or when a header is missing altogether.</summary>
    public void Run()
    {
        StringBuilder program = new("#define _GNU_SOURCE\n#include <stddef.h>\n");
        foreach (string header in headers) program.Append(CultureInfo.InvariantCulture, $"#include <{header}>\n");
        foreach (string claim in _claims)
            program.Append(CultureInfo.InvariantCulture, $"_Static_assert({claim}, \"differs\");\n");
        int firstLine = headers.Length + 3;
        HashSet<int> seen = [];
        foreach (Match match in Error().Matches(Compile(program.ToString())))
        {
            int index = int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) - firstLine;
            string message = match.Groups[2].Value;
            if (index < 0) throw new InvalidOperationException("gcc: " + message);
            if (!seen.Add(index)) continue;
            bool differs = message.Contains("static assertion failed", StringComparison.Ordinal);
            (differs ? Wrong : Unchecked).Add(_claims[index]);
        }
    }

    private static string? SizeOf(FieldInfo field)
    {
        if (field.FieldType.IsPointer) return "8";
        return field.FieldType.IsPrimitive
            ? Marshal.SizeOf(field.FieldType).ToString(CultureInfo.InvariantCulture)
            : null;
    }

    private static string Compile(string program)
    {
        ProcessStartInfo start = new("gcc", ["-std=gnu11", "-fsyntax-only", "-fmax-errors=0", "-x", "c", "-"])
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        start.Environment["LC_ALL"] = "C";
        using Process gcc = Process.Start(start) ?? throw new InvalidOperationException("gcc did not start");
        System.Threading.Tasks.Task<string> errors = gcc.StandardError.ReadToEndAsync();
        using (StreamWriter input = gcc.StandardInput) input.Write(program);
        string text = errors.GetAwaiter().GetResult();
        gcc.WaitForExit();
        if (gcc.ExitCode != 0 && !Error().IsMatch(text)) throw new InvalidOperationException("gcc: " + text);
        return text;
    }

    [GeneratedRegex(@"^<stdin>:(\d+):\d+: (?:fatal )?error: (.*)$", RegexOptions.Multiline)]
    private static partial Regex Error();
}
