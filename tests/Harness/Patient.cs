using System;
using Weir.Core.Io;

namespace Weir.Tests.Harness;

/// <summary>Waits for an order to its end; meanwhile <paramref name="turn"/>, if there is one, is called.</summary>
internal sealed class Patient(Action? turn = null) : IOrderWaiter
{
    public string? GivesUp => null;

    public void Report(in OrderProgress progress) => turn?.Invoke();
}
