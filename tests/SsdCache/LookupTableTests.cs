using System;
using System.Collections.Generic;
using System.Linq;
using Weir.Core.SsdCache.Queue;
using Weir.Core.Volumes;
using Xunit;

namespace Weir.Tests.SsdCache;

/// <summary>Every cell of the table that the engine goes by, and every way to a result.</summary>
public sealed class LookupTableTests
{
    private const string C = "cache", CH = "cache home", CHF = "cache home fill", H = "home", HF = "home fill";
    private const string Through = "to home and cache", Later = "to cache", Around = "to home", Drop = "to home, drop";

    // As notes of the seed have it, in words; columns: writethrough, writeback, readcache, passthrough.
    private static readonly Dictionary<LookupResult, string[]> s_expected = new()
    {
        [LookupResult.ReadClean] = [C, C, C, H],
        [LookupResult.ReadBusy] = [CH, CH, CH, H],
        [LookupResult.ReadInvalid] = [CHF, CHF, CHF, H],
        [LookupResult.ReadMiss] = [CHF, CHF, CHF, H],
        [LookupResult.WriteInvalid] = [Through, Later, Drop, Drop],
        [LookupResult.WriteMiss] = [Through, Later, Around, Around],
        [LookupResult.WriteBusy] = [Through, Later, Drop, Drop],
        [LookupResult.WriteCancel] = [Drop, Drop, Drop, Drop],
        [LookupResult.WriteSkip] = [Around, Around, Around, Around],
        [LookupResult.WriteDone] = [Around, Around, Around, Around],
        [LookupResult.Bypass] = [CH, CH, CH, H],
    };

    private static readonly CacheMode[] s_columns =
        [CacheMode.Writethrough, CacheMode.Writeback, CacheMode.Readcache, CacheMode.Passthrough];

    [Fact]
    public void EveryCellIsWhatTheTableSays()
    {
        foreach (LookupResult result in Enum.GetValues<LookupResult>())
            for (int column = 0; column < s_columns.Length; column++)
                foreach (bool disables in (bool[])[false, true])
                {
                    string expected = s_expected[result][column];
                    if (disables) expected = expected.Replace(" fill", "", StringComparison.Ordinal);
                    LookupAction action = LookupTable.ActionOf(result, s_columns[column], disables);
                    Assert.Equal($"{result} {s_columns[column]}: {expected}",
                        $"{result} {s_columns[column]}: {Words(action)}");
                }
    }

    [Fact]
    public void NoActionContradictsItself()
    {
        foreach (LookupResult result in Enum.GetValues<LookupResult>())
            foreach (CacheMode mode in s_columns)
            {
                LookupAction action = LookupTable.ActionOf(result, mode, false);
                bool reads = (action & (LookupAction.ReadCache | LookupAction.ReadHome)) != 0;
                bool writes = (action & (LookupAction.WriteCache | LookupAction.WriteHome)) != 0;
                Assert.True(reads != writes, $"{result} {mode}");
                bool dropsAndWrites = (action & LookupAction.Drop) != 0 && (action & LookupAction.WriteCache) != 0;
                Assert.False(dropsAndWrites, $"{result} {mode}");
                Assert.True((action & LookupAction.Drop) == 0 || (action & LookupAction.WriteHome) != 0);
            }
    }

    [Theory]
    [InlineData(true, true, false, false, LookupResult.ReadClean)]
    [InlineData(true, true, true, true, LookupResult.ReadClean)]
    [InlineData(true, false, false, false, LookupResult.ReadInvalid)]
    [InlineData(true, false, true, false, LookupResult.ReadBusy)]
    [InlineData(false, false, true, false, LookupResult.ReadBusy)]
    [InlineData(false, false, false, false, LookupResult.ReadMiss)]
    [InlineData(false, false, false, true, LookupResult.Bypass)]
    [InlineData(true, false, true, true, LookupResult.Bypass)]
    internal void AReadFinds(bool isThere, bool isAll, bool hasWaited, bool isSequential, LookupResult expected) =>
        Assert.Equal(expected, LookupTable.ResultOfRead(isThere, isAll, hasWaited, isSequential));

    [Theory]
    [InlineData(false, false, false, true, LookupResult.WriteSkip)]
    [InlineData(true, false, false, true, LookupResult.WriteInvalid)]
    [InlineData(true, true, false, true, LookupResult.WriteMiss)]
    [InlineData(true, false, true, true, LookupResult.WriteBusy)]
    [InlineData(true, false, true, false, LookupResult.WriteCancel)]
    internal void AWriteFinds(bool isThere, bool isNew, bool hasWaited, bool queuesBusy, LookupResult expected)
    {
        foreach (CacheMode mode in (CacheMode[])[CacheMode.Writethrough, CacheMode.Writeback])
            Assert.Equal(expected, LookupTable.ResultOfWrite(isThere, isNew, hasWaited, mode, queuesBusy));
        LookupResult elsewhere = isThere ? LookupResult.WriteCancel : LookupResult.WriteSkip;
        foreach (CacheMode mode in (CacheMode[])[CacheMode.Readcache, CacheMode.Passthrough])
            Assert.Equal(elsewhere, LookupTable.ResultOfWrite(isThere, isNew, hasWaited, mode, queuesBusy));
    }

    private static string Words(LookupAction action)
    {
        if ((action & LookupAction.WriteHome) != 0)
            return (action & LookupAction.WriteCache) != 0 ? Through
                : (action & LookupAction.Drop) != 0 ? Drop : Around;
        if ((action & LookupAction.WriteCache) != 0) return Later;
        (LookupAction Action, string Word)[] words =
            [(LookupAction.ReadCache, "cache"), (LookupAction.ReadHome, "home"), (LookupAction.Fill, "fill")];
        return string.Join(' ', words.Where(word => (action & word.Action) != 0).Select(word => word.Word));
    }
}
