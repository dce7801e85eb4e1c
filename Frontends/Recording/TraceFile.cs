using System;
using System.Buffers.Text;
using System.Diagnostics;
using System.IO;
using Weir.Core.Base;
using Weir.Core.Io;
using Weir.Native;

namespace Weir.Frontends.Recording;

/// <summary>
/// A trace that is written: a table that <c>weir simulate</c> reads, a line for each request. A new file, or one of
/// these, which goes on; nothing else is written over. One thread.
/// </summary>
internal sealed unsafe class TraceFile : IDisposable
{
    private const int BufferBytes = 64 << 10, NameBytesMax = 255;

    // Three numbers, an operation, a name and what is between them.
    private const int LineBytesMax = 100 + NameBytesMax;

    private readonly byte[] _buffer = new byte[BufferBytes];
    private readonly long _ticks = Stopwatch.GetTimestamp();
    private readonly long _startUs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1000;
    private int _fd;
    private int _length;

    private TraceFile(string path, int fd) => (Path, _fd) = (path, fd);

    private static ReadOnlySpan<byte> Header => "time_us,op,offset,length,device\n"u8;

    /// <summary>From the root on.</summary>
    public string Path { get; }

    /// <summary>Creates it, or goes on with it. Throws <c>UserErrorException</c>.</summary>
    public static TraceFile Open(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        const int flags = Const.O_RDWR | Const.O_CREAT | Const.O_NONBLOCK | Const.O_CLOEXEC;
        int fd = Libc.Open(path, flags, 0x180);
        if (fd < 0) throw new UserErrorException($"trace {path}: cannot be opened: {Errno.Text(fd)}");
        TraceFile file = new(path, fd);
        try
        {
            file.Begin();
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Adds a line; what has gathered is written when there is no room. Throws <c>IOException</c>.</summary>
    public void Add(in TraceEntry entry)
    {
        if (_length > BufferBytes - LineBytesMax) Flush();
        Add(_startUs + (long)Stopwatch.GetElapsedTime(_ticks, entry.Ticks).TotalMicroseconds);
        _buffer[_length++] = (byte)',';
        _buffer[_length++] = entry.Kind switch
        {
            RequestKind.Read => (byte)'R',
            RequestKind.Write => (byte)'W',
            _ => (byte)'D',
        };
        _buffer[_length++] = (byte)',';
        Add(entry.OffsetBytes);
        _buffer[_length++] = (byte)',';
        Add(entry.LengthBytes);
        _buffer[_length++] = (byte)',';
        // Nothing in a name may end the value, or the line.
        foreach (byte b in entry.Export.AsSpan(0, Math.Min(NameBytesMax, entry.Export.Length)))
            _buffer[_length++] = b is > (byte)' ' and not ((byte)',' or (byte)'"' or 0x7F) ? b : (byte)'_';
        _buffer[_length++] = (byte)'\n';
    }

    /// <summary>Writes what has gathered. Throws <c>IOException</c>.</summary>
    public void Flush()
    {
        int done = 0;
        fixed (byte* start = _buffer)
            while (done < _length)
            {
                long wrote = Libc.Write(_fd, start + done, _length - done);
                if (wrote == -Errno.EINTR) continue;
                if (wrote <= 0) throw new IOException(wrote == 0 ? "nothing is written" : Errno.Text((int)wrote));
                done += (int)wrote;
            }
        _length = 0;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_fd >= 0) _ = Libc.Close(_fd);
        _fd = -1;
    }

    private void Begin()
    {
        int result = Libc.Status(_fd, out statx status);
        if (result < 0) throw new UserErrorException($"trace {Path}: {Errno.Text(result)}");
        bool isFile = (status.stx_mode & Const.S_IFMT) == Const.S_IFREG;
        if (isFile && status.stx_size == 0)
        {
            Header.CopyTo(_buffer);
            _length = Header.Length;
            return;
        }
        Span<byte> head = stackalloc byte[Header.Length];
        if (isFile)
            fixed (byte* at = head) isFile = Libc.ReadAt(_fd, at, head.Length, 0) == head.Length;
        if (!isFile || !head.SequenceEqual(Header))
            throw new UserErrorException($"trace {Path}: is no trace of weir; expected a new file, or one of these");
        const int seekEnd = 2;
        _ = Libc.Seek(_fd, 0, seekEnd);
        EndLine((long)status.stx_size);
    }

    // A process that was killed may have left half a line.
    private void EndLine(long sizeBytes)
    {
        byte last;
        if (Libc.ReadAt(_fd, &last, 1, sizeBytes - 1) == 1 && last != (byte)'\n')
            _ = Libc.Truncate(_fd, LineBegin(sizeBytes));
        const int seekEnd = 2;
        _ = Libc.Seek(_fd, 0, seekEnd);
    }

    private long LineBegin(long sizeBytes)
    {
        Span<byte> tail = stackalloc byte[LineBytesMax];
        long begin = Math.Max(0, sizeBytes - tail.Length);
        long got;
        fixed (byte* at = tail) got = Libc.ReadAt(_fd, at, tail.Length, begin);
        return begin + tail[..(int)Math.Max(0, got)].LastIndexOf((byte)'\n') + 1;
    }

    private void Add(long value)
    {
        _ = Utf8Formatter.TryFormat(value, _buffer.AsSpan(_length), out int count);
        _length += count;
    }
}
