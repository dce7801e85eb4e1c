using System.Runtime.InteropServices;

namespace Weir.Core.Base;

/// <summary>Errors in words.</summary>
internal static class ErrorText
{
    /// <summary>Words for an errno or a negative result: <c>No space left on device</c>.</summary>
    public static string Of(int errno) => Marshal.GetPInvokeErrorMessage(errno < 0 ? -errno : errno);
}
