using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.DmCache.Tools;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Frontends.Commands;
using Weir.Frontends.Status;

namespace Weir.Frontends.Compose;

// The offline tools. Metadata lie on a device of their own, or at the head of the cache device.
internal sealed partial class DmCacheKind : IEngineTools
{
    private const string BackingOption = "--backing", DiscardsOption = "--discards", DropLostOption = "--drop-lost",
        OmitOption = "--omit-clean-shutdown", VersionOption = "--metadata-version", SizeOption = "--block-size";

    private const long DefaultBlockBytes = 64 << 10;

    /// <inheritdoc/>
    public IReadOnlyList<EngineOption> OptionsOf(EngineCommand command) => command switch
    {
        EngineCommand.Serve or EngineCommand.Bench => [BlockSize()],
        EngineCommand.Format => [NewVersion(), BlockSize()],
        EngineCommand.Check => [Backing()],
        EngineCommand.Dump => [Discards()],
        EngineCommand.Restore => [NewVersion(), Omit()],
        EngineCommand.Repair => [DropLost(), Backing()],
        EngineCommand.Drain => [GiveUpOption.New()],
        _ => [],
    };

    /// <inheritdoc/>
    public string Format(in ToolRun run)
    {
        long blockBytes = GivenBlockBytes(run.Spec) ?? DefaultBlockBytes;
        using ToolDevices devices = new(run, writes: true);
        CheckRoom(devices, run);
        if (devices.Cache == null)
            throw Usage($"{Name} needs --cache PATH: its size says how many places there are");
        CacheFormat format = new(devices.Metadata, VersionOf(run.Spec), blockBytes) { CacheName = devices.Cache.Name };
        return $"{devices.Path}: {Name}, {format.Run(devices.Cache.SizeBytes, devices.IsAtHead)}";
    }

    /// <inheritdoc/>
    public long Check(in ToolRun run, IItemWriter items)
    {
        using ToolDevices devices = new(run, writes: false);
        return new CacheChecker(devices.Metadata, items)
        {
            BackingBytes = BackingBytesOf(run), CacheBytes = devices.CacheBytes,
        }.Run();
    }

    // 0: it is not named.
    private static long BackingBytesOf(in ToolRun run)
    {
        if (run.Spec.OwnOrNull<string>(BackingOption) is not { } path) return 0;
        using Device backing = Opening.OpenBacking(path, readOnly: true, run.Log);
        return backing.ClientBytes;
    }

    /// <inheritdoc/>
    public void Dump(in ToolRun run, IItemWriter items)
    {
        using ToolDevices devices = new(run, writes: false);
        Action<string> log = run.Log;
        using CacheSurvey survey = CacheSurvey.Run(devices.Metadata, problem => log("damaged: " + problem));
        CacheDumper dumper = new(survey) { WithDiscards = run.Spec.OwnValue<bool>(DiscardsOption) == true };
        if (items is JsonItems) dumper.WriteItems(items);
        else dumper.WriteXml(Output.Write);
        if (dumper.Warning is { } warning) log(warning);
        if (survey.Problems > 0)
            throw new UserErrorException($"{devices.Path}: is damaged: this is what can be read of it");
    }

    /// <inheritdoc/>
    public string Restore(in ToolRun run, string input)
    {
        using ToolDevices devices = new(run, writes: true);
        CheckRoom(devices, run);
        using StreamReader xml = OpenInput(input);
        CacheRestorer restorer = new(devices.Metadata)
        {
            Version = VersionOf(run.Spec), OmitsCleanShutdown = run.Spec.OwnValue<bool>(OmitOption) == true,
            IsAtHead = devices.IsAtHead,
        };
        try
        {
            return $"{devices.Path}: {Name}, {restorer.Run(xml)}";
        }
        catch (UserErrorException fault)
        {
            throw new UserErrorException($"{input}: {fault.Message}");
        }
    }

    /// <inheritdoc/>
    public bool Repair(in ToolRun run, bool write, IItemWriter items)
    {
        using ToolDevices devices = new(run, write);
        return new CacheRepairer(devices.Metadata, items)
        {
            Write = write, DropsLost = run.Spec.OwnValue<bool>(DropLostOption) == true,
            BackingBytes = BackingBytesOf(run),
        }.Run();
    }

    /// <inheritdoc/>
    public int Drain(in ToolRun run, Func<bool> stopAsked)
    {
        Action<string, long, long>? progress = run.Progress;
        BlockDevices.CheckNoneWaits(run.Spec);
        using OpenedVolume opened = Opening.Run(run.Spec, run.Log, progress, stopAsked);
        using RingContext io = new();
        IDrainable volume = (IDrainable)opened.Volume;
        Drainer drainer = new(volume, io) { GivesUp = GiveUpOption.ValuesOf(run.Spec) };
        int result = drainer.Run(
            stopAsked, at => progress?.Invoke(at.Unit, at.TotalBlocks - at.DirtyBlocks, at.TotalBlocks));
        return result == 1 ? throw GiveUpOption.Unfinished(drainer, volume, run.Spec.Devices.Cache) : result;
    }

    // What would be lost: metadata, whole or without their first block.
    private void CheckRoom(ToolDevices devices, in ToolRun run)
    {
        BlockDevices.CheckNoneWaits(run.Spec);
        if (run.Spec.Force) return;
        if (MetadataProbe.Find(devices.Metadata) is { } found)
            throw new UserErrorException($"{devices.Path}: holds {found}; --force writes over it");
        using RingContext io = new();
        (byte[] head, byte[] tail) = ContentProbe.Read(io, devices.Device);
        Content content = Contents.Of(io, devices.Device, head, tail, run.Progress, except: this);
        if (!content.IsBlank)
            throw new UserErrorException($"{devices.Path}: holds {content.Description}; --force writes over it");
    }

    private static StreamReader OpenInput(string path)
    {
        try
        {
            return new StreamReader(path);
        }
        catch (Exception fault) when (FileFault.Is(fault))
        {
            throw new UserErrorException($"{path}: cannot be read: {FileFault.Text(fault)}");
        }
    }

    private static int VersionOf(VolumeSpec spec) => spec.OwnValue<long>(VersionOption) switch
    {
        null or 2 => 2,
        1 => 1,
        { } other => throw new UserErrorException($"{VersionOption} {other}: expected 1 or 2", Program.WrongUsage),
    };

    private static EngineOption NewVersion() => EngineOption.Of(new Option<long?>(VersionOption)
    {
        HelpName = "1|2",
        Description = "Version of new dmcache metadata: 2 (default) keeps dirty bits apart from mappings.",
    });

    private static EngineOption BlockSize() => EngineOption.Of(new Option<string?>(SizeOption)
    {
        HelpName = "SIZE",
        Description = "Bytes of a cache block of dmcache: 32K to 1G in steps of 32K (default 64K).",
    });

    private static EngineOption Backing() => EngineOption.Of(new Option<string?>(BackingOption)
    {
        HelpName = "PATH",
        Description = "The slow device of dmcache, so that mappings past its end are found.",
    });

    private static EngineOption Discards() => EngineOption.Of(new Option<bool>(DiscardsOption)
    {
        Description = "Dump the discard marks of dmcache too; 'weir restore' knows them, the kernel's tools do not.",
    });

    private static EngineOption Omit() => EngineOption.Of(new Option<bool>(OmitOption)
    {
        Description = "Leave the clean flag out: every mapped block of dmcache counts as dirty.",
    });

    private static EngineOption DropLost() => EngineOption.Of(new Option<bool>(DropLostOption)
    {
        Description = "Drop mappings of dmcache that cannot be read or contradict each other, with the data that only "
            + "they name.",
    });
}
