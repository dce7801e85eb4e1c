using System;
using System.Collections.Generic;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Devices;

namespace Weir.Frontends.Compose;

/// <summary>Memory that outlives its process, seen from outside.</summary>
internal static class Memories
{
    // An engine tells by these whose the memory is.
    private const int HeadBytes = 4096;

    // Far longer than it takes to make memory.
    private static readonly TimeSpan s_makingTime = TimeSpan.FromMinutes(1);

    /// <summary>Every file of such memory; <paramref name="folder"/> is looked into too, if there is one.</summary>
    public static List<MemoryNote> All(string? folder)
    {
        string bootId = Boot.Id();
        string? chosen = folder == null ? null : Path.GetFullPath(folder);
        if (chosen != null && !Directory.Exists(chosen))
            throw new UserErrorException($"--memory {folder}: no such folder", Program.WrongUsage);
        IReadOnlyList<string> places = MemoryPlaces.ToSearch(chosen);
        // What the user names he can look into, or is told that he cannot.
        void CannotList(string line)
        {
            if (chosen != null && line.StartsWith(chosen + ":", StringComparison.Ordinal))
                throw new UserErrorException(line);
            Program.Log(line);
        }
        return MemoryFile.All(places, HeadBytes, CannotList).ConvertAll(file => NoteOf(file, bootId));
    }

    private static MemoryNote NoteOf(MemoryFile file, string bootId)
    {
        foreach (IEngineKind kind in EngineTable.All)
            if (kind.NoteOf(file, bootId) is { } note) return note;
        (MemoryUse use, string why) = JudgeStrange(file);
        return new MemoryNote(
            file.Path, file.SizeBytes, file.MadeAt, CacheId: default, CachePath: "", use, why, file.TryRemove);
    }

    private static (MemoryUse Use, string Why) JudgeStrange(MemoryFile file)
    {
        if (file.IsInUse) return (MemoryUse.InUse, "in use");
        // The magic number comes last.
        if (!ContentProbe.IsZero(file.Head.AsSpan(0, sizeof(ulong))))
            return (MemoryUse.Unknown, "not memory of Weir's");
        return DateTime.UtcNow - file.MadeAt < s_makingTime ? (MemoryUse.Unknown, "being made")
            : (MemoryUse.None, "of no use: its process died while it made it");
    }
}
