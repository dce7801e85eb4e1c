using System.Threading;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Recovery;

namespace Weir.Core.Writeboost;

/// <content>
/// The memory that outlives the process (R1): found, made, and given up when it does not outlive the process after all.
/// </content>
public sealed unsafe partial class WriteboostVolume
{
    private readonly IRamStore _ram;
    private RamSegments? _made;
    private bool _ramIsShared;
    private string? _memoryLoss;

    // Which cache this is, for what is kept about it elsewhere.
    internal string RamName => RamSegments.NameOf(Superblock, Cache.Identity);

    // What is published counts. False: acknowledgements wait for the log.
    internal bool RamOutlivesProcess => _ramIsShared && Volatile.Read(ref _memoryLoss) == null;

    private string MemoryText => HasNoCache ? "none is needed: the cache device has failed"
        : !_ramIsShared ? "the process's own"
        : Log.Ram.Region.Place + (_memoryLoss is { } loss ? $" {loss}" : "");

    // From here on writes are acknowledged when they are durable: no process that comes after finds the memory.
    internal void ReportMemoryLoss(string loss)
    {
        // A full fence: whoever still saw the memory as good has his slots below the end that is looked at next.
        Interlocked.Exchange(ref _memoryLoss, loss);
        Options.Log($"{Log.Ram.Region.Place}: {loss}: this memory would not outlive the process; writes are "
            + "acknowledged once they are durable until the next start");
    }

    // What had been acknowledged before is durable too.
    internal void SettleMemoryLoss()
    {
        Options.Log($"{Log.Ram.Region.Place}: {_memoryLoss}: all that was acknowledged before is durable now");
        if (Superblock.RamBoot == 0) return;
        Superblock.RamBoot = 0;
        if (Layout.HasEpochs) BeginCommit();
        else Fingerprints.BeginWrite();
    }

    // Nobody need find it any more: a loss that is seen from now on is none.
    internal void ForgetRam()
    {
        HasForgottenRam = true;
        _ram.Delete(RamName);
    }

    internal bool HasForgottenRam { get; private set; }

    private void WarnOfMissingRam(IRamStore store)
    {
        if (!RamSegments.IsMissed(store, RamName, Superblock)) return;
        Options.Log($"{Cache.Name}: its last run acknowledged writes from memory, in this boot of the machine, and "
            + $"that memory is gone (looked in {store.Places}): writes that no flush followed may be lost, those of "
            + "the last second before it ended above all");
    }

    // Before the epoch begins: the superblock says whether there will be memory to look for.
    private void MakeRam()
    {
        int most = Layout.HasEpochs ? Geometry.SegmentCount - 2
            : System.Math.Min(SegmentScan.MaxUnproven, Geometry.SegmentCount - 2);
        int count = System.Math.Clamp(Options.RamSegments, 2, System.Math.Max(2, most));
        Superblock next = Superblock;
        if (Layout.HasEpochs) next.RaiseEpoch();
        string path = Options.CachePath ?? Cache.Name;
        IRamStore store = ReadOnly ? new HeapRamStore() : _ram;
        try
        {
            _made = RamSegments.Create(store, RamName, next, count, path);
            _ramIsShared = store.OutlivesProcess;
        }
        catch (UserErrorException e) when (store.OutlivesProcess)
        {
            long fits = RamSegments.CountThatFits(Superblock.SegmentBytes, store.RoomBytes);
            Options.Log($"{e.Message}: writes are acknowledged once they are durable"
                + (fits is >= 2 && fits < count ? $"; --option ram_segments={fits} fits" : ""));
            _made = RamSegments.Create(new HeapRamStore(), RamName, next, count, path);
        }
        Superblock.RamBoot = _ramIsShared ? Superblock.RamBootOf(_ram.BootId) : 0;
        Superblock.RamFolderText = _ramIsShared ? _made.Region.Folder : "";
    }
    // What was made of it stays for the next start to find: the superblock may name its epoch already.
    private void DropRam()
    {
        _made?.Dispose();
        _made = null;
    }
}
