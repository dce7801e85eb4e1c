namespace Weir.Core.SsdCache.Sets;

/*
 *   31       27 26        16 15      0
 *   | flags    | writers    | pins   |       0: nothing is under way, and nothing would be lost
 */

/// <summary>The word of a way that changes while requests are under way, see the picture.</summary>
internal static class WayState
{
    /// <summary>One more who relies on the way staying its block's.</summary>
    public const uint Pin = 1;
    /// <summary>All pins.</summary>
    public const uint Pins = 0xFFFF;
    /// <summary>One more who writes its bytes.</summary>
    public const uint Writer = 1 << 16;
    /// <summary>All writers.</summary>
    public const uint Writers = 0x7FF * Writer;
    /// <summary>The block is changed: who has found it looks again.</summary>
    public const uint Claimed = 1u << 27;
    /// <summary>A unit is dirty.</summary>
    public const uint Dirty = 1u << 28;
    /// <summary>Its dirty units are being written back.</summary>
    public const uint Cleaning = 1u << 29;
    /// <summary>Somebody has begun to write since.</summary>
    public const uint Written = 1u << 30;
    /// <summary>The device names it dirty, or may do so.</summary>
    public const uint Named = 1u << 31;
}
