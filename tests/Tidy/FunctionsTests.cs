using System.Linq;
using Xunit;

namespace Weir.Tests.Tidy;

/// <summary>The measurer is measured.</summary>
public sealed class FunctionsTests
{
    private static int[] LengthsOf(string text) => [.. FunctionsIn(text).Select(function => function.LineCount)];

    private static Function[] FunctionsIn(string text) => [.. Functions.In(new SourceFile("A.cs", text).Root)];

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
    public void InnerBlocksLambdasAndLocalFunctionsBelongToTheirFunction() => Assert.Equal([9], LengthsOf(
        """
        class A
        {
            void F()
            {
                Action a = () =>
                {
                };
                void G()
                {
                }
            }
            int P { get; set; }
        }
        """));

    [Fact]
    public void ExpressionsAndAccessorsAreFunctions() => Assert.Equal([2, 1, 3, 1], LengthsOf(
        """
        class A
        {
            int F() =>
                1;
            int P => 2;
            int Q
            {
                get
                {
                    return 1; }
                set => x = value;
            }
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
    public void AFunctionHasItsNameAndItsLine()
    {
        Function function = FunctionsIn("/*\n\n*/ class A\n{\n\n    void F()\n    {\n    }\n}\n").Single();
        Assert.Equal(("F", 6), (function.Name, function.FirstLine));
    }
}
