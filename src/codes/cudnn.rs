//! cudnnStatus_t: what functions of cuDNN return. Release 9 groups its numbers by thousands; 1 to 14 are of
//! release 8 and older.

table! {
    0 CUDNN_STATUS_SUCCESS "The call succeeded.";
    1 CUDNN_STATUS_NOT_INITIALIZED
        "cuDNN 8 and older: no valid handle, or the library could not initialise; cuDNN 9 says 1001.";
    2 CUDNN_STATUS_ALLOC_FAILED
        "cuDNN 8 and older: memory for the library's own use is not to be had; cuDNN 9 says 4003 or 4004.";
    3 CUDNN_STATUS_BAD_PARAM "cuDNN 8 and older: an argument is not valid; cuDNN 9 says 2000.";
    4 CUDNN_STATUS_INTERNAL_ERROR
        "cuDNN 8 and older: something failed inside of the library; cuDNN 9 says 4000.";
    5 CUDNN_STATUS_INVALID_VALUE "cuDNN 8 and older: a value is not valid; cuDNN 9 says 2001.";
    6 CUDNN_STATUS_ARCH_MISMATCH
        "cuDNN 8 and older: the GPU does not have what this needs; cuDNN 9 says 3007.";
    7 CUDNN_STATUS_MAPPING_ERROR
        "cuDNN 8 and older: GPU memory, such as a texture, could not be reached; cuDNN 9 says 4006.";
    8 CUDNN_STATUS_EXECUTION_FAILED
        "cuDNN 8 and older: a kernel could not be started or failed; cuDNN 9 says 5000.";
    9 CUDNN_STATUS_NOT_SUPPORTED
        "cuDNN 8 and older: the combination that was asked for is not supported; cuDNN 9 says 3000.";
    10 CUDNN_STATUS_LICENSE_ERROR
        "cuDNN 8 and older: a license that this needs was not found; cuDNN 9 says 1005.";
    11 CUDNN_STATUS_RUNTIME_PREREQUISITE_MISSING
        "cuDNN 8 and older: a library that this needs at run time was not found; cuDNN 9 says 3008.";
    12 CUDNN_STATUS_RUNTIME_IN_PROGRESS "cuDNN 8 and older: work is still running; cuDNN 9 says 1006.";
    13 CUDNN_STATUS_RUNTIME_FP_OVERFLOW
        "cuDNN 8 and older: a number overflowed in a kernel; cuDNN 9 says 1007.";
    14 CUDNN_STATUS_VERSION_MISMATCH "cuDNN 8: its libraries are of different versions; cuDNN 9 says 1002.";
    1001 CUDNN_STATUS_NOT_INITIALIZED "There is no valid handle, or the library could not initialise.";
    1002 CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH
        "The libraries that cuDNN consists of are of different versions: two copies are mixed.";
    1003 CUDNN_STATUS_SERIALIZATION_VERSION_MISMATCH
        "The data was written by a version of cuDNN that this one cannot read.";
    1004 CUDNN_STATUS_DEPRECATED "The function is no longer supported.";
    1005 CUDNN_STATUS_LICENSE_ERROR "A license that this needs was not found.";
    1006 CUDNN_STATUS_RUNTIME_IN_PROGRESS "Work is still running; it is no fault.";
    1007 CUDNN_STATUS_RUNTIME_FP_OVERFLOW "A number overflowed in a kernel.";
    1008 CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED
        "One of the libraries that cuDNN consists of could not be loaded.";
    2000 CUDNN_STATUS_BAD_PARAM "An argument is not valid.";
    2001 CUDNN_STATUS_INVALID_VALUE "A value is not valid.";
    2002 CUDNN_STATUS_BAD_PARAM_NULL_POINTER "A pointer is null and may not be.";
    2003 CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER "A pointer is not aligned as it must be.";
    2004 CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED "A descriptor is used before it was finalised.";
    2005 CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND "A value is out of its bounds.";
    2006 CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT "The space that was passed is too small.";
    2007 CUDNN_STATUS_BAD_PARAM_STREAM_MISMATCH "The stream is not the one that it must be.";
    2008 CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH "The shapes of tensors do not fit each other.";
    2009 CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES "An entry is given twice.";
    2010 CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE "An attribute is of the wrong type.";
    2011 CUDNN_STATUS_BAD_PARAM_CUDA_GRAPH_MISMATCH
        "The CUDA graph is not the one that belongs to this plan.";
    2012 CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE "A descriptor is of the wrong type.";
    3000 CUDNN_STATUS_NOT_SUPPORTED "What was asked for is not supported.";
    3001 CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN "The pattern of operations in the graph is not supported.";
    3002 CUDNN_STATUS_NOT_SUPPORTED_SHAPE "The shape of a tensor is not supported.";
    3003 CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE "The data type is not supported.";
    3004 CUDNN_STATUS_NOT_SUPPORTED_LAYOUT "The memory layout of a tensor is not supported.";
    3005 CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDA_DRIVER "The driver is too old for this operation.";
    3006 CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDART
        "The CUDA runtime that was loaded is too old for this operation, or does not fit.";
    3007 CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH "The GPU does not have what this operation needs.";
    3008 CUDNN_STATUS_NOT_SUPPORTED_RUNTIME_PREREQUISITE_MISSING
        "A library that this operation needs at run time, such as NVRTC, was not found.";
    3009 CUDNN_STATUS_NOT_SUPPORTED_SUBLIBRARY_UNAVAILABLE
        "One of the libraries that cuDNN consists of is not there for this operation.";
    3010 CUDNN_STATUS_NOT_SUPPORTED_SHARED_MEMORY_INSUFFICIENT
        "The GPU has too little shared memory for this operation.";
    3011 CUDNN_STATUS_NOT_SUPPORTED_PADDING "The padding is not supported.";
    3012 CUDNN_STATUS_NOT_SUPPORTED_BAD_LAUNCH_PARAM
        "The kernel would need a launch that the GPU does not allow.";
    3013 CUDNN_STATUS_NOT_SUPPORTED_CUDA_GRAPH_NATIVE_API
        "This plan cannot be built straight into a CUDA graph.";
    3014 CUDNN_STATUS_NOT_SUPPORTED_INVALID_DYNAMIC_SHAPE
        "The plan was compiled for dynamic shapes and this one is not among them.";
    4000 CUDNN_STATUS_INTERNAL_ERROR "Something failed inside of the library.";
    4001 CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED "A kernel could not be compiled at run time.";
    4002 CUDNN_STATUS_INTERNAL_ERROR_UNEXPECTED_VALUE "The library met a value that it did not expect.";
    4003 CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED
        "Host memory for the library's own use is not to be had.";
    4004 CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED
        "GPU memory for the library's own use is not to be had.";
    4005 CUDNN_STATUS_INTERNAL_ERROR_BAD_LAUNCH_PARAM
        "The library started a kernel with parameters that are not valid.";
    4006 CUDNN_STATUS_INTERNAL_ERROR_TEXTURE_CREATION_FAILED "A texture could not be created.";
    5000 CUDNN_STATUS_EXECUTION_FAILED "A kernel could not be started, or failed while it ran.";
    5001 CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER "The CUDA driver reported a fault during the work.";
    5002 CUDNN_STATUS_EXECUTION_FAILED_CUBLAS "cuBLAS reported a fault during the work.";
    5003 CUDNN_STATUS_EXECUTION_FAILED_CUDART "The CUDA runtime reported a fault during the work.";
    5004 CUDNN_STATUS_EXECUTION_FAILED_CURAND "cuRAND reported a fault during the work.";
}
