//! Compares C with the known result: every element, without tolerance.
//!
//! Every element must be an integer below 2^24, and guards and padding must be untouched. Then Freivalds'
//! test: for a random vector r of 64-bit numbers, C·r must equal α·op(A)·(op(B)·r) + β·C₀·r, row by row,
//! in wrapping arithmetic. A wrong row is off by integers d with |d| < 2^26, at least one of which is not
//! zero and is divisible by at most 2^25. The test misses it with a probability of at most 2^-39, and
//! takes O(n²) rather than O(n³). Rows that fail are then computed in full.
//!
//! −0 equals 0: the sign of a sum of zeros depends on its order.

use std::hash::{BuildHasher, RandomState};

use super::case::{BELOW_TF32, Case, Data};
use super::matrix::Random;
use protocol::GemmVerdict;

/// All elements of a correct result are smaller; see the bounds in `case.rs`.
const LARGEST: f32 = (1 << 24) as f32;

/// Failed rows that are computed in full. If more fail, the number of wrong elements is a lower bound.
const EXAMINED: usize = 8;

pub fn judge(case: &Case, data: &Data, bytes: &[u8]) -> GemmVerdict {
    let layout = case.layout_c();
    let (m, n) = (layout.rows, layout.columns);
    let mut c = vec![0f32; m * n];
    for (element, bytes) in bytes.chunks_exact(case.output.bytes()).enumerate() {
        let value = case.output.read(bytes);
        match layout.place(element) {
            Some((row, column)) => c[column * m + row] = value,
            None if value.is_nan() => {}
            None => {
                let at = if element < layout.first || element >= layout.elements() - layout.first {
                    "the guard around the matrix"
                } else {
                    "the padding below a column"
                };
                return GemmVerdict::Overrun { at: at.to_owned() };
            }
        }
    }
    let random = Random(RandomState::new().hash_one(0));
    let failed = failed_rows(case, data, &c, random);
    if failed.is_empty() {
        return GemmVerdict::Exact;
    }
    if case.marked() && failed == [0] && only_marker(case, data, &c) {
        return GemmVerdict::NotTf32;
    }
    let (mut elements, mut first) = (0, None);
    for row in failed.iter().take(EXAMINED) {
        for (column, want) in expected(case, data, *row).into_iter().enumerate() {
            let got = c[column * m + row];
            // True for NaN as well.
            if got != want as f32 {
                elements += 1;
                first.get_or_insert_with(|| format!("C[{row}, {column}] = {got}, not {want}"));
            }
        }
    }
    GemmVerdict::Wrong { elements, first: first.unwrap_or_default() }
}

/// Freivalds' test: the rows of C that are wrong.
fn failed_rows(case: &Case, data: &Data, c: &[f32], mut random: Random) -> Vec<usize> {
    let (m, n, k) = (case.m as usize, case.n as usize, case.k as usize);
    let r: Vec<u64> = (0..n).map(|_| random.next()).collect();
    let wrap = |value: i64| value as u64;
    let dot = |row: &[i8], vector: &[u64]| {
        row.iter()
            .zip(vector)
            .fold(0u64, |sum, (x, y)| sum.wrapping_add(wrap(i64::from(*x)).wrapping_mul(*y)))
    };
    let br: Vec<u64> = (0..k).map(|row| dot(&data.b[row * n..(row + 1) * n], &r)).collect();
    let mut integral = vec![true; m];
    let mut left = vec![0u64; m];
    let mut c0r = vec![0u64; m];
    for (column, r) in r.iter().enumerate() {
        for row in 0..m {
            let value = c[column * m + row];
            // False for NaN and infinity. Values that are too large would weaken the test.
            integral[row] &= value.fract() == 0.0 && value.abs() < LARGEST;
            left[row] = left[row].wrapping_add(wrap(value as i64).wrapping_mul(*r));
            c0r[row] = c0r[row].wrapping_add(wrap(data.c(column * m + row)).wrapping_mul(*r));
        }
    }
    let scale = |factor: i32, value: u64| wrap(i64::from(factor)).wrapping_mul(value);
    let right = |row: usize| {
        scale(case.alpha, dot(&data.a[row * k..(row + 1) * k], &br)).wrapping_add(scale(case.beta, c0r[row]))
    };
    (0..m).filter(|row| !integral[*row] || left[*row] != right(*row)).collect()
}

/// One row of the correct result.
fn expected(case: &Case, data: &Data, row: usize) -> Vec<i64> {
    let (m, n, k) = (case.m as usize, case.n as usize, case.k as usize);
    let mut sums = vec![0i64; n];
    for (place, a) in data.a[row * k..(row + 1) * k].iter().enumerate() {
        for (sum, b) in sums.iter_mut().zip(&data.b[place * n..(place + 1) * n]) {
            *sum += i64::from(*a) * i64::from(*b);
        }
    }
    let c0 = |column: usize| data.c(column * m + row);
    sums.iter()
        .enumerate()
        .map(|(j, sum)| i64::from(case.alpha) * sum + i64::from(case.beta) * c0(j))
        .collect()
}

/// Whether the first row is off by the marker, up to the rounding of sums that are no longer integers:
/// the inputs were not rounded to TF32.
fn only_marker(case: &Case, data: &Data, c: &[f32]) -> bool {
    let m = case.m as usize;
    expected(case, data, 0).into_iter().enumerate().all(|(column, want)| {
        let added = f64::from(case.alpha) * f64::from(data.b[column]) * f64::from(BELOW_TF32);
        (f64::from(c[column * m]) - want as f64 - added).abs() < 1.0 / 128.0
    })
}

#[cfg(test)]
mod tests {
    use super::super::case::{Compute, verified};
    use super::super::matrix::encode;
    use super::*;

    /// C's buffer with the correct result, except for `change`.
    fn product(case: &Case, data: &Data, change: impl Fn(usize, usize, f32) -> f32) -> Vec<u8> {
        let rows: Vec<Vec<i64>> = (0..case.m as usize).map(|row| expected(case, data, row)).collect();
        encode(case.output, case.layout_c(), |row, column| change(row, column, rows[row][column] as f32))
    }

    fn judge_all(change: impl Fn(usize, usize, f32) -> f32) -> Vec<GemmVerdict> {
        let judge_one = |case: &Case| {
            let data = case.data();
            judge(case, &data, &product(case, &data, &change))
        };
        verified((9, 0)).iter().map(judge_one).collect()
    }

    #[test]
    fn a_correct_result_is_exact_and_minus_zero_is_zero() {
        assert!(judge_all(|_, _, value| value).iter().all(|verdict| *verdict == GemmVerdict::Exact));
        let negative = judge_all(|_, _, value| if value == 0.0 { -0.0 } else { value });
        assert!(negative.iter().all(|verdict| *verdict == GemmVerdict::Exact));
    }

    #[test]
    fn one_wrong_element_is_found_and_named() {
        let wrong = [1.0, -2.0, f32::NAN, f32::INFINITY, 2f32.powi(62), -2f32.powi(100)];
        for error in wrong {
            for verdict in
                judge_all(|row, column, value| if (row, column) == (5, 7) { value + error } else { value })
            {
                let GemmVerdict::Wrong { elements: 1, first } = verdict else {
                    panic!("{verdict:?} for {error}")
                };
                assert!(first.starts_with("C[5, 7] = "), "{first}");
            }
        }
    }

    #[test]
    fn a_small_error_is_not_tolerated() {
        let case = &verified((9, 0))[0];
        let data = case.data();
        let verdict =
            judge(case, &data, &product(case, &data, |row, _, v| if row == 3 { v + 0.25 } else { v }));
        assert!(matches!(verdict, GemmVerdict::Wrong { elements: 160, .. }), "{verdict:?}");
    }

    #[test]
    fn writing_outside_the_matrix_is_found() {
        let case = &verified((9, 0))[1];
        let data = case.data();
        for (element, name) in [(3, "guard"), (case.layout_c().at(case.m as usize, 2), "padding")] {
            let mut bytes = product(case, &data, |_, _, value| value);
            case.output.write(0.0, &mut bytes[element * 4..element * 4 + 4]);
            let GemmVerdict::Overrun { at } = judge(case, &data, &bytes) else { panic!("not found") };
            assert!(at.contains(name));
        }
    }

    #[test]
    fn inputs_that_were_not_rounded_to_tf32_are_detected() {
        let case = verified((9, 0)).into_iter().find(|case| case.compute == Compute::Tf32).unwrap();
        let data = case.data();
        let full = product(&case, &data, |row, column, value| {
            if row == 0 { value + case.alpha as f32 * f32::from(data.b[column]) * BELOW_TF32 } else { value }
        });
        assert_eq!(judge(&case, &data, &full), GemmVerdict::NotTf32);
    }
}
