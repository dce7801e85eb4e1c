using System;
using System.Buffers.Binary;

namespace Weir.Frontends.Nbd;

/// <summary>
/// Numbers of the NBD protocol, named as its document names them (NetworkBlockDevice/nbd, doc/proto.md, 2026-05).
/// Everything on the wire is big-endian.
/// </summary>
internal static class Protocol
{
    /// <summary>"NBDMAGIC": the server's first eight bytes.</summary>
    public const ulong InitMagic = 0x4e42444d41474943;
    /// <summary>"IHAVEOPT": the next eight, and the start of every option request.</summary>
    public const ulong OptionMagic = 0x49484156454f5054;
    /// <summary>Start of every reply to an option.</summary>
    public const ulong OptionReplyMagic = 0x0003e889045565a9;
    /// <summary>Start of every request.</summary>
    public const uint RequestMagic = 0x25609513;
    /// <summary>Start of every simple reply.</summary>
    public const uint SimpleReplyMagic = 0x67446698;
    /// <summary>Start of every chunk of a structured reply.</summary>
    public const uint StructuredReplyMagic = 0x668e33ef;

    /// <summary>Magic, magic, handshake flags.</summary>
    public const int GreetingBytes = 18;
    /// <summary>The client's flags after the greeting.</summary>
    public const int ClientFlagsBytes = 4;
    /// <summary>Magic, option, length.</summary>
    public const int OptionHeaderBytes = 16;
    /// <summary>Magic, option, reply type, length.</summary>
    public const int OptionReplyHeaderBytes = 20;
    /// <summary>Magic, flags, type, cookie, offset, length.</summary>
    public const int RequestHeaderBytes = 28;
    /// <summary>Magic, error, cookie.</summary>
    public const int SimpleReplyBytes = 16;
    /// <summary>Magic, flags, type, cookie, length.</summary>
    public const int ChunkHeaderBytes = 20;

    /// <summary>Longest name, description or query the protocol allows.</summary>
    public const int MaxStringBytes = 4096;
    /// <summary>Longest option taken; the longest useful one has a name and sixteen queries.</summary>
    public const int MaxOptionBytes = 64 << 10;

    /// <summary>Smallest unit and alignment of requests, as told to clients: any.</summary>
    public const int MinBlockBytes = 1;
    /// <summary>The engines' smallest unit: what is not whole sectors is merged here.</summary>
    public const int SectorBytes = 512;
    /// <summary>What clients should prefer: the engines' block.</summary>
    public const int PreferredBlockBytes = 4096;
    /// <summary>Most data one read or write may carry: more than nbd's own tests send.</summary>
    public const int MaxPayloadBytes = 64 << 20;
    /// <summary>Data moved by one engine request and sent by one chunk; longer requests are cut.</summary>
    public const int ChunkBytes = 1 << 20;

    /// <summary>The one metadata context: allocation.</summary>
    public static ReadOnlySpan<byte> BaseAllocation => "base:allocation"u8;
    /// <summary>Its number on a connection that selected it.</summary>
    public const uint BaseAllocationId = 1;
}

/// <summary>Handshake flags of the server.</summary>
[Flags]
internal enum HandshakeFlags : ushort
{
    FixedNewstyle = 1,
    NoZeroes = 2,
}

/// <summary>Handshake flags of the client.</summary>
[Flags]
internal enum ClientFlags : uint
{
    None = 0,
    FixedNewstyle = 1,
    NoZeroes = 2,
}

/// <summary>NBD_OPT_*.</summary>
internal enum NbdOption : uint
{
    ExportName = 1,
    Abort = 2,
    List = 3,
    StartTls = 5,
    Info = 6,
    Go = 7,
    StructuredReply = 8,
    ListMetaContext = 9,
    SetMetaContext = 10,
    ExtendedHeaders = 11,
}

/// <summary>NBD_REP_*.</summary>
internal enum NbdOptionReply : uint
{
    Ack = 1,
    Server = 2,
    Info = 3,
    MetaContext = 4,
    ErrUnsup = 0x80000001,
    ErrPolicy = 0x80000002,
    ErrInvalid = 0x80000003,
    ErrPlatform = 0x80000004,
    ErrTlsRequired = 0x80000005,
    ErrUnknown = 0x80000006,
    ErrShutdown = 0x80000007,
    ErrBlockSizeRequired = 0x80000008,
    ErrTooBig = 0x80000009,
}

/// <summary>NBD_INFO_*.</summary>
internal enum NbdInfo : ushort
{
    Export = 0,
    Name = 1,
    Description = 2,
    BlockSize = 3,
}

/// <summary>Transmission flags (NBD_FLAG_*): what an export can do.</summary>
[Flags]
internal enum ExportFlags : ushort
{
    HasFlags = 1 << 0,
    ReadOnly = 1 << 1,
    SendFlush = 1 << 2,
    SendFua = 1 << 3,
    SendTrim = 1 << 5,
    SendWriteZeroes = 1 << 6,
    SendDf = 1 << 7,
    CanMultiConn = 1 << 8,
    SendCache = 1 << 10,
    SendFastZero = 1 << 11,
}

/// <summary>NBD_CMD_*.</summary>
internal enum NbdCommand : ushort
{
    Read = 0,
    Write = 1,
    Disconnect = 2,
    Flush = 3,
    Trim = 4,
    Cache = 5,
    WriteZeroes = 6,
    BlockStatus = 7,
}

/// <summary>NBD_CMD_FLAG_*.</summary>
[Flags]
internal enum CommandFlags : ushort
{
    None = 0,
    Fua = 1 << 0,
    NoHole = 1 << 1,
    DontFragment = 1 << 2,
    ReqOne = 1 << 3,
    FastZero = 1 << 4,
}

/// <summary>NBD_REPLY_TYPE_*.</summary>
internal enum ChunkType : ushort
{
    None = 0,
    OffsetData = 1,
    BlockStatus = 5,
    Error = (1 << 15) + 1,
    ErrorOffset = (1 << 15) + 2,
}

/// <summary>Error numbers on the wire; those of Linux by the protocol's choice.</summary>
internal static class NbdError
{
    public const int Perm = 1;
    public const int Io = 5;
    public const int NoMemory = 12;
    public const int Invalid = 22;
    public const int NoSpace = 28;
    public const int Overflow = 75;
    public const int NotSupported = 95;
    public const int Shutdown = 108;

    /// <summary>The wire's number for an engine's negative errno; EIO where the protocol has none.</summary>
    public static int From(int result) => -result switch
    {
        Perm or Io or NoMemory or Invalid or NoSpace or Overflow or NotSupported or Shutdown => -result,
        30 /* EROFS */ => Perm,
        27 /* EFBIG */ or 122 /* EDQUOT */ => NoSpace,
        _ => Io,
    };
}

/// <summary>A request's header as it came, numbers in the machine's order.</summary>
internal struct RequestHeader
{
    public uint Magic;
    public CommandFlags Flags;
    public NbdCommand Command;
    public ulong Cookie;
    public ulong Offset;
    public uint Length;

    /// <summary>Reads <see cref="Protocol.RequestHeaderBytes"/> bytes.</summary>
    public static RequestHeader Read(ReadOnlySpan<byte> bytes) => new()
    {
        Magic = BinaryPrimitives.ReadUInt32BigEndian(bytes),
        Flags = (CommandFlags)BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]),
        Command = (NbdCommand)BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]),
        Cookie = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
        Offset = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]),
        Length = BinaryPrimitives.ReadUInt32BigEndian(bytes[24..]),
    };
}
