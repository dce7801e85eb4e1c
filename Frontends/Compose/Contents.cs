using System;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Frontends.Commands;

namespace Weir.Frontends.Compose;

/// <summary>What is on a device, whoever has written it.</summary>
internal static class Contents
{
    /// <summary>
    /// A cache of one of our engines but <paramref name="except"/>, something else, or nothing.
    /// <paramref name="head"/> and <paramref name="tail"/> are as <see cref="ContentProbe.Read"/> has read them.
    /// </summary>
    public static Content Of(RingContext io, Device device, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail,
        Action<string, long, long>? progress, IEngineKind? except = null)
    {
        foreach (IEngineKind kind in EngineTable.All)
            if (kind != except && kind.Recognise(io, device, head) is { } cache)
                return new Content(ContentKind.Cache, cache);
        Content content = ContentProbe.Describe(head, tail, EngineTable.Marks);
        return content.IsBlank ? ContentProbe.DescribeMiddle(io, device, EngineTable.Marks, progress) : content;
    }

    /// <summary>Throws when one of the devices holds something that a benchmark would write over; names it.</summary>
    public static void CheckBlank(VolumeSpec spec, Action<string, long, long>? progress)
    {
        using RingContext io = new();
        foreach (string path in spec.Devices.Paths)
        {
            using Device device = DeviceOpener.Open(path, readOnly: true, anySize: true);
            (byte[] head, byte[] tail) = ContentProbe.Read(io, device);
            Content content = Of(io, device, head, tail, progress);
            if (!content.IsBlank)
                throw new UserErrorException($"{path}: holds {content.Description}; 'weir bench' would write over it: "
                    + "expected a blank one, or --force");
        }
    }
}
