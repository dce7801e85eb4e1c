using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Text;
using Weir.Core.Traces;
using Weir.Tests.Tidy;
using Xunit;

namespace Weir.Tests.Traces;

/// <summary>Every kind of trace is recognised and read as its makers write it.</summary>
public sealed class TraceReaderTests
{
    private const string Fio3 = """
        fio version 3 iolog
        176 /d/f add
        1023 /d/f open
        1031 /d/f read 61440 4096
        3688 /d/f write 774144 8192
        3700 /d/g trim 4096 65536
        3800 /d/f sync 0 0
        3801 /d/f datasync 0 0
        91220 /d/f close

        """;

    private const string Blkparse = """
          8,0    3        1     0.000000000   697  G   W 223490 + 8 [kjournald]
          8,0    3        2     0.000001829   697  P   N [kjournald]
          8,0    3        3     0.000002197   697  Q   W 223490 + 8 [kjournald]
          8,0    3        4     0.000006197   697  D   W 223490 + 8 [kjournald]
          8,0    1        5     0.100000000     0  C   W 223490 + 8 [0]
          8,16   1        6     1.500000000    12  Q  RA 2048 + 256 [cp]
          8,0    1        7     1.600000000    12  Q  DS 4096 + 99999999 [fstrim]
          8,0    1        8     1.600000000    12  Q FWS [sync]
          8,0    1        9     1.700000000    12  Q FWFS 64 + 1 [sync]
          8,0    1       10     1.700000000    12  m   N cfq something
        CPU0 (sda):
         Reads Queued:           1,        4KiB	 Writes Queued:           1,        4KiB

        Throughput (R/W): 0KiB/s / 8KiB/s
        Events (sda): 10 entries
        Skips: 0 forward (0 -   0.0%)

        """;

    private const string Msr = """
        128166372003061629,usr,0,Read,7014609920,24576,41286
        128166372016382155,usr,1,Write,2517696512,4096,703
        128166372016382150,usr,0,write,512,512,703

        """;

    private static readonly byte[] s_oracle = [.. OracleBytes(5, -77, 0, 1), .. OracleBytes(6, 12, 70000, -1)];

    internal static byte[] OracleBytes(uint seconds, long name, uint size, long next)
    {
        byte[] one = new byte[24];
        BinaryPrimitives.WriteUInt32LittleEndian(one, seconds);
        BinaryPrimitives.WriteInt64LittleEndian(one.AsSpan(4), name);
        BinaryPrimitives.WriteUInt32LittleEndian(one.AsSpan(12), size);
        BinaryPrimitives.WriteInt64LittleEndian(one.AsSpan(16), next);
        return one;
    }

    private static void Reads(TraceFormat format, ReadOnlySpan<byte> trace, params string[] requests)
    {
        (TraceFormat found, List<string> read) = TraceFile.Read(trace);
        Assert.Equal(format, found);
        Assert.Equal(requests, read);
    }

    private static void Reads(TraceFormat format, string trace, params string[] requests) =>
        Reads(format, Encoding.UTF8.GetBytes(trace), requests);

    [Fact]
    public void FioVersion3() =>
        Reads(TraceFormat.Fio, Fio3, "1031 Read 0:61440+4096", "3688 Write 0:774144+8192", "3700 Discard 1:4096+65536");

    [Fact]
    public void FioVersion2Waits() => Reads(TraceFormat.Fio, """
        fio version 2 iolog
        f add
        f open
        f read 0 4096
        f wait 500 0
        f write 4096 512
        f wait 250 0
        f write 0 1
        f close
        """, "0 Read 0:0+4096", "500 Write 0:4096+512", "750 Write 0:0+1");

    [Fact]
    public void Blkparses() => Reads(TraceFormat.Blkparse, Blkparse, "2 Write 0:114426880+4096",
        "1500000 Read 1:1048576+131072", "1600000 Discard 0:2097152+512", "1700000 Write 0:32768+512");

    /// <summary>Without queued requests those that were issued count, or those that were completed.</summary>
    [Theory]
    [InlineData('D')]
    [InlineData('C')]
    public void BlkparseOfOtherActions(char action) => Reads(TraceFormat.Blkparse,
        $"  8,0 3 1 0.5 697 {action} R 8 + 8 [x]\n  8,0 3 2 0.6 697 I R 8 + 8 [x]\n", "500000 Read 0:4096+4096");

    [Fact]
    public void MsrCambridge()
    {
        string[] requests =
            ["0 Read 0:7014609920+24576", "1332052 Write 1:2517696512+4096", "1332052 Write 0:512+512"];
        Reads(TraceFormat.Msr, Msr, requests);
        Reads(TraceFormat.Msr, "Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime\r\n"
            + Msr.ReplaceLineEndings("\r\n"), requests);
    }

    [Fact]
    public void OracleGeneral()
    {
        Reads(TraceFormat.Oracle, s_oracle, "5000000 Read 0:-77+1", "6000000 Read 0:12+70000");
        using TraceFile file = new(s_oracle);
        using TraceReader reader = TraceReader.Open(file.Path);
        Assert.True(reader.HasObjects);
    }

    [Theory]
    [InlineData("time,op,offset,length\n7,R,4096,512\n")]
    [InlineData("LENGTH;Offset;other;OP;time_ns\n512;4096;x;read;7000\n")]
    [InlineData("# size\taddr\trw\tts\n512\t4096\tr\t0.000007\n")]
    [InlineData("lba,sectors,type,time_ms\r\n8,1,RS,0.0071\r\n")]
    [InlineData("\"time\",\"op\",\"offset\",\"length\"\n\"7\",\"Read\",\"0x1000\",\"512\"\n")]
    [InlineData("7,R,4096,512")]
    [InlineData("0.000007;read;4096;512\n")]
    [InlineData("length,offset,time_us\n# a remark\n512,4096,7\n\n9,9,9,9\n")]
    public void Tables(string text)
    {
        (TraceFormat format, List<string> read) = TraceFile.Read(text);
        Assert.Equal(TraceFormat.Csv, format);
        Assert.Equal("7 Read 0:4096+512", read[0]);
    }

    [Fact]
    public void DevicesOfATableAreToldApart() => Reads(TraceFormat.Csv,
        "dev,op,offset,length\nb,w,0,1\na,discard,0,1152921504606846976\nb,1,8,1\n",
        "0 Write 0:0+1", "0 Discard 1:0+1073741824", "0 Write 0:8+1");

    /// <summary>Clocks that go back stand still; what has no length is no request.</summary>
    [Fact]
    public void TimeNeverGoesBack() => Reads(TraceFormat.Csv, "9,R,0,1\n5,R,1,0\n4,R,2,1\n11,R,3,1\n",
        "9 Read 0:0+1", "9 Read 0:2+1", "11 Read 0:3+1");

    /// <summary>Those that are measured with.</summary>
    [Fact]
    public void RecordedOnesAreThere()
    {
        string[] paths = Directory.GetFiles(Path.Combine(SourceTree.Root, "bench", "Traces"));
        Assert.Equal(2, paths.Length);
        Assert.All(paths, static path =>
        {
            CompactTrace trace = new TraceSource([path], null, 64 << 10, long.MaxValue).Load(static (_, _) => { });
            Assert.True(trace.Accesses > 150_000 && trace.Blocks > 500, path);
        });
    }

    [Fact]
    public void PackedOnesAreUnpacked()
    {
        foreach (byte[] trace in new[] { Encoding.UTF8.GetBytes(Fio3), Encoding.UTF8.GetBytes(Msr), s_oracle })
        {
            (TraceFormat, List<string>) plain = TraceFile.Read(trace);
            Assert.Equal(plain, TraceFile.Read(Gzip(trace)), Same);
            Assert.Equal(plain, TraceFile.Read(Zstd(trace)), Same);
        }
    }

    /// <summary>A format that was named is the one that is tried.</summary>
    [Fact]
    public void TheFormatCanBeNamed()
    {
        Assert.Equal(["0 Read 0:1+1"], TraceFile.Read("0,R,1,1\n", TraceFormat.Csv).Requests);
        Assert.Throws<Core.Base.UserErrorException>(() => TraceFile.Read("0,R,1,1\n", TraceFormat.Fio));
    }

    /// <summary>More than fits into the buffer, with lines across its end.</summary>
    [Fact]
    public void LongOnesAreReadToTheEnd()
    {
        string[] lines = [.. Enumerable.Range(0, 50_000).Select(static i => $"{i},W,{i * 4096L},4096")];
        List<string> read = TraceFile.Read(string.Join('\n', lines)).Requests;
        Assert.Equal(lines.Length, read.Count);
        for (int i = 0; i < lines.Length; i++) Assert.Equal($"{i} Write 0:{i * 4096L}+4096", read[i]);
    }

    internal static byte[] Gzip(byte[] bytes)
    {
        using MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionMode.Compress)) gzip.Write(bytes);
        return packed.ToArray();
    }

    internal static byte[] Zstd(byte[] bytes)
    {
        using ZstdSharp.Compressor compressor = new();
        return compressor.Wrap(bytes).ToArray();
    }

    private static bool Same((TraceFormat Format, List<string> Read) a, (TraceFormat Format, List<string> Read) b) =>
        a.Format == b.Format && a.Read.SequenceEqual(b.Read);
}
