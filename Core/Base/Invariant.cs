using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Weir.Core.Base;

/// <summary>Always-on checks: a cache that has lost its bearings must stop, not guess.</summary>
public static class Invariant
{
    /// <summary>Ends the process when <paramref name="condition"/> is false.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Check(
        [DoesNotReturnIf(false)] bool condition,
        [CallerArgumentExpression(nameof(condition))] string? expression = null)
    {
        if (!condition) Fail(expression);
    }

    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Fail(string? expression) =>
#if WEIR_MUTANTS
        throw new InvariantException(expression);
#else
        Environment.FailFast("weir: invariant broken: " + expression);
#endif
}

#if WEIR_MUTANTS
/// <summary>What a broken invariant raises in the test build, so that the simulation can name the seed.</summary>
internal sealed class InvariantException(string? expression) : Exception("invariant broken: " + expression);
#endif
