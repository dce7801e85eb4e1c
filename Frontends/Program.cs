namespace Weir.Frontends;

internal static class Program
{
    private static int Main() => 0;
}
