using System;
using System.Diagnostics;
using System.IO;
using System.Threading;
using Xunit;

namespace Weir.Tests.Nbd;

/// <summary>Runs a program and takes its output. A program that is missing is a failure that says so.</summary>
internal static class Tool
{
    private const int TimeoutMs = 300_000;

    /// <summary>Must exit with 0. Returns standard output.</summary>
    public static string Run(string program, params string[] arguments)
    {
        (int code, string output, string error) = Try(program, arguments);
        Assert.True(code == 0, $"{program} {string.Join(' ', arguments)}: exit {code}\n{output}\n{error}");
        return output;
    }

    /// <summary>Exit code, standard output and standard error.</summary>
    public static (int Code, string Output, string Error) Try(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        using Process process = Start(start);
        process.StandardInput.Close();
        string error = "";
        Thread reader = new(() => error = process.StandardError.ReadToEnd());
        reader.Start();
        using Timer killer = new(_ => process.Kill(), null, TimeoutMs, Timeout.Infinite);
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        reader.Join();
        return (process.ExitCode, output, error);
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception missing)
        {
            throw new InvalidOperationException($"{start.FileName} is needed for this test: {missing.Message}");
        }
    }
}

/// <summary>A directory for one test's files.</summary>
internal sealed class Scratch : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-nbd-");

    public string this[string name] => Path.Combine(_directory.FullName, name);

    public void Dispose() => _directory.Delete(recursive: true);
}
