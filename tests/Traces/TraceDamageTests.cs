using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Text;
using Weir.Core.Base;
using Weir.Core.Traces;
using Xunit;

namespace Weir.Tests.Traces;

/// <summary>What is damaged is named, with its line and what was expected there; nothing else ever happens.</summary>
public sealed class TraceDamageTests
{
    private const string Fio = "fio version 3 iolog\n1 f add\n";

    [Theory]
    [InlineData("", "is empty; expected a fio iolog")]
    [InlineData("hello\n", "is text, but no trace that is known; expected a fio iolog")]
    [InlineData("a,b\n1,2\n", "is text, but no trace that is known")]
    [InlineData("fio version 4 iolog\n", "line 1: 'fio version 4 iolog'; expected 'fio version 2 iolog' or")]
    [InlineData(Fio + "2 f read 0\n", "line 3: ''; expected a length, 0 to 1073741824")]
    [InlineData(Fio + "2 f read -1 4096\n", "line 3: '-1'; expected an offset, 0 to 1152921504606846976")]
    [InlineData(Fio + "2 f read 0 1073741825\n", "line 3: '1073741825'; expected a length")]
    [InlineData(Fio + "2 f fly 0 1\n", "line 3: 'fly'; expected FILE and an action: read, write")]
    [InlineData(Fio + "x f read 0 1\n", "line 3: 'x'; expected a time in microseconds")]
    [InlineData(Fio + "5 f wait 5\n", "line 3: 'wait'; expected FILE and an action")]
    [InlineData("8,0 1 1 0.5 7 Q R 8 + 8 [a]\nCannot open\n", "line 2: 'Cannot open'; expected MAJOR,MINOR CPU")]
    [InlineData("8,0 1 1 0.5 7 Q R 8 + 8 [a]\n8,0 1 1 then 7 Q R\n", "line 2: 'then'; expected a time in seconds")]
    [InlineData("8,0 1 1 0.5 7 Q R 8 + 8 [a]\n8,0 1 1 1.0\n", "line 2: no action; expected Q, D, C")]
    [InlineData("8,0 1 1 0.5 7 Q R x + 8 [a]\n", "line 1: 'x'; expected an offset, 0 to 2251799813685248")]
    [InlineData("time,op,offset,length\n1,R,0\n", "line 2: 3 values: '1,R,0'; expected 4, as in line 1")]
    [InlineData("time,op,offset,length\n1,R,0,1\n1,X,0,1\n", "line 3: 'X'; expected an operation: read")]
    [InlineData("time,op,offset,length\nnow,R,0,1\n", "line 2: 'now'; expected a time")]
    [InlineData("time,op,offset,length\n1,R,0x,1\n", "line 2: '0x'; expected an offset")]
    [InlineData("time,op,offset,length\n1,R,99999999999999999999,1\n", "line 2: '99999999999999999999'; exp")]
    [InlineData("1,h,0,Read,0,512,9\n1,h,0,Erase,0,512,9\n", "line 2: 'Erase'; expected Read or Write, as the fourth")]
    [InlineData("1,h,0,Read,0,512,9\nx\n", "line 2: 'x'; expected Timestamp,Hostname,DiskNumber")]
    [InlineData("1,h,0,Read,0,512,9\n2,h\n", "line 2: ''; expected Read or Write")]
    public void DamageIsNamed(string text, string message) =>
        Assert.Contains(message, Error(text), StringComparison.Ordinal);

    [Fact]
    public void ALineWithoutAnEndIsRefused()
    {
        string error = Error("time,op,offset,length\n" + new string('7', 1 << 20));
        Assert.Contains("line 2: more than 4096 bytes; expected a line of text", error, StringComparison.Ordinal);
    }

    /// <summary>What is said goes to a terminal: nothing in it may be an order to that.</summary>
    [Fact]
    public void NothingThatATerminalObeysIsRepeated()
    {
        string error = Error("time,op,offset,length\n1,\u001b[2J\u009b\u0085,0,1\n");
        Assert.DoesNotContain(error, static c => c is < ' ' or > '~');
    }

    [Fact]
    public void ACutBinaryTraceIsNoticed()
    {
        byte[] one = TraceReaderTests.OracleBytes(1, 2, 3, -1);
        string error = Error([.. one, .. one.AsSpan(0, 11)]);
        Assert.Contains("2: it ends after 11 bytes; expected 24 bytes", error, StringComparison.Ordinal);
        Assert.Contains("is no trace that is known", Error(TraceReaderTests.OracleBytes(1, 2, 3, -5)),
            StringComparison.Ordinal);
        byte[] late = [.. Enumerable.Repeat(one, 5000).SelectMany(static bytes => bytes),
            .. TraceReaderTests.OracleBytes(1, 2, 3, -5)];
        Assert.Contains("request 5001: its next use is none that can be", Error(late), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void DamagedCompressionIsNoticed(bool isZstd)
    {
        byte[] plain = Encoding.UTF8.GetBytes("time,op,offset,length\n" + string.Concat(
            Enumerable.Range(0, 90_000).Select(static i => $"{i},R,{(uint)i * 2654435761},4096\n")));
        byte[] packed = isZstd ? TraceReaderTests.Zstd(plain) : TraceReaderTests.Gzip(plain);
        packed.AsSpan(packed.Length / 2, 400).Fill(0xA5);
        Assert.Contains("trace: ", Error(packed), StringComparison.Ordinal);
    }

    /// <summary>Cut anywhere, also where the packer has emptied its buffers; several packed parts are whole.</summary>
    [Fact]
    public void PackedTracesThatEndEarlyAreNotTakenForWhole()
    {
        const string head = "time,op,offset,length\n", early = "the compressed data is damaged, or ends early";
        string[] halves = [.. Enumerable.Range(0, 2).Select(half => string.Concat(
            Enumerable.Range(half * 5000, 5000).Select(static i => $"{i},R,{(uint)i * 2654435761},4096\n")))];
        using MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(Encoding.UTF8.GetBytes(head + halves[0]));
            gzip.Flush();
            long flushed = packed.Length;
            Assert.Contains(early, Error(packed.ToArray()), StringComparison.Ordinal);
            gzip.Write(Encoding.UTF8.GetBytes(halves[1]));
            Assert.True(flushed > 1000);
        }
        byte[] whole = packed.ToArray();
        foreach (int cut in (int[])[1, 4, 8, 9, 100, whole.Length / 2])
            Assert.Contains(early, Error(whole[..^cut]), StringComparison.Ordinal);
        byte[] parts = [.. TraceReaderTests.Gzip(Encoding.UTF8.GetBytes(head + halves[0])),
            .. TraceReaderTests.Gzip(Encoding.UTF8.GetBytes(halves[1]))];
        Assert.Equal(10_000, TraceFile.Read(parts).Requests.Count);
        Assert.Equal(10_000, TraceFile.Read(whole).Requests.Count);
    }

    [Fact]
    public void FilesThatCannotBeReadAreNamed()
    {
        using TestFolder folder = new();
        Assert.Contains("no such file", Assert.Throws<UserErrorException>(
            () => TraceReader.Open(folder.PathOf("none"))).Message, StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<UserErrorException>(
            () => TraceReader.Open(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MoreDevicesThanThereAreAreRefused()
    {
        string text = "dev,offset,length\n"
            + string.Concat(Enumerable.Range(0, 5000).Select(static i => $"d{i},0,1\n"));
        Assert.Contains("line 4098: one more device, 'd4096'; expected at most 4096", Error(text),
            StringComparison.Ordinal);
    }

    /// <summary>Whatever a file holds: requests, or one error that the user can read.</summary>
    [Fact]
    public void AnyBytesAtAllAreReadOrRefused()
    {
        Prng random = new(14);
        byte[][] seeds = [.. new[]
        {
            Fio + "2 f read 4096 4096\n3 f write 0 512\n", "8,0 1 1 0.5 7 Q R 8 + 8 [a]\n8,0 1 2 0.6 7 C R 8 + 8 [a]\n",
            "time,op,offset,length\n1,R,0,1\n2,W,9,1\n", "1,h,0,Read,0,512,9\n2,h,1,Write,512,512,9\n",
        }.Select(Encoding.UTF8.GetBytes), TraceReaderTests.OracleBytes(1, 2, 3, -1)];
        for (int round = 0; round < 3000; round++)
        {
            byte[] bytes = [.. seeds[random.Below(seeds.Length)]];
            for (int i = random.Below(6); i >= 0; i--) bytes[random.Below(bytes.Length)] = (byte)random.Below(256);
            bytes = bytes[..random.Between(1, bytes.Length)];
            if (random.Chance(10)) bytes = TraceReaderTests.Zstd(bytes);
            else if (random.Chance(10)) bytes = TraceReaderTests.Gzip(bytes);
            if (random.Chance(10)) bytes[random.Below(bytes.Length)] ^= 0x40;
            TraceFormat? format = random.Chance(50) ? null : (TraceFormat)random.Below(5);
            try
            {
                (_, List<string> _) = TraceFile.Read(bytes, format);
            }
            catch (UserErrorException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }
    }

    private static string Error(string text) => Error(Encoding.UTF8.GetBytes(text));

    private static string Error(byte[] bytes)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => TraceFile.Read(bytes));
        Assert.Equal(1, error.ExitCode);
        return error.Message;
    }
}
