using System.Linq;
using Xunit;

namespace Weir.Tests.Tidy;

/// <summary>The measurer is measured.</summary>
public sealed class FunctionsTests
{
    private static int[] LengthsOf(string text) =>
        Functions.In(CodeText.Strip(text)).Select(function => function.LineCount).ToArray();

    [Fact]
    public void CountsFromHeaderToClosingBrace() => Assert.Equal([4], LengthsOf(
        """
        namespace N;
        class A
        {
            void F()
            {
                if (x) { y(); }
            }
        }
        """));

    [Fact]
    public void HeadersOverSeveralLinesCount() => Assert.Equal([6], LengthsOf(
        """
        struct A<T>
        {
            static int F(
                int a)
                where T : struct
            {
                return a;
            }
        }
        """));

    [Fact]
    public void InnerBlocksAndLambdasBelongToTheirFunction() => Assert.Equal([6, 1], LengthsOf(
        """
        class A
        {
            void F()
            {
                Action a = () =>
                {
                };
            }
            int P { get; set; }
        }
        """));

    [Fact]
    public void TypesMayNest() => Assert.Equal([1, 1], LengthsOf(
        """
        interface I { int F() { return 1; } }
        record R(int X) { class C { void G() { } } }
        """));

    [Fact]
    public void BracesInStringsAndCommentsDoNotCount() => Assert.Equal([7], LengthsOf(
        """"
        class A
        {
            void F()
            {
                // }
                /* } } */
                x("}", '}', @"}""}", $"{a}}}",
                  """ } """);
            }
        }
        """"));

    [Fact]
    public void LineNumbersSurviveStripping()
    {
        Function function = Functions.In(
            CodeText.Strip("/*\n\n*/ class A\n{\n\n    void F()\n    {\n    }\n}\n")).Single();
        Assert.Equal(6, function.FirstLine);
        Assert.Equal("void F()", function.Header);
    }
}
