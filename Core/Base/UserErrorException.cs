using System;

namespace Weir.Core.Base;

/// <summary>
/// Something the user can mend: the program prints the message as its one line on standard error and exits with
/// <paramref name="exitCode"/>.
/// </summary>
/// <param name="message">One line that names what was found and what was expected.</param>
/// <param name="exitCode">1 failed, 2 wrong usage.</param>
public sealed class UserErrorException(string message, int exitCode = 1) : Exception(message)
{
    /// <summary>1 failed, 2 wrong usage.</summary>
    public int ExitCode { get; } = exitCode;
}
