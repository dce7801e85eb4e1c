using System;

namespace Weir.Native;

/// <summary>A system call of the control path failed. The message is one line that a user can act on.</summary>
/// <param name="message">What was tried, on what, and what came of it.</param>
/// <param name="errno">The positive error number, 0 if none applies.</param>
public sealed class NativeException(string message, int errno = 0) : Exception(message)
{
    /// <summary>The positive error number, 0 if none applies.</summary>
    public int Errno { get; } = errno;

    /// <summary>An exception when <paramref name="result"/> is negative, else nothing: returns the result.</summary>
    public static long Check(long result, string what) =>
        result >= 0 ? result : throw new NativeException($"{what}: {Native.Errno.Text((int)result)}", (int)-result);
}
