using System;

namespace Weir.Frontends.Nbd;

// One method per option (proto.md, "Option types").
internal sealed partial class Handshake
{
    /// <summary>The whole data is the name; there is no refusal but closing.</summary>
    private HandshakeStep ExportName(ReadOnlySpan<byte> name, ref OptionWriter writer)
    {
        Export? export = Find(name);
        if (export == null || !TryAdmit()) return HandshakeStep.Close;
        Export = export;
        writer.UInt64((ulong)export.SizeBytes);
        writer.UInt16((ushort)export.Flags(Structured));
        if ((_clientFlags & ClientFlags.NoZeroes) == 0) writer.Zeroes(124);
        return HandshakeStep.Transmission;
    }

    private void List(ReadOnlySpan<byte> data, ref OptionWriter writer)
    {
        if (!data.IsEmpty)
        {
            writer.Reply(NbdOption.List, NbdOptionReply.ErrInvalid, "LIST takes no data"u8);
            return;
        }
        foreach (Export export in _exports)
        {
            int length = 4 + export.Name.Length + export.Description.Length;
            writer.Header(NbdOption.List, NbdOptionReply.Server, length);
            writer.UInt32((uint)export.Name.Length);
            writer.Bytes(export.Name);
            writer.Bytes(export.Description);
        }
        writer.Reply(NbdOption.List, NbdOptionReply.Ack);
    }

    private HandshakeStep Info(NbdOption option, ReadOnlySpan<byte> data, ref OptionWriter writer)
    {
        OptionReader reader = new(data);
        ReadOnlySpan<byte> name = reader.Text();
        bool wantsName = false, wantsDescription = false;
        for (int count = reader.UInt16(); count > 0 && !reader.Failed; count--)
        {
            NbdInfo info = (NbdInfo)reader.UInt16();
            wantsName |= info == NbdInfo.Name;
            wantsDescription |= info == NbdInfo.Description;
        }
        Export? export = reader.IsComplete ? Find(name) : null;
        if (!reader.IsComplete) writer.Reply(option, NbdOptionReply.ErrInvalid, "malformed option"u8);
        else if (export == null) writer.Reply(option, NbdOptionReply.ErrUnknown, "no export of this name"u8);
        if (export == null) return HandshakeStep.Again;
        if (option == NbdOption.Go && !TryAdmit())
        {
            writer.Reply(option, NbdOptionReply.ErrPolicy, _places!.FullText);
            return HandshakeStep.Close;
        }
        Describe(option, export, wantsName, wantsDescription, ref writer);
        if (option == NbdOption.Info) return HandshakeStep.Again;
        Export = export;
        return HandshakeStep.Transmission;
    }

    private bool TryAdmit()
    {
        IsAdmitted = _places?.TryAdmit() != false;
        IsTurnedAway = !IsAdmitted;
        return IsAdmitted;
    }

    /// <summary>The block size goes to everyone, asked for or not: it refuses nothing but very long requests.</summary>
    private void Describe(NbdOption option, Export export, bool name, bool description, ref OptionWriter writer)
    {
        writer.Header(option, NbdOptionReply.Info, 12);
        writer.UInt16((ushort)NbdInfo.Export);
        writer.UInt64((ulong)export.SizeBytes);
        writer.UInt16((ushort)export.Flags(Structured));
        if (name) InfoText(option, NbdInfo.Name, export.Name, ref writer);
        if (description) InfoText(option, NbdInfo.Description, export.Description, ref writer);
        writer.Header(option, NbdOptionReply.Info, 14);
        writer.UInt16((ushort)NbdInfo.BlockSize);
        writer.UInt32(Protocol.MinBlockBytes);
        writer.UInt32((uint)export.PreferredBlockBytes);
        writer.UInt32(Protocol.MaxPayloadBytes);
        writer.Reply(option, NbdOptionReply.Ack);
    }

    private static void InfoText(NbdOption option, NbdInfo info, byte[] text, ref OptionWriter writer)
    {
        writer.Header(option, NbdOptionReply.Info, 2 + text.Length);
        writer.UInt16((ushort)info);
        writer.Bytes(text);
    }

    private void StructuredReply(ReadOnlySpan<byte> data, ref OptionWriter writer)
    {
        if (data.IsEmpty) Structured = true;
        writer.Reply(NbdOption.StructuredReply, data.IsEmpty ? NbdOptionReply.Ack : NbdOptionReply.ErrInvalid);
    }

    /// <summary>Any SET replaces what was selected before, even one that fails.</summary>
    private void MetaContext(NbdOption option, ReadOnlySpan<byte> data, ref OptionWriter writer)
    {
        bool set = option == NbdOption.SetMetaContext;
        if (set) _contextExport = null;
        OptionReader reader = new(data);
        ReadOnlySpan<byte> name = reader.Text();
        uint queries = reader.UInt32();
        bool matches = queries == 0 && !set;
        for (; queries > 0 && !reader.Failed; queries--) matches |= Matches(reader.Text(), set);
        Export? export = reader.IsComplete && Structured ? Find(name) : null;
        if (!Structured) writer.Reply(option, NbdOptionReply.ErrInvalid, "structured replies come first"u8);
        else if (!reader.IsComplete) writer.Reply(option, NbdOptionReply.ErrInvalid, "malformed option"u8);
        else if (export == null) writer.Reply(option, NbdOptionReply.ErrUnknown, "no export of this name"u8);
        if (export == null) return;
        if (set && matches) _contextExport = export;
        if (matches) Context(option, set ? Protocol.BaseAllocationId : 0, ref writer);
        writer.Reply(option, NbdOptionReply.Ack);
    }

    private static void Context(NbdOption option, uint id, ref OptionWriter writer)
    {
        writer.Header(option, NbdOptionReply.MetaContext, 4 + Protocol.BaseAllocation.Length);
        writer.UInt32(id);
        writer.Bytes(Protocol.BaseAllocation);
    }

    /// <summary>LIST takes the bare namespace for all that is in it; SET wants the whole name.</summary>
    private static bool Matches(ReadOnlySpan<byte> query, bool set) =>
        query.SequenceEqual(Protocol.BaseAllocation) || (!set && query.SequenceEqual("base:"u8));

    /// <summary>The empty name is the first export.</summary>
    private Export? Find(ReadOnlySpan<byte> name)
    {
        foreach (Export export in _exports)
            if (name.IsEmpty || name.SequenceEqual(export.Name)) return export;
        return null;
    }
}
