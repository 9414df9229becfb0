//! The GEMMs, and why their results are known bit for bit.
//!
//! All elements are small integers. |α|·Σ|a||b| + |β||c| stays below the bound up to which the format of C
//! (and the FP32 accumulator) represents every integer. So every product and every partial sum is exact,
//! in whatever order and however the sum is split, and no tolerance is needed.
//!
//! | C    | bound  |
//! |------|--------|
//! | f32  | 2^24   |
//! | f16  | 2^11   |
//! | bf16 | 2^8    |
//!
//! TF32 represents these integers as well, so one element of A is 1 + 2^-12, the marker. TF32 turns it
//! into 1, whether it rounds or truncates; FP32 does not.

use super::matrix::{Layout, Random, Storage, encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compute {
    /// Inputs as they are, FP32 accumulation.
    Full,
    /// Inputs rounded to TF32.
    Tf32,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub input: Storage,
    pub output: Storage,
    pub compute: Compute,
    pub transpose_a: bool,
    pub transpose_b: bool,
    pub m: u32,
    pub n: u32,
    pub k: u32,
    pub alpha: i32,
    pub beta: i32,
    /// Largest |a| and |b|.
    pub limit: i32,
    /// Largest |c| before the GEMM, if β is not zero.
    pub limit_c: i32,
    /// All terms along k cancel in pairs, except for this many, so that C stays small for large k.
    pub unpaired: Option<u32>,
}

/// The integers of a case: op(A) as m × k by rows, op(B) as k × n by rows, C as m × n by columns.
pub struct Data {
    pub a: Vec<i8>,
    pub b: Vec<i8>,
    /// Empty if β is zero.
    c: Vec<i16>,
}

/// Padding between columns, in elements: keeps them aligned to 16 bytes, which the fastest kernels require.
const PADDING: usize = 8;
/// Misaligns them.
const ODD_PADDING: usize = 7;
/// Elements before and after C that must not be written.
const GUARD: usize = 64;
/// The marker: less than TF32 can add to 1.
pub const BELOW_TF32: f32 = 1.0 / 4096.0;

fn case(
    input: Storage,
    compute: Compute,
    transpose: &str,
    [m, n, k]: [u32; 3],
    alpha: i32,
    beta: i32,
) -> Case {
    let transpose = transpose.as_bytes();
    Case {
        input,
        output: Storage::F32,
        compute,
        transpose_a: transpose[0] == b't',
        transpose_b: transpose[1] == b't',
        m,
        n,
        k,
        alpha,
        beta,
        limit: 15,
        limit_c: 1000,
        unpaired: None,
    }
}

/// TF32 and BF16 require compute capability 8.0, FP16 arithmetic 5.3.
fn is_supported(case: &Case, capability: (i32, i32)) -> bool {
    let needs = match (case.input, case.compute) {
        (Storage::F32, Compute::Full) => (0, 0),
        (Storage::F16, _) => (5, 3),
        (Storage::Bf16, _) | (_, Compute::Tf32) => (8, 0),
    };
    capability >= needs
}

/// The cases to verify: not square, all transposes, odd sizes, α and β other than 1 and 0.
pub fn verified(capability: (i32, i32)) -> Vec<Case> {
    use Compute::{Full, Tf32};
    use Storage::{Bf16, F16, F32};
    let small = |case: Case, output, limit_c| Case { output, limit: 1, limit_c, ..case };
    let cases = [
        case(F32, Full, "nn", [192, 160, 320], 1, 0),
        case(F32, Full, "tt", [129, 65, 77], -3, 2),
        case(F32, Tf32, "nt", [256, 128, 384], 1, 0),
        case(F32, Tf32, "tn", [136, 200, 96], 2, -1),
        case(F16, Full, "tn", [256, 192, 320], 1, 0),
        case(F16, Full, "nt", [136, 72, 264], -2, 3),
        case(Bf16, Full, "nn", [192, 256, 320], 1, 0),
        case(Bf16, Full, "tt", [72, 136, 264], 3, -2),
        small(case(F16, Full, "nn", [256, 128, 512], 2, -1), F16, 100),
        small(case(Bf16, Full, "nt", [128, 256, 96], 1, 2), Bf16, 30),
    ];
    cases.into_iter().filter(|case| is_supported(case, capability)).collect()
}

/// The cases to time: square, C in the format of the inputs as in frameworks, large enough to fill the device.
pub fn timed(capability: (i32, i32), sms: i32) -> Vec<Case> {
    use Compute::{Full, Tf32};
    use Storage::{Bf16, F16, F32};
    // Eight tiles of 128 x 128 per SM, between 512 and 4096.
    let mut size = 512;
    while size < 4096 && (size / 128) * (size / 128) < 8 * sms.max(1) as u32 {
        size *= 2;
    }
    let formats = [(F32, Full), (F32, Tf32), (F16, Full), (Bf16, Full)];
    let cases = formats.map(|(storage, compute)| Case {
        output: storage,
        limit: 1,
        unpaired: Some(192),
        ..case(storage, compute, "nn", [size; 3], 1, 0)
    });
    cases.into_iter().filter(|case| is_supported(case, capability)).collect()
}

impl Case {
    pub fn name(&self) -> String {
        let input = if self.compute == Compute::Tf32 { "tf32" } else { self.input.name() };
        if self.input == self.output { input.to_owned() } else { format!("{input}/{}", self.output.name()) }
    }

    /// Whether A contains the marker. Timed cases do not need it.
    pub fn marked(&self) -> bool {
        self.compute == Compute::Tf32 && self.unpaired.is_none()
    }

    pub fn layout_a(&self) -> Layout {
        operand(self.m, self.k, self.transpose_a, self.padding())
    }

    pub fn layout_b(&self) -> Layout {
        operand(self.k, self.n, self.transpose_b, self.padding())
    }

    pub fn layout_c(&self) -> Layout {
        let (rows, columns) = (self.m as usize, self.n as usize);
        Layout { rows, columns, ld: rows + self.padding(), first: GUARD }
    }

    /// Timed matrices are packed, as in frameworks.
    fn padding(&self) -> usize {
        match (self.unpaired, self.beta) {
            (Some(_), _) => 0,
            (None, 0) => PADDING,
            (None, _) => ODD_PADDING,
        }
    }

    pub fn data(&self) -> Data {
        let mut random = Random(0xC0DA_C4EC);
        let (m, n, k) = (self.m as usize, self.n as usize, self.k as usize);
        let Some(unpaired) = self.unpaired else {
            let mut draw = |count, limit| (0..count).map(|_| random.small(limit)).collect::<Vec<_>>();
            let narrow = |values: Vec<i32>| values.into_iter().map(|value| value as i8).collect::<Vec<_>>();
            let mut a = narrow(draw(m * k, self.limit));
            let b = narrow(draw(k * n, self.limit));
            let c = if self.beta == 0 { Vec::new() } else { draw(m * n, self.limit_c) };
            if self.marked() {
                a[0] = 1;
            }
            return Data { a, b, c: c.into_iter().map(|value| value as i16).collect() };
        };
        // Plus or minus one at random. Columns of A come in equal pairs and rows of B in opposite pairs, except
        // for the last `unpaired`, so that |C| is at most that number.
        let mut sign =
            |count| (0..count).map(|_| if random.next() & 1 == 0 { 1 } else { -1 }).collect::<Vec<i8>>();
        let (mut a, mut b) = (sign(m * k), sign(k * n));
        let paired = k - (unpaired as usize).min(k);
        for row in a.chunks_exact_mut(k) {
            for pair in row[..paired].chunks_exact_mut(2) {
                pair[1] = pair[0];
            }
        }
        for pair in b[..paired * n].chunks_exact_mut(2 * n) {
            let (even, odd) = pair.split_at_mut(n);
            for (even, odd) in even.iter().zip(odd) {
                *odd = -*even;
            }
        }
        Data { a, b, c: Vec::new() }
    }
}

fn operand(rows: u32, columns: u32, transposed: bool, padding: usize) -> Layout {
    let (rows, columns) = if transposed { (columns, rows) } else { (rows, columns) };
    Layout { rows: rows as usize, columns: columns as usize, ld: rows as usize + padding, first: 0 }
}

impl Data {
    /// Elements of C before the GEMM, by columns.
    pub fn c(&self, place: usize) -> i64 {
        self.c.get(place).copied().map_or(0, i64::from)
    }

    pub fn encode_a(&self, case: &Case) -> Vec<u8> {
        let k = case.k as usize;
        encode(case.input, case.layout_a(), |row, column| {
            let (row, column) = if case.transpose_a { (column, row) } else { (row, column) };
            let marker = if case.marked() && (row, column) == (0, 0) { BELOW_TF32 } else { 0.0 };
            f32::from(self.a[row * k + column]) + marker
        })
    }

    pub fn encode_b(&self, case: &Case) -> Vec<u8> {
        let n = case.n as usize;
        encode(case.input, case.layout_b(), |row, column| {
            let (row, column) = if case.transpose_b { (column, row) } else { (row, column) };
            f32::from(self.b[row * n + column])
        })
    }

    /// With β = 0, cuBLAS must not read C, so it is filled with NaN.
    pub fn encode_c(&self, case: &Case) -> Vec<u8> {
        let m = case.m as usize;
        encode(case.output, case.layout_c(), |row, column| match case.beta {
            0 => f32::NAN,
            _ => self.c(column * m + row) as f32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_and_partial_sum_is_exact() {
        for case in verified((9, 0)).iter().chain(&timed((9, 0), 132)) {
            let terms = i64::from(case.k) * i64::from(case.limit) * i64::from(case.limit);
            assert!(terms < Storage::F32.exact_below(), "{case:?} in the accumulator");
            // A part of a split sum has at most one incomplete pair at each end.
            let sum = case.unpaired.map_or(terms, |unpaired| i64::from(unpaired) + 32);
            let c = if case.beta == 0 { 0 } else { i64::from(case.limit_c) };
            let worst = i64::from(case.alpha.abs()) * sum + i64::from(case.beta.abs()) * c;
            assert!(worst < case.output.exact_below(), "{case:?}: {worst}");
        }
    }

    #[test]
    fn the_cases_cover_formats_transposes_and_scalars() {
        let cases = verified((9, 0));
        for format in ["f32", "tf32", "f16/f32", "bf16/f32", "f16", "bf16"] {
            assert!(cases.iter().any(|case| case.name() == format), "{format}");
        }
        assert!(cases.iter().all(|case| case.m != case.n && case.n != case.k));
        for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
            assert!(cases.iter().any(|case| (case.transpose_a, case.transpose_b) == (a, b)));
        }
        assert!(cases.iter().any(|case| case.beta != 0) && cases.iter().any(|case| case.beta == 0));
        assert!(
            verified((7, 5)).iter().all(|case| case.input != Storage::Bf16 && case.compute == Compute::Full)
        );
        assert_eq!(timed((9, 0), 132)[0].m, 4096);
        assert_eq!(timed((9, 0), 2)[0].m, 512);
    }

    #[test]
    fn tf32_drops_the_marker() {
        let marked = 1.0 + BELOW_TF32;
        assert_ne!(marked, 1.0);
        assert_eq!(f32::from_bits(marked.to_bits() & !0x1FFF), 1.0);
    }
}
