using System;
using System.Globalization;
using System.IO;
using System.Linq;
using Weir.Frontends.Nbd;
using Weir.Tests.Nbd;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>
/// 4 KiB and a flush in a loop (W3), as the engine counts it and as the kernel counts what the program had written.
/// </summary>
public sealed class FlushCostTests
{
    private const int Writes = 1000, BlockBytes = 4096;
    private const double BytesPerWriteMax = 8.5 * 1024;

    [Fact]
    public void ABlockAndItsFlushCostAtMostEightAndAHalfKibibytes()
    {
        using TestFolder folder = TestFolder.OnDisk();
        using WeirProcess weir = WeirProcess.Serve(folder, "writeboost", "--cache", folder.File("cache", 64 << 20),
            "--backing", folder.File("backing", 64 << 20), "--option", "allow_writeback=0");
        folder.Remember(weir);
        using (NbdClient client = weir.Connect())
        {
            // What the first write of all costs is not the loop's.
            WriteAndFlush(client, 1);
            (long log, long device) = (weir.Number("log_bytes_written"), DeviceBytes(weir));
            WriteAndFlush(client, Writes);
            log = weir.Number("log_bytes_written") - log;
            device = DeviceBytes(weir) - device;
            // A header and a block at least; less would be counted wrongly.
            Assert.InRange((double)log / Writes, 2 * BlockBytes, BytesPerWriteMax);
            Assert.InRange((double)device / Writes, 2 * BlockBytes, BytesPerWriteMax);
        }
        weir.Stop();
    }

    private static void WriteAndFlush(NbdClient client, int writes)
    {
        Random random = new(3);
        byte[] block = new byte[BlockBytes];
        for (int i = 0; i < writes; i++)
        {
            random.NextBytes(block);
            client.Write((long)random.Next(16_384) * BlockBytes, block);
            Assert.Equal(0, client.Ask(NbdCommand.Flush, 0, 0));
        }
    }

    // All that it had written, wherever: nothing is written back, so it went to the cache device.
    private static long DeviceBytes(WeirProcess weir)
    {
        string line = File.ReadLines($"/proc/{weir.Id}/io")
            .Single(static line => line.StartsWith("write_bytes:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
    }
}
