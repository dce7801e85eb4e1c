using System;
using System.Collections.Generic;
using Weir.Core.Base;
using Weir.Core.Devices;
using Weir.Core.Io;
using Weir.Frontends.Commands;

namespace Weir.Frontends.Compose;

/// <summary>
/// All that the program knows of one engine: what a user can say about it, how a volume of it is opened, what is done
/// with its devices while nobody serves them, and how they are known again. Control path only.
/// </summary>
internal interface IEngineKind
{
    /// <summary>On the command line.</summary>
    string Name { get; }

    /// <summary>The devices it has a use for. The others are refused.</summary>
    IReadOnlyList<DeviceRole> Roles { get; }

    /// <summary>
    /// What <paramref name="command"/> takes for this engine beside devices and <c>--option</c>: new objects each
    /// time, as the parser wants it. The values come back in <see cref="VolumeSpec.Own"/>.
    /// </summary>
    IReadOnlyList<EngineOption> OptionsOf(EngineCommand command) => [];

    /// <summary>
    /// Throws <c>UserErrorException</c> when what the user said cannot be, as far as that shows without opening
    /// anything.
    /// </summary>
    void Check(VolumeSpec spec);

    /// <summary>
    /// Opens a volume; a blank cache is formatted, unless that is not wanted. Checks first, writes then. Throws
    /// <c>UserErrorException</c>.
    /// </summary>
    OpenedVolume Open(Opening opening);

    /// <summary>What can be done with its cache while nobody serves it; null: it has none.</summary>
    IEngineTools? Tools => null;

    /// <summary>
    /// What of its own is on a device, for people ("a weir cache"); null: nothing. Reads more of the device where
    /// <paramref name="head"/>, its beginning, does not tell.
    /// </summary>
    string? Recognise(RingContext io, Device device, ReadOnlySpan<byte> head) => null;

    /// <summary>What tells that a device is its own although the beginning is lost; null: nothing does.</summary>
    ContentMark? Mark => null;

    /// <summary>What is known of a file of memory that outlives its process; null: it is not this engine's.</summary>
    MemoryNote? NoteOf(MemoryFile file, string bootId) => null;
}

/// <summary>What is done with a cache that is not served. Everything throws <c>UserErrorException</c>.</summary>
internal interface IEngineTools
{
    /// <summary>Makes an empty cache; one line that says what was made.</summary>
    string Format(in ToolRun run);

    /// <summary>Reads everything that counts; the number of problems found.</summary>
    long Check(in ToolRun run, IItemWriter items);

    /// <summary>Shows what lies on the devices.</summary>
    void Dump(in ToolRun run, IItemWriter items);

    /// <summary>Makes what <see cref="Dump"/> has shown into a cache again; one line that says what was made.</summary>
    string Restore(in ToolRun run, string input) => throw new UserErrorException(
        $"{run.Spec.Engine} cannot be made from a dump", Program.WrongUsage);

    /// <summary>
    /// Repairs, or with <paramref name="write"/> false says what it would do; false when more must be decided first.
    /// </summary>
    bool Repair(in ToolRun run, bool write, IItemWriter items);

    /// <summary>
    /// Writes everything back, unless <paramref name="stopAsked"/> says so. 0, or the negative errno of what could not
    /// be made durable.
    /// </summary>
    int Drain(in ToolRun run, Func<bool> stopAsked);
}

/// <summary>What a tool works on, and whom it tells.</summary>
/// <param name="Spec">What the user said.</param>
/// <param name="Log">Takes one line at a time.</param>
/// <param name="Progress">Is told of what, how many are done, of how many; null: nobody wants to know.</param>
internal readonly record struct ToolRun(
    VolumeSpec Spec, Action<string> Log, Action<string, long, long>? Progress);

/// <summary>What a device is to an engine.</summary>
internal enum DeviceRole
{
    /// <summary>The fast one.</summary>
    Cache,
    /// <summary>Where an engine keeps what it knows of the cache, if not there.</summary>
    Metadata,
    /// <summary>The slow ones.</summary>
    Backing,
}

/// <summary>The commands that take options of an engine.</summary>
internal enum EngineCommand
{
    /// <summary><c>weir serve</c>.</summary>
    Serve,
    /// <summary><c>weir bench</c>.</summary>
    Bench,
    /// <summary><c>weir format</c>.</summary>
    Format,
    /// <summary><c>weir check</c>.</summary>
    Check,
    /// <summary><c>weir dump</c>.</summary>
    Dump,
    /// <summary><c>weir restore</c>.</summary>
    Restore,
    /// <summary><c>weir repair</c>.</summary>
    Repair,
    /// <summary><c>weir drain</c>.</summary>
    Drain,
}
