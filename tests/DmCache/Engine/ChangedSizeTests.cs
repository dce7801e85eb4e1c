using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.DmCache.Format;
using Xunit;

namespace Weir.Tests.DmCache.Engine;

/// <summary>D14: what has changed since the last life is said with both values, or refused with them.</summary>
public sealed class ChangedSizeTests
{
    private const int Block = SmallCache.BlockBytes;

    private readonly List<string> _log = [];

    [Theory]
    [InlineData(12)]
    [InlineData(6)]
    public void AnotherCacheSizeIsSaid(int places)
    {
        using SmallCache cache = Logged();
        cache.Reopen(() => cache.CacheRoom.Resize((long)places * Block));
        Assert.Equal(places, cache["cache_blocks"]);
        Said($"the metadata name 8 cache blocks, and there is room for {places}: {places} are used");
    }

    [Theory]
    [InlineData(100)]
    [InlineData(50)]
    public void AnotherBackingSizeIsSaid(int homes)
    {
        using SmallCache cache = Logged();
        cache.Reopen(() => cache.BackingRoom.Resize((long)homes * Block));
        Said($"has {homes * Block} bytes, and had about {64 * Block} when these metadata were last used");
    }

    [Fact]
    public void MetadataThatWereCutAreRefused()
    {
        using SmallCache cache = Logged();
        string said = Assert.Throws<UserErrorException>(
            () => cache.Reopen(() => cache.MetadataRoom.Resize(200 * CacheMetadata.BlockBytes))).Message;
        Assert.Contains("has 200 blocks of 4 KiB, and was formatted with 256 of metadata", said,
            StringComparison.Ordinal);
    }

    [Fact]
    public void AnotherVersionThanWasAskedForIsSaid()
    {
        using SmallCache cache = Logged();
        (cache.Options.MetadataVersion, cache.Options.HasMetadataVersion) = (1, true);
        cache.Reopen();
        Said("has metadata of version 2; metadata_version=1 does not change that");
    }

    [Fact]
    public void WhatStaysIsNotSaid()
    {
        using SmallCache cache = Logged();
        cache.Reopen();
        Assert.Empty(_log);
    }

    [Fact]
    public void AGrowthBesideADeviceThatShrankIsRefused()
    {
        using SmallCache cache = new(growsTimes: 4);
        (cache.CacheRoom.Room, cache.BackingRoom.Room) = (20L * Block, 60L * Block);
        string said = Assert.Throws<UserErrorException>(() => cache.Say("grow")).Message;
        Assert.Contains($"has {60 * Block} bytes, and {64 * Block} are served of it: it has shrunk; nothing has grown",
            said, StringComparison.Ordinal);
        Assert.Equal((8, 64L * Block), (cache["cache_blocks"], cache.Volume.SizeBytes));
    }

    private SmallCache Logged() => new(growsTimes: 4, set: options => options.Log = _log.Add);

    private void Said(string text) =>
        Assert.Contains(_log, line => line.Contains(text, StringComparison.Ordinal));
}
