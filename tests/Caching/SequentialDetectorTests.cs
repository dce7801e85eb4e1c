using Weir.Core.Base;
using Weir.Core.Caching;
using Xunit;

namespace Weir.Tests.Caching;

/// <summary>Streams are told apart, whatever else goes on.</summary>
public sealed class SequentialDetectorTests
{
    private const long Length = 4096;

    [Fact]
    public void SeveralStreamsGrowEachForItself()
    {
        SequentialDetector table = new();
        for (int round = 1; round <= 20; round++)
            for (int stream = 0; stream < SequentialDetector.Count; stream++)
                Assert.Equal(round * Length, table.Note(StartOf(stream) + ((ulong)(round - 1) * 4096), Length));
    }

    [Fact]
    public void RandomRequestsAreNoStreamAndDoNotEndOne()
    {
        SequentialDetector table = new();
        Prng random = new(7);
        long stream = 0;
        for (int i = 0; i < 1000; i++)
        {
            stream = table.Note(StartOf(0) + (ulong)(i * Length), Length);
            for (int other = 0; other < SequentialDetector.Count - 1; other++)
                Assert.Equal(Length, table.Note(StartOf(1000 + random.Below(1_000_000_000)), Length));
        }
        Assert.Equal(1000 * Length, stream);
    }

    [Fact]
    public void OneOfEightQueuesSeesTheWholeStream()
    {
        SequentialDetector table = new();
        long seen = 0;
        for (int i = 0; i < 100; i++) seen = table.Note(StartOf(3) + (ulong)(i * 8 * Length), Length);
        Assert.Equal((99 * 8 * Length) + Length, seen);
    }

    [Fact]
    public void OvertakenNeighboursBelongToTheirStream()
    {
        SequentialDetector table = new();
        int[] order = [0, 2, 1, 3, 6, 4, 5, 7];
        long seen = 0;
        foreach (int i in order) seen = table.Note(StartOf(3) + (ulong)(i * Length), Length);
        Assert.Equal(8 * Length, seen);
    }

    [Fact]
    public void ReadingTheSamePlaceAgainIsNoStream()
    {
        SequentialDetector table = new();
        for (int i = 0; i < 100; i++) Assert.Equal(Length, table.Note(StartOf(5), Length));
    }

    [Fact]
    public void TheStreamThatWasQuietLongestIsForgotten()
    {
        SequentialDetector table = new();
        for (int stream = 0; stream < SequentialDetector.Count; stream++) table.Note(StartOf(stream), Length);
        for (int stream = 1; stream < SequentialDetector.Count; stream++) table.Note(StartOf(stream) + 4096, Length);
        table.Note(StartOf(100), Length);
        Assert.Equal(3 * Length, table.Note(StartOf(1) + 8192, Length));
        Assert.Equal(Length, table.Note(StartOf(0) + 4096, Length));
    }

    private static ulong StartOf(int stream) => (1UL << 52) + ((ulong)stream << 24);
}
