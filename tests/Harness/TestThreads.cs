using System;
using System.Collections.Generic;
using System.Threading;

namespace Weir.Tests.Harness;

/// <summary>
/// Threads of one test, which use memory of that test: <see cref="Run"/> returns when the last has ended, however long
/// that takes, and never before. So each must end by itself: what it waits for has its limit there, as in
/// <see cref="QueueDriver"/>.
/// </summary>
internal static class TestThreads
{
    /// <summary>
    /// Runs <paramref name="body"/> on <paramref name="count"/> threads, which it is told the number of. Throws what
    /// the threads threw.
    /// </summary>
    public static void Run(int count, Action<int> body)
    {
        List<Exception> failures = [];
        Thread[] threads = new Thread[count];
        for (int i = 0; i < count; i++)
        {
            int number = i;
            threads[i] = new Thread(() =>
            {
                try
                {
                    body(number);
                }
                catch (Exception failure)
                {
                    lock (failures) failures.Add(new InvalidOperationException($"thread {number}", failure));
                }
            });
            threads[i].Start();
        }
        foreach (Thread thread in threads) thread.Join();
        if (failures.Count > 0) throw new AggregateException(failures);
    }
}
