using System;
using System.IO;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>
/// Everything of a server on one small file system, the log too, that becomes full: nothing takes what it does not come
/// to use, and the server stays.
/// </summary>
public sealed class FullDiskTests(ITestOutputHelper output)
{
    // Cache and metadata take 12 MiB; a server says "ready" on its standard output.
    private const string Serve = """
        "$WEIR" serve $ENGINE --cache cache $METADATA --backing slow=slow --listen unix:nbd --control control \
          >out 2>log &
        server=$!
        n=0; until grep -q ready out; do n=$((n+1)); [ $n -lt 600 ] || { cat log >&2; exit 90; }; sleep 0.1; done

        """;

    private const string Script = """
        used() { du -k cache | cut -f1; }
        truncate -s 8M cache; truncate -s 4M metadata; truncate -s 64M slow
        """ + "\n" + Serve + """
        before=$(used)
        truncate -s 400G cache
        "$WEIR" message --control control grow >said 2>&1 && exit 91
        grep -q "$REFUSAL" said || { cat said >&2; exit 92; }
        [ "$(used)" = "$before" ] || { echo "$before kB before, $(used) after" >&2; exit 93; }
        cat /dev/zero >filler 2>/dev/null
        i=0; while [ $i -lt 5 ]; do
          "$WEIR" message --control control high_watermark $((50 + i)) >/dev/null || exit 94
          i=$((i+1))
        done
        kill -0 $server || { cat log >&2; exit 95; }
        "$WEIR" status --control control | grep -q '^state  *healthy' || exit 96
        "$WEIR" stop --control control || exit 97
        wait $server
        """;

    [Theory]
    [InlineData("dmcache", "--metadata metadata", "more metadata blocks")]
    [InlineData("dmcache", "", "more metadata blocks")]
    [InlineData("writeboost", "", "cannot reserve the space")]
    public void AFullDiskEndsNoServer(string engine, string metadata, string refusal)
    {
        foreach (string fileSystem in new[] { "tmpfs", "ext4" }) Run(fileSystem, engine, metadata, refusal);
    }

    private void Run(string fileSystem, string engine, string metadata, string refusal)
    {
        using TestFolder folder = new();
        string root = folder.PathOf("root"), disk = folder.PathOf("disk");
        Directory.CreateDirectory(root);
        string mount = fileSystem == "tmpfs" ? $"mount -t tmpfs -o size=64m weir-test {root}"
            : $"truncate -s 64M {disk} && mkfs.ext4 -q -F {disk} && mount -o loop {disk} {root}";
        string script = $"({mount}) || exit 99\ncd {root}\nENGINE='{engine}' METADATA='{metadata}' "
            + $"REFUSAL='{refusal}'\nWEIR={WeirProcess.Binary}\n{Script}";
        Outcome outcome = WeirProcess.Tool("unshare", "-m", "sh", "-c", script);
        bool isMounted = outcome.ExitCode != 99 && !outcome.Error.StartsWith("unshare:", StringComparison.Ordinal);
        if (!isMounted) output.WriteLine($"{fileSystem}: nothing can be mounted here: {outcome.Error}");
        else Assert.True(outcome.ExitCode == 0, $"{fileSystem}: {outcome.ExitCode}: {outcome.Error}{outcome.Output}");
    }
}
