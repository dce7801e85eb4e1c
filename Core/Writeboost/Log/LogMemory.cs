using System;
using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Log;

/// <summary>
/// The memory of a log that outlives the process (R1): found, made, and given up when it does not outlive the process
/// after all. Made by whoever opens the volume; then on the first queue's thread, but for <see cref="Outlives"/>.
/// </summary>
internal sealed class LogMemory(Layout layout, SuperblockState superblock, Device cache, IRamStore store,
    WriteboostOptions options) : IDisposable
{
    private RamSegments? _made;
    private bool _isShared;
    private string? _loss;

    /// <summary>Which cache this is, for what is kept about it elsewhere.</summary>
    public string Name => RamSegments.NameOf(superblock.Now, cache.Identity);

    /// <summary>Where it comes from.</summary>
    public IRamStore Store => store;

    /// <summary>What is published counts. False: acknowledgements wait for the log. Any thread.</summary>
    public bool Outlives => _isShared && Volatile.Read(ref _loss) == null;

    /// <summary>Nobody need find it any more.</summary>
    public bool IsForgotten { get; private set; }

    /// <summary>What it is, for people.</summary>
    public string Text => !_isShared ? "the process's own"
        : _made!.Region.Place + (_loss is { } loss ? $" {loss}" : "");

    /// <summary>
    /// Makes it, for at most <paramref name="most"/> segments. Before the epoch begins: the superblock says whether
    /// there will be memory to look for.
    /// </summary>
    public void Make(int most)
    {
        int count = Math.Clamp(options.RamSegments, 2, Math.Max(2, most));
        Superblock next = superblock.Now;
        if (layout.HasEpochs) next.RaiseEpoch();
        string path = options.CachePath ?? cache.Name;
        IRamStore from = options.ReadOnly ? new HeapRamStore() : store;
        try
        {
            _made = RamSegments.Create(from, Name, next, count, path);
            _isShared = from.OutlivesProcess;
        }
        catch (UserErrorException e) when (from.OutlivesProcess)
        {
            long fits = RamSegments.CountThatFits(superblock.Now.SegmentBytes, from.RoomBytes);
            options.Log($"{e.Message}: writes are acknowledged once they are durable"
                + (fits is >= 2 && fits < count ? $"; --option ram_segments={fits} fits" : ""));
            _made = RamSegments.Create(new HeapRamStore(), Name, next, count, path);
        }
        superblock.Now.RamBoot = _isShared ? Superblock.RamBootOf(store.BootId) : 0;
        superblock.Now.RamFolderText = _isShared ? _made.Region.Folder : "";
    }

    /// <summary>What was made, for the log that owns it from now on; made now if it was not.</summary>
    public RamSegments Take(int most)
    {
        if (_made == null) Make(most);
        return _made!;
    }

    /// <summary>
    /// Gives back what was made. It stays for the next start to find: the superblock may name its epoch already.
    /// </summary>
    public void Dispose()
    {
        _made?.Dispose();
        _made = null;
    }

    /// <summary>Says so when what the last life had acknowledged is gone with its memory.</summary>
    public void WarnOfMissing()
    {
        if (!RamSegments.IsMissed(store, Name, superblock.Now)) return;
        options.Log($"{cache.Name}: its last run acknowledged writes from memory, in this boot of the machine, and "
            + $"that memory is gone (looked in {store.Places}): writes that no flush followed may be lost, those of "
            + "the last second before it ended above all");
    }

    /// <summary>
    /// From here on writes are acknowledged when they are durable: no process that comes after finds the memory.
    /// </summary>
    public void ReportLoss(string loss)
    {
        // A full fence: whoever still saw the memory as good has his slots below the end that is looked at next.
        Interlocked.Exchange(ref _loss, loss);
        options.Log($"{_made!.Region.Place}: {loss}: this memory would not outlive the process; writes are "
            + "acknowledged once they are durable until the next start");
    }

    /// <summary>
    /// What had been acknowledged before is durable too. True: the superblock has to say that there is no memory.
    /// </summary>
    public bool SettleLoss()
    {
        options.Log($"{_made!.Region.Place}: {_loss}: all that was acknowledged before is durable now");
        if (superblock.Now.RamBoot == 0) return false;
        superblock.Now.RamBoot = 0;
        return true;
    }

    /// <summary>Nobody need find it any more: a loss that is seen from now on is none.</summary>
    public void Forget()
    {
        IsForgotten = true;
        store.Delete(Name);
    }
}
