using Weir.Core.Io;
using Weir.Core.Passthrough;
using Weir.Core.Writeboost.Queue;
using Xunit;

namespace Weir.Tests.Writeboost;

/// <summary>What engines lay over a request's bytes has room there, and is aligned.</summary>
public sealed unsafe class RequestBytesTests
{
    [Fact]
    public void OverlaysFit()
    {
        Assert.Equal(64, Request.EngineBytes);
        Assert.Equal(160, sizeof(Request));
        Request request = default;
        Assert.Equal(96, (byte*)request.Engine - (byte*)&request);
        Assert.Equal(64, sizeof(WriteboostRequest));
        Assert.Equal(16, sizeof(PassthroughRequest));
    }

    /// <summary>An overlay is the engine's part and nothing of the frontend's.</summary>
    [Fact]
    public void AnOverlayLeavesTheFrontendsPartAlone()
    {
        Request request = new() { Cookie = 1, FrontendA = 2, FrontendB = 3, FrontendInt = 4, LengthBytes = 5 };
        *WriteboostRequest.Of(&request) = new WriteboostRequest
        {
            Progress = -1, WaitPosition = -1, WaitAround = -1, SubmittedUs = -1, Ticket = -1, Pending = -1,
            ReadState = -1, Overlays = -1, RefusedWith = -1, Path = WritePath.Refused, HasBudget = true,
        };
        Assert.Equal((1ul, 2, 3, 4, 5),
            (request.Cookie, request.FrontendA, request.FrontendB, request.FrontendInt, request.LengthBytes));
        Assert.True(request.Next == null);
    }
}
