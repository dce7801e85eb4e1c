using Weir.Core.Caching;

namespace Weir.Frontends.Nbd;

// Changes that waited for others of the same blocks, of this queue or another.
internal sealed unsafe partial class NbdQueue
{
    private GrantQueue? _grants;

    /// <summary>Where the locks of its changes come that had to wait.</summary>
    public GrantQueue Grants => _grants!;

    private void PassGranted()
    {
        for (BlockLock* it; (it = Grants.Take()) != null;)
        {
            Part* part = (Part*)it->Owner;
            _connections[part->Request.FrontendInt]!.Pass(part);
        }
    }
}
