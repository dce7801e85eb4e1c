using System.Threading;
using Weir.Native;
using Weir.Native.Uring;

namespace Weir.Core.Devices;

/*
 * Waking the thread. One word, three states; only the owner leaves Notified, anybody enters it.
 *
 *   Running   the owner turns its loop             Wake: -> Notified, no system call
 *   Sleeping  the owner is (about to be) in enter  Wake: -> Notified, raises the eventfd
 *   Notified  somebody wants one more turn         Wake: nothing to do
 *
 * Owner: before sleeping Running -> Sleeping by compare-exchange; if that finds Notified it does not sleep. After
 * every Pump it exchanges Running in, and only then does its loop look for what others left. So work left before
 * Wake is seen: either the exchange comes after Wake's, and the loop looks later still, or Wake finds the state of
 * the next round.
 */
public sealed unsafe partial class RingContext
{
    private const int Running = 0;
    private const int Sleeping = 1;
    private const int Notified = 2;

    private readonly EventFd _wakeUp;
    private readonly ulong* _wakeValue;
    private int _state;
    private bool _wakeArmed;

    /// <inheritdoc/>
    public override void Wake()
    {
        if (Interlocked.Exchange(ref _state, Notified) == Sleeping) _wakeUp.Signal();
    }

    private bool TryFallAsleep() => Interlocked.CompareExchange(ref _state, Sleeping, Running) == Running;

    private void WakeUpAgain()
    {
        if (Volatile.Read(ref _state) != Running) Interlocked.Exchange(ref _state, Running);
    }

    private void ArmWake()
    {
        Sqe.Read(NextEntry(), new FileRef(_wakeUp.Descriptor, false), _wakeValue, sizeof(ulong), 0, WakeMark);
        _ring.Submission.Publish();
        _wakeArmed = true;
    }

    private void OnWake()
    {
        _wakeArmed = false;
        if (!_closing) ArmWake();
    }
}
