using System;
using System.IO;
using ICSharpCode.SharpZipLib;
using ICSharpCode.SharpZipLib.GZip;
using Weir.Core.Base;
using ZstdSharp;

namespace Weir.Core.Traces;

/// <summary>
/// The bytes of a trace, unpacked (gzip, zstd), in lines or in pieces of a fixed size. Memory stays the same however
/// long the file, or a line of it, is.
/// </summary>
internal sealed class TraceInput : IDisposable
{
    /// <summary>What the kind of a trace is recognised from.</summary>
    private const int HeadBytes = 64 << 10;

    /// <summary>A window of zstd; its own program takes no more unasked.</summary>
    private const int WindowLogMax = 27;

    private const int LineBytesMax = 4096;

    private readonly Stream _file;
    private readonly Stream _unpacked;
    private readonly byte[] _buffer = new byte[HeadBytes];
    private int _begin;
    private int _end;
    private bool _isAtEnd;

    private TraceInput(string path, Stream file)
    {
        Path = path;
        _file = file;
        TotalBytes = file.CanSeek ? file.Length : 0;
        byte[] magic = new byte[4];
        HeadStream whole = new(file, magic, file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false));
        _unpacked = magic switch
        {
            [0x1F, 0x8B, ..] => new GZipInputStream(whole),
            [0x28, 0xB5, 0x2F, 0xFD] => Zstd(whole),
            _ => whole,
        };
        IsPacked = _unpacked != whole;
        Fill();
    }

    /// <summary>As the user gave it.</summary>
    public string Path { get; }

    /// <summary>Of the file as it lies on the disk; 0: not known.</summary>
    public long TotalBytes { get; }

    /// <summary>Read of these so far; any thread would do with an old value.</summary>
    public long DoneBytes => _file.CanSeek ? _file.Position : 0;

    /// <summary>The file is compressed.</summary>
    public bool IsPacked { get; }

    /// <summary>Of the line that was read last, from 1 on; of pieces likewise.</summary>
    public long Number { get; private set; }

    /// <summary>The beginning, before anything is read: up to 64 KiB.</summary>
    public ReadOnlySpan<byte> Head => _buffer.AsSpan(_begin, _end - _begin);

    /// <summary>There is no more than <see cref="Head"/>.</summary>
    public bool HeadIsAll => _isAtEnd;

    /// <summary>Opens the file. Throws <c>UserErrorException</c>.</summary>
    public static TraceInput Open(string path)
    {
        FileStream? file = null;
        try
        {
            file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 0);
            return new TraceInput(path, file);
        }
        catch (Exception e) when (IsOfTheFile(e))
        {
            file?.Dispose();
            throw Unreadable(path, e);
        }
        catch
        {
            file?.Dispose();
            throw;
        }
    }

    /// <summary>The next line without its end; false: there is none. Throws when it is too long to be one.</summary>
    public bool TryReadLine(out ReadOnlySpan<byte> line)
    {
        int at;
        while ((at = _buffer.AsSpan(_begin, _end - _begin).IndexOf((byte)'\n')) < 0 && !_isAtEnd)
        {
            if (_end - _begin > LineBytesMax) break;
            Fill();
        }
        int length = at >= 0 ? at : _end - _begin;
        line = _buffer.AsSpan(_begin, Math.Min(length, LineBytesMax));
        if (length == 0 && at < 0) return false;
        Number++;
        if (length > LineBytesMax) throw Wrong($"more than {LineBytesMax} bytes", "a line of text");
        _begin += at >= 0 ? at + 1 : length;
        if (line.Length > 0 && line[^1] == '\r') line = line[..^1];
        return true;
    }

    /// <summary>The next <paramref name="sizeBytes"/>; false: there are none. Throws when there are fewer.</summary>
    public bool TryReadPiece(int sizeBytes, out ReadOnlySpan<byte> piece)
    {
        while (_end - _begin < sizeBytes && !_isAtEnd) Fill();
        int length = Math.Min(sizeBytes, _end - _begin);
        piece = _buffer.AsSpan(_begin, length);
        if (length == 0) return false;
        Number++;
        if (length < sizeBytes) throw Wrong($"it ends after {length} bytes", $"{sizeBytes} bytes");
        _begin += length;
        return true;
    }

    /// <summary>What was read last is not what it should be.</summary>
    public UserErrorException Wrong(string found, string expected, string unit = "line") =>
        new($"{Path}: {unit} {Number}: {found}; expected {expected}");

    /// <inheritdoc/>
    public void Dispose()
    {
        _unpacked.Dispose();
        _file.Dispose();
    }

    private static DecompressionStream Zstd(Stream packed)
    {
        DecompressionStream stream = new(packed);
        stream.SetParameter(ZstdSharp.Unsafe.ZSTD_dParameter.ZSTD_d_windowLogMax, WindowLogMax);
        return stream;
    }

    // Moves what is left to the front and reads more behind it.
    private void Fill()
    {
        _buffer.AsSpan(_begin, _end - _begin).CopyTo(_buffer);
        (_begin, _end) = (0, _end - _begin);
        try
        {
            int got = _unpacked.ReadAtLeast(_buffer.AsSpan(_end), _buffer.Length - _end, throwOnEndOfStream: false);
            _isAtEnd = got < _buffer.Length - _end;
            _end += got;
        }
        catch (Exception e) when (IsOfTheFile(e))
        {
            throw Unreadable(Path, e);
        }
    }

    private static bool IsOfTheFile(Exception e) => IsOfPacking(e) || FileFault.Is(e);

    private static bool IsOfPacking(Exception e) =>
        e is InvalidDataException or EndOfStreamException or ZstdException or SharpZipBaseException;

    private static UserErrorException Unreadable(string path, Exception e) => e switch
    {
        FileNotFoundException when path == "-" => new("-: no such file; standard input is /dev/stdin"),
        FileNotFoundException or DirectoryNotFoundException => new($"{path}: no such file"),
        _ when IsOfPacking(e) => new($"{path}: the compressed data is damaged, or ends early: {OneLine(e)}"),
        UnauthorizedAccessException => new($"{path}: cannot be read, or is a folder; expected a trace"),
        _ => new($"{path}: {FileFault.Text(e)}"),
    };

    private static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ").TrimEnd('.');

    /// <summary>A stream whose first bytes were read already.</summary>
    private sealed class HeadStream(Stream rest, byte[] head, int headBytes) : Stream
    {
        private int _at;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            if (_at == headBytes) return rest.Read(buffer);
            int count = Math.Min(buffer.Length, headBytes - _at);
            head.AsSpan(_at, count).CopyTo(buffer);
            _at += count;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
