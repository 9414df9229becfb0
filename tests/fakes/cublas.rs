//! A fake libcublas.so.N: handles, versions, and matrix products on the CPU.
//!
//! Like the real library it works on device memory: it refuses pointers that the fake libcuda did not
//! allocate, and without libcuda it cannot create a handle.

#[path = "common/mod.rs"]
mod common;

#[path = "cublas/float.rs"]
mod float;
#[path = "cublas/gemm.rs"]
mod gemm;
#[path = "cublas/handle.rs"]
mod handle;
#[path = "cublas/matrix.rs"]
mod matrix;
#[path = "cublas/status.rs"]
mod status;

use std::ffi::c_int;

const INVALID: c_int = status::INVALID_VALUE;
const LOST: c_int = status::INTERNAL_ERROR;
