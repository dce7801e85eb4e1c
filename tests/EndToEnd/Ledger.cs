using System;
using System.Buffers.Binary;
using System.Collections.Generic;

namespace Weir.Tests.EndToEnd;

/// <summary>
/// One write of a client, and when it was submitted, acknowledged and covered by an acknowledged flush.
/// </summary>
internal sealed class LedgerWrite
{
    public required long Tag { get; init; }
    public required int FirstSector { get; init; }
    public required int SectorCount { get; init; }
    public required long SubmittedAt { get; init; }
    public bool IsFua { get; init; }
    public long AcknowledgedAt { get; set; } = long.MaxValue;
    public bool IsDurable { get; set; }
    public bool IsAcknowledged => AcknowledgedAt != long.MaxValue;
}

/// <summary>
/// The client's book: what it wrote, in which order, and what it was told. Every sector written carries the write's
/// tag, so that the book can say after a crash which version survived; see the oracle of docs/durability.md.
/// A sector has at most one write under way, so its versions have one order.
/// </summary>
internal sealed class Ledger(int sectorCount)
{
    public const int SectorBytes = 512;

    private readonly List<LedgerWrite>[] _versions = Fill(sectorCount);
    private readonly Dictionary<long, LedgerWrite> _byTag = [];
    private long _clock;
    private long _nextTag = 1;

    public int SectorCount { get; } = sectorCount;

    /// <summary>Acknowledged sector versions that crashes took, where that was allowed.</summary>
    public int Lost { get; private set; }

    public bool IsFree(int first, int count)
    {
        for (int i = first; i < first + count; i++)
            if (_versions[i].Count > 0 && !_versions[i][^1].IsAcknowledged) return false;
        return true;
    }

    public LedgerWrite Submit(int first, int count, bool fua)
    {
        LedgerWrite write = new()
        {
            Tag = _nextTag++, FirstSector = first, SectorCount = count, SubmittedAt = _clock++, IsFua = fua,
        };
        for (int i = first; i < first + count; i++) _versions[i].Add(write);
        _byTag.Add(write.Tag, write);
        return write;
    }

    public void Acknowledge(LedgerWrite write)
    {
        write.AcknowledgedAt = _clock++;
        write.IsDurable |= write.IsFua;
    }

    /// <summary>The flush covers what is acknowledged now, at its submission.</summary>
    public List<LedgerWrite> SubmitFlush()
    {
        List<LedgerWrite> covered = [];
        foreach (LedgerWrite write in _byTag.Values)
            if (write.IsAcknowledged && !write.IsDurable) covered.Add(write);
        _clock++;
        return covered;
    }

    public static void AcknowledgeFlush(List<LedgerWrite> covered)
    {
        foreach (LedgerWrite write in covered) write.IsDurable = true;
    }

    /// <summary>The bytes of a write: each sector has its tag and its own number.</summary>
    public static byte[] DataOf(LedgerWrite write)
    {
        byte[] data = new byte[write.SectorCount * SectorBytes];
        for (int i = 0; i < write.SectorCount; i++)
            for (int at = 0; at < SectorBytes; at += 16)
            {
                Span<byte> cell = data.AsSpan((i * SectorBytes) + at);
                BinaryPrimitives.WriteInt64LittleEndian(cell, write.Tag);
                BinaryPrimitives.WriteInt64LittleEndian(cell[8..], write.FirstSector + i);
            }
        return data;
    }

    /// <summary>
    /// Judges what is read after a crash and makes it the new beginning. <paramref name="memorySurvived"/>: the process
    /// died and nothing else, so whatever was acknowledged must be there. Otherwise what was flushed must be there, and
    /// the rest must be a prefix. Returns what is wrong, at most a few.
    /// </summary>
    public List<string> Judge(ReadOnlySpan<byte> contents, bool memorySurvived)
    {
        List<string> wrong = [];
        int[] survivor = new int[SectorCount];
        long newestSurvivor = -1;
        for (int sector = 0; sector < SectorCount; sector++)
        {
            survivor[sector] = SurvivorOf(sector, contents.Slice(sector * SectorBytes, SectorBytes), wrong);
            if (survivor[sector] > 0)
                newestSurvivor = Math.Max(newestSurvivor, _versions[sector][survivor[sector] - 1].SubmittedAt);
        }
        for (int sector = 0; sector < SectorCount && wrong.Count < 5; sector++)
            JudgeSector(sector, survivor[sector], newestSurvivor, memorySurvived, wrong);
        BeginAgain(survivor);
        return wrong;
    }

    /// <summary>How many versions of the sector survived: 0 is the state before them.</summary>
    private int SurvivorOf(int sector, ReadOnlySpan<byte> bytes, List<string> wrong)
    {
        long tag = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        if (!bytes[16..].SequenceEqual(bytes[..^16])) wrong.Add($"sector {sector} is torn");
        if (tag == 0) return 0;
        if (BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]) != sector)
            wrong.Add($"sector {sector} has another's data");
        int version = _versions[sector].FindIndex(write => write.Tag == tag);
        if (version < 0) wrong.Add($"sector {sector} has tag {tag}, which was never written there or is long gone");
        return version + 1;
    }

    private void JudgeSector(int sector, int survivor, long newestSurvivor, bool memorySurvived, List<string> wrong)
    {
        for (int version = survivor; version < _versions[sector].Count; version++)
        {
            LedgerWrite lost = _versions[sector][version];
            if (lost.IsAcknowledged) Lost++;
            if (lost.IsDurable) wrong.Add($"sector {sector}: write {lost.Tag} was flushed and is lost");
            else if (memorySurvived && lost.IsAcknowledged)
                wrong.Add($"sector {sector}: write {lost.Tag} was acknowledged and is lost");
            else if (lost.AcknowledgedAt < newestSurvivor)
                wrong.Add($"sector {sector}: write {lost.Tag} is lost, something submitted after it survived");
        }
    }

    /// <summary>The survivors are the only versions now, and durable: recovery flushed them before it served.</summary>
    private void BeginAgain(int[] survivor)
    {
        _byTag.Clear();
        for (int sector = 0; sector < SectorCount; sector++)
        {
            if (survivor[sector] > 0 && survivor[sector] <= _versions[sector].Count)
                Keep(sector, _versions[sector][survivor[sector] - 1]);
            else
                _versions[sector].Clear();
        }
    }

    private void Keep(int sector, LedgerWrite write)
    {
        if (!write.IsAcknowledged) write.AcknowledgedAt = _clock++;
        write.IsDurable = true;
        _versions[sector].Clear();
        _versions[sector].Add(write);
        _byTag[write.Tag] = write;
    }

    private static List<LedgerWrite>[] Fill(int count)
    {
        List<LedgerWrite>[] lists = new List<LedgerWrite>[count];
        for (int i = 0; i < count; i++) lists[i] = [];
        return lists;
    }
}
