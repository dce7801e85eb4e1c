using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Orders;

/// <summary>
/// Orders to attach and detach backing devices: given on any thread but the queues', one at a time, and carried out on
/// the first queue's (<c>DeviceChanger</c>).
/// </summary>
internal sealed class DeviceOrders(
    BackingTable backings, DeviceTable? table, IdentityCheck identity, LogEvidence log, Fingerprints fingerprints,
    DirtyData dirty, LostData lost, QueueSet queues, WriteboostOptions options, StaleCacheMarker stale,
    Func<HangWatch> newWatch)
{
    /// <summary>How often whoever waits for an order asks whether it is still wanted, in milliseconds.</summary>
    private const int TurnMs = 50;

    private readonly Lock _ordering = new();
    private DeviceOrder? _order;
    private bool _hasEnded;
    private int _changingId;
    private bool _isWritingBack;

    /// <summary>
    /// Serves one more device, or one that was absent. Waits; not on a queue's thread. The device stays the caller's
    /// to dispose when this fails. What it holds is looked at with <paramref name="io"/>, the caller's own.
    /// </summary>
    /// <exception cref="UserErrorException">It is not the one it was, or its name or number is taken, or the volume is
    /// not healthy.</exception>
    public BackingDevice Attach(BackingSpec spec, IoContext? io = null)
    {
        stale.Check(spec.Device);
        lock (_ordering)
        {
            BackingSpec looked = io == null ? spec : LookAt(spec, io);
            return CarryOut(new DeviceOrder { Name = spec.Name, Spec = looked }, static () => false);
        }
    }

    // Samples of absent devices change with orders only: this is read beside the first queue's thread.
    private BackingSpec LookAt(BackingSpec spec, IoContext io)
    {
        BlockingIo blocking = new(io);
        log.LookAt(spec.Device, blocking);
        ContentEvidence evidence = new(blocking, table, fingerprints.Table);
        foreach (BackingDevice absent in backings.Absent) evidence.Compare(spec.Device, absent.Id);
        List<BlockSample> samples = evidence.Sample(spec.Device, identity.SamplesBlank);
        evidence.Seal();
        return spec with { Evidence = evidence, Samples = samples };
    }

    /// <summary>
    /// Writes everything back that the log has of a device, then lets it go. Waits; not on a queue's thread. Until
    /// shortly before the end it can be called off: then the device stays, and clients go on.
    /// </summary>
    /// <exception cref="UserErrorException">It was called off, or there is no such device, or it is the only one, or
    /// the volume is not healthy.</exception>
    public void Detach(string name, Func<bool> isCancelled)
    {
        BackingDevice device = CarryOut(new DeviceOrder { Name = name }, isCancelled);
        if (!device.IsAbsent) device.Device.Dispose();
    }

    // One at a time.
    private BackingDevice CarryOut(DeviceOrder order, Func<bool> isCancelled)
    {
        if (options.ReadOnly)
            throw new UserErrorException("the volume is served read-only: its devices stay as they are");
        lock (_ordering)
        {
            using (order)
            {
                Post(order);
                string? hang = null;
                HangWatch watch = newWatch();
                try
                {
                    order.Wait(isCancelled, () => (hang = watch.Look(Concerns)) != null, Withdraw, TurnMs);
                }
                catch (UserErrorException error) when (hang != null)
                {
                    throw new UserErrorException($"{error.Message}: {hang}");
                }
                catch (UserErrorException error) when (LostOf(order) is { } lost)
                {
                    string why = order.LeavesLost ? $"'{order.Name}': stays attached" : error.Message;
                    throw new UserErrorException($"{why}: {lost}; {LostRange.Advice}");
                }
                return order.Device!;
                bool Concerns(BackingDevice hung) => IsAwaited(hung, order);
                bool Withdraw() => Interlocked.CompareExchange(ref _order, null, order) == order;
            }
        }
    }

    // The device itself; the one that an earlier order is still about; what write-back has to do before.
    private bool IsAwaited(BackingDevice hung, DeviceOrder order) => hung.Name == order.Name
        || hung.Id == Volatile.Read(ref _changingId)
        || (dirty.IsAnyOf(hung) && (order.Spec == null || Volatile.Read(ref _isWritingBack)));

    // What a detach that was refused has to say, whatever it was refused for.
    private string? LostOf(DeviceOrder order) =>
        order.Spec == null && backings.Find(order.Name) is { } device ? lost.Sentence(device.Id) : null;

    /// <summary>
    /// Whoever posts it waits for its end before he posts another. Each side writes its word, then reads the other's:
    /// an order that comes when nobody takes any more is refused by one of them.
    /// </summary>
    public void Post(DeviceOrder order)
    {
        Interlocked.Exchange(ref _order, order);
        if (Volatile.Read(ref _hasEnded)) Refuse();
        else queues.WakeFirst();
    }

    /// <summary>The volume stops: none is taken any more.</summary>
    public void EndAll()
    {
        Volatile.Write(ref _hasEnded, true);
        Interlocked.MemoryBarrier();
        Refuse();
    }

    /// <summary>The order that waits, if any, is not carried out.</summary>
    public void Refuse() =>
        Take()?.Finish(new UserErrorException("the volume stops, or its cache has failed"));

    /// <summary>The device that an order is about, 0: none, and whether a batch is under way; by the first queue's
    /// thread.</summary>
    public void NoteWork(int changing, bool isWritingBack)
    {
        Volatile.Write(ref _changingId, changing);
        Volatile.Write(ref _isWritingBack, isWritingBack);
    }

    /// <summary>One waits.</summary>
    public bool IsAnyWaiting => Volatile.Read(ref _order) != null;

    /// <summary>The one that waits, to be carried out; null: none. The first queue's thread.</summary>
    public DeviceOrder? Take() =>
        Volatile.Read(ref _order) == null ? null : Interlocked.Exchange(ref _order, null);
}
