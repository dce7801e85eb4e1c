using System;
using System.Collections.Generic;
using Weir.Bench.Measuring;

namespace Weir.Bench.Suites;

/// <summary>A program that serves a device over NBD, its caching included.</summary>
/// <param name="Name">In tables.</param>
/// <param name="Start">Starts it on fresh files.</param>
/// <param name="IsRival">It caches, safely: one that users might take instead.</param>
internal sealed record Peer(string Name, Func<NbdServer> Start, bool IsRival = false);

/// <summary>Weir and its neighbours, each on files of its own in one folder.</summary>
internal sealed class Peers(Setting setting)
{
    private const string Export = "b";

    /// <summary>Name of the one that all others are compared with.</summary>
    public const string Weir = "weir writeboost";

    /// <summary>All of them before one plain file of <paramref name="bytes"/>.</summary>
    public IReadOnlyList<Peer> OnFile(long bytes) =>
    [
        Writeboost(() => setting.Scratch.NewFile("backing", bytes), bytes),
        Passthrough(() => setting.Scratch.NewFile("backing", bytes)),
        Nbdkit("nbdkit null", () => ["null", $"size={bytes}"]),
        Nbdkit("nbdkit memory", () => ["memory", $"size={bytes}"]),
        Nbdkit("nbdkit file", () => ["file", setting.Scratch.NewFile("backing", bytes)]),
        Nbdkit("nbdkit cache", () => ["--filter=cache", "file", setting.Scratch.NewFile("backing", bytes)], true),
        Nbdkit("nbdkit cow", () => ["--filter=cow", "file", setting.Scratch.NewFile("backing", bytes)]),
        Qemu("qemu-nbd writeback", "writeback", () => setting.Scratch.NewFile("backing", bytes)),
        Qemu("qemu-nbd none", "none", () => setting.Scratch.NewFile("backing", bytes)),
        new("qemu-storage-daemon", () => StorageDaemon(setting.Scratch.NewFile("backing", bytes))),
    ];

    /// <summary>
    /// Those that cache what is slow, before a modelled disk that <see cref="ExportDisk"/> exports; Weir has the model
    /// to itself, the same one.
    /// </summary>
    public IReadOnlyList<Peer> OnDisk(string model, string diskSocket, long cacheBytes) =>
    [
        Writeboost(() => model, cacheBytes),
        Passthrough(() => model),
        Nbdkit("nbdkit nbd", () => ["nbd", "socket=" + diskSocket, "export=b"]),
        Nbdkit("nbdkit cache nbd", () => ["--filter=cache", "nbd", "socket=" + diskSocket, "export=b"], true),
        Nbdkit("nbdkit cow nbd", () => ["--filter=cow", "nbd", "socket=" + diskSocket, "export=b"]),
        new("qemu-nbd nbd", () => Start("qemu-nbd", "--socket=" + Socket, "--persistent", "--shared=8",
            "--export-name=" + Export, "--image-opts",
            $"driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={diskSocket},file.export=b")),
    ];

    /// <summary>The modelled disk, exported for those that cannot model it themselves.</summary>
    public NbdServer ExportDisk(string model) => NbdServer.Start(DiskSocket, "b", setting.Weir.Binary, [
        "serve", "passthrough", "--backing", "b=" + model, "--listen", "unix:" + DiskSocket]);

    /// <summary>Where <see cref="ExportDisk"/> serves.</summary>
    public string DiskSocket => setting.Scratch.PathOf("disk-socket");

    private string Socket => setting.Scratch.PathOf("socket");

    private Peer Writeboost(Func<string> backing, long cacheBytes) => new(Weir, () => Serve(
        "writeboost", "--cache", setting.Scratch.NewFile("cache", cacheBytes), "--backing", "b=" + backing()));

    private Peer Passthrough(Func<string> backing) =>
        new("weir passthrough", () => Serve("passthrough", "--backing", "b=" + backing()));

    private Peer Nbdkit(string name, Func<IEnumerable<string>> plugin, bool isRival = false) => new(name,
        () => Start("nbdkit", ["--foreground", "--unix=" + Socket, "--exportname=" + Export, .. plugin()]), isRival);

    private Peer Qemu(string name, string cache, Func<string> file) => new(name, () => Start("qemu-nbd",
        "--socket=" + Socket, "--persistent", "--shared=8", "--format=raw", "--cache=" + cache, "--aio=io_uring",
        "--export-name=" + Export, file()));

    private NbdServer StorageDaemon(string file) => Start("qemu-storage-daemon",
        "--blockdev", $"driver=file,filename={file},node-name=f,cache.direct=on,aio=io_uring",
        "--blockdev", "driver=raw,file=f,node-name=d",
        "--nbd-server", $"addr.type=unix,addr.path={Socket}",
        "--export", $"type=nbd,id=e,node-name=d,name={Export},writable=on");

    private NbdServer Serve(params string[] arguments) =>
        Start(setting.Weir.Binary, ["serve", .. arguments, "--listen", "unix:" + Socket]);

    private NbdServer Start(string program, params string[] arguments) =>
        NbdServer.Start(Socket, Export, program, arguments);
}
