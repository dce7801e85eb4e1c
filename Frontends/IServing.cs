using System;
using System.Collections.Generic;
using Weir.Core.Io;
using Weir.Frontends.Recording;

namespace Weir.Frontends;

/// <summary>
/// Addresses taken, nobody served yet: an address that cannot be had is found out before a device is touched. Clients
/// that connect meanwhile wait.
/// </summary>
internal interface IListening : IDisposable
{
    /// <summary>Begins to serve and takes over what this held. Throws <c>UserErrorException</c>.</summary>
    IServing Serve(OpenedVolume volume, int queues, Action<Exception> onFailure);
}

/// <summary>A frontend at work: its threads serve volumes until the stop. Control path only.</summary>
internal interface IServing : IDisposable
{
    /// <summary>What clients connect to.</summary>
    IReadOnlyList<string> Uris { get; }

    /// <summary>The first address of the export called <paramref name="export"/>.</summary>
    string UriOf(string export);

    /// <summary>Serves one more part of a volume that is served already; any thread.</summary>
    void Add(OpenedExport export);

    /// <summary>
    /// Throws <c>UserErrorException</c> when clients of the export called <paramref name="name"/> would lose what they
    /// have not sent yet, were it removed.
    /// </summary>
    void CheckRemovable(string name);

    /// <summary>
    /// Serves the export called <paramref name="name"/> no longer: its clients' connections end. Waits until they have,
    /// a few seconds for clients that do not take their replies. Any thread but the queues'.
    /// </summary>
    void Remove(string name);

    /// <summary>Exports may have grown: tells clients that can be told while they are connected. Any thread.</summary>
    void Resize();

    /// <summary>Where the queue threads say what clients ask for.</summary>
    IReadOnlyList<TraceTap> Taps { get; }

    /// <summary>One line to print about what works, but not as well as it could; or null.</summary>
    string? Warning { get; }

    /// <summary>
    /// Begins the orderly stop (R15); any thread, any number of times. Clients that hold what is served are waited for,
    /// where that means something, unless <paramref name="force"/> is given, then or later.
    /// </summary>
    void Stop(bool force);

    /// <summary>Waits for its end: 0, or the negative errno of what could not be made durable.</summary>
    int Join();

    /// <summary>Adds the frontend's figures; any thread.</summary>
    void Report(IStatusWriter status);
}
