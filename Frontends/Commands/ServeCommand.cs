using System.CommandLine;
using Weir.Core.Base;
using Weir.Frontends.Compose;

namespace Weir.Frontends.Commands;

/// <summary><c>weir serve</c>: serves a volume until it is told to stop.</summary>
internal static class ServeCommand
{
    private const int QueuesMax = 64;

    // Less or more is a number without its unit, or with the wrong one.
    private const long FewestMemoryBytes = 1 << 20, MostMemoryBytes = 64L << 30;

    // Two operations each of the thread's pool.
    private const int ConnectionsMax = 512;

    /// <summary>The command.</summary>
    public static Command Build()
    {
        VolumeOptions volume = new(
            EngineCommand.Serve, $"How to cache: {EngineTable.CacheNames}, or passthrough for no cache at all.");
        ServeListenOptions listening = new();
        Option<string?> memory = SharedOptions.Memory();
        Option<bool> readOnly = new("--read-only") { Description = "Refuse writes, and write nothing anywhere." };
        Command command = new("serve", "Serve a volume: format a blank cache, open a formatted one.");
        volume.AddTo(command);
        foreach (Option option in listening.All) command.Add(option);
        command.Add(memory);
        command.Add(readOnly);
        command.SetAction(result =>
        {
            VolumeSpec spec = volume.Read(result) with
            {
                Memory = result.GetValue(memory),
                ReadOnly = result.GetValue(readOnly),
            };
            return Server.Run(spec.TakeTrace().Check(), listening.Read(result, spec.Name));
        });
        return command;
    }

    /// <summary>The options that say how clients reach the volume.</summary>
    private sealed class ServeListenOptions
    {
        public Option[] All =>
            [Frontend, Listen, Insecure, Connections, Memory, Control, Queues, Recover, Copy];

        public Option<string> Frontend { get; } = new("--frontend")
        {
            HelpName = "nbd|ublk",
            Description = "How clients reach the volume: over NBD, or as a block device of this machine.",
            DefaultValueFactory = _ => "nbd",
        };

        public Option<string[]> Listen { get; } = new("--listen")
        {
            HelpName = "ADDRESS",
            Description = "unix:PATH, tcp:HOST:PORT or tcp:PORT (127.0.0.1); may be given more than once. Without it "
                + "unix:$XDG_RUNTIME_DIR/weir-NAME.sock, or weir-NAME.sock in the temporary directory.",
        };

        public Option<int> Connections { get; } = new("--max-connections")
        {
            HelpName = "N",
            Description = "NBD clients served at a time; one more is told so and turned away.",
            DefaultValueFactory = static _ => Nbd.NbdServerOptions.DefaultMaxConnections,
        };

        public Option<string> Memory { get; } = new("--request-memory")
        {
            HelpName = "SIZE",
            Description = "Memory for data of NBD requests under way, of all clients together, beyond the MiB that "
                + "each has in any case, 1M to 64G; who wants more waits.",
            DefaultValueFactory = static _ => "64M",
        };

        public Option<bool> Insecure { get; } = new("--insecure")
        {
            Description = "Let --listen tcp: take addresses that other machines reach, though anyone there can "
                + "read and, without --read-only, write the volume.",
        };

        public Option<string?> Control { get; } = new("--control")
        {
            HelpName = "PATH",
            Description = "Socket for weir status, message and stop; none without it.",
        };

        public Option<int> Queues { get; } = new("--queues")
        {
            HelpName = "N",
            Description = "Queue threads.",
            DefaultValueFactory = _ => 1,
        };

        public Option<bool> Recover { get; } = new("--recover")
        {
            Description = "ublk: take over the block device that a weir left when it died.",
        };

        public Option<string> Copy { get; } = new("--ublk-copy")
        {
            HelpName = "auto|direct|user|buffer",
            Description = "ublk: how data comes and goes; auto takes the best that the kernel has.",
            DefaultValueFactory = _ => "auto",
        };

        public ServingSpec Read(ParseResult result, string name)
        {
            string frontend = result.GetValue(Frontend)!;
            if (frontend is not ("nbd" or "ublk"))
                throw new UserErrorException($"unknown frontend '{frontend}'; this version has: nbd, ublk", 2);
            int queues = result.GetValue(Queues);
            if (queues is < 1 or > QueuesMax)
                throw new UserErrorException($"--queues {queues}: expected 1 to {QueuesMax}", 2);
            string[] listen = result.GetValue(Listen) ?? [];
            if (frontend == "ublk") return ReadUblk(result, listen, queues);
            if (listen.Length == 0) listen = [ServingSpec.DefaultAddress(name)];
            if (result.GetValue(Recover)) throw new UserErrorException("--recover is for --frontend ublk", 2);
            int connections = result.GetValue(Connections);
            if (connections is < 1 or > ConnectionsMax)
                throw new UserErrorException($"--max-connections {connections}: expected 1 to {ConnectionsMax}", 2);
            string memory = result.GetValue(Memory)!;
            long memoryBytes = ByteSize.Parse(memory, "--request-memory");
            if (memoryBytes is < FewestMemoryBytes or > MostMemoryBytes)
                throw new UserErrorException($"--request-memory {memory}: expected 1M to 64G", 2);
            return new ServingSpec(listen, result.GetValue(Control), queues)
            {
                Insecure = result.GetValue(Insecure), MaxConnections = connections,
                RequestMemoryBytes = memoryBytes,
            };
        }

        private ServingSpec ReadUblk(ParseResult result, string[] listen, int queues)
        {
            if (listen.Length > 0) throw new UserErrorException("--listen is for --frontend nbd", 2);
            string copy = result.GetValue(Copy)!;
            if (copy is not ("auto" or "direct" or "user" or "buffer"))
                throw new UserErrorException($"--ublk-copy {copy}: expected auto, direct, user or buffer", 2);
            UblkSpec ublk = new(result.GetValue(Recover), copy);
            return new ServingSpec([], result.GetValue(Control), queues, ublk);
        }
    }
}
