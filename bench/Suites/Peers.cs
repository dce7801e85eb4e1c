using System;
using System.Collections.Generic;
using System.Threading;
using Weir.Bench.Measuring;

namespace Weir.Bench.Suites;

/// <summary>Weir and its neighbours, each on files of its own in one folder.</summary>
/// <param name="setting">Where files lie, and what weir is.</param>
/// <param name="memoryBytes">Of each server, in a group of its own; 0: no limit.</param>
internal sealed class Peers(Setting setting, long memoryBytes = 0)
{
    private const string Export = "b";
    private const int DrainPatienceMs = 30_000, PollMs = 50;

    /// <summary>Name of the one that all others are compared with.</summary>
    public const string Weir = "weir writeboost";

    /// <summary>Names of others that targets speak of.</summary>
    public const string Passthrough = "weir passthrough", Null = "nbdkit null", Memory = "nbdkit memory";

    // What shows the limit of a transport, and what shows enough of those that no target speaks of.
    private static readonly string[] s_limits =
        ["randread 4k QD1", "randread 4k QD32", "randwrite 4k QD1", "randwrite 4k QD32", "write 256k QD8"];
    private static readonly string[] s_few =
        ["randwrite 4k + fsync", "randread 4k QD32", "read 256k QD8", "randwrite 4k QD32", "write 256k QD8"];

    /// <summary>
    /// All of them before one plain file of <paramref name="bytes"/>; Weir has a cache file of
    /// <paramref name="cacheBytes"/>.
    /// </summary>
    public IReadOnlyList<Peer> OnFile(long bytes, long cacheBytes) =>
    [
        Writeboost(() => Backing(bytes), () => setting.Scratch.NewWritten("cache", cacheBytes)),
        OnlyNull(bytes),
        OnlyMemory(bytes),
        Uncached(() => Backing(bytes), s_few),
        Nbdkit("nbdkit file", () => ["file", Backing(bytes)]),
        Nbdkit("nbdkit cache", () => ["--filter=cache", "file", Backing(bytes)], s_few),
        Nbdkit("nbdkit cow", () => ["--filter=cow", "file", Backing(bytes)], s_few),
        Qemu("qemu-nbd writeback", "writeback", () => Backing(bytes)),
        Qemu("qemu-nbd none", "none", () => Backing(bytes)),
        new("qemu-storage-daemon", () => StorageDaemon(Backing(bytes)), s_few),
    ];

    /// <summary>Weir with write-back held, and a server that does nothing.</summary>
    public IReadOnlyList<Peer> AgainstNull(long bytes, long cacheBytes) => [Held(bytes, cacheBytes), OnlyNull(bytes)];

    /// <summary>Weir with write-back held, and a server that has nothing but memory.</summary>
    public IReadOnlyList<Peer> AgainstMemory(long bytes, long cacheBytes) =>
        [Held(bytes, cacheBytes), OnlyMemory(bytes)];

    /// <summary>
    /// Those that cache what is slow, before a modelled disk; Weir has the model to itself, the same one. nbdkit's
    /// cache filter writes back when it is flushed, in its default mode: of these the one other safe cache.
    /// </summary>
    public IReadOnlyList<Peer> OnDisk(string model, long cacheBytes)
    {
        string disk = "socket=" + DiskSocket, export = "export=" + Export;
        Func<NbdServer> exported = () => ExportDisk(model);
        return
        [
            Cached(model, cacheBytes),
            Nbdkit("nbdkit cache nbd", () => ["--filter=cache", "nbd", disk, export]) with
            {
                IsRival = true, IsJudged = true, StartDisk = exported,
            },
            Uncached(model),
            Nbdkit("nbdkit nbd", () => ["nbd", disk, export], s_few) with { StartDisk = exported },
            Nbdkit("nbdkit cow nbd", () => ["--filter=cow", "nbd", disk, export], s_few) with { StartDisk = exported },
            new("qemu-nbd nbd", () => Start("qemu-nbd", "--socket=" + Socket, "--persistent", "--shared=8",
                "--cache=writeback", "--export-name=" + Export, "--image-opts",
                $"driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={DiskSocket},"
                + "file.export=" + Export), s_few) { StartDisk = exported },
        ];
    }

    /// <summary>Weir with a cache before <paramref name="model"/>.</summary>
    public Peer Cached(string model, long cacheBytes) =>
        Writeboost(() => model, () => setting.Scratch.NewWritten("cache", cacheBytes));

    /// <summary>Weir without a cache.</summary>
    public Peer Uncached(string model) => Uncached(() => model, [.. s_few, "randread miss 4k QD32"]);

    /// <summary>Figures of the Weir that is served, by name.</summary>
    public Dictionary<string, double> Status() => setting.Weir.Status(Control);

    /// <summary>
    /// Returns when the Weir that is served has written back all it can: the segment that is being filled stays.
    /// </summary>
    public void AwaitDrained()
    {
        for (int waitedMs = 0; waitedMs < DrainPatienceMs; waitedMs += PollMs)
        {
            if (!Status().TryGetValue("segments_dirty", out double dirty) || dirty <= 1) return;
            Thread.Sleep(PollMs);
        }
        throw new InvalidOperationException($"weir has not written back after {DrainPatienceMs / 1000} s");
    }

    private string DiskSocket => setting.Scratch.PathOf("disk-socket");

    private string Socket => setting.Scratch.PathOf("socket");

    private string Control => setting.Scratch.PathOf("control");

    // What is read without having been written through a server has its place on the disk, and is in nobody's memory.
    private string Backing(long bytes)
    {
        string path = setting.Scratch.NewFile("backing", bytes);
        setting.Fio.OnFile(FioJob.Fill.With("backing", $"--offset={FioJob.MissOffsetBytes}"), path,
            NbdSuite.Span, 0, 0);
        return path;
    }

    private NbdServer ExportDisk(string model) => NbdServer.Start(DiskSocket, Export, setting.Weir.Binary, [
        "serve", "passthrough", "--backing", $"{Export}={model}", "--listen", "unix:" + DiskSocket]);

    private Peer Writeboost(Func<string> backing, Func<string> cache, params string[] more) => new(Weir, () => Serve(
        ["writeboost", "--cache", cache(), "--backing", $"{Export}={backing()}", .. more]))
    { IsJudged = true };

    private Peer Held(long bytes, long cacheBytes) => Writeboost(() => setting.Scratch.NewFile("backing", bytes),
        () => setting.Scratch.NewWritten("cache", cacheBytes), "--option", "allow_writeback=0");

    private Peer Uncached(Func<string> backing, IReadOnlyList<string> jobs) => new(
        Passthrough, () => Serve("passthrough", "--backing", $"{Export}={backing()}"), jobs);

    private Peer OnlyNull(long bytes) =>
        Nbdkit(Null, () => ["null", $"size={bytes}"], s_limits) with { IsJudged = true };

    private Peer OnlyMemory(long bytes) =>
        Nbdkit(Memory, () => ["memory", $"size={bytes}"], s_limits) with { IsJudged = true };

    private Peer Nbdkit(string name, Func<IEnumerable<string>> plugin, IReadOnlyList<string>? jobs = null) => new(name,
        () => Start("nbdkit", ["--foreground", "--unix=" + Socket, "--exportname=" + Export, .. plugin()]), jobs);

    private Peer Qemu(string name, string cache, Func<string> file) => new(name, () => Start("qemu-nbd",
        "--socket=" + Socket, "--persistent", "--shared=8", "--format=raw", "--cache=" + cache, "--aio=io_uring",
        "--export-name=" + Export, file()), s_few);

    private NbdServer StorageDaemon(string file) => Start("qemu-storage-daemon",
        "--blockdev", $"driver=file,filename={file},node-name=f,cache.direct=on,aio=io_uring",
        "--blockdev", "driver=raw,file=f,node-name=d",
        "--nbd-server", $"addr.type=unix,addr.path={Socket}",
        "--export", $"type=nbd,id=e,node-name=d,name={Export},writable=on");

    private NbdServer Serve(params string[] arguments) =>
        Start(setting.Weir.Binary, ["serve", .. arguments, "--listen", "unix:" + Socket, "--control", Control]);

    private NbdServer Start(string program, params string[] arguments) => NbdServer.Start(
        Socket, Export, program, arguments, memoryBytes > 0 ? MemoryGroup.TryMake(memoryBytes) : null);
}
