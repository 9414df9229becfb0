//! nvrtcResult: status codes of NVRTC, the runtime compiler.

table! {
    0 NVRTC_SUCCESS "The call succeeded.";
    1 NVRTC_ERROR_OUT_OF_MEMORY "There is not enough host memory.";
    2 NVRTC_ERROR_PROGRAM_CREATION_FAILURE "The program could not be created.";
    3 NVRTC_ERROR_INVALID_INPUT "An argument of the call is not valid.";
    4 NVRTC_ERROR_INVALID_PROGRAM "The program's handle is not valid.";
    5 NVRTC_ERROR_INVALID_OPTION
        "A compiler option is not valid, such as an architecture that this NVRTC is too old to support.";
    6 NVRTC_ERROR_COMPILATION "The source did not compile; see the program log.";
    7 NVRTC_ERROR_BUILTIN_OPERATION_FAILURE
        "A built-in operation failed: usually libnvrtc-builtins of the same version was not found.";
    8 NVRTC_ERROR_NO_NAME_EXPRESSIONS_AFTER_COMPILATION
        "A name expression was added after the program was compiled.";
    9 NVRTC_ERROR_NO_LOWERED_NAMES_BEFORE_COMPILATION
        "A lowered name was requested before the program was compiled.";
    10 NVRTC_ERROR_NAME_EXPRESSION_NOT_VALID "The name expression does not belong to the program.";
    11 NVRTC_ERROR_INTERNAL_ERROR "The compiler failed internally.";
    12 NVRTC_ERROR_TIME_FILE_WRITE_FAILED "The file for compilation times could not be written.";
    13 NVRTC_ERROR_NO_PCH_CREATE_ATTEMPTED "No precompiled header was attempted.";
    14 NVRTC_ERROR_PCH_CREATE_HEAP_EXHAUSTED "The heap for precompiled headers is too small.";
    15 NVRTC_ERROR_PCH_CREATE "The precompiled header could not be created.";
    16 NVRTC_ERROR_CANCELLED "The compilation was canceled.";
    17 NVRTC_ERROR_TIME_TRACE_FILE_WRITE_FAILED "The time trace file could not be written.";
    18 NVRTC_ERROR_BUSY "The compiler is busy with another call.";
}
