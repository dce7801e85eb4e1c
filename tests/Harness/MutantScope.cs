using System;
using Weir.Core.Base;

namespace Weir.Tests.Harness;

/// <summary>The product is broken in a way until this is disposed.</summary>
internal sealed class MutantScope : IDisposable
{
    /// <summary>On this thread.</summary>
    public MutantScope(Enum mutant) => Mutant.Active = mutant;

    public void Dispose() => Mutant.Active = null;
}
