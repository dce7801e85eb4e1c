using System;
using System.Numerics;
using Weir.Core.Base;

namespace Weir.Core.DmCache.Policies.Structures;

/// <summary>
/// So many homes that are remembered without being cached, each a node of the policy's lists with a number from
/// <c>first</c> on, found by what stands for its home. Twelve to sixteen bytes each.
/// </summary>
internal struct GhostTable : IDisposable
{
    /// <summary>No node.</summary>
    public const uint None = PlaceLists.None;

    private readonly uint _first, _bucketMask;
    private Cells<uint> _buckets;
    private Cells<Entry> _entries;
    private uint _free;

    /// <summary>An empty one for <paramref name="ghosts"/>, numbered from <paramref name="first"/> on.</summary>
    public GhostTable(uint first, uint ghosts)
    {
        _first = first;
        _bucketMask = BitOperations.RoundUpToPowerOf2(Math.Max(ghosts, 1)) - 1;
        _buckets = new Cells<uint>(_bucketMask + 1L);
        _buckets.FillWithOnes();
        _entries = new Cells<Entry>(ghosts);
        _free = ghosts == 0 ? None : 0;
        for (uint i = 0; i < ghosts; i++) _entries[i].Next = i + 1 == ghosts ? None : i + 1;
    }

    /// <summary>Bytes that it takes.</summary>
    public readonly long MemoryBytes => _buckets.SizeBytes + _entries.SizeBytes;

    /// <summary>Homes in it.</summary>
    public uint Count { get; private set; }

    /// <summary>There is room for no more.</summary>
    public readonly bool IsFull => _free == None;

    /// <summary>What stands for the home of a node.</summary>
    public readonly uint IdOf(uint node) => _entries[node - _first].Id;

    /// <summary>The node of a home; none: it is not remembered.</summary>
    public readonly uint Find(uint id)
    {
        uint i = BucketOf(id);
        while (i != None && _entries[i].Id != id) i = _entries[i].Next;
        return i == None ? None : i + _first;
    }

    /// <summary>Gives a home that is not remembered a node.</summary>
    public uint Add(uint id)
    {
        Invariant.Check(!IsFull);
        uint i = _free;
        _free = _entries[i].Next;
        _entries[i] = new Entry { Id = id, Next = BucketOf(id) };
        BucketOf(id) = i;
        Count++;
        return i + _first;
    }

    /// <summary>Forgets a node.</summary>
    public void Remove(uint node)
    {
        uint i = node - _first;
        ref uint link = ref BucketOf(_entries[i].Id);
        while (link != i)
        {
            Invariant.Check(link != None);
            link = ref _entries[link].Next;
        }
        link = _entries[i].Next;
        _entries[i].Next = _free;
        _free = i;
        Count--;
    }

    /// <summary>Throws when a chain has a home twice, or chains and count differ.</summary>
    public readonly void CheckInvariants()
    {
        uint count = 0;
        for (uint bucket = 0; bucket <= _bucketMask; bucket++)
            for (uint i = _buckets[bucket]; i != None; i = _entries[i].Next)
            {
                Invariant.Check(Find(_entries[i].Id) == i + _first);
                Invariant.Check(++count <= Count);
            }
        Invariant.Check(count == Count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _buckets.Dispose();
        _entries.Dispose();
    }

    private readonly ref uint BucketOf(uint id) => ref _buckets[HomeId.Mix(id) & _bucketMask];

    private struct Entry
    {
        public uint Id;
        public uint Next;
    }
}
