//! CUresult: error codes of the CUDA driver API.

table! {
    0 CUDA_SUCCESS "The call succeeded.";
    1 CUDA_ERROR_INVALID_VALUE "An argument of the call is out of range or otherwise not valid.";
    2 CUDA_ERROR_OUT_OF_MEMORY "Not enough GPU memory is free, or sometimes host memory.";
    3 CUDA_ERROR_NOT_INITIALIZED
        "The driver has not been initialized by cuInit, or could not initialize itself.";
    4 CUDA_ERROR_DEINITIALIZED "The driver is shutting down, usually because the process ends.";
    5 CUDA_ERROR_PROFILER_DISABLED "The profiler is disabled for this run.";
    6 CUDA_ERROR_PROFILER_NOT_INITIALIZED
        "Profiling was used before it was initialized; no current release returns this.";
    7 CUDA_ERROR_PROFILER_ALREADY_STARTED "Profiling was started twice; no current release returns this.";
    8 CUDA_ERROR_PROFILER_ALREADY_STOPPED "Profiling was stopped twice; no current release returns this.";
    34 CUDA_ERROR_STUB_LIBRARY
        "The stub of the driver library, which is only for linking, was loaded instead of the real one.";
    36 CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER "The call needs a newer driver.";
    46 CUDA_ERROR_DEVICE_UNAVAILABLE
        "The GPU exists but cannot be used now: another process uses it in exclusive mode, or its compute mode \
         is prohibited.";
    47 CUDA_ERROR_MULTICAST_RESOURCE_FULL "The GPU has no resources left for multicast objects.";
    100 CUDA_ERROR_NO_DEVICE "The driver sees no GPU that this process may use.";
    101 CUDA_ERROR_INVALID_DEVICE "No GPU has this ordinal, or the GPU does not support the operation.";
    102 CUDA_ERROR_DEVICE_NOT_LICENSED "The GPU, most likely a virtual one, is not licensed for this use.";
    200 CUDA_ERROR_INVALID_IMAGE "The device code is corrupted, or is not device code.";
    201 CUDA_ERROR_INVALID_CONTEXT "There is no valid context: none is current, or it was destroyed.";
    202 CUDA_ERROR_CONTEXT_ALREADY_CURRENT
        "The context was already current; no current release returns this.";
    205 CUDA_ERROR_MAP_FAILED "A resource could not be mapped.";
    206 CUDA_ERROR_UNMAP_FAILED "A resource could not be unmapped.";
    207 CUDA_ERROR_ARRAY_IS_MAPPED "The array is mapped, so it cannot be destroyed.";
    208 CUDA_ERROR_ALREADY_MAPPED "The resource is already mapped.";
    209 CUDA_ERROR_NO_BINARY_FOR_GPU
        "The program contains no code for this GPU: neither SASS nor PTX that the driver could compile.";
    210 CUDA_ERROR_ALREADY_ACQUIRED "The resource was already acquired.";
    211 CUDA_ERROR_NOT_MAPPED "The resource is not mapped.";
    212 CUDA_ERROR_NOT_MAPPED_AS_ARRAY "The resource is not mapped as an array.";
    213 CUDA_ERROR_NOT_MAPPED_AS_POINTER "The resource is not mapped as a pointer.";
    214 CUDA_ERROR_ECC_UNCORRECTABLE "An uncorrectable ECC error occurred.";
    215 CUDA_ERROR_UNSUPPORTED_LIMIT "The GPU does not support this limit.";
    216 CUDA_ERROR_CONTEXT_ALREADY_IN_USE "The context is already bound to another thread.";
    217 CUDA_ERROR_PEER_ACCESS_UNSUPPORTED "These GPUs do not support peer access.";
    218 CUDA_ERROR_INVALID_PTX "The PTX did not compile.";
    219 CUDA_ERROR_INVALID_GRAPHICS_CONTEXT "The OpenGL or Direct3D context is not valid.";
    220 CUDA_ERROR_NVLINK_UNCORRECTABLE "An uncorrectable NVLink error occurred.";
    221 CUDA_ERROR_JIT_COMPILER_NOT_FOUND
        "The driver's PTX compiler, libnvidia-ptxjitcompiler, was not found or is incompatible.";
    222 CUDA_ERROR_UNSUPPORTED_PTX_VERSION "The PTX has a newer version than this driver can compile.";
    223 CUDA_ERROR_JIT_COMPILATION_DISABLED "JIT compilation of PTX is disabled.";
    224 CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY "The GPU does not support this binding of a context to SMs.";
    225 CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC
        "The PTX calls cudaDeviceSynchronize inside a kernel, which this driver does not support.";
    226 CUDA_ERROR_CONTAINED "The GPU contained an error; the process must be restarted.";
    227 CUDA_ERROR_INSUFFICIENT_LOADER_VERSION
        "The loader of the driver library is too old, as the name suggests.";
    300 CUDA_ERROR_INVALID_SOURCE "The source of the device code is not valid.";
    301 CUDA_ERROR_FILE_NOT_FOUND "A file does not exist.";
    302 CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND
        "A symbol of a shared library was not found: usually libraries of different releases are mixed.";
    303 CUDA_ERROR_SHARED_OBJECT_INIT_FAILED "A shared library could not be initialized.";
    304 CUDA_ERROR_OPERATING_SYSTEM
        "The operating system refused a system call of the driver; in containers, seccomp is a common reason.";
    400 CUDA_ERROR_INVALID_HANDLE "A handle, such as a stream or an event, is not valid.";
    401 CUDA_ERROR_ILLEGAL_STATE "The object is in a state that does not allow this.";
    402 CUDA_ERROR_LOSSY_QUERY
        "The query cannot return all properties of the object, because it uses an older structure.";
    500 CUDA_ERROR_NOT_FOUND "A symbol, function or texture of this name was not found.";
    600 CUDA_ERROR_NOT_READY "Work is still running, which is not an error.";
    700 CUDA_ERROR_ILLEGAL_ADDRESS "A kernel accessed an invalid address; the context is lost.";
    701 CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES
        "The kernel needs more registers, shared memory or threads than the GPU has.";
    702 CUDA_ERROR_LAUNCH_TIMEOUT "The kernel ran longer than the watchdog of a GPU with a display allows.";
    703 CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING
        "The texturing mode of the kernel is incompatible with the context's.";
    704 CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED "Peer access to the other GPU was already enabled.";
    705 CUDA_ERROR_PEER_ACCESS_NOT_ENABLED "Peer access to the other GPU is not enabled.";
    708 CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE
        "The primary context already exists, so it is too late for this setting.";
    709 CUDA_ERROR_CONTEXT_IS_DESTROYED "The context was destroyed, or was never fully created.";
    710 CUDA_ERROR_ASSERT "An assertion in a kernel failed; the context is lost.";
    711 CUDA_ERROR_TOO_MANY_PEERS "The GPU has reached its limit of peers.";
    712 CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED "The host memory is already registered.";
    713 CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED "The host memory is not registered.";
    714 CUDA_ERROR_HARDWARE_STACK_ERROR
        "The call stack of a kernel is corrupted or overflowed; the context is lost.";
    715 CUDA_ERROR_ILLEGAL_INSTRUCTION "A kernel executed an invalid instruction; the context is lost.";
    716 CUDA_ERROR_MISALIGNED_ADDRESS "A kernel accessed a misaligned address; the context is lost.";
    717 CUDA_ERROR_INVALID_ADDRESS_SPACE
        "A kernel used an instruction on an address space that it does not support; the context is lost.";
    718 CUDA_ERROR_INVALID_PC "A kernel's program counter left its address space; the context is lost.";
    719 CUDA_ERROR_LAUNCH_FAILED
        "A kernel failed for a reason that has no code of its own; the context is lost.";
    720 CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE
        "A cooperative launch has more blocks than fit on the GPU at once.";
    721 CUDA_ERROR_TENSOR_MEMORY_LEAK "A kernel ended without freeing its tensor memory.";
    800 CUDA_ERROR_NOT_PERMITTED
        "The process lacks permission; for memory shared between nodes, an IMEX channel may be missing.";
    801 CUDA_ERROR_NOT_SUPPORTED "The GPU, the driver or the system does not support this.";
    802 CUDA_ERROR_SYSTEM_NOT_READY
        "The system is not ready for CUDA: the fabric manager is not running, or the GPUs are not yet ready for \
         confidential computing.";
    803 CUDA_ERROR_SYSTEM_DRIVER_MISMATCH
        "The versions of the driver library and the kernel module do not match.";
    804 CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE
        "A forward compatibility library was loaded, and this GPU does not support forward compatibility.";
    805 CUDA_ERROR_MPS_CONNECTION_FAILED "The MPS client could not reach the control daemon or the server.";
    806 CUDA_ERROR_MPS_RPC_FAILURE "An RPC to the MPS server failed.";
    807 CUDA_ERROR_MPS_SERVER_NOT_READY
        "The MPS server is not ready for clients: it is starting, or recovering from an error.";
    808 CUDA_ERROR_MPS_MAX_CLIENTS_REACHED "The MPS server has reached its limit of clients.";
    809 CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED
        "The MPS server has reached its limit of connections to the GPU.";
    810 CUDA_ERROR_MPS_CLIENT_TERMINATED "The MPS server terminated this client.";
    811 CUDA_ERROR_CDP_NOT_SUPPORTED
        "Device code uses dynamic parallelism, which is not supported here, for example under MPS.";
    812 CUDA_ERROR_CDP_VERSION_MISMATCH "Device code uses different versions of dynamic parallelism.";
    900 CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED "The call is not allowed during stream capture.";
    901 CUDA_ERROR_STREAM_CAPTURE_INVALIDATED "An earlier error invalidated the capture.";
    902 CUDA_ERROR_STREAM_CAPTURE_MERGE "The call would merge two captures.";
    903 CUDA_ERROR_STREAM_CAPTURE_UNMATCHED "The capture did not begin on this stream.";
    904 CUDA_ERROR_STREAM_CAPTURE_UNJOINED
        "The capture contains a fork that was not joined to the original stream.";
    905 CUDA_ERROR_STREAM_CAPTURE_ISOLATION
        "The call would create a dependency on work outside of the capture.";
    906 CUDA_ERROR_STREAM_CAPTURE_IMPLICIT
        "The call depends implicitly on the legacy stream, which is not allowed during capture.";
    907 CUDA_ERROR_CAPTURED_EVENT
        "The event was recorded during a capture, so it cannot be queried or waited for.";
    908 CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD "Another thread began the capture.";
    909 CUDA_ERROR_TIMEOUT "A wait timed out.";
    910 CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE "The graph differs too much from the one that it should update.";
    911 CUDA_ERROR_EXTERNAL_DEVICE "A device other than the GPU failed; the context is lost.";
    912 CUDA_ERROR_INVALID_CLUSTER_SIZE "The GPU does not support the cluster size of the kernel.";
    913 CUDA_ERROR_FUNCTION_NOT_LOADED "The function has not been loaded yet.";
    914 CUDA_ERROR_INVALID_RESOURCE_TYPE "The operation does not support this type of resource.";
    915 CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION
        "The resource configuration is insufficient or unsuitable for this operation.";
    916 CUDA_ERROR_KEY_ROTATION "A key rotation of confidential computing failed.";
    917 CUDA_ERROR_STREAM_DETACHED "The stream is detached, because its green context was destroyed.";
    918 CUDA_ERROR_GRAPH_RECAPTURE_FAILURE "A graph could not be recaptured, as the name suggests.";
    919 CUDA_ERROR_FABRIC_NOT_READY "The NVLink fabric of this GPU is not ready, as the name suggests.";
    999 CUDA_ERROR_UNKNOWN
        "The driver failed for an unknown reason; in containers, a missing or stale /dev/nvidia-uvm is a common one.";
}
