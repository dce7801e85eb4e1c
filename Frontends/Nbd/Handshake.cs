using System;
using System.Buffers.Binary;

namespace Weir.Frontends.Nbd;

/// <summary>What the connection does after a step of the handshake.</summary>
internal enum HandshakeStep
{
    /// <summary>Receive more and call again.</summary>
    NeedInput,
    /// <summary>Send what was written, then call again.</summary>
    Again,
    /// <summary>Send what was written; requests follow.</summary>
    Transmission,
    /// <summary>Send what was written, if anything, and close.</summary>
    Close,
}

/// <summary>How many may be served at a time.</summary>
internal interface IPlaces
{
    /// <summary>What a client is told for whom there is none.</summary>
    byte[] FullText { get; }

    /// <summary>Takes a place; false: all are taken.</summary>
    bool TryAdmit();
}

/// <summary>
/// The fixed newstyle handshake of one connection, as pure code: bytes in, bytes out. Each call takes at most one
/// step, and its output fits in <see cref="OutputBytes"/>.
/// </summary>
internal sealed partial class Handshake
{
    private Export[] _exports = [];
    private IPlaces? _places;
    /// <summary>254 exports with names of the command line's longest.</summary>
    private const int ListBytes = 256 * (64 + 255 + 64);

    /// <summary>Four for each export there may be; whoever sends more wants something else.</summary>
    public const int MaxOptions = 1024;

    private ClientFlags _clientFlags;
    private int _optionCount;
    private bool _haveClientFlags;
    private long _drainBytes;
    private NbdOption _drainOption;
    private Export? _contextExport;

    /// <summary>The export chosen; set with <see cref="HandshakeStep.Transmission"/>.</summary>
    public Export? Export { get; private set; }

    /// <summary>The client has one of the places; whoever set it gives it back.</summary>
    public bool IsAdmitted { get; set; }

    /// <summary>All places are taken: the client has been told, and the connection ends.</summary>
    public bool IsTurnedAway { get; private set; }

    /// <summary>The client has broken the protocol, and the connection ends.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>The client takes structured replies.</summary>
    public bool Structured { get; private set; }

    /// <summary>The client selected <c>base:allocation</c> for the export chosen.</summary>
    public bool BlockStatus => Structured && _contextExport != null && _contextExport == Export;

    /// <summary>
    /// Room one step may need: the name and description of those exports, or of as many as there may be one day, and
    /// a little.
    /// </summary>
    public static int OutputBytes(Export[] exports)
    {
        int bytes = 0;
        foreach (Export export in exports) bytes += 64 + export.Name.Length + export.Description.Length;
        return Math.Max(bytes, ListBytes) + (16 << 10);
    }

    /// <summary>For the next connection, which sees <paramref name="exports"/>.</summary>
    public void Reset(Export[] exports, IPlaces? places = null)
    {
        _exports = exports;
        _places = places;
        IsAdmitted = IsTurnedAway = IsBroken = false;
        _clientFlags = ClientFlags.None;
        _optionCount = 0;
        _haveClientFlags = false;
        _drainBytes = 0;
        _contextExport = null;
        Export = null;
        Structured = false;
    }

    /// <summary>What the server says first. Returns its bytes.</summary>
    public static int Greet(Span<byte> output)
    {
        OptionWriter writer = new(output);
        writer.UInt64(Protocol.InitMagic);
        writer.UInt64(Protocol.OptionMagic);
        writer.UInt16((ushort)(HandshakeFlags.FixedNewstyle | HandshakeFlags.NoZeroes));
        return writer.Length;
    }

    /// <summary>Takes one step over what has been received so far.</summary>
    public HandshakeStep Step(ReadOnlySpan<byte> input, Span<byte> output, out int consumed, out int written)
    {
        OptionWriter writer = new(output);
        HandshakeStep step = Next(input, ref writer, out consumed);
        written = writer.Length;
        return step;
    }

    private HandshakeStep Next(ReadOnlySpan<byte> input, ref OptionWriter writer, out int consumed)
    {
        if (!_haveClientFlags) return TakeClientFlags(input, out consumed);
        if (_drainBytes > 0) return Drain(input, ref writer, out consumed);
        consumed = 0;
        bool hasMagic = input.Length >= sizeof(ulong);
        if (hasMagic && BinaryPrimitives.ReadUInt64BigEndian(input) != Protocol.OptionMagic) return Broken();
        if (input.Length < Protocol.OptionHeaderBytes) return HandshakeStep.NeedInput;
        NbdOption option = (NbdOption)BinaryPrimitives.ReadUInt32BigEndian(input[8..]);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(input[12..]);
        if (length > Protocol.MaxOptionBytes) return BeginDrain(option, length, out consumed);
        if (input.Length < Protocol.OptionHeaderBytes + (int)length) return HandshakeStep.NeedInput;
        if (++_optionCount > MaxOptions) return Broken();
        consumed = Protocol.OptionHeaderBytes + (int)length;
        return Option(option, input[Protocol.OptionHeaderBytes..consumed], ref writer);
    }

    private HandshakeStep TakeClientFlags(ReadOnlySpan<byte> input, out int consumed)
    {
        consumed = 0;
        if (input.Length < Protocol.ClientFlagsBytes) return HandshakeStep.NeedInput;
        _clientFlags = (ClientFlags)BinaryPrimitives.ReadUInt32BigEndian(input);
        _haveClientFlags = true;
        consumed = Protocol.ClientFlagsBytes;
        bool known = (_clientFlags & ~(ClientFlags.FixedNewstyle | ClientFlags.NoZeroes)) == 0;
        return known ? HandshakeStep.Again : Broken();
    }

    private HandshakeStep Broken()
    {
        IsBroken = true;
        return HandshakeStep.Close;
    }

    /// <summary>An option longer than any sensible one is read past and refused; EXPORT_NAME has no refusal.</summary>
    private HandshakeStep BeginDrain(NbdOption option, uint length, out int consumed)
    {
        consumed = 0;
        bool isRefused = option == NbdOption.ExportName || !IsFixedNewstyle || ++_optionCount > MaxOptions;
        if (isRefused) return Broken();
        consumed = Protocol.OptionHeaderBytes;
        _drainBytes = length;
        _drainOption = option;
        return HandshakeStep.Again;
    }

    private HandshakeStep Drain(ReadOnlySpan<byte> input, ref OptionWriter writer, out int consumed)
    {
        consumed = (int)Math.Min(input.Length, _drainBytes);
        _drainBytes -= consumed;
        if (_drainBytes > 0) return HandshakeStep.NeedInput;
        writer.Reply(_drainOption, NbdOptionReply.ErrTooBig, "option too long"u8);
        return _drainOption == NbdOption.Abort ? HandshakeStep.Close : HandshakeStep.Again;
    }

    private bool IsFixedNewstyle => (_clientFlags & ClientFlags.FixedNewstyle) != 0;

    /// <summary>A client that did not say "fixed" knows only EXPORT_NAME and cannot read a refusal.</summary>
    private HandshakeStep Option(NbdOption option, ReadOnlySpan<byte> data, ref OptionWriter writer)
    {
        if (option == NbdOption.ExportName) return ExportName(data, ref writer);
        if (!IsFixedNewstyle) return Broken();
        switch (option)
        {
            case NbdOption.Abort:
                writer.Reply(option, NbdOptionReply.Ack);
                return HandshakeStep.Close;
            case NbdOption.List:
                List(data, ref writer);
                return HandshakeStep.Again;
            case NbdOption.Info or NbdOption.Go:
                return Info(option, data, ref writer);
            case NbdOption.StructuredReply:
                StructuredReply(data, ref writer);
                return HandshakeStep.Again;
            case NbdOption.ListMetaContext or NbdOption.SetMetaContext:
                MetaContext(option, data, ref writer);
                return HandshakeStep.Again;
            default:
                writer.Reply(option, NbdOptionReply.ErrUnsup);
                return HandshakeStep.Again;
        }
    }
}
