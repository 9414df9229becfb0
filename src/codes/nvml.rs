//! nvmlReturn_t: status codes of NVML.

table! {
    0 NVML_SUCCESS "The call succeeded.";
    1 NVML_ERROR_UNINITIALIZED "NVML was used before it was initialized.";
    2 NVML_ERROR_INVALID_ARGUMENT "An argument of the call is not valid.";
    3 NVML_ERROR_NOT_SUPPORTED
        "The GPU or its driver does not support this, which is normal for many queries.";
    4 NVML_ERROR_NO_PERMISSION
        "The process lacks permission; this is also returned for a GPU that belongs to another container.";
    5 NVML_ERROR_ALREADY_INITIALIZED "NVML has been initialized already; no current release returns this.";
    6 NVML_ERROR_NOT_FOUND "The requested item does not exist.";
    7 NVML_ERROR_INSUFFICIENT_SIZE "The buffer is too small.";
    8 NVML_ERROR_INSUFFICIENT_POWER "A power cable of the GPU is not properly connected.";
    9 NVML_ERROR_DRIVER_NOT_LOADED "The NVIDIA kernel module is not loaded.";
    10 NVML_ERROR_TIMEOUT "The call timed out.";
    11 NVML_ERROR_IRQ_ISSUE "The kernel has trouble with the GPU's interrupts.";
    12 NVML_ERROR_LIBRARY_NOT_FOUND "The NVML library was not found or could not be loaded.";
    13 NVML_ERROR_FUNCTION_NOT_FOUND "The loaded NVML is too old to have this function.";
    14 NVML_ERROR_CORRUPTED_INFOROM "The infoROM of the board is corrupted.";
    15 NVML_ERROR_GPU_IS_LOST "The GPU has fallen off the bus.";
    16 NVML_ERROR_RESET_REQUIRED "The GPU must be reset before it can be used again.";
    17 NVML_ERROR_OPERATING_SYSTEM "The operating system has blocked the request.";
    18 NVML_ERROR_LIB_RM_VERSION_MISMATCH
        "The NVML library and the kernel module have different versions, for example after a driver update.";
    19 NVML_ERROR_IN_USE "The GPU is in use, and this requires that it is idle.";
    20 NVML_ERROR_MEMORY "There is not enough memory.";
    21 NVML_ERROR_NO_DATA "There is no data.";
    22 NVML_ERROR_VGPU_ECC_NOT_SUPPORTED "ECC is not available because vGPU is in use.";
    23 NVML_ERROR_INSUFFICIENT_RESOURCES "A resource other than memory is exhausted.";
    24 NVML_ERROR_FREQ_NOT_SUPPORTED "The GPU does not support this clock frequency.";
    25 NVML_ERROR_ARGUMENT_VERSION_MISMATCH
        "The structure that was passed has a version that this NVML does not support.";
    26 NVML_ERROR_DEPRECATED "The call is no longer supported.";
    27 NVML_ERROR_NOT_READY "The system is not ready for this request.";
    28 NVML_ERROR_GPU_NOT_FOUND "No GPU was found.";
    29 NVML_ERROR_INVALID_STATE "The GPU is in a state that does not allow this.";
    30 NVML_ERROR_RESET_TYPE_NOT_SUPPORTED "This kind of reset is not supported here.";
    999 NVML_ERROR_UNKNOWN
        "The driver failed for an unknown reason; in containers, device nodes that cannot be opened are a \
         common one.";
}
