//! Matrices in device memory, column by column, and their product.

use std::ffi::c_int;
use std::ops::{AddAssign, Mul};

use crate::common::driver;
use crate::float::Element;
use crate::status;

#[derive(Clone, Copy)]
pub struct Shape {
    pub rows: usize,
    pub columns: usize,
    /// Elements from one column to the next.
    pub stride: usize,
}

impl Shape {
    /// A matrix in memory; `stride` must be at least the length of a column.
    pub fn new(rows: usize, columns: usize, stride: c_int) -> Result<Self, c_int> {
        match usize::try_from(stride) {
            Ok(stride) if stride >= rows.max(1) => Ok(Self { rows, columns, stride }),
            _ => Err(status::INVALID_VALUE),
        }
    }

    fn elements(self) -> usize {
        match self.rows * self.columns {
            0 => 0,
            _ => (self.columns - 1) * self.stride + self.rows,
        }
    }

    /// The matrix's elements; padding between the columns belongs to the slice.
    fn check<E>(self, at: usize) -> Result<usize, c_int> {
        let count = self.elements();
        if count > 0 && (!at.is_multiple_of(align_of::<E>()) || !driver::owns(at, count * size_of::<E>())) {
            return Err(status::EXECUTION_FAILED);
        }
        Ok(count)
    }
}

/// Reads a matrix, transposed or not, into columns without padding.
pub fn read<E: Element<T>, T: Copy>(
    at: usize,
    shape: Shape,
    transposed: bool,
    convert: impl Fn(T) -> T,
) -> Result<Vec<T>, c_int> {
    let count = shape.check::<E>(at)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let element = |index: usize| {
        // SAFETY: the allocation holds `count` elements, and `index` is below.
        let element = unsafe { (at as *const E).add(index).read() };
        convert(element.load())
    };
    let Shape { rows, columns, stride } = shape;
    Ok(match transposed {
        false => (0..columns)
            .flat_map(|column| (0..rows).map(move |row| column * stride + row))
            .map(element)
            .collect(),
        true => (0..rows)
            .flat_map(|row| (0..columns).map(move |column| column * stride + row))
            .map(element)
            .collect(),
    })
}

/// Replaces each element of a matrix: `f` has its index, counted without padding, and its value,
/// which is read only when asked for.
pub fn update<E: Element<T>, T>(
    at: usize,
    shape: Shape,
    f: impl Fn(usize, &dyn Fn() -> T) -> T,
) -> Result<(), c_int> {
    shape.check::<E>(at)?;
    for column in 0..shape.columns {
        for row in 0..shape.rows {
            let index = column * shape.rows + row;
            // SAFETY: as in `read`.
            let place = unsafe { (at as *mut E).add(column * shape.stride + row) };
            // SAFETY: as in `read`.
            let value = f(index, &|| unsafe { place.read() }.load());
            // SAFETY: as in `read`.
            unsafe { place.write(E::store(value)) };
        }
    }
    Ok(())
}

/// The product of an m by k and a k by n matrix. Four columns at a time: each column of `a` that
/// is fetched serves four sums.
pub fn product<T>(a: &[T], b: &[T], m: usize, n: usize, k: usize) -> Vec<T>
where
    T: Copy + Default + Mul<Output = T> + AddAssign,
{
    let mut c = vec![T::default(); m * n];
    if m == 0 || k == 0 {
        return c;
    }
    let mut quads = c.chunks_exact_mut(4 * m);
    let mut column = 0;
    for quad in &mut quads {
        let (c0, rest) = quad.split_at_mut(m);
        let (c1, rest) = rest.split_at_mut(m);
        let (c2, c3) = rest.split_at_mut(m);
        for (step, a) in a.chunks_exact(m).enumerate() {
            let [b0, b1, b2, b3] = [0, 1, 2, 3].map(|next| b[(column + next) * k + step]);
            for row in 0..m {
                c0[row] += a[row] * b0;
                c1[row] += a[row] * b1;
                c2[row] += a[row] * b2;
                c3[row] += a[row] * b3;
            }
        }
        column += 4;
    }
    for c in quads.into_remainder().chunks_exact_mut(m) {
        for (step, a) in a.chunks_exact(m).enumerate() {
            let b = b[column * k + step];
            c.iter_mut().zip(a).for_each(|(c, a)| *c += *a * b);
        }
        column += 1;
    }
    c
}
