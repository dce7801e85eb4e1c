using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.DmCache.Format;
using Weir.Core.Metadata.Persistent;
using Weir.Tests.Nbd;
using Weir.Tests.Tidy;

namespace Weir.Tests.DmCache;

/// <summary>A metadata device in memory, and the judges who look at it.</summary>
internal sealed unsafe class MetadataImage(byte[] bytes)
{
    public const int BlockBytes = CacheMetadata.BlockBytes;

    /// <summary>What kernels have written: see tests/DmCache/Fixtures.</summary>
    public static readonly string[] Fixtures =
        ["v1-wb-clean", "v2-wb-crash", "v1-odd192-wb-crash", "v2-wb-resume-crash"];

    public byte[] Bytes { get; private set; } = bytes;

    public long Blocks => Bytes.Length / BlockBytes;

    public static MetadataImage Blank(long blocks) => new(new byte[blocks * BlockBytes]);

    public static string FixturePath(string set, string file) =>
        Path.Combine(SourceTree.Root, "tests", "DmCache", "Fixtures", set, file);

    /// <summary>One that a kernel has written.</summary>
    public static MetadataImage OfKernel(string set)
    {
        using Scratch scratch = new();
        string packed = scratch["meta.img.xz"];
        File.Copy(FixturePath(set, "meta.img.xz"), packed);
        Tool.Run("xz", "-dq", packed);
        return new MetadataImage(File.ReadAllBytes(scratch["meta.img"]));
    }

    public MetadataImage Copy() => new([.. Bytes]);

    public Span<byte> Block(long block) => Bytes.AsSpan((int)(block * BlockBytes), BlockBytes);

    /// <summary>What grew or shrank.</summary>
    public void Resize(long blocks)
    {
        byte[] resized = new byte[blocks * BlockBytes];
        Bytes.AsSpan(0, Math.Min(Bytes.Length, resized.Length)).CopyTo(resized);
        Bytes = resized;
    }

    /// <summary>Makes a block that was changed whole again.</summary>
    public void Seal(long block, BlockKind kind)
    {
        fixed (byte* at = Block(block)) kind.Seal(at, block);
    }

    /// <summary>Calls until nothing is missing; what is past the end reads as zeroes.</summary>
    public void Run(CacheMetadata metadata, Func<bool> call)
    {
        for (int rounds = 0; !call(); rounds++)
        {
            Xunit.Assert.True(rounds < 200_000, "it asks for blocks without end");
            long block = metadata.MissingBlock;
            metadata.Supply(block, block < Blocks ? Block(block) : new byte[BlockBytes]);
        }
    }

    public CacheMetadata Open(int cacheBlocks = 64)
    {
        CacheMetadata metadata = new(cacheBlocks);
        try
        {
            Run(metadata, metadata.TryOpen);
            return metadata;
        }
        catch
        {
            metadata.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Makes durable what was changed; the crash after <paramref name="writes"/> blocks leaves the rest.
    /// </summary>
    public void Commit(CacheMetadata metadata, int writes = int.MaxValue)
    {
        Run(metadata, metadata.TryPrepareCommit);
        for (int i = 0; i < metadata.WriteCount && i < writes; i++)
        {
            long block = metadata.BlockToWrite(i, out byte* from);
            new ReadOnlySpan<byte>(from, BlockBytes).CopyTo(Block(block));
        }
        if (writes <= metadata.WriteCount) return;
        new ReadOnlySpan<byte>(metadata.SuperblockToWrite, BlockBytes).CopyTo(Block(0));
        metadata.EndCommit(succeeded: true);
    }

    /// <summary>All mappings, without the walk over blocks.</summary>
    public ulong[] Mappings(CacheMetadata metadata)
    {
        List<ulong> all = [];
        while (all.Count < metadata.Head.Places)
            Run(metadata, () =>
            {
                if (!metadata.TryReadMappings((uint)all.Count, out ReadOnlySpan<ulong> words)) return false;
                all.AddRange(words);
                return true;
            });
        return [.. all];
    }

    /// <summary>All dirty words of version 2.</summary>
    public ulong[] DirtyWords(CacheMetadata metadata)
    {
        List<ulong> all = [];
        while (all.Count < Bitset.WordsOf(metadata.Head.Places))
            Run(metadata, () =>
            {
                if (!metadata.TryReadDirtyWords((uint)all.Count, out ReadOnlySpan<ulong> words)) return false;
                all.AddRange(words);
                return true;
            });
        return [.. all];
    }

    /// <summary>All discard words.</summary>
    public ulong[] DiscardWords(CacheMetadata metadata)
    {
        List<ulong> all = [];
        while (all.Count < Bitset.WordsOf(metadata.Head.DiscardBlocks))
            Run(metadata, () =>
            {
                if (!metadata.TryReadDiscardWords(all.Count, out ReadOnlySpan<ulong> words)) return false;
                all.AddRange(words);
                return true;
            });
        return [.. all];
    }

    /// <summary>All hints there are.</summary>
    public uint[] Hints(CacheMetadata metadata)
    {
        List<uint> all = [];
        bool isMore = true;
        while (isMore)
            Run(metadata, () =>
            {
                if (!metadata.TryReadHints((uint)all.Count, out ReadOnlySpan<uint> hints)) return false;
                all.AddRange(hints);
                isMore = hints.Length > 0;
                return true;
            });
        return [.. all];
    }
}
