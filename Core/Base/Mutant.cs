using System;

namespace Weir.Core.Base;

/// <summary>
/// One switch per durability rule that breaks it, for the test build only (configuration Test). An engine's rules are
/// an enum beside it, those of the rooms that engines share are <see cref="SharedMutant"/>; 0 is nothing broken. In
/// the product <see cref="Is"/> is the constant false and the branch is gone.
/// </summary>
public static class Mutant
{
#if WEIR_MUTANTS
    [ThreadStatic]
    private static Enum? t_active;

    // What Is compares: the enum's type and the value's bits.
    [ThreadStatic]
    private static Type? t_rules;

    [ThreadStatic]
    private static int t_value;

    /// <summary>
    /// The mutant of this thread's run, of whatever enum; null: none. Set by tests before they build a volume.
    /// </summary>
    public static Enum? Active
    {
        get => t_active;
        set => (t_active, t_rules, t_value) =
            (value, value?.GetType(), ((IConvertible?)value)?.ToInt32(null) ?? 0);
    }

    /// <summary>True when <paramref name="mutant"/> is the active one.</summary>
    public static bool Is<TRules>(TRules mutant)
        where TRules : unmanaged, Enum =>
        t_rules == typeof(TRules) && t_value == System.Runtime.CompilerServices.Unsafe.BitCast<TRules, int>(mutant);

    [ThreadStatic]
    private static Action? t_point;

    /// <summary>
    /// What <see cref="Point"/> calls on this thread: the simulation's chance to end the process there.
    /// </summary>
    public static Action? AtPoint
    {
        get => t_point;
        set => t_point = value;
    }

    /// <summary>
    /// A place where the simulation may crash although no device operation is near: between two stores to memory that
    /// outlives the process. Another thread may run there too.
    /// </summary>
    public static void Point()
    {
        t_point?.Invoke();
        Interleaving.Step();
    }
#else
    /// <summary>Always false: the product has no mutants.</summary>
    public static bool Is<TRules>(TRules mutant)
        where TRules : unmanaged, Enum => false;

    /// <summary>Nothing: the product has no simulated crashes.</summary>
    public static void Point()
    {
    }
#endif
}
