using System;
using System.IO;
using System.Linq;
using Weir.Core.Base;
using Weir.Frontends;
using Weir.Frontends.Commands;
using Weir.Frontends.Compose;
using Weir.Frontends.Nbd;
using Weir.Tests.Nbd;
using Weir.Tests.Tidy;
using Xunit;

namespace Weir.Tests.Example;

/// <summary>The example is a whole engine: opened as the program opens one, and served over NBD.</summary>
public sealed class ExampleTests
{
    private const int Size = 1 << 20, Block = 4096, LinesMax = 200;

    private static OpenedVolume Open(TestFolder folder, string blocks)
    {
        ExampleKind kind = new();
        VolumeSpec spec = new()
        {
            Engine = kind.Name,
            Devices = new DeviceSpec { Backings = [BackingArgument.Parse("disk=" + folder.File("backing", Size))] },
            Options = [VolumeSpec.SplitOption("blocks=" + blocks)],
        };
        spec.Devices.Check(kind);
        kind.Check(spec);
        return Opening.Run(kind, spec, static _ => { });
    }

    /// <summary>Clients of several queues, reads and changes; with few places blocks replace others.</summary>
    [Theory]
    [InlineData(1, "1")]
    [InlineData(1, "1024")]
    [InlineData(2, "7")]
    public void AVolumeAgreesWithAnArray(int queues, string blocks)
    {
        using TestFolder folder = new();
        using OpenedVolume opened = Open(folder, blocks);
        using NbdHost host = new([Export.Of(opened.Exports[0])], queues);
        using NbdClient first = host.Serve(), second = host.Serve();
        byte[] model = new byte[Size];
        Random random = new(queues);
        for (int i = 0; i < 600; i++)
        {
            NbdClient client = random.Next(2) == 0 ? first : second;
            int at = random.Next(random.Next(2) == 0 ? 4 : Size / Block) * Block;
            int length = Math.Min(Block * random.Next(1, 4), Size - at);
            if (random.Next(3) > 0)
            {
                Assert.Equal(model.AsSpan(at, Block).ToArray(), client.Read(at, Block));
                continue;
            }
            byte[] data = new byte[length];
            if (random.Next(3) > 0) random.NextBytes(data);
            CommandFlags flags = random.Next(4) == 0 ? CommandFlags.Fua : 0;
            int error = data.All(static b => b == 0)
                ? client.Ask(NbdCommand.WriteZeroes, at, length, flags)
                : client.Ask(NbdCommand.Write, at, length, flags, data);
            Assert.Equal(0, error);
            data.CopyTo(model, at);
        }
        Assert.Equal(0, first.Ask(NbdCommand.Flush, 0, 0));
        Assert.True(new StatusFigures(opened.Volume)["hits"] > 0);
        host.Stop();
        Assert.Equal(model, File.ReadAllBytes(folder.PathOf("backing")));
    }

    [Fact]
    public void WhatItHasNoUseForIsRefused()
    {
        using TestFolder folder = new();
        Assert.Throws<UserErrorException>(() => Open(folder, "0"));
        DeviceSpec devices = new() { Cache = "C", Backings = [BackingArgument.Parse("B")] };
        Assert.Equal("example has no cache; leave --cache out",
            Assert.Throws<UserErrorException>(() => devices.Check(new ExampleKind())).Message);
    }

    /// <summary>An example that has grown is none.</summary>
    [Fact]
    public void ItStaysShort()
    {
        SourceFile[] files = [.. SourceTree.Files.Where(static file => file.IsCSharp
            && file.Path.StartsWith("tests/Example/", StringComparison.Ordinal)
            && !file.Path.EndsWith("Tests.cs", StringComparison.Ordinal))];
        Assert.NotEmpty(files);
        int lines = files.Sum(static file => file.Lines.Count(static line => line.Trim().Length > 0));
        Assert.InRange(lines, 1, LinesMax);
    }
}
