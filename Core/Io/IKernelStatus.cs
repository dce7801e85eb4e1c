namespace Weir.Core.Io;

/// <summary>A volume whose engine had a kernel ancestor that its users' scripts know.</summary>
public interface IKernelStatus
{
    /// <summary>
    /// What <c>dmsetup status</c> and then <c>dmsetup table</c> would have printed, field for field. Any thread.
    /// </summary>
    string KernelStatus();
}
