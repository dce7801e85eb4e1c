using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;

namespace Weir.Bench.Measuring;

/// <summary>What fio saw.</summary>
/// <param name="Iops">Requests a second, reads and writes.</param>
/// <param name="BytesPerSecond">Their bytes.</param>
/// <param name="P50Us">Latency of the larger share, reads or writes; with fsync that of the fsync.</param>
/// <param name="P99Us">The same.</param>
/// <param name="P999Us">The same.</param>
/// <param name="Requests">Requests in all.</param>
internal sealed record FioResult(
    double Iops, double BytesPerSecond, double P50Us, double P99Us, double P999Us, long Requests);

/// <summary>Runs fio and keeps what it says in a folder, as it says it.</summary>
/// <param name="folder">Where the JSON goes.</param>
internal sealed class Fio(string folder)
{
    private int _number;

    /// <summary>Runs <paramref name="job"/> on an NBD export; without seconds over the whole size once.</summary>
    public FioResult OnNbd(FioJob job, string uri, string size, double seconds, int seed) =>
        Run(job, size, seconds, seed, "--ioengine=nbd", "--uri=" + uri);

    /// <summary>Runs it on a file or block device, past the page cache.</summary>
    public FioResult OnFile(FioJob job, string path, string size, double seconds, int seed) => Run(
        job, size, seconds, seed, "--ioengine=io_uring", "--direct=1", "--filename=" + path);

    /// <summary>
    /// A path that starts with <paramref name="name"/> for fio's own logs, beside the JSON of the run that comes next.
    /// </summary>
    public string LogPath(string name) => Path.Combine(Path.GetFullPath(folder), $"{_number + 1:d4}-{name}");

    private FioResult Run(FioJob job, string size, double seconds, int seed, params string[] target)
    {
        // Whole milliseconds: fio takes no decimals.
        string time = string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:0}ms");
        string output = Tool.Run("fio", [
            "--name=job", .. target, .. job.Arguments, "--size=" + size,
            .. seconds > 0 ? ["--time_based", "--runtime=" + time] : Array.Empty<string>(), "--randrepeat=0",
            $"--randseed={seed}", "--norandommap", "--group_reporting", "--output-format=json"]);
        output = output[output.IndexOf('{', StringComparison.Ordinal)..];
        string name = string.Concat(job.Name.Select(static c => char.IsAsciiLetterOrDigit(c) ? c : '-'));
        File.WriteAllText(Path.Combine(folder, $"{++_number:d4}-{name}.json"), output);
        using JsonDocument document = JsonDocument.Parse(output);
        return Read(document.RootElement.GetProperty("jobs")[0]);
    }

    private static FioResult Read(JsonElement job)
    {
        JsonElement read = job.GetProperty("read"), write = job.GetProperty("write");
        JsonElement sync = job.GetProperty("sync");
        long reads = read.GetProperty("total_ios").GetInt64(), writes = write.GetProperty("total_ios").GetInt64();
        JsonElement more = reads >= writes ? read : write;
        bool isSync = sync.TryGetProperty("total_ios", out JsonElement syncs) && syncs.GetInt64() > 0;
        JsonElement latencies = isSync ? sync.GetProperty("lat_ns") : more.GetProperty("clat_ns");
        return new FioResult(
            Sum("iops"), Sum("bw_bytes"), Percentile(latencies, "50.000000"), Percentile(latencies, "99.000000"),
            Percentile(latencies, "99.900000"), reads + writes);

        double Sum(string name) => read.GetProperty(name).GetDouble() + write.GetProperty(name).GetDouble();
    }

    private static double Percentile(JsonElement latencies, string which) =>
        latencies.TryGetProperty("percentile", out JsonElement all) && all.TryGetProperty(which, out JsonElement value)
            ? value.GetDouble() / 1000 : double.NaN;
}
