using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>Every rule by which a request is refused, and the error it is refused with.</summary>
public sealed class ValidateTests
{
    private const long Size = 1L << 40;

    private static ExportLimits Limits(bool readOnly = false, bool structured = true) => new()
    {
        SizeBytes = Size,
        CanFastZero = false,
        Structured = structured,
        BlockStatus = structured,
        Flags = readOnly ? ExportFlags.ReadOnly : ExportFlags.SendTrim | ExportFlags.SendWriteZeroes,
    };

    private static int Judge(NbdCommand command, ulong offset, uint length, CommandFlags flags, ExportLimits limits)
    {
        RequestHeader header = new() { Command = command, Offset = offset, Length = length, Flags = flags };
        return Validate.Request(header, limits);
    }

    [Theory]
    [InlineData(0, NbdError.Invalid)]
    [InlineData(1, NbdError.NoSpace)]
    [InlineData(4, NbdError.Invalid)]
    [InlineData(5, NbdError.Invalid)]
    [InlineData(6, NbdError.NoSpace)]
    [InlineData(7, NbdError.Invalid)]
    public void PastTheEnd(int command, int error)
    {
        (ulong, uint)[] outside =
        [
            (Size, 512), (Size - 512, 1024), (Size + 512, 0), (ulong.MaxValue - 511, 512),
            (ulong.MaxValue - 511, 32 << 20), (1UL << 63, 512), (Size + (1UL << 32), 4096),
        ];
        foreach ((ulong offset, uint length) in outside)
            Assert.Equal(error, Judge((NbdCommand)command, offset, length, 0, Limits()));
        Assert.Equal(0, Judge((NbdCommand)command, Size - 512, 512, 0, Limits()));
        Assert.Equal(0, Judge((NbdCommand)command, 0, 4096, 0, Limits()));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(6)]
    public void ReadOnlyIsEpermWhateverElseIsWrong(int command)
    {
        Assert.Equal(NbdError.Perm, Judge((NbdCommand)command, 0, 512, 0, Limits(readOnly: true)));
        Assert.Equal(NbdError.Perm, Judge((NbdCommand)command, Size, 513, 0, Limits(readOnly: true)));
        Assert.Equal(0, Judge(NbdCommand.Read, 0, 512, 0, Limits(readOnly: true)));
        Assert.Equal(0, Judge(NbdCommand.Flush, 0, 0, 0, Limits(readOnly: true)));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    [InlineData(255)]
    [InlineData(65535)]
    public void UnknownCommands(int command) =>
        Assert.Equal(NbdError.Invalid, Judge((NbdCommand)command, 0, 512, 0, Limits()));

    [Theory]
    [InlineData(0, 1 | 4)]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(4, 1)]
    [InlineData(5, 1)]
    [InlineData(6, 1 | 2 | 16)]
    [InlineData(7, 1 | 8)]
    public void EachCommandTakesItsFlagsAndNoOthers(int command, int allowed)
    {
        ExportLimits limits = Limits();
        limits.CanFastZero = true;
        uint length = command == 3 ? 0u : 512u;
        for (int bit = 0; bit < 16; bit++)
        {
            int flags = 1 << bit;
            int expected = (allowed & flags) != 0 ? 0 : NbdError.Invalid;
            Assert.Equal(expected, Judge((NbdCommand)command, 0, length, (CommandFlags)flags, limits));
        }
    }

    [Fact]
    public void DontFragment()
    {
        const CommandFlags df = CommandFlags.DontFragment;
        Assert.Equal(NbdError.Invalid, Judge(NbdCommand.Read, 0, 512, df, Limits(structured: false)));
        Assert.Equal(0, Judge(NbdCommand.Read, 512, Protocol.ChunkBytes, df, Limits()));
        Assert.Equal(NbdError.Overflow, Judge(NbdCommand.Read, 0, Protocol.ChunkBytes + 512, df, Limits()));
    }

    [Fact]
    public void FastZeroWhereItIsNotFast()
    {
        Assert.Equal(NbdError.NotSupported, Judge(NbdCommand.WriteZeroes, 0, 512, CommandFlags.FastZero, Limits()));
        Assert.Equal(0, Judge(NbdCommand.WriteZeroes, 0, 512, CommandFlags.NoHole, Limits()));
    }

    [Fact]
    public void LengthsAtAnyByte()
    {
        Assert.Equal(0, Judge(NbdCommand.Read, 0, 64 << 20, 0, Limits()));
        Assert.Equal(NbdError.Invalid, Judge(NbdCommand.Read, 0, (64 << 20) + 1, 0, Limits()));
        Assert.Equal(NbdError.Invalid, Judge(NbdCommand.Write, 0, 0xFFFFFE00, 0, Limits()));
        Assert.Equal(0, Judge(NbdCommand.Trim, 0, 0xFFFFFE00, 0, Limits()));
        Assert.Equal(0, Judge(NbdCommand.WriteZeroes, 0, 0xFFFFFE00, 0, Limits()));
        Assert.Equal(0, Judge(NbdCommand.Cache, 0, 0xFFFFFE00, 0, Limits()));
        Assert.Equal(0, Judge(NbdCommand.Read, 1, 512, 0, Limits()));
        Assert.Equal(0, Judge(NbdCommand.Write, 0, 511, 0, Limits()));
        Assert.Equal(NbdError.Invalid, Judge(NbdCommand.Read, Size - 1, 2, 0, Limits()));
        Assert.Equal(NbdError.NoSpace, Judge(NbdCommand.Write, Size - 1, 2, 0, Limits()));
        Assert.Equal(NbdError.Invalid, Judge(NbdCommand.Flush, 512, 0, 0, Limits()));
        Assert.Equal(NbdError.Invalid, Judge(NbdCommand.Flush, 0, 512, 0, Limits()));
        Assert.Equal(NbdError.Invalid, Judge(NbdCommand.BlockStatus, 0, 0, 0, Limits()));
        Assert.Equal(0, Judge(NbdCommand.Read, Size, 0, 0, Limits()));
        Assert.Equal(NbdError.Invalid, Judge(NbdCommand.BlockStatus, 0, 512, 0, Limits(structured: false)));
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(-5, 5)]
    [InlineData(-30, 1)]
    [InlineData(-28, 28)]
    [InlineData(-122, 28)]
    [InlineData(-95, 95)]
    [InlineData(-4095, 5)]
    [InlineData(-125, 5)]
    public void EngineErrorsBecomeTheWires(int result, int error) => Assert.Equal(error, NbdError.From(result));
}
