using System;
using System.Linq;
using Weir.Frontends.Nbd;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>What connections take, and give back.</summary>
public sealed class MemoryTests
{
    private const int Size = 64 << 20;

    /// <summary>Clients that ask for much and read nothing share what there is; whoever reads is served.</summary>
    [Fact]
    public void UnreadRepliesTakeNoMoreThanTheServerMayUse()
    {
        using TestVolume volume = new(Size);
        using NbdHost host = new([new Export("disk", "", volume)], queues: 2, memoryBytes: 4 << 20);
        NbdClient[] deaf = [.. Enumerable.Range(0, 6).Select(_ => host.Serve())];
        foreach (NbdClient client in deaf)
            for (int i = 0; i < 16; i++) client.Request(NbdCommand.Read, (ulong)i, i << 20, 1 << 20);
        NbdHost.Until(() => volume.Submitted >= deaf.Length, "a read of each in the engine");
        Assert.InRange(host.Server.BorrowedBytes, 0, 4 << 20);
        using (NbdClient other = host.Serve())
            for (int i = 0; i < 10; i++) Assert.Equal(3 << 20, other.Read(i << 20, 3 << 20).Length);
        Assert.InRange(host.Server.BorrowedBytes, 0, 4 << 20);
        foreach (NbdClient client in deaf)
            for (int i = 0; i < 16; i++)
            {
                Assert.Equal(0, client.TakeSimple().Error);
                _ = client.Receive(1 << 20);
            }
        foreach (NbdClient client in deaf) client.Dispose();
        host.UntilNobodyIsThere();
        Assert.Equal(0, host.Server.BorrowedBytes);
    }

    /// <summary>Places that nobody has had yet are due for nothing.</summary>
    [Fact]
    public void AQueueSleepsWhenItsClientsHaveGone()
    {
        using TestVolume volume = new(1 << 20);
        using NbdHost host = new(volume);
        using (NbdClient client = host.Serve()) client.Write(0, new byte[512]);
        host.UntilNobodyIsThere();
        Assert.Contains(Enumerable.Range(0, 20), _ => IsAsleep(host.Server));
    }

    private static bool IsAsleep(NbdServer server)
    {
        long turns = server.Threads[0].Turns;
        System.Threading.Thread.Sleep(1500);
        return server.Threads[0].Turns == turns;
    }

    /// <summary>Of whatever length, and with a pool that never has enough for two.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(2 << 20)]
    public void LittleMemoryIsSlowAndNotWrong(long memoryBytes)
    {
        using TestVolume volume = new(Size);
        using NbdHost host = new([new Export("disk", "", volume)], memoryBytes: memoryBytes);
        using NbdClient client = host.Serve();
        byte[] data = Wire.Random((6 << 20) + 5, 1);
        client.Write(3, data);
        Assert.True(client.Read(3, data.Length).AsSpan().SequenceEqual(data));
    }
}
