using System.IO;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Recovery;

namespace Weir.Frontends.Compose;

// Memory that outlives its process: whether the cache that it belongs to still needs it.
internal sealed partial class WriteboostKind
{
    /// <inheritdoc/>
    public unsafe MemoryNote? NoteOf(MemoryFile file, string bootId)
    {
        fixed (byte* bytes = file.Head)
        {
            RamHead* head = (RamHead*)bytes;
            if (!head->IsWeirs) return null;
            (MemoryUse use, string why) = Judge(file, *head, bootId);
            string cache = head->Version > 0 ? head->CachePathText : "";
            return new MemoryNote(
                file.Path, file.SizeBytes, file.MadeAt, head->CacheId, cache, use, why, file.TryRemove);
        }
    }

    private (MemoryUse Use, string Why) Judge(MemoryFile file, in RamHead head, string bootId)
    {
        if (file.IsInUse) return (MemoryUse.InUse, "in use");
        if (head.BootText != bootId) return (MemoryUse.None, "of no use: of an earlier boot of the machine");
        if (!head.IsKnown)
            return (MemoryUse.Unknown, $"of version {head.VersionText}, which this weir does not know");
        if (head.Version == 0)
            return (MemoryUse.Unknown, "left by an older weir; where its cache is, is not known");
        return LookAtCache(head.CachePathText, head);
    }

    // What the cache that the memory belongs to says about it. In doubt somebody may need it.
    private (MemoryUse Use, string Why) LookAtCache(string path, RamHead head)
    {
        const string left = "left by a process that died; ";
        if (path.Length == 0) return (MemoryUse.Unknown, left + "where its cache is, is not known");
        if (!File.Exists(path)) return (MemoryUse.Unknown, left + "its cache is not there");
        try
        {
            using Device cache = Opening.OpenDevice(path, readOnly: true, static _ => { });
            using RingContext io = new();
            CacheContent content = Look(io, cache, null);
            Layout layout = content.Layout ?? (MayBeUnmarked(content, head) ? Layout.Unmarked : Layout.Native);
            Superblock superblock = SuperblockReader.Read(
                layout, new BlockingIo(io), cache.OpenQueue(io), cache, out _, out _);
            if (layout == Layout.Unmarked && superblock.CacheId != head.CacheId)
                return (MemoryUse.Unknown, $"{left}it may be needed: nothing tells a cache in layout {layout.Name} "
                    + $"from other bytes; look with 'weir check writeboost --cache {path} --layout {layout.Name}'");
            return Compare(layout, superblock, head);
        }
        catch (UserErrorException e)
        {
            return (MemoryUse.Unknown, $"{left}it may be needed: its cache cannot be looked at: {e.Message}");
        }
    }

    // Lives in layouts of the kernel's have no number, and one of these has no magic: with an empty log it is blank.
    private static bool MayBeUnmarked(CacheContent content, in RamHead head) => head.Epoch == 0
        && content.Other.Kind is ContentKind.Blank or ContentKind.Unknown;

    private static (MemoryUse Use, string Why) Compare(Layout layout, in Superblock superblock, in RamHead head)
    {
        if (superblock.CacheId != head.CacheId)
            return (MemoryUse.Unknown, "left by a process that died; another cache is in the place of its own");
        if (layout.HasEpochs && superblock.Epoch > head.Epoch)
            return (MemoryUse.None, "of no use: its cache has been served since");
        if (layout.HasEpochs && superblock.Epoch == head.Epoch && superblock.IsClean)
            return (MemoryUse.None, "of no use: its cache was stopped in order since");
        return (MemoryUse.Needed, "left by a process that died; the next start of its cache needs it"
            + (layout == Layout.Unmarked ? $" (with --layout {layout.Name})" : ""));
    }
}
