using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Weir.Core.Caching;

// 256 sectors at a time.
internal readonly unsafe partial struct SectorBitmap
{
    private const int VectorWords = 4, VectorBits = 256, VectorShift = 8;

    internal void SetVector(int first, int end)
    {
        for (int i = first >> VectorShift; i << VectorShift < end; i++)
            (Load(i) | Within256(i, first, end)).Store(_words + (i * VectorWords));
    }

    internal void ClearVector(int first, int end)
    {
        for (int i = first >> VectorShift; i << VectorShift < end; i++)
            Vector256.AndNot(Load(i), Within256(i, first, end)).Store(_words + (i * VectorWords));
    }

    internal bool AnyVector(int first, int end)
    {
        for (int i = first >> VectorShift; i << VectorShift < end; i++)
            if ((Load(i) & Within256(i, first, end)) != Vector256<ulong>.Zero) return true;
        return false;
    }

    internal bool AllVector(int first, int end)
    {
        for (int i = first >> VectorShift; i << VectorShift < end; i++)
            if (Vector256.AndNot(Within256(i, first, end), Load(i)) != Vector256<ulong>.Zero) return false;
        return true;
    }

    internal void OrVector(ulong* other)
    {
        for (int i = 0; i < _wordCount; i += VectorWords)
            (Vector256.Load(_words + i) | Vector256.Load(other + i)).Store(_words + i);
    }

    internal void AndNotVector(ulong* other)
    {
        for (int i = 0; i < _wordCount; i += VectorWords)
            Vector256.AndNot(Vector256.Load(_words + i), Vector256.Load(other + i)).Store(_words + i);
    }

    private Vector256<ulong> Load(int vector) => Vector256.Load(_words + (vector * VectorWords));

    /// <summary>The bits of a vector that lie in a range.</summary>
    private static Vector256<ulong> Within256(int vector, int first, int end)
    {
        int start = vector << VectorShift;
        return Vector256.AndNot(From(first - start), From(end - start));
    }

    /// <summary>
    /// All bits from <paramref name="bit"/> on, which may lie before the vector. Each word is shifted by what of the
    /// bits before it lies in it: 0 at least, and from 64 on nothing is left.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> From(int bit)
    {
        Vector256<int> before = Vector256.Max(
            Vector256.Create(bit) - Vector256.Create(0, 0, 64, 64, 128, 128, 192, 192), Vector256<int>.Zero);
        Vector256<ulong> shifts = before.AsUInt64() & Vector256.Create(0xFFFFFFFFUL);
        return Avx2.ShiftLeftLogicalVariable(Vector256<ulong>.AllBitsSet, shifts);
    }
}
