using System.Threading;
using Weir.Core.Volumes;

namespace Weir.Core.Writeboost.Index;

/// <summary>
/// The budget of ranges is used up: write-back must free some, those of the open segment too, because writers wait for
/// them.
/// </summary>
/// <remarks>Set by any queue, ended by the first one's thread; both wake all queues.</remarks>
internal sealed class RangePressure(QueueSet queues)
{
    private int _isOn;

    /// <summary>Somebody waits.</summary>
    public bool IsOn => Volatile.Read(ref _isOn) != 0;

    /// <summary>A writer has found the budget empty.</summary>
    public void Begin()
    {
        if (Interlocked.Exchange(ref _isOn, 1) == 0) queues.WakeAll();
    }

    /// <summary>There may be some again.</summary>
    public void End()
    {
        Volatile.Write(ref _isOn, 0);
        queues.WakeAll();
    }
}
