using System;
using System.Collections.Generic;
using Weir.Core.Metadata.Persistent;
using Xunit;

namespace Weir.Tests.Metadata.Persistent;

/// <summary>Blocks on a device in memory, and a transaction on them.</summary>
internal sealed unsafe class PersistentStore : IDisposable
{
    private readonly Dictionary<long, byte[]> _disk = [];

    public PersistentStore(long blocks, int cleanBlocks = 64)
    {
        Blocks = new BlockManager(cleanBlocks) { Limit = blocks };
        Space = new SpaceMap(Blocks, blocks);
        Transaction = new Transaction(Blocks, Space);
        Space.Begin(Transaction);
    }

    public BlockManager Blocks { get; private set; }

    public SpaceMap Space { get; private set; }

    public Transaction Transaction { get; private set; }

    public SpaceMapRoot Root { get; private set; }

    /// <summary>Blocks that were asked for and supplied.</summary>
    public int Supplied { get; private set; }

    public void Run(Func<bool> call)
    {
        Blocks.BeginOperation();
        for (int rounds = 0; !call(); rounds++)
        {
            Assert.True(rounds < 100_000, "it asks for blocks without end");
            Supplied++;
            long block = Blocks.MissingBlock;
            Blocks.BeginOperation();
            Blocks.Supply(block, _disk.GetValueOrDefault(block) ?? new byte[BlockKind.BlockBytes]);
        }
    }

    public void Commit()
    {
        Blocks.BeginOperation();
        Root = Space.Prepare(Transaction);
        Blocks.Seal();
        foreach (long block in Blocks.ToWrite)
            _disk[block] = new ReadOnlySpan<byte>(Blocks.Sealed(block), BlockKind.BlockBytes).ToArray();
        Blocks.EndCommit();
        Space.EndCommit();
    }

    /// <summary>Forgets what is in memory, and reads the space map again.</summary>
    public void Reopen(int cleanBlocks = 64)
    {
        long blocks = Space.Blocks;
        Blocks.Dispose();
        Blocks = new BlockManager(cleanBlocks) { Limit = blocks };
        Space = new SpaceMap(Blocks, blocks);
        Transaction = new Transaction(Blocks, Space);
        Run(() => Space.TryLoad(Root));
    }

    public void Dispose() => Blocks.Dispose();
}
