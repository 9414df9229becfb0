//! CUresult: what functions of the CUDA driver API return.

table! {
    0 CUDA_SUCCESS "The call succeeded.";
    1 CUDA_ERROR_INVALID_VALUE "An argument of the call is out of range or makes no sense.";
    2 CUDA_ERROR_OUT_OF_MEMORY
        "Not enough GPU memory is free for what was asked; sometimes host memory is meant.";
    3 CUDA_ERROR_NOT_INITIALIZED
        "The driver has not been initialised by cuInit, or could not initialise itself.";
    4 CUDA_ERROR_DEINITIALIZED "The driver is shutting down, usually because the process ends.";
    5 CUDA_ERROR_PROFILER_DISABLED "The profiler is switched off for this run.";
    6 CUDA_ERROR_PROFILER_NOT_INITIALIZED
        "Profiling was used before it was set up; no current release returns this.";
    7 CUDA_ERROR_PROFILER_ALREADY_STARTED
        "Profiling was started while it was on; no current release returns this.";
    8 CUDA_ERROR_PROFILER_ALREADY_STOPPED
        "Profiling was stopped while it was off; no current release returns this.";
    34 CUDA_ERROR_STUB_LIBRARY
        "The stub of the driver library, made only for linking, was loaded in place of the real one.";
    36 CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER "The call needs a newer driver than the one that runs here.";
    46 CUDA_ERROR_DEVICE_UNAVAILABLE
        "The GPU exists and cannot be used now: another process holds it in exclusive mode, or use is \
         prohibited.";
    47 CUDA_ERROR_MULTICAST_RESOURCE_FULL
        "The GPU has no resources left to bind memory of this alignment to a multicast object.";
    100 CUDA_ERROR_NO_DEVICE "The driver sees no GPU that this process may use.";
    101 CUDA_ERROR_INVALID_DEVICE "No GPU has this ordinal, or the GPU cannot do what was asked.";
    102 CUDA_ERROR_DEVICE_NOT_LICENSED "The GPU, a virtual one most likely, has no license for this use.";
    200 CUDA_ERROR_INVALID_IMAGE "The device code is damaged or is no device code.";
    201 CUDA_ERROR_INVALID_CONTEXT "There is no valid context: none is current, or it has been destroyed.";
    202 CUDA_ERROR_CONTEXT_ALREADY_CURRENT
        "The context was current already; no current release returns this.";
    205 CUDA_ERROR_MAP_FAILED "A resource could not be mapped.";
    206 CUDA_ERROR_UNMAP_FAILED "A resource could not be unmapped.";
    207 CUDA_ERROR_ARRAY_IS_MAPPED "The array is mapped, and so cannot be destroyed.";
    208 CUDA_ERROR_ALREADY_MAPPED "The resource is mapped already.";
    209 CUDA_ERROR_NO_BINARY_FOR_GPU
        "The program holds nothing for this GPU: neither machine code nor PTX that the driver could compile.";
    210 CUDA_ERROR_ALREADY_ACQUIRED "The resource was acquired already.";
    211 CUDA_ERROR_NOT_MAPPED "The resource is not mapped.";
    212 CUDA_ERROR_NOT_MAPPED_AS_ARRAY "The resource is mapped, and cannot be read as an array.";
    213 CUDA_ERROR_NOT_MAPPED_AS_POINTER "The resource is mapped, and cannot be read through a pointer.";
    214 CUDA_ERROR_ECC_UNCORRECTABLE "A memory error that ECC could not correct spoiled the work.";
    215 CUDA_ERROR_UNSUPPORTED_LIMIT "The GPU does not know the limit that was to be set or read.";
    216 CUDA_ERROR_CONTEXT_ALREADY_IN_USE
        "The context is bound to another thread, and only one thread may hold it.";
    217 CUDA_ERROR_PEER_ACCESS_UNSUPPORTED "These GPUs cannot read each other's memory directly.";
    218 CUDA_ERROR_INVALID_PTX "The PTX did not compile.";
    219 CUDA_ERROR_INVALID_GRAPHICS_CONTEXT "The OpenGL or Direct3D context is not valid.";
    220 CUDA_ERROR_NVLINK_UNCORRECTABLE "An NVLink error that could not be corrected spoiled the work.";
    221 CUDA_ERROR_JIT_COMPILER_NOT_FOUND
        "The driver's PTX compiler, libnvidia-ptxjitcompiler, was not found or does not fit.";
    222 CUDA_ERROR_UNSUPPORTED_PTX_VERSION "The PTX is of a newer version than this driver can compile.";
    223 CUDA_ERROR_JIT_COMPILATION_DISABLED "Compiling PTX at run time has been switched off.";
    224 CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY
        "The GPU cannot bind a context to a part of its multiprocessors in the way that was asked.";
    225 CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC
        "The PTX calls cudaDeviceSynchronize inside a kernel, which this driver does not support.";
    226 CUDA_ERROR_CONTAINED
        "The GPU contained a fault; the process must end and start again before it can go on.";
    227 CUDA_ERROR_INSUFFICIENT_LOADER_VERSION
        "By its name: the loader that finds the driver library is too old for it.";
    300 CUDA_ERROR_INVALID_SOURCE "The source of the device code is not valid.";
    301 CUDA_ERROR_FILE_NOT_FOUND "A file that was named does not exist.";
    302 CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND
        "A symbol of a shared library was not found: usually libraries of different releases are mixed.";
    303 CUDA_ERROR_SHARED_OBJECT_INIT_FAILED "A shared library did not initialise.";
    304 CUDA_ERROR_OPERATING_SYSTEM
        "The operating system refused a call that the driver needs; seccomp is a common reason in \
         containers.";
    400 CUDA_ERROR_INVALID_HANDLE "A handle, such as a stream or an event, is not valid.";
    401 CUDA_ERROR_ILLEGAL_STATE "The object is not in a state in which this can be done.";
    402 CUDA_ERROR_LOSSY_QUERY
        "The question is older than the object, or leaves out room for a part of the answer.";
    500 CUDA_ERROR_NOT_FOUND "A symbol, function or texture of this name was not found.";
    600 CUDA_ERROR_NOT_READY "Work is still running; it is no fault.";
    700 CUDA_ERROR_ILLEGAL_ADDRESS "A kernel touched an address that it may not; the context is lost.";
    701 CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES
        "The kernel needs more registers, shared memory or threads than the GPU gives it.";
    702 CUDA_ERROR_LAUNCH_TIMEOUT
        "The kernel ran longer than the watchdog allows; a GPU that drives a display has one.";
    703 CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING "The kernel's way of texturing does not fit the context's.";
    704 CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED "Access to the other GPU was switched on already.";
    705 CUDA_ERROR_PEER_ACCESS_NOT_ENABLED "Access to the other GPU has not been switched on.";
    708 CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE
        "The primary context has been created already, too late for this setting.";
    709 CUDA_ERROR_CONTEXT_IS_DESTROYED "The context has been destroyed, or was never fully created.";
    710 CUDA_ERROR_ASSERT "An assertion in a kernel failed; the context is lost.";
    711 CUDA_ERROR_TOO_MANY_PEERS "The GPU has access to as many others as it can.";
    712 CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED "The host memory is registered already.";
    713 CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED "The host memory is not registered.";
    714 CUDA_ERROR_HARDWARE_STACK_ERROR
        "The call stack of a kernel is damaged or overflowed; the context is lost.";
    715 CUDA_ERROR_ILLEGAL_INSTRUCTION "A kernel met an instruction that is not valid; the context is lost.";
    716 CUDA_ERROR_MISALIGNED_ADDRESS
        "A kernel read or wrote at an address that is not aligned; the context is lost.";
    717 CUDA_ERROR_INVALID_ADDRESS_SPACE
        "A kernel used an instruction on a kind of memory that it is not for; the context is lost.";
    718 CUDA_ERROR_INVALID_PC "A kernel's program counter left the code; the context is lost.";
    719 CUDA_ERROR_LAUNCH_FAILED
        "A kernel failed for a reason that has no code of its own; the context is lost.";
    720 CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE
        "A cooperative launch asks for more blocks than fit on the GPU at the same time.";
    721 CUDA_ERROR_TENSOR_MEMORY_LEAK "A kernel ended without giving its tensor memory back.";
    800 CUDA_ERROR_NOT_PERMITTED
        "The process may not do this; for memory shared between machines an IMEX channel may be missing.";
    801 CUDA_ERROR_NOT_SUPPORTED "The GPU, the driver or the system does not support this.";
    802 CUDA_ERROR_SYSTEM_NOT_READY
        "The system is not ready for CUDA yet: the fabric manager does not run, or confidential computing \
         has not been released.";
    803 CUDA_ERROR_SYSTEM_DRIVER_MISMATCH
        "The driver library and the kernel module are of versions that do not fit each other.";
    804 CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE
        "A forward-compatibility driver library was loaded, and this GPU does not support that.";
    805 CUDA_ERROR_MPS_CONNECTION_FAILED "The MPS client did not reach the control daemon or the server.";
    806 CUDA_ERROR_MPS_RPC_FAILURE "A call to the MPS server failed.";
    807 CUDA_ERROR_MPS_SERVER_NOT_READY
        "The MPS server is not ready to take clients: it starts, or recovers from a fault.";
    808 CUDA_ERROR_MPS_MAX_CLIENTS_REACHED "The MPS server has as many clients as it takes.";
    809 CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED
        "The MPS server has as many connections to the GPU as it takes.";
    810 CUDA_ERROR_MPS_CLIENT_TERMINATED "The MPS server has ended this client.";
    811 CUDA_ERROR_CDP_NOT_SUPPORTED
        "Device code starts kernels itself (dynamic parallelism), which this set-up, such as MPS, does not \
         support.";
    812 CUDA_ERROR_CDP_VERSION_MISMATCH
        "Device code of different versions of dynamic parallelism does not work together.";
    900 CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED "The call cannot be captured in a graph.";
    901 CUDA_ERROR_STREAM_CAPTURE_INVALIDATED "The capture was spoiled by an earlier error.";
    902 CUDA_ERROR_STREAM_CAPTURE_MERGE "The call would merge two captures.";
    903 CUDA_ERROR_STREAM_CAPTURE_UNMATCHED "The capture was not begun on this stream.";
    904 CUDA_ERROR_STREAM_CAPTURE_UNJOINED "The capture has a fork that never joined its first stream again.";
    905 CUDA_ERROR_STREAM_CAPTURE_ISOLATION
        "The call would make captured work depend on work outside of the capture.";
    906 CUDA_ERROR_STREAM_CAPTURE_IMPLICIT
        "The call depends on the legacy stream while that one may not be used in a capture.";
    907 CUDA_ERROR_CAPTURED_EVENT
        "The event was recorded in a capture, so that it cannot be asked or waited for.";
    908 CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD "The capture was begun by another thread.";
    909 CUDA_ERROR_TIMEOUT "A wait ran out of time.";
    910 CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE "The graph differs too much from the one that it was to update.";
    911 CUDA_ERROR_EXTERNAL_DEVICE
        "Something outside of CUDA, such as another device on the bus, failed; the context is lost.";
    912 CUDA_ERROR_INVALID_CLUSTER_SIZE "The kernel's cluster is of a size that the GPU cannot run.";
    913 CUDA_ERROR_FUNCTION_NOT_LOADED "The function has not been loaded yet.";
    914 CUDA_ERROR_INVALID_RESOURCE_TYPE "A resource is of a kind that this operation does not take.";
    915 CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION "The resources are too few, or not fit for this operation.";
    916 CUDA_ERROR_KEY_ROTATION "Changing the keys of confidential computing failed.";
    917 CUDA_ERROR_STREAM_DETACHED
        "The stream's green context has been destroyed, so that it can do little more.";
    918 CUDA_ERROR_GRAPH_RECAPTURE_FAILURE "By its name: a graph could not be captured anew.";
    919 CUDA_ERROR_FABRIC_NOT_READY "By its name: the NVLink fabric of this GPU is not ready yet.";
    999 CUDA_ERROR_UNKNOWN
        "The driver failed and gives no reason; in containers a missing or stale /dev/nvidia-uvm is a \
         common one.";
}
