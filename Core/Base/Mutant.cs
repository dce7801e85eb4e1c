namespace Weir.Core.Base;

/// <summary>
/// One switch per durability rule that breaks it, for the test build only (configuration Test). In the product
/// <see cref="Mutant.Is"/> is the constant false and the branch is gone.
/// </summary>
public enum MutantId
{
    /// <summary>Nothing is broken.</summary>
    None,
}

/// <summary>Asks whether a mutant is switched on.</summary>
public static class Mutant
{
#if WEIR_MUTANTS
    [System.ThreadStatic]
    private static MutantId t_active;

    /// <summary>The mutant of this thread's run. Set by the simulation before it builds a volume.</summary>
    public static MutantId Active
    {
        get => t_active;
        set => t_active = value;
    }

    /// <summary>True when <paramref name="id"/> is the active mutant.</summary>
    public static bool Is(MutantId id) => t_active == id;

    [System.ThreadStatic]
    private static System.Action? t_point;

    /// <summary>What <see cref="Point"/> calls on this thread: the simulation's chance to end the process there.</summary>
    public static System.Action? AtPoint
    {
        get => t_point;
        set => t_point = value;
    }

    /// <summary>
    /// A place where the simulation may crash although no device operation is near: between two stores to memory that
    /// outlives the process.
    /// </summary>
    public static void Point() => t_point?.Invoke();
#else
    /// <summary>Always false: the product has no mutants.</summary>
    public static bool Is(MutantId id) => false;

    /// <summary>Nothing: the product has no simulated crashes.</summary>
    public static void Point()
    {
    }
#endif
}
