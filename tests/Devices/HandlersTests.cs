using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Devices;

/// <summary>Every device that is served takes a place for its completions: there is one for each.</summary>
public sealed unsafe class HandlersTests
{
    [Fact]
    public void EachOfManyGetsItsOwnCompletions()
    {
        using MemoryContext io = new();
        Handler[] handlers = new Handler[600];
        for (int i = 0; i < handlers.Length; i++) handlers[i] = new Handler(io);
        foreach (Handler handler in handlers) io.Complete(handler.Acquire(), 0);
        io.RunCompletions();
        Assert.All(handlers, static handler => Assert.Equal(1, handler.Count));
    }

    [Fact]
    public void APlaceThatIsGivenBackIsTakenAgain()
    {
        using MemoryContext io = new();
        Handler first = new(io), second = new(io);
        io.RemoveHandler(first.Place);
        Handler third = new(io);
        Assert.Equal(first.Place, third.Place);
        Assert.NotEqual(second.Place, third.Place);
    }

    private sealed class Handler : IIoHandler
    {
        private readonly MemoryContext _io;

        public Handler(MemoryContext io)
        {
            _io = io;
            Place = io.AddHandler(this);
        }

        public ushort Place { get; }

        public int Count { get; private set; }

        public IoOp* Acquire() => _io.Acquire(Place, IoKind.Flush);

        public void Completed(IoOp* op)
        {
            Count++;
            _io.Release(op);
        }
    }
}
