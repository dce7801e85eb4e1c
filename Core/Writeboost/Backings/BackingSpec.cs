using Weir.Core.Io;

namespace Weir.Core.Writeboost.Backings;

/// <summary>A backing device that the user gives.</summary>
/// <param name="Id">Its number in the log; null: the one it had, or the first free one.</param>
/// <param name="Name">Export name.</param>
/// <param name="Device">The opened device; the volume's from now on.</param>
public sealed record BackingSpec(int? Id, string Name, Device Device);
