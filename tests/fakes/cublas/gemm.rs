//! cublasGemmEx and its two older relatives: C = alpha * op(A) * op(B) + beta * C.
//!
//! Sums have 32 bits, or 64 for doubles. With beta = 0, C is not read. Scalars are in host memory.

use std::ffi::{c_int, c_void};
use std::ops::{Add, AddAssign, Mul};

use crate::common::abi::take;
use crate::common::driver;
use crate::common::gpu::Gpu;
use crate::float::{Bfloat, Element, Half, bfloat, half, tf32};
use crate::handle::{Handle, Settings, with};
use crate::matrix::{Shape, product, read, update};
use crate::status;

const R_32F: c_int = 0;
const R_64F: c_int = 1;
const R_16F: c_int = 2;
const R_16BF: c_int = 14;

/// One matrix argument.
#[derive(Clone, Copy)]
struct Operand {
    at: usize,
    kind: c_int,
    stride: c_int,
}

struct Gemm {
    transposed: [c_int; 2],
    size: [c_int; 3],
    alpha: *const c_void,
    beta: *const c_void,
    a: Operand,
    b: Operand,
    c: Operand,
    compute: c_int,
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasGemmEx(
    handle: Handle,
    a_op: c_int,
    b_op: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: *const c_void,
    a: usize,
    a_type: c_int,
    lda: c_int,
    b: usize,
    b_type: c_int,
    ldb: c_int,
    beta: *const c_void,
    c: usize,
    c_type: c_int,
    ldc: c_int,
    compute: c_int,
    _algorithm: c_int,
) -> c_int {
    let operand = |at, kind, stride| Operand { at, kind, stride };
    let gemm = Gemm {
        transposed: [a_op, b_op],
        size: [m, n, k],
        alpha,
        beta,
        a: operand(a, a_type, lda),
        b: operand(b, b_type, ldb),
        c: operand(c, c_type, ldc),
        compute,
    };
    with("cublasGemmEx", handle, |settings| gemm.run(settings))
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasSgemm_v2(
    handle: Handle,
    a_op: c_int,
    b_op: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: *const f32,
    a: usize,
    lda: c_int,
    b: usize,
    ldb: c_int,
    beta: *const f32,
    c: usize,
    ldc: c_int,
) -> c_int {
    let operand = |at, stride| Operand { at, kind: R_32F, stride };
    let gemm = Gemm {
        transposed: [a_op, b_op],
        size: [m, n, k],
        alpha: alpha.cast(),
        beta: beta.cast(),
        a: operand(a, lda),
        b: operand(b, ldb),
        c: operand(c, ldc),
        compute: 68,
    };
    with("cublasSgemm_v2", handle, |settings| gemm.run(settings))
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasDgemm_v2(
    handle: Handle,
    a_op: c_int,
    b_op: c_int,
    m: c_int,
    n: c_int,
    k: c_int,
    alpha: *const f64,
    a: usize,
    lda: c_int,
    b: usize,
    ldb: c_int,
    beta: *const f64,
    c: usize,
    ldc: c_int,
) -> c_int {
    let operand = |at, stride| Operand { at, kind: R_64F, stride };
    let gemm = Gemm {
        transposed: [a_op, b_op],
        size: [m, n, k],
        alpha: alpha.cast(),
        beta: beta.cast(),
        a: operand(a, lda),
        b: operand(b, ldb),
        c: operand(c, ldc),
        compute: 70,
    };
    with("cublasDgemm_v2", handle, |settings| gemm.run(settings))
}

impl Gemm {
    /// Chooses by the type of computation, then by the types of the matrices: those combinations
    /// that cuBLAS documents, and no others.
    fn run(&self, settings: Settings) -> Result<(), c_int> {
        let gpu = Gpu(driver::current_gpu().unwrap_or(0));
        let ignores_tf32 = gpu.is("gemm_ignores_tf32");
        let cut: fn(f32) -> f32 = match self.compute {
            74 => half,
            75 => bfloat,
            77 if !ignores_tf32 => tf32,
            68 if settings.allows_tf32() && !ignores_tf32 => tf32,
            _ => |value| value,
        };
        match (self.compute, self.a.kind, self.c.kind) {
            _ if self.a.kind != self.b.kind => Err(status::NOT_SUPPORTED),
            // The scalars have the type of the computation.
            (64 | 65, R_16F, R_16F) => {
                let scalar = |at: *const c_void| take(at.cast::<Half>()).map(Half::load);
                let scalars = [scalar(self.alpha)?, scalar(self.beta)?];
                self.compute::<Half, Half, f32>(gpu, scalars, |value| value)
            }
            (70 | 71, R_64F, R_64F) => {
                let scalars = [take(self.alpha.cast())?, take(self.beta.cast())?];
                self.compute::<f64, f64, f64>(gpu, scalars, |value| value)
            }
            (68 | 69 | 74 | 75 | 77, ..) => {
                let scalars = [take(self.alpha.cast())?, take(self.beta.cast())?];
                match (self.a.kind, self.c.kind) {
                    (R_32F, R_32F) => self.compute::<f32, f32, f32>(gpu, scalars, cut),
                    // 16-bit inputs are not rounded.
                    _ if self.compute > 69 => Err(status::NOT_SUPPORTED),
                    (R_16F, R_16F) => self.compute::<Half, Half, f32>(gpu, scalars, |x| x),
                    (R_16F, R_32F) => self.compute::<Half, f32, f32>(gpu, scalars, |x| x),
                    (R_16BF, R_16BF) => self.compute::<Bfloat, Bfloat, f32>(gpu, scalars, |x| x),
                    (R_16BF, R_32F) => self.compute::<Bfloat, f32, f32>(gpu, scalars, |x| x),
                    _ => Err(status::NOT_SUPPORTED),
                }
            }
            _ => Err(status::NOT_SUPPORTED),
        }
    }

    fn compute<In, Out, T>(&self, gpu: Gpu, [alpha, beta]: [T; 2], cut: impl Fn(T) -> T) -> Result<(), c_int>
    where
        In: Element<T>,
        Out: Element<T>,
        T: Copy + Default + PartialEq + From<u8>,
        T: Add<Output = T> + Mul<Output = T> + AddAssign,
    {
        let [m, n, k] = self.size()?;
        let [a_transposed, b_transposed] = self.transposed()?;
        let shape = |transposed, rows, columns, stride| match transposed {
            false => Shape::new(rows, columns, stride),
            true => Shape::new(columns, rows, stride),
        };
        let a_shape = shape(a_transposed, m, k, self.a.stride)?;
        let b_shape = shape(b_transposed, k, n, self.b.stride)?;
        let c_shape = shape(false, m, n, self.c.stride)?;

        // As in BLAS: with alpha = 0, A and B are not read.
        let zero = T::default();
        let sums = if alpha == zero {
            vec![zero; m * n]
        } else {
            let a = read::<In, T>(self.a.at, a_shape, a_transposed, &cut)?;
            let b = read::<In, T>(self.b.at, b_shape, b_transposed, &cut)?;
            product(&a, &b, m, n, k)
        };
        let wrong = gpu.option("wrong_gemm");
        update::<Out, T>(self.c.at, c_shape, |index, old| {
            let mut value = alpha * sums[index];
            if beta != zero {
                value += beta * old();
            }
            if wrong == Some(index as u64) {
                value += T::from(1);
            }
            value
        })
    }

    fn size(&self) -> Result<[usize; 3], c_int> {
        let mut sizes = [0; 3];
        for (to, from) in sizes.iter_mut().zip(self.size) {
            *to = usize::try_from(from).map_err(|_| status::INVALID_VALUE)?;
        }
        Ok(sizes)
    }

    /// Not, transposed, or conjugated: the same as transposed for real numbers.
    fn transposed(&self) -> Result<[bool; 2], c_int> {
        match self.transposed {
            [0..=2, 0..=2] => Ok(self.transposed.map(|op| op != 0)),
            _ => Err(status::INVALID_VALUE),
        }
    }
}
