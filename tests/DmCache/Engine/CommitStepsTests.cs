using System;
using Weir.Core.Base;
using Weir.Core.DmCache;
using Weir.Core.DmCache.Format;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>What another queue does while a commit looks at the places, at each step of it.</summary>
public sealed unsafe class CommitStepsTests
{
    /// <summary>
    /// A block that leaves at any moment of a commit: its place is free only when the durable metadata have no entry
    /// for it (B3).
    /// </summary>
    [Theory]
    [InlineData(DmCacheMutant.None, false)]
    [InlineData(DmCacheMutant.B3LeavingLookedAtLast, true)]
    public void APlaceThatIsFreeHasNoEntry(DmCacheMutant mutant, bool isBroken)
    {
        using MutantScope broken = new(mutant);
        int wrong = 0, steps = 0;
        for (int at = 0; at <= steps; at++) wrong += IsFreeAndNamed(at, ref steps) ? 1 : 0;
        Assert.True(steps >= 2, $"{steps} steps");
        Assert.Equal(isBroken, wrong > 0);
    }

    private static bool IsFreeAndNamed(int at, ref int steps)
    {
        using SmallCache cache = new();
        using QueueDriver other = new(cache.Volume, index: 1);
        cache.BringIn(1);
        long ticket = cache.Volume.Changes.Urge();
        cache.Driver.Until(() => cache.Volume.Changes.IsDone(ticket), "the commit of its entry");
        uint place = (uint)cache.Volume.Map.Find(1);
        cache.BringIn(2);
        Request discard = new()
        {
            Kind = RequestKind.Discard, OffsetBytes = SmallCache.BlockBytes, LengthBytes = SmallCache.BlockBytes,
        };
        long before = cache["commits"];
        Request* request = &discard;
        Meeting meeting = new(at, () => other.Queue.Submit(request));
        cache.Volume.Changes.Urge();
        Interleaving.Current = meeting;
        cache.Driver.Until(() => cache["commits"] > before, "the commit");
        Interleaving.Current = null;
        steps = Math.Max(steps, meeting.Count);
        bool isFree = cache.Volume.Map.Find(1) < 0 && !cache.Volume.Map.IsLeaving(1);
        bool isNamed = IsNamed(cache, place);
        while (meeting.HasMet && other.Queue.TakeCompleted() == null)
        {
            cache.Driver.Turn();
            other.Turn();
        }
        return isFree && isNamed;
    }

    private static bool IsNamed(SmallCache cache, uint place)
    {
        MetadataImage image = cache.MetadataNow();
        using CacheMetadata metadata = image.Open();
        ulong word = 0;
        image.Run(metadata, () =>
        {
            bool isThere = metadata.TryReadMappings(place, out ReadOnlySpan<ulong> words);
            if (isThere) word = words[0];
            return isThere;
        });
        return word != 0;
    }

    private sealed class Meeting(int at, Action act) : IInterleaver
    {
        public int Count { get; private set; }

        public bool HasMet { get; private set; }

        public void Step()
        {
            if (Count++ != at) return;
            HasMet = true;
            act();
        }

        public bool Yield() => false;
    }
}
