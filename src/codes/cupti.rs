//! CUptiResult: what functions of CUPTI return.

table! {
    0 CUPTI_SUCCESS "The call succeeded.";
    1 CUPTI_ERROR_INVALID_PARAMETER "An argument of the call is not valid.";
    2 CUPTI_ERROR_INVALID_DEVICE "The GPU is not one that CUPTI knows.";
    3 CUPTI_ERROR_INVALID_CONTEXT "The context is not valid.";
    4 CUPTI_ERROR_INVALID_EVENT_DOMAIN_ID "The event domain has no such id.";
    5 CUPTI_ERROR_INVALID_EVENT_ID "The event has no such id.";
    6 CUPTI_ERROR_INVALID_EVENT_NAME "The event has no such name.";
    7 CUPTI_ERROR_INVALID_OPERATION "This cannot be done in the present state.";
    8 CUPTI_ERROR_OUT_OF_MEMORY "There is not enough memory.";
    9 CUPTI_ERROR_HARDWARE "The performance-monitoring hardware reported a fault.";
    10 CUPTI_ERROR_PARAMETER_SIZE_NOT_SUFFICIENT "The space for the answer is too small.";
    11 CUPTI_ERROR_API_NOT_IMPLEMENTED "The function does not exist in this release.";
    12 CUPTI_ERROR_MAX_LIMIT_REACHED "A limit of what can be recorded was reached.";
    13 CUPTI_ERROR_NOT_READY "The data is not ready yet.";
    14 CUPTI_ERROR_NOT_COMPATIBLE "The object is in a state that does not fit what was asked.";
    15 CUPTI_ERROR_NOT_INITIALIZED "CUPTI could not initialise its connection to the driver.";
    16 CUPTI_ERROR_INVALID_METRIC_ID "The metric has no such id.";
    17 CUPTI_ERROR_INVALID_METRIC_NAME "The metric has no such name.";
    18 CUPTI_ERROR_QUEUE_EMPTY "The queue is empty; it is no fault.";
    19 CUPTI_ERROR_INVALID_HANDLE "The handle is not valid.";
    20 CUPTI_ERROR_INVALID_STREAM "The stream is not valid.";
    21 CUPTI_ERROR_INVALID_KIND "The kind of record is not valid.";
    22 CUPTI_ERROR_INVALID_EVENT_VALUE "The value of the event is not valid.";
    23 CUPTI_ERROR_DISABLED "CUPTI is switched off, because another profiler is in the way.";
    24 CUPTI_ERROR_INVALID_MODULE "The module is not valid.";
    25 CUPTI_ERROR_INVALID_METRIC_VALUE "The value of the metric is not valid.";
    26 CUPTI_ERROR_HARDWARE_BUSY "The performance-monitoring hardware is in use by another client.";
    27 CUPTI_ERROR_NOT_SUPPORTED "The GPU or the system does not support this.";
    28 CUPTI_ERROR_UM_PROFILING_NOT_SUPPORTED "Unified memory cannot be profiled on this system.";
    29 CUPTI_ERROR_UM_PROFILING_NOT_SUPPORTED_ON_DEVICE "Unified memory cannot be profiled on this GPU.";
    30 CUPTI_ERROR_UM_PROFILING_NOT_SUPPORTED_ON_NON_P2P_DEVICES
        "Unified memory cannot be profiled between GPUs that cannot reach each other directly.";
    31 CUPTI_ERROR_UM_PROFILING_NOT_SUPPORTED_WITH_MPS "Unified memory cannot be profiled under MPS.";
    32 CUPTI_ERROR_CDP_TRACING_NOT_SUPPORTED "Kernels that start kernels cannot be traced here.";
    33 CUPTI_ERROR_VIRTUALIZED_DEVICE_NOT_SUPPORTED "A virtual GPU cannot be profiled this way.";
    34 CUPTI_ERROR_CUDA_COMPILER_NOT_COMPATIBLE
        "The device code was compiled by an nvcc that is too old to be profiled on this GPU.";
    35 CUPTI_ERROR_INSUFFICIENT_PRIVILEGES
        "The driver gives hardware counters to administrators only, and this process is none.";
    36 CUPTI_ERROR_OLD_PROFILER_API_INITIALIZED
        "The old and the new profiling interface cannot be used together.";
    37 CUPTI_ERROR_OPENACC_UNDEFINED_ROUTINE "A routine of OpenACC is not known.";
    38 CUPTI_ERROR_LEGACY_PROFILER_NOT_SUPPORTED
        "The old event and metric interface does not work on this GPU; newer GPUs need the newer one.";
    39 CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED
        "Another tool traces this process already, and only one may.";
    40 CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES
        "The virtual GPU is not allowed to be profiled; the hypervisor decides that.";
    41 CUPTI_ERROR_CONFIDENTIAL_COMPUTING_NOT_SUPPORTED
        "Confidential computing is on, and CUPTI does not support this with it.";
    42 CUPTI_ERROR_CMP_DEVICE_NOT_SUPPORTED "Mining processors (CMP) cannot be profiled.";
    43 CUPTI_ERROR_MIG_DEVICE_NOT_SUPPORTED "MIG instances do not support this.";
    44 CUPTI_ERROR_SLI_DEVICE_NOT_SUPPORTED "GPUs joined by SLI cannot be profiled.";
    45 CUPTI_ERROR_WSL_DEVICE_NOT_SUPPORTED "GPUs under WSL do not support this.";
    46 CUPTI_ERROR_INVALID_CHIP_NAME "The name is of no chip that this release can profile.";
    47 CUPTI_ERROR_HES_TRACE_NOT_SUPPORTED_ON_MPS
        "Tracing by the hardware event system does not work under MPS.";
    999 CUPTI_ERROR_UNKNOWN "CUPTI failed and gives no reason.";
}
