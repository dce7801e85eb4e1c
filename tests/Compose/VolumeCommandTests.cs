using System.Collections.Generic;
using System.Linq;
using Weir.Core.Base;
using Weir.Core.Io;
using Xunit;

namespace Weir.Tests.Compose;

/// <summary>Commands take as many arguments as their form says, and are told what they are when it is not so.</summary>
public sealed class VolumeCommandTests
{
    private static VolumeCommand With(string form) => new("do", "what it does")
    {
        Form = form, RunWith = static (arguments, _) => string.Join('+', arguments),
    };

    private static string ErrorOf(VolumeCommand command, params string[] arguments)
    {
        UserErrorException error =
            Assert.Throws<UserErrorException>(() => command.Run(new Patient(), arguments));
        Assert.Equal(2, error.ExitCode);
        return error.Message;
    }

    [Theory]
    [InlineData("NAME", 1, 1)]
    [InlineData("KEY VALUE", 2, 2)]
    [InlineData("BEGIN-END...", 1, 9)]
    [InlineData("NAME BEGIN-END...", 2, 9)]
    public void AFormSaysHowMany(string form, int least, int most)
    {
        for (int count = 0; count < 10; count++)
        {
            string[] arguments = [.. Enumerable.Range(0, count).Select(static i => $"a{i}")];
            if (count < least || count > most)
                Assert.Equal($"do: expected {form}: what it does", ErrorOf(With(form), arguments));
            else
                Assert.Equal(string.Join('+', arguments), With(form).Run(new Patient(), arguments));
        }
    }

    [Fact]
    public void OrdersTakeNothingOrOneAndQuestionsNothing()
    {
        VolumeCommand order = new("drain", "") { Begin = static () => static () => OrderProgress.Done };
        Assert.Equal("drain: done\n", order.Run(new Patient()));
        Assert.Equal("drain: done\n", order.Run(new Patient(), "1"));
        Assert.Equal("drain: '2' is not a value; expected nothing or 1, as an order", ErrorOf(order, "2"));
        Assert.Equal("drain: '1 1' is not a value; expected nothing or 1, as an order", ErrorOf(order, "1", "1"));
        VolumeCommand question = new("list", "") { Answer = static () => "nothing\n" };
        Assert.Equal("nothing\n", question.Run(new Patient()));
        Assert.Equal("list is a question and takes no value", ErrorOf(question, "1"));
    }

    [Fact]
    public void NamesAreFoundInCapitalsToo()
    {
        List<VolumeCommand> all = [With("NAME")];
        Assert.Same(all[0], VolumeCommand.FindOrNull(all, "DO"));
        Assert.Null(VolumeCommand.FindOrNull(all, "undo"));
    }
}
