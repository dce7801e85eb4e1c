using System;
using System.Text;
using System.Threading;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Frontends;

/// <summary>
/// Standard output of the short commands. The runtime's console takes no notice of a reader that has gone away, so that
/// <c>weir status --watch | head</c> would never end; this does. Not for several threads.
/// </summary>
internal static unsafe class Output
{
    private const int Descriptor = 1;

    /// <summary>Nobody reads any more, or nothing can be written: what is written goes nowhere.</summary>
    public static bool IsClosed { get; private set; }

    /// <summary>Takes a line off the terminal that is drawn there; nothing else may be in the way of a line.</summary>
    public static Action? BeforeLine { get; set; }

    /// <summary>Writes all of it, in UTF-8.</summary>
    public static void Write(string text)
    {
        BeforeLine?.Invoke();
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        for (int done = 0; done < bytes.Length && !IsClosed;)
        {
            long wrote;
            fixed (byte* at = &bytes[done]) wrote = Libc.Write(Descriptor, at, bytes.Length - done);
            if (wrote > 0) done += (int)wrote;
            else if (wrote == -Errno.EAGAIN) Thread.Sleep(1);
            else if (wrote != -Errno.EINTR) Close((int)wrote);
        }
    }

    // A reader that has seen enough is no error; a full disk is.
    private static void Close(int error)
    {
        IsClosed = true;
        if (error != -Errno.EPIPE) throw new UserErrorException("standard output: " + Errno.Text(error));
    }
}
