using System;
using System.IO;
using Weir.Core.Devices;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Devices;

/// <summary>A note about a file is found again wherever the file is.</summary>
public sealed class FileNotesTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly string _name = $"weir-left-test-{Guid.NewGuid()}";

    public void Dispose()
    {
        File.Delete(Path.Combine(FileNotes.StateFolder, _name));
        _folder.Dispose();
    }

    /// <summary>It was lost, and the old cache's log went over newer data.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AFileThatIsMovedKeepsIt(bool isBesideGone)
    {
        _folder.File("disk", 1 << 20);
        string path = _folder.PathOf("disk"), moved = _folder.PathOf("moved");
        using (Device device = FileOpener.Open(path))
        {
            Assert.Null(device.FindNote(_name));
            Assert.Equal(0, device.LeaveNote(_name, "left behind\n"));
            Assert.Equal($"{path}.{_name}", device.FindNote(_name));
        }
        if (isBesideGone) File.Delete($"{path}.{_name}");
        else File.Move(path, moved);
        using Device again = FileOpener.Open(isBesideGone ? path : moved);
        Assert.Equal(Path.Combine(FileNotes.StateFolder, _name), again.FindNote(_name));
        Assert.Null(again.FindNote("weir-left-another"));
    }
}
