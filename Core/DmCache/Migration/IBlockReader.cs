using Weir.Core.Io;

namespace Weir.Core.DmCache.Migration;

/// <summary>Whoever reads a block that comes into the cache, and takes its part of it on the way.</summary>
internal unsafe interface IBlockReader
{
    /// <summary>
    /// <paramref name="block"/> has all of the block that <paramref name="request"/> reads a part of;
    /// <paramref name="result"/> negative: nothing, and it is to be read in another way. On the thread of both.
    /// </summary>
    void BlockRead(Request* request, byte* block, int result);
}
