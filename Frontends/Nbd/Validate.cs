namespace Weir.Frontends.Nbd;

/// <summary>What of an export and of a negotiation decides whether a request is good.</summary>
internal struct ExportLimits
{
    /// <summary>Bytes of the export.</summary>
    public long SizeBytes;
    /// <summary>What was told to the client, so that nothing else is taken from it.</summary>
    public ExportFlags Flags;
    /// <summary>Write-zeroes with FAST_ZERO can be kept.</summary>
    public bool CanFastZero;
    /// <summary>The client negotiated structured replies.</summary>
    public bool Structured;
    /// <summary>The client selected <c>base:allocation</c> for this export.</summary>
    public bool BlockStatus;
}

/// <summary>The one place where requests are judged.</summary>
internal static class Validate
{
    /// <summary>0, or the NBD error to reply. Magic and DISC are the parser's business.</summary>
    public static int Request(in RequestHeader header, in ExportLimits limits)
    {
        if (!IsOffered(header.Command, limits)) return NbdError.Invalid;
        if ((header.Flags & ~AllowedFlags(header.Command, limits)) != 0) return NbdError.Invalid;
        if (header.Command == NbdCommand.Flush)
            return header.Offset == 0 && header.Length == 0 ? 0 : NbdError.Invalid;
        if (Modifies(header.Command) && (limits.Flags & ExportFlags.ReadOnly) != 0) return NbdError.Perm;
        if (CarriesData(header.Command) && header.Length > Protocol.MaxPayloadBytes) return NbdError.Invalid;
        if (!InRange(header, limits.SizeBytes)) return PastEnd(header.Command);
        return Capability(header, limits);
    }

    private static int Capability(in RequestHeader header, in ExportLimits limits)
    {
        bool dontFragment = (header.Flags & CommandFlags.DontFragment) != 0;
        if (dontFragment && header.Length > Protocol.ChunkBytes) return NbdError.Overflow;
        bool fastZero = (header.Flags & CommandFlags.FastZero) != 0;
        if (fastZero && !limits.CanFastZero) return NbdError.NotSupported;
        if (header.Command == NbdCommand.BlockStatus && header.Length == 0) return NbdError.Invalid;
        return 0;
    }

    /// <summary>The command exists and was offered. A read-only export refuses changes by EPERM, not here.</summary>
    private static bool IsOffered(NbdCommand command, in ExportLimits limits)
    {
        bool readOnly = (limits.Flags & ExportFlags.ReadOnly) != 0;
        return command switch
        {
            NbdCommand.Read or NbdCommand.Write or NbdCommand.Flush or NbdCommand.Cache => true,
            NbdCommand.Trim => readOnly || (limits.Flags & ExportFlags.SendTrim) != 0,
            NbdCommand.WriteZeroes => true,
            NbdCommand.BlockStatus => limits.BlockStatus,
            _ => false,
        };
    }

    /// <summary>FUA goes with everything, even where it says nothing; the others with their own command.</summary>
    private static CommandFlags AllowedFlags(NbdCommand command, in ExportLimits limits) => command switch
    {
        NbdCommand.Read when limits.Structured => CommandFlags.Fua | CommandFlags.DontFragment,
        NbdCommand.WriteZeroes => CommandFlags.Fua | CommandFlags.NoHole | CommandFlags.FastZero,
        NbdCommand.BlockStatus => CommandFlags.Fua | CommandFlags.ReqOne,
        _ => CommandFlags.Fua,
    };

    /// <summary>Offset plus length stays below 2^64 only because each is checked alone first.</summary>
    private static bool InRange(in RequestHeader header, long sizeBytes) =>
        header.Offset <= (ulong)sizeBytes && header.Length <= (ulong)sizeBytes - header.Offset;

    /// <summary>Writing past the end is ENOSPC, reading and trimming there EINVAL (proto.md, "Error values").</summary>
    private static int PastEnd(NbdCommand command) =>
        command is NbdCommand.Write or NbdCommand.WriteZeroes ? NbdError.NoSpace : NbdError.Invalid;

    private static bool Modifies(NbdCommand command) =>
        command is NbdCommand.Write or NbdCommand.Trim or NbdCommand.WriteZeroes;

    private static bool CarriesData(NbdCommand command) => command is NbdCommand.Read or NbdCommand.Write;
}
