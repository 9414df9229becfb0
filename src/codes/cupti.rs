//! CUptiResult: status codes of CUPTI.

table! {
    0 CUPTI_SUCCESS "The call succeeded.";
    1 CUPTI_ERROR_INVALID_PARAMETER "An argument of the call is not valid.";
    2 CUPTI_ERROR_INVALID_DEVICE "The GPU is not a valid CUDA device.";
    3 CUPTI_ERROR_INVALID_CONTEXT "The context is not valid.";
    4 CUPTI_ERROR_INVALID_EVENT_DOMAIN_ID "The event domain ID is not valid.";
    5 CUPTI_ERROR_INVALID_EVENT_ID "The event ID is not valid.";
    6 CUPTI_ERROR_INVALID_EVENT_NAME "The event name is not valid.";
    7 CUPTI_ERROR_INVALID_OPERATION "This is not allowed in the current state.";
    8 CUPTI_ERROR_OUT_OF_MEMORY "There is not enough memory.";
    9 CUPTI_ERROR_HARDWARE "The performance monitoring hardware reported an error.";
    10 CUPTI_ERROR_PARAMETER_SIZE_NOT_SUFFICIENT "The buffer is too small.";
    11 CUPTI_ERROR_API_NOT_IMPLEMENTED "The function does not exist in this release.";
    12 CUPTI_ERROR_MAX_LIMIT_REACHED "A limit was reached.";
    13 CUPTI_ERROR_NOT_READY "The data is not ready yet.";
    14 CUPTI_ERROR_NOT_COMPATIBLE "The object is in a state that does not allow this.";
    15 CUPTI_ERROR_NOT_INITIALIZED "CUPTI could not initialize its connection to the driver.";
    16 CUPTI_ERROR_INVALID_METRIC_ID "The metric ID is not valid.";
    17 CUPTI_ERROR_INVALID_METRIC_NAME "The metric name is not valid.";
    18 CUPTI_ERROR_QUEUE_EMPTY "The queue is empty, which is not an error.";
    19 CUPTI_ERROR_INVALID_HANDLE "The handle is not valid.";
    20 CUPTI_ERROR_INVALID_STREAM "The stream is not valid.";
    21 CUPTI_ERROR_INVALID_KIND "The kind of record is not valid.";
    22 CUPTI_ERROR_INVALID_EVENT_VALUE "The value of the event is not valid.";
    23 CUPTI_ERROR_DISABLED "CUPTI is disabled, because another profiler is active.";
    24 CUPTI_ERROR_INVALID_MODULE "The module is not valid.";
    25 CUPTI_ERROR_INVALID_METRIC_VALUE "The value of the metric is not valid.";
    26 CUPTI_ERROR_HARDWARE_BUSY "The performance monitoring hardware is in use by another client.";
    27 CUPTI_ERROR_NOT_SUPPORTED "The GPU or the system does not support this.";
    28 CUPTI_ERROR_UM_PROFILING_NOT_SUPPORTED "Unified memory cannot be profiled on this system.";
    29 CUPTI_ERROR_UM_PROFILING_NOT_SUPPORTED_ON_DEVICE "Unified memory cannot be profiled on this GPU.";
    30 CUPTI_ERROR_UM_PROFILING_NOT_SUPPORTED_ON_NON_P2P_DEVICES
        "Unified memory cannot be profiled on GPUs without peer-to-peer access.";
    31 CUPTI_ERROR_UM_PROFILING_NOT_SUPPORTED_WITH_MPS "Unified memory cannot be profiled under MPS.";
    32 CUPTI_ERROR_CDP_TRACING_NOT_SUPPORTED "Kernels that use dynamic parallelism cannot be traced here.";
    33 CUPTI_ERROR_VIRTUALIZED_DEVICE_NOT_SUPPORTED "A virtual GPU cannot be profiled this way.";
    34 CUPTI_ERROR_CUDA_COMPILER_NOT_COMPATIBLE
        "The device code was compiled by an nvcc too old for profiling on this GPU.";
    35 CUPTI_ERROR_INSUFFICIENT_PRIVILEGES
        "The driver restricts hardware counters to administrators, and this process is not one.";
    36 CUPTI_ERROR_OLD_PROFILER_API_INITIALIZED "The old and the new profiling API cannot be used together.";
    37 CUPTI_ERROR_OPENACC_UNDEFINED_ROUTINE "An OpenACC routine is undefined.";
    38 CUPTI_ERROR_LEGACY_PROFILER_NOT_SUPPORTED
        "The old event and metric API does not support this GPU; use the newer profiling API.";
    39 CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED
        "Another tool is already tracing this process, and only one can.";
    40 CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES
        "The hypervisor does not allow profiling of this virtual GPU.";
    41 CUPTI_ERROR_CONFIDENTIAL_COMPUTING_NOT_SUPPORTED
        "CUPTI does not support this with confidential computing.";
    42 CUPTI_ERROR_CMP_DEVICE_NOT_SUPPORTED "Mining processors (CMP) cannot be profiled.";
    43 CUPTI_ERROR_MIG_DEVICE_NOT_SUPPORTED "MIG instances do not support this.";
    44 CUPTI_ERROR_SLI_DEVICE_NOT_SUPPORTED "GPUs in SLI cannot be profiled.";
    45 CUPTI_ERROR_WSL_DEVICE_NOT_SUPPORTED "GPUs under WSL do not support this.";
    46 CUPTI_ERROR_INVALID_CHIP_NAME "This release does not know a chip with this name.";
    47 CUPTI_ERROR_HES_TRACE_NOT_SUPPORTED_ON_MPS
        "Tracing by the hardware event system does not work under MPS.";
    999 CUPTI_ERROR_UNKNOWN "CUPTI failed for an unknown reason.";
}
