using System;
using System.IO;
using System.Text;
using Weir.Core.Base;
using Weir.Native;

namespace Weir.Frontends.Control;

/// <summary>
/// One side of a control conversation. The client sends one line; the server answers with a line <c>ok</c> or
/// <c>error CODE TEXT</c>, then the text asked for, then closes. Plain UTF-8, so that <c>nc -U</c> can speak it too.
/// A line that begins with <c>follow</c> wants to know how far an order is: lines <c>progress LEFT TOTAL</c>, in
/// blocks, come before the answer.
/// </summary>
internal sealed unsafe class ControlConnection(int fd) : IDisposable
{
    private const int LineBytesMax = 4096;
    private const string Follow = "follow ", Progress = "progress ";

    private int _fd = fd;
    private volatile bool _isShutDown;

    /// <summary>
    /// The text up to the first newline or the end; null when it is too long or the other side failed.
    /// </summary>
    public string? ReadLine()
    {
        byte[] line = new byte[LineBytesMax];
        for (int length = 0; length < line.Length; length++)
        {
            long got;
            fixed (byte* at = &line[length]) got = Libc.Read(_fd, at, 1);
            if (got == -Errno.EINTR) length--;
            else if (got < 0 || _isShutDown) return null;
            else if (got == 0 || line[length] == '\n') return Encoding.UTF8.GetString(line, 0, length);
        }
        return null;
    }

    /// <summary>The other side has closed; does not wait.</summary>
    public bool IsGone() => Sockets.HasHungUp(_fd);

    /// <summary>Takes the wish for progress off a line that has it.</summary>
    public static bool IsFollowed(ref string line)
    {
        bool followed = line.StartsWith(Follow, StringComparison.Ordinal);
        if (followed) line = line[Follow.Length..];
        return followed;
    }

    /// <summary>
    /// Says how far an order is, unless the other side does not read: whoever waits for nothing holds up nobody.
    /// </summary>
    public void TellProgress(long left, long total) =>
        _ = Sockets.TrySend(_fd, Encoding.UTF8.GetBytes($"{Progress}{left} {total}\n"));

    /// <summary>Everything up to the end.</summary>
    public string ReadToEnd()
    {
        using MemoryStream all = new();
        byte[] chunk = new byte[LineBytesMax];
        while (true)
        {
            long got;
            fixed (byte* at = chunk) got = Libc.Read(_fd, at, chunk.Length);
            if (got == -Errno.EINTR) continue;
            if (got <= 0) return Encoding.UTF8.GetString(all.ToArray());
            all.Write(chunk, 0, (int)got);
        }
    }

    /// <summary>Writes all of it; false when the other side is gone.</summary>
    public bool Write(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        for (int done = 0; done < bytes.Length;)
        {
            long wrote;
            fixed (byte* at = &bytes[done]) wrote = Libc.Write(_fd, at, bytes.Length - done);
            if (wrote == -Errno.EINTR) continue;
            if (wrote <= 0) return false;
            done += (int)wrote;
        }
        return true;
    }

    /// <summary>Ends what the other side says and hears: a read under way returns. From another thread.</summary>
    public void Shutdown()
    {
        _isShutDown = true;
        _ = Sockets.Shutdown(_fd);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_fd >= 0) _ = Libc.Close(_fd);
        _fd = -1;
    }

    /// <summary>
    /// Asks the volume behind the socket at <paramref name="path"/>, and returns what it answered;
    /// <paramref name="progress"/> is told how far an order is, as blocks left and in all.
    /// </summary>
    public static string Ask(string path, string question, Action<long, long>? progress = null)
    {
        int fd = Sockets.ConnectUnix(path);
        if (fd is -Errno.ENOENT or -Errno.ECONNREFUSED)
            throw new UserErrorException($"{path}: no weir listens there ({Errno.Text(fd)})");
        if (fd < 0) throw new UserErrorException($"{path}: cannot connect: {Errno.Text(fd)}");
        using ControlConnection connection = new(fd);
        connection.Write($"{(progress == null ? "" : Follow)}{question}\n");
        return Answer(path, progress == null ? connection.ReadToEnd() : connection.ReadPast(progress));
    }

    // Lines of progress, then the answer.
    private string ReadPast(Action<long, long> progress)
    {
        while (ReadLine() is { } line)
        {
            string[] words = line.Split(' ');
            bool tells = line.StartsWith(Progress, StringComparison.Ordinal) && words.Length == 3;
            if (!tells) return $"{line}\n{ReadToEnd()}";
            if (long.TryParse(words[1], out long left) && long.TryParse(words[2], out long total))
                progress(left, total);
        }
        return "";
    }

    private static string Answer(string path, string reply)
    {
        if (reply.StartsWith("ok\n", StringComparison.Ordinal)) return reply[3..];
        string[] words = reply.TrimEnd('\n').Split(' ', 3);
        if (words is ["error", var code, var text] && int.TryParse(code, out int exitCode))
            throw new UserErrorException(text, exitCode);
        throw new UserErrorException($"{path}: ended the conversation without an answer");
    }
}
