namespace Weir.Core.Base;

/// <summary>
/// Where threads may meet. The test build lets the simulation run the queues' threads one at a time and change over
/// at these places, by its seed; in the product both calls are nothing.
/// </summary>
internal static class Interleaving
{
#if WEIR_MUTANTS
    [System.ThreadStatic]
    private static IInterleaver? t_interleaver;

    /// <summary>Who decides for this thread; null where threads just run.</summary>
    public static IInterleaver? Current
    {
        get => t_interleaver;
        set => t_interleaver = value;
    }

    /// <summary>Another thread may run here: between two accesses to what threads share.</summary>
    public static void Step() => t_interleaver?.Step();

    /// <summary>
    /// This thread cannot go on until another has. True: another has run, look again. False: spin.
    /// </summary>
    public static bool Yield() => t_interleaver is { } interleaver && interleaver.Yield();
#else
    /// <summary>Nothing: the product's threads run as they like.</summary>
    public static void Step()
    {
    }

    /// <summary>Always false: the caller spins.</summary>
    public static bool Yield() => false;
#endif
}

#if WEIR_MUTANTS
/// <summary>Changes over between threads of which only one runs.</summary>
internal interface IInterleaver
{
    /// <summary>As <see cref="Interleaving.Step"/>.</summary>
    void Step();

    /// <summary>As <see cref="Interleaving.Yield"/>.</summary>
    bool Yield();
}
#endif
