using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.DmCache.Simulate;
using Weir.Core.DmCache.Tools;
using Weir.Core.Traces;

namespace Weir.Frontends.Compose;

/// <summary>An engine whose policies can be tried on a trace.</summary>
/// <param name="Name">On the command line.</param>
/// <param name="Policies">Names of its policies, the default first.</param>
/// <param name="BlockStepBytes">Sizes of its blocks are multiples of this.</param>
/// <param name="BlockBytesMax">The largest of them.</param>
internal sealed record SimulatedEngine(
    string Name, IReadOnlyList<string> Policies, int BlockStepBytes, int BlockBytesMax)
{
    private const string AllPolicies = "all";

    /// <summary>Its policies.</summary>
    public static readonly SimulatedEngine DmCache =
        new("dmcache", DmCacheSimulator.Policies, CacheFormat.BlockBytesStep, CacheFormat.BlockBytesMax)
        {
            Resolve = DmCacheSimulator.Resolve, Run = DmCacheSimulator.Run,
        };

    /// <summary>All there are.</summary>
    private static readonly SimulatedEngine[] s_all = [DmCache];

    /// <summary>For people.</summary>
    public static string Names => string.Join(", ", s_all.Select(static engine => engine.Name));

    /// <summary>What a name or alias stands for; null: no policy has it.</summary>
    public required System.Func<string, string?> Resolve { get; init; }

    /// <summary>Runs one policy.</summary>
    public required PolicySimulation Run { get; init; }

    /// <summary>The one called <paramref name="name"/>; throws, naming those there are.</summary>
    public static SimulatedEngine Find(string name) => s_all.FirstOrDefault(engine => engine.Name == name)
        ?? throw new UserErrorException($"--engine {name}: expected {Names}", Program.WrongUsage);

    /// <summary>Policies by a list of names with commas, or all; each once.</summary>
    public IReadOnlyList<string> PoliciesOf(string list)
    {
        if (list == AllPolicies) return Policies;
        List<string> found = [];
        foreach (string name in list.Split(','))
        {
            string policy = Resolve(name) ?? throw new UserErrorException(
                $"--policy {name}: expected {AllPolicies}, or of {string.Join(", ", Policies)}", Program.WrongUsage);
            if (!found.Contains(policy)) found.Add(policy);
        }
        return found;
    }

    /// <summary>A size of blocks by what the user wrote.</summary>
    public int BlockBytesOf(string text)
    {
        long bytes = ByteSize.Parse(text, "--block-size");
        if (bytes >= BlockStepBytes && bytes <= BlockBytesMax && bytes % BlockStepBytes == 0) return (int)bytes;
        throw new UserErrorException($"--block-size {text}: {Name} has blocks of {ByteSize.Format(BlockStepBytes)} to "
            + $"{ByteSize.Format(BlockBytesMax)}, in steps of {ByteSize.Format(BlockStepBytes)}", Program.WrongUsage);
    }
}
