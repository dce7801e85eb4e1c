namespace Weir.Core.Writeboost.Writeback;

/// <summary>What write-back knows of an operation under way.</summary>
internal struct WritebackOp
{
    /// <summary>Of a write of blocks, or a read of what they lack: its scratch buffer.</summary>
    public int Buffer;
    /// <summary>The backing device that has it, by number.</summary>
    public int Device;
    /// <summary>Of a read: the segment of the batch, the place in it, or the block that it is for.</summary>
    public int Index;
    /// <summary>Items of the list under work that are done with it: blocks, or the last piece of a range.</summary>
    public int Work;
}
