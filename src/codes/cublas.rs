//! cublasStatus_t: what functions of cuBLAS and cuBLASLt return.

table! {
    0 CUBLAS_STATUS_SUCCESS "The call succeeded.";
    1 CUBLAS_STATUS_NOT_INITIALIZED
        "cuBLAS could not be set up: often GPU memory is nearly full, or libraries of different releases \
         are mixed.";
    3 CUBLAS_STATUS_ALLOC_FAILED "GPU or host memory for the library's own use is not to be had.";
    7 CUBLAS_STATUS_INVALID_VALUE "An argument, such as a negative size, is not valid.";
    8 CUBLAS_STATUS_ARCH_MISMATCH "The GPU does not have what this operation needs.";
    11 CUBLAS_STATUS_MAPPING_ERROR "GPU memory that the library needs could not be reached.";
    13 CUBLAS_STATUS_EXECUTION_FAILED "The kernel could not be started, or failed while it ran.";
    14 CUBLAS_STATUS_INTERNAL_ERROR
        "Something failed inside of the library, often an earlier fault on the GPU.";
    15 CUBLAS_STATUS_NOT_SUPPORTED "The combination of types, layout and GPU is not supported.";
    16 CUBLAS_STATUS_LICENSE_ERROR "A license that this needs was not found.";
}
