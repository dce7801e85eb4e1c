using Weir.Core.Caching;
using Weir.Core.Cleaning;
using Weir.Core.Volumes;
using Weir.Core.Writeboost.Backings;
using Weir.Core.Writeboost.Bypass;
using Weir.Core.Writeboost.Errors;
using Weir.Core.Writeboost.Format;
using Weir.Core.Writeboost.Index;
using Weir.Core.Writeboost.Log;
using Weir.Core.Writeboost.Orders;
using Weir.Core.Writeboost.Settings;

namespace Weir.Core.Writeboost.Writeback;

/// <content>The parts of the volume that it works on.</content>
internal sealed unsafe partial class WritebackEngine
{
    private readonly SegmentLog _log;
    private readonly SuperblockState _superblock;
    private readonly BlockIndex _index;
    private readonly RangeMap _ranges;
    private readonly VersionMap _versions;
    private readonly StripedVersions _changes;
    private readonly BackingTable _devices;
    private readonly Fingerprints _samples;
    private readonly AroundLosses _aroundLosses;
    private readonly RefusingDevices _refusals;
    private readonly DirtyData _dirty;
    private readonly WritebackProgress _progress;
    private readonly Drains _drains;
    private readonly RangePressure _pressure;
    private readonly CleaningGovernor _governor;
    private readonly WriteThrottle _throttle;
    private readonly ActivityMark _activity;
    private readonly WriteboostOptions _options;
    private readonly LostData _lost;
    private readonly RotReports _rot;
    private readonly GiveUpOrders _giveUps;
    private readonly ResumeOrders _resumes;
    private readonly VolumeHealth _health;
    private readonly QueueSet _queues;
    private readonly string _cacheName;
}
