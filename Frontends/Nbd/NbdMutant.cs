using Weir.Core.Base;

namespace Weir.Frontends.Nbd;

/// <summary>
/// How this frontend is broken in a run of the test build, see <see cref="Mutant"/>.
/// </summary>
internal enum NbdMutant
{
    /// <summary>Nothing is broken.</summary>
    None,
    /// <summary>NBD: a change of a part of a sector does not wait for others of that sector.</summary>
    EdgesUnguarded,
}
