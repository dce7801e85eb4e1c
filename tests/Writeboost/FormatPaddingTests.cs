using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>
/// Every byte of a structure whose size is fixed belongs to exactly one field, on disk and in memory: what nothing
/// names, nothing writes.
/// </summary>
public sealed class FormatPaddingTests
{
    /// <summary>Alone in its cache line: the room around its word is the point.</summary>
    private static readonly HashSet<Type> s_spread = [typeof(SegmentCursor)];

    public static TheoryData<string> Structures => [.. from type in Sized() select type.FullName!];

    [Theory]
    [MemberData(nameof(Structures))]
    public void EveryByteHasOneField(string name) =>
        Assert.Empty(Faults(typeof(Geometry).Assembly.GetType(name, throwOnError: true)!));

    [Fact]
    public void GapsAndOverlapsAreTold()
    {
        Assert.Equal(["byte 1: nobody's"], Faults(typeof(Gap)));
        Assert.Equal(["byte 0: First, Second", "byte 1: First, Second"], Faults(typeof(Overlap)));
        Assert.Equal(["byte 6: nobody's", "byte 7: nobody's"], Faults(typeof(Tail)));
    }

    private static IEnumerable<Type> Sized() =>
        from type in typeof(Geometry).Assembly.GetTypes()
        where type.Namespace?.StartsWith("Weir.Core.Writeboost", StringComparison.Ordinal) == true
        where type.IsValueType && !type.IsEnum && type.StructLayoutAttribute is { Size: > 0 }
        where !type.IsDefined(typeof(CompilerGeneratedAttribute)) && !type.Name.StartsWith('<')
        where !s_spread.Contains(type)
        orderby type.FullName
        select type;

    private static IEnumerable<string> Faults(Type type)
    {
        List<string>[] owners = [.. Enumerable.Range(0, Marshal.SizeOf(type)).Select(static _ => new List<string>())];
        foreach (FieldInfo field in
            type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            int offset = (int)Marshal.OffsetOf(type, field.Name);
            for (int i = 0; i < SizeOf(field); i++) owners[offset + i].Add(field.Name);
        }
        for (int i = 0; i < owners.Length; i++)
        {
            if (owners[i].Count == 0) yield return $"byte {i}: nobody's";
            else if (owners[i].Count > 1) yield return $"byte {i}: {string.Join(", ", owners[i])}";
        }
    }

    private static int SizeOf(FieldInfo field)
    {
        Type type = field.FieldType.IsEnum ? field.FieldType.GetEnumUnderlyingType() : field.FieldType;
        FixedBufferAttribute? many = field.GetCustomAttribute<FixedBufferAttribute>();
        return many != null ? many.Length * Marshal.SizeOf(many.ElementType) : Marshal.SizeOf(type);
    }

    [StructLayout(LayoutKind.Explicit, Size = 4)]
    private struct Gap
    {
        [FieldOffset(0)] public byte First;
        [FieldOffset(2)] public ushort Second;
    }

    [StructLayout(LayoutKind.Explicit, Size = 4)]
    private struct Overlap
    {
        [FieldOffset(0)] public ushort First;
        [FieldOffset(0)] public uint Second;
    }

    [StructLayout(LayoutKind.Sequential, Size = 8)]
    private struct Tail
    {
        public uint First;
        public ushort Second;
    }
}
