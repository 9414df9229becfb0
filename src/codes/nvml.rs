//! nvmlReturn_t: what functions of NVML return.

table! {
    0 NVML_SUCCESS "The call succeeded.";
    1 NVML_ERROR_UNINITIALIZED "NVML was used before it was initialised.";
    2 NVML_ERROR_INVALID_ARGUMENT "An argument of the call is not valid.";
    3 NVML_ERROR_NOT_SUPPORTED
        "The GPU or its driver does not have this; for many questions that is no fault.";
    4 NVML_ERROR_NO_PERMISSION
        "The process may not do this; a GPU whose device node is another container's answers so.";
    5 NVML_ERROR_ALREADY_INITIALIZED "NVML has been initialised already; no current release returns this.";
    6 NVML_ERROR_NOT_FOUND "What was asked for does not exist.";
    7 NVML_ERROR_INSUFFICIENT_SIZE "The space for the answer is too small.";
    8 NVML_ERROR_INSUFFICIENT_POWER "A power cable of the GPU is missing or not well connected.";
    9 NVML_ERROR_DRIVER_NOT_LOADED "The NVIDIA kernel module is not loaded.";
    10 NVML_ERROR_TIMEOUT "The answer took too long.";
    11 NVML_ERROR_IRQ_ISSUE "The kernel has trouble with the GPU's interrupts.";
    12 NVML_ERROR_LIBRARY_NOT_FOUND "The NVML library is not there or could not be loaded.";
    13 NVML_ERROR_FUNCTION_NOT_FOUND "The loaded NVML is older and does not have this function.";
    14 NVML_ERROR_CORRUPTED_INFOROM "The configuration memory of the board is damaged.";
    15 NVML_ERROR_GPU_IS_LOST "The GPU does not answer any more: it has fallen off the bus.";
    16 NVML_ERROR_RESET_REQUIRED "The GPU must be reset before it can be used again.";
    17 NVML_ERROR_OPERATING_SYSTEM "The operating system keeps the GPU from being used.";
    18 NVML_ERROR_LIB_RM_VERSION_MISMATCH
        "The NVML library and the kernel module are of different versions, as after an update of the driver.";
    19 NVML_ERROR_IN_USE "The GPU is in use, and this needs it free.";
    20 NVML_ERROR_MEMORY "There is not enough memory for the call.";
    21 NVML_ERROR_NO_DATA "There is no data to answer with.";
    22 NVML_ERROR_VGPU_ECC_NOT_SUPPORTED "ECC is not to be had here because a virtual GPU is in use.";
    23 NVML_ERROR_INSUFFICIENT_RESOURCES "A resource other than memory has run out.";
    24 NVML_ERROR_FREQ_NOT_SUPPORTED "The clock frequency is not one of those that the GPU knows.";
    25 NVML_ERROR_ARGUMENT_VERSION_MISMATCH
        "The structure passed is of a version that this NVML does not know.";
    26 NVML_ERROR_DEPRECATED "The call is no longer supported.";
    27 NVML_ERROR_NOT_READY "The system is not ready for this request.";
    28 NVML_ERROR_GPU_NOT_FOUND "No GPU is there.";
    29 NVML_ERROR_INVALID_STATE "The GPU is not in a state in which this can be done.";
    30 NVML_ERROR_RESET_TYPE_NOT_SUPPORTED "This kind of reset is not supported here.";
    999 NVML_ERROR_UNKNOWN
        "The driver failed and gives no reason; in containers, device nodes that cannot be opened are a \
         common one.";
}
