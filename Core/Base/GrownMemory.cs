using System.Runtime.InteropServices;

namespace Weir.Core.Base;

/// <summary>Arrays outside the collector's heap that become larger. Control path: nobody uses them meanwhile.</summary>
internal static unsafe class GrownMemory
{
    /// <summary>
    /// Moves an array of <paramref name="before"/> values to one of <paramref name="after"/>, no fewer; those that are
    /// new are zero.
    /// </summary>
    public static void Grow<T>(ref T* array, long before, long after)
        where T : unmanaged
    {
        Invariant.Check(after >= before);
        array = (T*)NativeMemory.Realloc(array, (nuint)after * (nuint)sizeof(T));
        NativeMemory.Clear(array + before, (nuint)(after - before) * (nuint)sizeof(T));
    }
}
