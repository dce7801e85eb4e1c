using System;
using System.Globalization;
using System.IO;

namespace Weir.Bench;

/// <summary>How long and where is measured.</summary>
/// <param name="Rounds">How often, in turns.</param>
/// <param name="Seconds">Of each measurement.</param>
/// <param name="Scratch">Folder for files that are measured on.</param>
internal sealed record Options(int Rounds, double Seconds, string Scratch)
{
    private const double MinSeconds = 0.05, MaxSeconds = 3600;

    /// <summary>What a report says of it.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"Measured with --rounds {Rounds} --seconds {Seconds}; every command as it was run is in raw/commands.txt.");

    /// <summary>What <paramref name="arguments"/> say; null, and a <paramref name="complaint"/>, when it makes no
    /// sense.</summary>
    public static Options? Parse(ReadOnlySpan<string> arguments, out string complaint)
    {
        int rounds = 3;
        double seconds = 1;
        string scratch = Path.GetTempPath();
        complaint = "";
        for (int i = 0; i < arguments.Length; i += 2)
        {
            string value = i + 1 < arguments.Length ? arguments[i + 1] : "";
            bool isGood = arguments[i] switch
            {
                "--rounds" => int.TryParse(value, CultureInfo.InvariantCulture, out rounds) && rounds > 0,
                "--seconds" => double.TryParse(value, CultureInfo.InvariantCulture, out seconds)
                    && seconds is >= MinSeconds and <= MaxSeconds,
                "--scratch" => Directory.Exists(scratch = value),
                _ => false,
            };
            if (isGood) continue;
            complaint = arguments[i] switch
            {
                "--scratch" => $"--scratch {value}: no such folder",
                "--seconds" => $"--seconds {value}: expected {MinSeconds} to {MaxSeconds}",
                _ => $"{arguments[i]} {value}: expected --rounds N, --seconds N or --scratch FOLDER",
            };
            return null;
        }
        return new Options(rounds, seconds, scratch);
    }
}
