using System;
using System.Collections.Generic;
using System.CommandLine;
using Weir.Core.Base;
using Weir.Core.Writeboost.Format;
using Weir.Frontends.Commands;

namespace Weir.Frontends.Compose;

// Its own options on the command line.
internal sealed partial class WriteboostKind
{
    private const string LayoutOption = "--layout", SegmentSizeOption = "--segment-size", SegmentOption = "--segment",
        DamagedOption = "--damaged", DropAfterOption = "--drop-after",
        UuidOption = "--uuid", MarkOption = "--mark";

    /// <inheritdoc/>
    public IReadOnlyList<EngineOption> OptionsOf(EngineCommand command) => command switch
    {
        EngineCommand.Serve or EngineCommand.Format => [NewLayout(), SegmentSize()],
        EngineCommand.Bench => [SegmentSize()],
        EngineCommand.Dump => [NewLayout(), DumpedSegment()],
        EngineCommand.Repair => [NewLayout(), .. OfRepair()],
        EngineCommand.Drain => [NewLayout(), GiveUpOption.New()],
        _ => [NewLayout()],
    };

    // Throws when no layout is called so.
    private static Layout? LayoutOf(VolumeSpec spec) =>
        spec.OwnOrNull<string>(LayoutOption) is { } name ? Layout.Find(name) : null;

    private static long? GivenSegmentBytes(VolumeSpec spec) =>
        spec.OwnOrNull<string>(SegmentSizeOption) is { } text ? ByteSize.Parse(text, SegmentSizeOption) : null;

    private static int SegmentBytes(VolumeSpec spec, Layout layout) =>
        (int)Math.Min(GivenSegmentBytes(spec) ?? layout.DefaultSegmentBytes, int.MaxValue);

    private static EngineOption NewLayout() => EngineOption.Of(new Option<string?>(LayoutOption)
    {
        HelpName = "LAYOUT",
        Description = "On-disk layout of the cache: native, writeboost2 (dm-writeboost 2.2), writeboost1 or lc1. What "
            + "is there is recognised, but for lc1, which has no magic number; a new cache is native without it.",
    });

    private static EngineOption SegmentSize() => EngineOption.Of(new Option<string?>(SegmentSizeOption)
    {
        HelpName = "SIZE",
        Description = "Bytes per log segment when the cache is formatted: 128K to 4M, a power of two (default 1M).",
    });

    private static EngineOption DumpedSegment() => EngineOption.Of(new Option<long?>(SegmentOption)
    {
        HelpName = "N",
        Description = "Only the segment at place N of the device, counted from 0.",
    });

    private static EngineOption[] OfRepair()
    {
        Option<string?> damaged = new(DamagedOption)
        {
            Description = "Layouts of the kernel: what becomes of a segment in which something is rotten, and nothing "
                + "tells which block. All of them count as they are, or none.",
        };
        damaged.AcceptOnlyFromAmong("keep", "drop");
        return
        [
            EngineOption.Of(new Option<long?>(DropAfterOption)
            {
                HelpName = "RECORD",
                Description =
                    "Give up everything behind this record, where the log is damaged although it was flushed.",
            }),
            EngineOption.Of(new Option<Guid?>(UuidOption)
            {
                HelpName = "UUID",
                Description = "Which cache's superblock to rebuild, where headers of several are found.",
            }),
            EngineOption.Of(damaged),
            EngineOption.Of(new Option<long?>(SegmentOption)
            {
                HelpName = "N",
                Description = "With --damaged: only of this segment.",
            }),
            EngineOption.Of(new Option<long?>(MarkOption)
            {
                HelpName = "N",
                Description = "Layouts of the kernel: let the log begin behind segment N, where the superblock wrongly "
                    + "says that more has been written back.",
            }),
        ];
    }
}
