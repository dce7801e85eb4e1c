using System;
using System.IO;
using System.Runtime.InteropServices;

namespace Weir.Core.Base;

/// <summary>
/// What the system says of a file that could not be used. The messages of the library itself are left out of the
/// binary.
/// </summary>
public static class FileFault
{
    // A file that is open elsewhere under the library's own locks has no number of the system's.
    private const int MostErrno = 4095;

    /// <summary>The caller can tell it to the user by <see cref="Text"/>.</summary>
    public static bool Is(Exception fault) =>
        fault is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException;

    /// <summary>Why, in words.</summary>
    public static string Text(Exception fault) => fault switch
    {
        FileNotFoundException or DirectoryNotFoundException => "no such file or folder",
        UnauthorizedAccessException => "not allowed, or a folder",
        PathTooLongException => "the path is too long",
        IOException { HResult: > 0 and <= MostErrno } => Marshal.GetPInvokeErrorMessage(fault.HResult),
        IOException => "it is in use, or the device fails",
        _ => "not the path of a file",
    };
}
