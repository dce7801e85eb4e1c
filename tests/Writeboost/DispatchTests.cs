using System;
using System.Collections.Generic;
using Weir.Core.Io;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Queue;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>Every cell of the table by which requests are dispatched, against the rules that it comes from.</summary>
public sealed class DispatchTests
{
    [Fact]
    public void EveryCellFollowsTheRules()
    {
        int cells = 0;
        foreach (VolumeState state in Enum.GetValues<VolumeState>())
            foreach (RequestKind kind in Enum.GetValues<RequestKind>())
                foreach (WritePath path in Enum.GetValues<WritePath>())
                {
                    RequestAction expected = Expected(state, kind, path), found = Dispatch.Of(state, kind, path);
                    Assert.True(found == expected, $"{state}, {kind}, {path}: {found} instead of {expected}");
                    cells++;
                }
        Assert.Equal(6 * 6 * 3, cells);
    }

    [Fact]
    public void ChangesAreTakenWhereTheStateTakesThem()
    {
        List<(VolumeState State, Action<VolumeHealth> Get)> ways =
        [
            (VolumeState.Healthy, static _ => { }),
            (VolumeState.Retrying, static health => health.Hold(Trouble.Writeback, "refused")),
            (VolumeState.ReadOnly, static health => health.Worsen(VolumeState.ReadOnly, "refused")),
            (VolumeState.Failed, static health => health.Worsen(VolumeState.Failed, "gone")),
            (VolumeState.PassThrough, static health => health.Worsen(VolumeState.PassThrough, "gone")),
            (VolumeState.Degraded, static health => health.Hold(Trouble.AroundFlush, "refused")),
        ];
        foreach ((VolumeState state, Action<VolumeHealth> get) in ways)
        {
            VolumeHealth health = new(static _ => { });
            get(health);
            Assert.Equal(state, health.State);
            bool isLogged = Dispatch.Of(state, RequestKind.Write, WritePath.Logged) == RequestAction.Log;
            Assert.Equal(health.TakesWrites, isLogged);
        }
    }

    // A queue has no requests without a kind.
    private static RequestAction Expected(VolumeState state, RequestKind kind, WritePath path)
    {
        if (kind == RequestKind.None) return RequestAction.Fail;
        if (state == VolumeState.PassThrough) return RequestAction.PassOn;
        if (kind == RequestKind.Read) return RequestAction.Read;
        if (state == VolumeState.Failed) return RequestAction.Fail;
        if (kind == RequestKind.Flush) return RequestAction.Flush;
        if (state == VolumeState.ReadOnly) return RequestAction.Fail;
        bool goesAround = kind == RequestKind.Write && path == WritePath.Around;
        return goesAround ? RequestAction.GoAround : RequestAction.Log;
    }
}
