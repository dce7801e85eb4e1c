using Weir.Core.Base;
using Weir.Core.Cleaning;
using Weir.Core.Writeboost.Format;
using Weir.Native;
using Xunit;

namespace Weir.Tests.Cleaning;

/// <summary>The bytes of one write: in place while they can be, together where they cannot.</summary>
public sealed unsafe class WriteCoalescerTests
{
    private const int Block = Geometry.BlockBytes;

    [Fact]
    public void NeighboursInMemoryStayWhereTheyAre()
    {
        using Slab memory = Numbered();
        using BufferPool pool = new(2, WriteCoalescer.BufferBytes);
        WriteCoalescer bytes = new(pool.At(pool.Take()));
        for (int i = 3; i < 400; i++) Assert.True(bytes.TryAdd(memory.Start + (i * Block), Block));
        Assert.True(bytes.Start == memory.Start + (3 * Block));
        Assert.Equal(397 * Block, bytes.Length);
    }

    [Fact]
    public void PiecesFromAnywhereComeTogetherInTheirOrder()
    {
        using Slab memory = Numbered();
        using BufferPool pool = new(2, WriteCoalescer.BufferBytes);
        WriteCoalescer bytes = new(pool.At(pool.Take()));
        int[] blocks = [7, 8, 3, 4, 9, 1];
        foreach (int block in blocks) Assert.True(bytes.TryAdd(memory.Start + (block * Block), Block));
        Assert.True(bytes.TryAdd(memory.Start + (20 * Block) + 512, 1024));
        Assert.Equal((blocks.Length * Block) + 1024, bytes.Length);
        for (int i = 0; i < blocks.Length; i++) Assert.Equal(blocks[i], *(int*)(bytes.Start + (i * Block)));
        Assert.Equal(20, *(int*)(bytes.Start + (blocks.Length * Block) + 512));
        // What follows in memory of the last piece does not follow in the room.
        Assert.True(bytes.TryAdd(memory.Start + (2 * Block), Block));
        Assert.Equal(2, *(int*)(bytes.Start + (blocks.Length * Block) + 1024));
    }

    [Fact]
    public void AWriteEndsBeforeWhatItsRoomCannotTake()
    {
        using Slab memory = Numbered();
        using BufferPool pool = new(2, WriteCoalescer.BufferBytes);
        const int most = WriteCoalescer.BufferBytes / Block;
        WriteCoalescer bytes = new(pool.At(pool.Take()));
        for (int i = 0; i < most; i++) Assert.True(bytes.TryAdd(memory.Start + (2 * i * Block), Block));
        Assert.False(bytes.TryAdd(memory.Start, Block));
        Assert.Equal(WriteCoalescer.BufferBytes, bytes.Length);
        WriteCoalescer large = new(pool.At(pool.Take()));
        for (int i = 0; i <= most; i++) Assert.True(large.TryAdd(memory.Start + (i * Block), Block));
        Assert.False(large.TryAdd(memory.Start, Block));
        Assert.True(large.Start == memory.Start);
    }

    // Each 512 bytes begin with their block's number.
    private static Slab Numbered()
    {
        Slab memory = new(512 * Block);
        for (int i = 0; i < 512 * Block; i += 512) *(int*)(memory.Start + i) = i / Block;
        return memory;
    }
}
