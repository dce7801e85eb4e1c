using System;
using Weir.Core.DmCache.Format;
using Weir.Core.DmCache.Places;
using Weir.Core.DmCache.Tools;
using Weir.Core.Io;
using Weir.Tests.DmCache;
using Weir.Tests.DmCache.Tools;

namespace Weir.Tests.Simulation.Engines;

/// <summary>The metadata of a simulated cache as they lie on their device now, before our tools and others.</summary>
internal static unsafe class MetadataOf
{
    /// <summary>What our check finds wrong; null: nothing.</summary>
    public static string? Check(SimDevices devices)
    {
        SimDevice home = devices.Metadata ?? devices.Cache!;
        using MemoryContext io = new();
        using MetadataDevice metadata = new(io, new MediaDevice(home));
        if (devices.Metadata == null) MetadataProbe.LimitToRegion(metadata);
        CheckItems items = new();
        new CacheChecker(metadata, items) { BackingBytes = devices.Disks[0].SizeBytes }.Run();
        return items.Problems.Count == 0 ? null : "check: " + string.Join("; ", items.Problems);
    }

    /// <summary>Where the entries and marks on the device are not those of the table; null: nowhere.</summary>
    public static string? Compare(SimDevices devices, PlaceTable table)
    {
        MetadataImage image = Copy(devices.Metadata ?? devices.Cache!, isAtHead: devices.Metadata == null);
        using CacheMetadata metadata = image.Open();
        ulong[] entries = image.Mappings(metadata);
        ulong[] marks = metadata.Head.Version == 1 ? [] : image.DirtyWords(metadata);
        if (entries.Length != table.Places) return $"the metadata name {entries.Length} places, not {table.Places}";
        for (uint place = 0; place < table.Places; place++)
        {
            PlaceState state = table.StateOf(place);
            ulong entry = (state & PlaceState.Mapped) == 0 ? 0 : ((ulong)table.HomeOf(place) << 16) | 1;
            bool isMarked = marks.Length == 0 ? (entries[place] & 2) != 0
                : ((marks[place >> 6] >> (int)(place & 63)) & 1) != 0;
            if ((entries[place] & ~2UL) != entry || isMarked != ((state & PlaceState.Dirty) != 0))
                return $"place {place} is {state} of {entry:x}, and the metadata say {entries[place]:x}, "
                    + (isMarked ? "dirty" : "clean");
        }
        return null;
    }

    /// <summary>What the kernel's tools say against ours; null: nothing.</summary>
    public static string? Ask(Judge judge, SimDevices devices)
    {
        MetadataImage image = Copy(devices.Metadata ?? devices.Cache!, isAtHead: devices.Metadata == null);
        if (judge.Refuses(image)) return "cache_check refuses the metadata";
        string ours = OfflineTools.Dump(image);
        bool isSame = HasHints(image) ? judge.Dump(image) == ours
            : Mappings(judge.DumpSoFar(image)) == Mappings(ours);
        return isSame ? null : "cache_dump has another XML";
    }

    // Without an array of hints their width is told in different ways too.
    private static string Mappings(string xml) =>
        xml[xml.IndexOf("<mappings>", StringComparison.Ordinal)..xml.IndexOf("<hints>", StringComparison.Ordinal)];

    private static bool HasHints(MetadataImage image)
    {
        fixed (byte* head = image.Bytes) return ((DiskSuperblock*)head)->HintRoot != 0;
    }

    private static MetadataImage Copy(SimDevice home, bool isAtHead)
    {
        long bytes = home.SizeBytes;
        if (isAtHead) bytes = ((DiskSuperblock*)home.Media.Current)->SpaceMap.Blocks * MetadataImage.BlockBytes;
        byte[] copy = new byte[bytes];
        new ReadOnlySpan<byte>(home.Media.Current, copy.Length).CopyTo(copy);
        return new MetadataImage(copy);
    }

    /// <summary>What reads of a simulated device see, outside of its world.</summary>
    private sealed class MediaDevice(SimDevice device) : Device
    {
        public override string Name => device.Name;

        public override long SizeBytes => device.SizeBytes;

        public override int LogicalBlockBytes => device.LogicalBlockBytes;

        public override bool CanFlush => true;

        public override string Identity => device.Identity;

        public override DeviceQueue OpenQueue(IoContext io) => new Queue(device.Media, io);

        public override void Dispose()
        {
        }
    }

    private sealed class Queue(SimMedia media, IoContext io) : DeviceQueue
    {
        public override void Submit(IoOp* op)
        {
            Xunit.Assert.Equal(IoKind.Read, op->Kind);
            Buffer.MemoryCopy(media.Current + op->OffsetBytes, op->Buffer, op->LengthBytes, op->LengthBytes);
            io.Complete(op, (int)op->LengthBytes);
        }
    }
}
