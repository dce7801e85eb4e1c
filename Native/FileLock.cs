using System.Threading;

namespace Weir.Native;

/// <summary>
/// Advisory whole-file locks (flock(2)). They belong to the open file description: requests of a killed process that
/// io_uring still has in flight keep it, and so the lock, until their I/O is over. That is wanted, nobody else may
/// write before; so a new process waits a little before it calls the file busy.
/// </summary>
public static class FileLock
{
    /// <summary>
    /// How long <see cref="TryLock"/> waits for a dying owner: far longer than an I/O, short for a user.
    /// </summary>
    public const int PatienceMs = 2000;

    private const int RetryMs = 20;

    /// <summary>
    /// Takes the lock, shared or exclusive. 0, <c>-EAGAIN</c> when somebody else holds it to the end, or another
    /// <c>-errno</c>.
    /// </summary>
    public static int TryLock(int fd, bool shared, int patienceMs = PatienceMs)
    {
        int operation = (shared ? Const.LOCK_SH : Const.LOCK_EX) | Const.LOCK_NB;
        for (int waitedMs = 0; ; waitedMs += RetryMs)
        {
            int result = Libc.Lock(fd, operation);
            if (result is not (-Errno.EAGAIN or -Errno.EINTR) || waitedMs >= patienceMs) return result;
            Thread.Sleep(RetryMs);
        }
    }

    /// <summary>Gives the lock back, whoever else still holds the open file description.</summary>
    public static void Unlock(int fd) => _ = Libc.Lock(fd, Const.LOCK_UN);
}
