//! cublasStatus_t: status codes of cuBLAS and cuBLASLt.

table! {
    0 CUBLAS_STATUS_SUCCESS "The call succeeded.";
    1 CUBLAS_STATUS_NOT_INITIALIZED
        "cuBLAS could not be initialized: often GPU memory is nearly full, or libraries of different releases \
         are mixed.";
    3 CUBLAS_STATUS_ALLOC_FAILED "GPU or host memory for internal use could not be allocated.";
    7 CUBLAS_STATUS_INVALID_VALUE "An argument, such as a negative size, is not valid.";
    8 CUBLAS_STATUS_ARCH_MISMATCH "The GPU lacks a feature that this operation needs.";
    11 CUBLAS_STATUS_MAPPING_ERROR "GPU memory could not be mapped.";
    13 CUBLAS_STATUS_EXECUTION_FAILED "A kernel could not be launched, or failed.";
    14 CUBLAS_STATUS_INTERNAL_ERROR
        "An internal operation failed, often because of an earlier error on the GPU.";
    15 CUBLAS_STATUS_NOT_SUPPORTED "This combination of types, layout and GPU is not supported.";
    16 CUBLAS_STATUS_LICENSE_ERROR "A required license was not found.";
}
