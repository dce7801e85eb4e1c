using System;
using System.IO;
using System.Text;
using Weir.Core.Base;

namespace Weir.Frontends.Simulate;

/// <summary>
/// The file of a chart. What is there already stays until the new chart is written over it, and only a chart is
/// written over.
/// </summary>
internal sealed class ChartFile : IDisposable
{
    private readonly FileStream _file;
    private readonly bool _isNew;
    private bool _isWritten;

    private ChartFile(FileStream file, bool isNew) => (_file, _isNew) = (file, isNew);

    /// <summary>Opens it, or makes an empty one. Throws <see cref="UserErrorException"/>.</summary>
    public static ChartFile Open(string path)
    {
        try
        {
            bool isNew = !File.Exists(path);
            FileStream file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
            if (IsEmpty(file) || IsChart(file)) return new ChartFile(file, isNew);
            file.Dispose();
        }
        catch (Exception fault) when (FileFault.Is(fault))
        {
            throw new UserErrorException($"--svg {path}: cannot be written: {FileFault.Text(fault)}");
        }
        throw new UserErrorException($"--svg {path}: holds something else; expected a new file, or a chart to replace");
    }

    /// <summary>The chart, in place of what was there.</summary>
    public void Write(string chart)
    {
        try
        {
            if (_file.CanSeek) _file.SetLength(0);
            _file.Write(Encoding.UTF8.GetBytes(chart));
            _file.Flush();
            _isWritten = true;
        }
        catch (Exception fault) when (FileFault.Is(fault))
        {
            throw new UserErrorException($"--svg {_file.Name}: cannot be written: {FileFault.Text(fault)}");
        }
    }

    /// <summary>One that was made for nothing goes again.</summary>
    public void Dispose()
    {
        _file.Dispose();
        if (_isNew && !_isWritten) File.Delete(_file.Name);
    }

    private static bool IsEmpty(FileStream file) => !file.CanSeek || file.Length == 0;

    private static bool IsChart(FileStream file)
    {
        byte[] head = new byte[4];
        int count = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        file.Position = 0;
        return count == head.Length && head.AsSpan().SequenceEqual("<svg"u8);
    }
}
