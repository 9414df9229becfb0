//! cudnnStatus_t: status codes of cuDNN. Release 9 groups them by thousands; 1 to 14 are those of release 8 and older.

table! {
    0 CUDNN_STATUS_SUCCESS "The call succeeded.";
    1 CUDNN_STATUS_NOT_INITIALIZED
        "cuDNN 8 and older: no valid handle, or the library could not initialize; cuDNN 9 returns 1001.";
    2 CUDNN_STATUS_ALLOC_FAILED
        "cuDNN 8 and older: memory for internal use could not be allocated; cuDNN 9 returns 4003 or 4004.";
    3 CUDNN_STATUS_BAD_PARAM "cuDNN 8 and older: an argument is not valid; cuDNN 9 returns 2000.";
    4 CUDNN_STATUS_INTERNAL_ERROR "cuDNN 8 and older: an internal operation failed; cuDNN 9 returns 4000.";
    5 CUDNN_STATUS_INVALID_VALUE "cuDNN 8 and older: a value is not valid; cuDNN 9 returns 2001.";
    6 CUDNN_STATUS_ARCH_MISMATCH "cuDNN 8 and older: the GPU lacks a required feature; cuDNN 9 returns 3007.";
    7 CUDNN_STATUS_MAPPING_ERROR
        "cuDNN 8 and older: GPU memory, such as a texture, could not be mapped; cuDNN 9 returns 4006.";
    8 CUDNN_STATUS_EXECUTION_FAILED
        "cuDNN 8 and older: a kernel could not be launched, or failed; cuDNN 9 returns 5000.";
    9 CUDNN_STATUS_NOT_SUPPORTED
        "cuDNN 8 and older: this combination is not supported; cuDNN 9 returns 3000.";
    10 CUDNN_STATUS_LICENSE_ERROR
        "cuDNN 8 and older: a required license was not found; cuDNN 9 returns 1005.";
    11 CUDNN_STATUS_RUNTIME_PREREQUISITE_MISSING
        "cuDNN 8 and older: a library that is needed at run time was not found; cuDNN 9 returns 3008.";
    12 CUDNN_STATUS_RUNTIME_IN_PROGRESS "cuDNN 8 and older: work is still running; cuDNN 9 returns 1006.";
    13 CUDNN_STATUS_RUNTIME_FP_OVERFLOW
        "cuDNN 8 and older: a floating-point overflow occurred in a kernel; cuDNN 9 returns 1007.";
    14 CUDNN_STATUS_VERSION_MISMATCH "cuDNN 8: its libraries have different versions; cuDNN 9 returns 1002.";
    1001 CUDNN_STATUS_NOT_INITIALIZED "There is no valid handle, or the library could not initialize.";
    1002 CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH
        "cuDNN's sublibraries have different versions: two copies are mixed.";
    1003 CUDNN_STATUS_SERIALIZATION_VERSION_MISMATCH
        "The data was serialized by a version of cuDNN that this one cannot read.";
    1004 CUDNN_STATUS_DEPRECATED "The function is no longer supported.";
    1005 CUDNN_STATUS_LICENSE_ERROR "A required license was not found.";
    1006 CUDNN_STATUS_RUNTIME_IN_PROGRESS "Work is still running, which is not an error.";
    1007 CUDNN_STATUS_RUNTIME_FP_OVERFLOW "A floating-point overflow occurred in a kernel.";
    1008 CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED "A sublibrary of cuDNN could not be loaded.";
    2000 CUDNN_STATUS_BAD_PARAM "An argument is not valid.";
    2001 CUDNN_STATUS_INVALID_VALUE "A value is not valid.";
    2002 CUDNN_STATUS_BAD_PARAM_NULL_POINTER "A pointer is null where that is not allowed.";
    2003 CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER "A pointer is misaligned.";
    2004 CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED "A descriptor is used before it was finalized.";
    2005 CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND "A value is out of bounds.";
    2006 CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT "The buffer is too small.";
    2007 CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH "The stream is not the expected one.";
    2008 CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH "The shapes of tensors do not match.";
    2009 CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES "An entry is duplicated.";
    2010 CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE "An attribute has the wrong type.";
    2011 CUDNN_STATUS_BAD_PARAM_CUDA_GRAPH_MISMATCH "The CUDA graph does not belong to this plan.";
    2012 CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE "A descriptor has the wrong type.";
    3000 CUDNN_STATUS_NOT_SUPPORTED "The request is not supported.";
    3001 CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN "The pattern of operations in the graph is not supported.";
    3002 CUDNN_STATUS_NOT_SUPPORTED_SHAPE "The shape of a tensor is not supported.";
    3003 CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE "The data type is not supported.";
    3004 CUDNN_STATUS_NOT_SUPPORTED_LAYOUT "The memory layout of a tensor is not supported.";
    3005 CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDA_DRIVER "The driver is too old for this operation.";
    3006 CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDART
        "The loaded CUDA runtime is too old for this operation, or incompatible.";
    3007 CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH "The GPU lacks a feature that this operation needs.";
    3008 CUDNN_STATUS_NOT_SUPPORTED_RUNTIME_PREREQUISITE_MISSING
        "A library that this operation needs at run time, such as NVRTC, was not found.";
    3009 CUDNN_STATUS_NOT_SUPPORTED_SUBLIBRARY_UNAVAILABLE
        "A sublibrary of cuDNN that this operation needs is not available.";
    3010 CUDNN_STATUS_NOT_SUPPORTED_SHARED_MEMORY_INSUFFICIENT
        "The GPU has too little shared memory for this operation.";
    3011 CUDNN_STATUS_NOT_SUPPORTED_PADDING "The padding is not supported.";
    3012 CUDNN_STATUS_NOT_SUPPORTED_BAD_LAUNCH_PARAM
        "The GPU does not support the launch parameters that the kernel needs.";
    3013 CUDNN_STATUS_NOT_SUPPORTED_CUDA_GRAPH_NATIVE_API
        "This plan cannot be built into a CUDA graph with the native API.";
    3014 CUDNN_STATUS_NOT_SUPPORTED_INVALID_DYNAMIC_SHAPE
        "The plan was compiled for dynamic shapes that do not include this one.";
    4000 CUDNN_STATUS_INTERNAL_ERROR "An internal operation failed.";
    4001 CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED "A kernel could not be compiled at run time.";
    4002 CUDNN_STATUS_INTERNAL_ERROR_UNEXPECTED_VALUE "An unexpected value occurred.";
    4003 CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED
        "Host memory for internal use could not be allocated.";
    4004 CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED
        "GPU memory for internal use could not be allocated.";
    4005 CUDNN_STATUS_INTERNAL_ERROR_BAD_LAUNCH_PARAM
        "A kernel was launched with parameters that are not valid.";
    4006 CUDNN_STATUS_INTERNAL_ERROR_TEXTURE_CREATION_FAILED "A texture could not be created.";
    5000 CUDNN_STATUS_EXECUTION_FAILED "A kernel could not be launched, or failed.";
    5001 CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER "The CUDA driver reported an error.";
    5002 CUDNN_STATUS_EXECUTION_FAILED_CUBLAS "cuBLAS reported an error.";
    5003 CUDNN_STATUS_EXECUTION_FAILED_CUDART "The CUDA runtime reported an error.";
    5004 CUDNN_STATUS_EXECUTION_FAILED_CURAND "cuRAND reported an error.";
}
