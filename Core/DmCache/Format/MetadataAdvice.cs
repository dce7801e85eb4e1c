namespace Weir.Core.DmCache.Format;

/// <summary>What users can do about metadata.</summary>
internal static class MetadataAdvice
{
    /// <summary>They have no room for a change, and do not grow with their device.</summary>
    public const string WhenFull =
        "'weir dump dmcache --discards' and 'weir restore dmcache' move them to a larger device";
}
