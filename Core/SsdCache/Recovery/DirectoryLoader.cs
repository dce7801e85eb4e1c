using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Core.SsdCache.Commit;
using Weir.Core.SsdCache.Format;

namespace Weir.Core.SsdCache.Recovery;

/// <summary>Fills the directory from its pages, or takes from them what the memory of a dead process lacks.</summary>
internal sealed unsafe class DirectoryLoader(BlockingIo io, Device cache, DirectoryMemory memory, PageStates pages)
{
    private EntryCheck? _check;

    /// <summary>Clean sectors of closed pages count; else only dirty ones do.</summary>
    public bool TrustsClean { get; init; } = true;

    /// <summary>Pages that were open.</summary>
    public int OpenPages { get; private set; }

    /// <summary>
    /// What is dirty in the memory of a dead process is not what the device names dirty: a power cut would show other
    /// versions than have been read.
    /// </summary>
    public bool Differs { get; private set; }

    /// <summary>Loads all pages.</summary>
    /// <exception cref="UserErrorException">A page is damaged, or says what cannot be.</exception>
    public void Run(in SsdSuperblock head)
    {
        _check = new EntryCheck(memory.Geometry, head);
        using DirectoryReader reader = new(io, cache, head);
        reader.Run(Load);
        if (memory.Table.ImpossibleCount > 0)
            throw Damaged($"{memory.Table.ImpossibleCount} blocks are named twice, or where nobody looks for them");
    }

    private void Load(in FoundPage page)
    {
        if (page.IsLost) throw Damaged($"page {page.Number} of the directory is damaged");
        CheckEntries(page);
        bool isOpen = DirectoryPage.IsOpen(page.Image);
        if (isOpen) OpenPages++;
        pages.Load(page.Number, page.Sequence, page.Chosen, isOpen);
        bool believes = Mutant.Is(SsdCacheMutant.B13OpenBelieved);
        if (memory.IsFound) Compare(page);
        else memory.Table.Load(page.Number, page.Image, (page.OnlyDirty && !believes) || !TrustsClean);
    }

    private void Compare(in FoundPage page)
    {
        memory.Table.NoteNamed(page.Number, page.Image);
        Differs |= memory.Table.Differs(page.Number, page.Image);
    }

    private void CheckEntries(in FoundPage page)
    {
        for (int entry = 0; entry < DirectoryPage.EntriesOf(memory.Geometry, page.Number); entry++)
            if (_check!.FaultOf(page.Image, page.Number, entry) is { } fault)
                throw Damaged($"page {page.Number}, entry {entry}: {fault}");
    }

    private UserErrorException Damaged(string what) =>
        new($"{cache.Name}: {what}; 'weir check ssdcache' shows it, 'weir repair ssdcache' keeps what can be kept");
}
