//! cuBLAS: GEMMs with known results, and their speed.
//!
//! `case.rs` defines the GEMMs and explains why their results are exact, `matrix.rs` encodes matrices,
//! `check.rs` compares. This file loads, calls and times the library.

mod case;
mod check;
mod matrix;

use std::ffi::{c_char, c_int, c_void};
use std::time::{Duration, Instant};

use cudarc::cublas::sys::{
    cublasComputeType_t, cublasGemmAlgo_t, cublasHandle_t, cublasOperation_t, cudaDataType_t,
};

use crate::driver::{Cuda, Memory, Stopwatch};
use crate::emit::{NotPassed, emit, stage};
use crate::ffi::{self, open, static_text, table};
use case::{Case, Compute};
use matrix::{Layout, Storage};
use protocol::{Api, Blas, Device, Event, Fault, GemmCase, Skip, Stage};

table! {
    /// The functions of cuBLAS.
    Cublas, Api::Cublas;
    fn cublasCreate_v2(handle: *mut cublasHandle_t);
    fn cublasGetProperty(kind: c_int, value: *mut c_int);
    fn cublasGemmEx(
        handle: cublasHandle_t, op_a: cublasOperation_t, op_b: cublasOperation_t, m: c_int, n: c_int, k: c_int,
        alpha: *const c_void, a: *const c_void, type_a: cudaDataType_t, ld_a: c_int,
        b: *const c_void, type_b: cudaDataType_t, ld_b: c_int,
        beta: *const c_void, c: *mut c_void, type_c: cudaDataType_t, ld_c: c_int,
        compute: cublasComputeType_t, algorithm: cublasGemmAlgo_t,
    );
}

/// Free GPU memory required for cuBLAS, in bytes: its workspace and the matrices.
const NEEDED: u64 = 384 << 20;

/// How long a GEMM is repeated before it is timed, so that the clocks rise, and how long it is timed.
const WARM_UP: Duration = Duration::from_millis(40);
const MEASURED: Duration = Duration::from_millis(80);

impl Cublas {
    fn fault(&self, call: &str, code: c_int) -> Fault {
        type Lookup = unsafe extern "C" fn(c_int) -> *const c_char;
        // SAFETY: the function takes the status as a number and returns a static string or null.
        let name = unsafe {
            let look_up = ffi::symbol::<Lookup>(self.library, Api::Cublas, "cublasGetStatusName");
            look_up.ok().and_then(|look_up| static_text(look_up(code)))
        };
        Fault {
            api: Api::Cublas,
            call: call.to_owned(),
            code: Some(code.into()),
            name,
            detail: String::new(),
        }
    }

    fn lt_version(&self) -> Option<u64> {
        type Version = unsafe extern "C" fn() -> usize;
        // SAFETY: the function has this signature; dlsym also searches the dependencies of cuBLAS.
        unsafe {
            ffi::symbol::<Version>(self.library, Api::Cublas, "cublasLtGetVersion")
                .ok()
                .map(|version| version() as u64)
        }
    }
}

pub fn load(files: &[String]) -> Result<Cublas, Fault> {
    Cublas::bind(open("libcublas", files, &["libcublas.so.13", "libcublas.so.12", "libcublas.so.11"])?)
}

/// The versions of cuBLAS and of the cuBLASLt that it uses. Needs no GPU.
pub fn versions(cublas: &Cublas) -> Result<Blas, Fault> {
    // libraryPropertyType: MAJOR_VERSION, MINOR_VERSION and PATCH_LEVEL are 0, 1 and 2.
    let mut property = [0; 3];
    for (kind, value) in property.iter_mut().enumerate() {
        // SAFETY: `value` is written before the call returns.
        unsafe { cublas.cublasGetProperty(kind as c_int, value)? };
    }
    let [major, minor, patch] = property;
    Ok(Blas { cublas: 10_000 * major + 100 * minor + patch, cublas_lt: cublas.lt_version() })
}

pub fn run(cuda: &Cuda, files: &[String], device: &Device) {
    let gpu = Some(device.ordinal);
    let Some(cublas) = stage(Stage::LoadBlas, gpu, || Ok(load(files)?)) else {
        return;
    };
    let Some(blas) = stage(Stage::BlasInit, gpu, || {
        let free = cuda.free_memory()?;
        if free < NEEDED {
            return Err(NotPassed::Skip(Skip::LowMemory { free, needed: NEEDED }));
        }
        // First, because a cuBLASLt of another release can crash what follows.
        emit(&Event::Blas(versions(&cublas)?));
        let mut handle = std::ptr::null_mut();
        // SAFETY: `handle` is written before the call returns.
        unsafe { cublas.cublasCreate_v2(&mut handle)? };
        Ok(Handle { cuda, cublas: &cublas, handle })
    }) else {
        return;
    };
    let verified = stage(Stage::Gemm, gpu, || {
        for case in case::verified(device.capability) {
            emit(&Event::GemmCase(blas.verify(&case)?));
        }
        Ok(())
    });
    if verified.is_some() {
        stage(Stage::GemmTiming, gpu, || {
            for case in case::timed(device.capability, device.sms) {
                emit(&Event::GemmCase(blas.time(&case)?));
            }
            Ok(())
        });
    }
}

struct Handle<'a> {
    cuda: &'a Cuda,
    cublas: &'a Cublas,
    handle: cublasHandle_t,
}

/// The matrices of a case, on the host and on the device.
struct Operands<'a> {
    data: case::Data,
    a: Memory<'a>,
    b: Memory<'a>,
    c: Memory<'a>,
}

impl Handle<'_> {
    fn verify(&self, case: &Case) -> Result<GemmCase, Fault> {
        let operands = self.upload(case)?;
        self.multiply(case, &operands)?;
        self.cuda.synchronize()?;
        self.report(case, &operands, None)
    }

    /// Runs the case until the clocks have risen, then measures.
    fn time(&self, case: &Case) -> Result<GemmCase, Fault> {
        let operands = self.upload(case)?;
        // The first GEMM of a format loads its kernel; it is not part of the warm-up.
        self.multiply(case, &operands)?;
        self.cuda.synchronize()?;
        let mut warm_ups = 0u32;
        let start = Instant::now();
        while warm_ups == 0 || start.elapsed() < WARM_UP {
            self.multiply(case, &operands)?;
            self.cuda.synchronize()?;
            warm_ups += 1;
        }
        let once = start.elapsed() / warm_ups;
        let repeats = (MEASURED.as_secs_f64() / once.as_secs_f64()).clamp(1.0, 2000.0) as u32;
        let watch = Stopwatch::start(self.cuda)?;
        for _ in 0..repeats {
            self.multiply(case, &operands)?;
        }
        let seconds = watch.seconds()?;
        let operations = 2.0 * f64::from(case.m) * f64::from(case.n) * f64::from(case.k) * f64::from(repeats);
        // If the clock did not advance, there is no figure rather than an infinite one.
        let flops = (seconds > 0.0).then(|| operations / seconds);
        self.report(case, &operands, flops)
    }

    fn upload(&self, case: &Case) -> Result<Operands<'_>, Fault> {
        let data = case.data();
        // One after the other: encoded, a large matrix takes 64 MiB of the container's memory.
        let a = Memory::of(self.cuda, &data.encode_a(case))?;
        let b = Memory::of(self.cuda, &data.encode_b(case))?;
        let c = Memory::of(self.cuda, &data.encode_c(case))?;
        Ok(Operands { data, a, b, c })
    }

    fn multiply(&self, case: &Case, operands: &Operands) -> Result<(), Fault> {
        let (alpha, beta) = (case.alpha as f32, case.beta as f32);
        let Layout { ld, first, .. } = case.layout_c();
        let pointer = |memory: &Memory| std::ptr::without_provenance::<c_void>(memory.pointer as usize);
        let c = std::ptr::without_provenance_mut::<c_void>(
            operands.c.pointer as usize + first * case.output.bytes(),
        );
        let op = |transposed| {
            if transposed { cublasOperation_t::CUBLAS_OP_T } else { cublasOperation_t::CUBLAS_OP_N }
        };
        let compute = match case.compute {
            Compute::Full => cublasComputeType_t::CUBLAS_COMPUTE_32F,
            Compute::Tf32 => cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
        };
        // SAFETY: the handle is live; the device buffers have the layouts that `case` describes, and
        // both scalars are read before the call returns (host pointer mode is the default).
        unsafe {
            self.cublas.cublasGemmEx(
                self.handle,
                op(case.transpose_a),
                op(case.transpose_b),
                case.m as c_int,
                case.n as c_int,
                case.k as c_int,
                (&raw const alpha).cast(),
                pointer(&operands.a),
                data_type(case.input),
                case.layout_a().ld as c_int,
                pointer(&operands.b),
                data_type(case.input),
                case.layout_b().ld as c_int,
                (&raw const beta).cast(),
                c,
                data_type(case.output),
                ld as c_int,
                compute,
                cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
    }

    fn report(&self, case: &Case, operands: &Operands, flops: Option<f64>) -> Result<GemmCase, Fault> {
        let verdict = check::judge(case, &operands.data, &operands.c.read()?);
        let letter = |transposed| if transposed { 't' } else { 'n' };
        Ok(GemmCase {
            format: case.name(),
            transpose: [letter(case.transpose_a), letter(case.transpose_b)].iter().collect(),
            m: case.m,
            n: case.n,
            k: case.k,
            alpha: case.alpha as f32,
            beta: case.beta as f32,
            verdict,
            flops,
        })
    }
}

fn data_type(storage: Storage) -> cudaDataType_t {
    match storage {
        Storage::F32 => cudaDataType_t::CUDA_R_32F,
        Storage::F16 => cudaDataType_t::CUDA_R_16F,
        Storage::Bf16 => cudaDataType_t::CUDA_R_16BF,
    }
}
