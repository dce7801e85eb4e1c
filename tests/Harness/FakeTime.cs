using System;
using Microsoft.Extensions.Time.Testing;

namespace Weir.Tests.Harness;

/// <summary>A clock that moves only when told; any thread.</summary>
internal static class FakeTime
{
    /// <summary>Its timestamps begin at a second, as those of a machine that has just started: not at a date.</summary>
    public static FakeTimeProvider New() => new(new DateTimeOffset(1, 1, 1, 0, 0, 1, TimeSpan.Zero));
}
