//! Matrices of small integers in the formats of the device; column-major, as in cuBLAS.

use half::{bf16, f16};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    F32,
    F16,
    Bf16,
}

impl Storage {
    pub const fn bytes(self) -> usize {
        match self {
            Storage::F32 => 4,
            Storage::F16 | Storage::Bf16 => 2,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Storage::F32 => "f32",
            Storage::F16 => "f16",
            Storage::Bf16 => "bf16",
        }
    }

    /// The format represents every integer up to this one exactly.
    #[cfg(test)]
    pub const fn exact_below(self) -> i64 {
        match self {
            Storage::F32 => 1 << 24,
            Storage::F16 => 1 << 11,
            Storage::Bf16 => 1 << 8,
        }
    }

    pub fn write(self, value: f32, out: &mut [u8]) {
        match self {
            Storage::F32 => out.copy_from_slice(&value.to_le_bytes()),
            Storage::F16 => out.copy_from_slice(&f16::from_f32(value).to_le_bytes()),
            Storage::Bf16 => out.copy_from_slice(&bf16::from_f32(value).to_le_bytes()),
        }
    }

    pub fn read(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Storage::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            (Storage::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
            (Storage::Bf16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
            _ => unreachable!("an element has the size of its format"),
        }
    }
}

/// Where the elements of a matrix are in its buffer. All in elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    pub rows: usize,
    pub columns: usize,
    /// Leading dimension: from one column to the next. Elements beyond `rows` are padding.
    pub ld: usize,
    /// Guard elements before the first and after the last.
    pub first: usize,
}

impl Layout {
    pub fn elements(&self) -> usize {
        2 * self.first + self.ld * self.columns
    }

    pub fn at(&self, row: usize, column: usize) -> usize {
        self.first + column * self.ld + row
    }

    /// Row and column of an element; `None` for guards and padding.
    pub fn place(&self, element: usize) -> Option<(usize, usize)> {
        let inside = element.checked_sub(self.first)?;
        let (column, row) = (inside / self.ld, inside % self.ld);
        (column < self.columns && row < self.rows).then_some((row, column))
    }
}

/// Writes a matrix into a buffer of NaN, so that reading guards or padding shows in the result.
pub fn encode(storage: Storage, layout: Layout, value: impl Fn(usize, usize) -> f32) -> Vec<u8> {
    let size = storage.bytes();
    let mut nan = [0u8; 4];
    storage.write(f32::NAN, &mut nan[..size]);
    let mut out = nan[..size].repeat(layout.elements());
    for column in 0..layout.columns {
        for row in 0..layout.rows {
            let at = layout.at(row, column) * size;
            storage.write(value(row, column), &mut out[at..at + size]);
        }
    }
    out
}

/// Pseudo-random numbers.
pub struct Random(pub u64);

impl Random {
    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From -limit to limit.
    pub fn small(&mut self, limit: i32) -> i32 {
        let span = 2 * limit as u64 + 1;
        (self.next() % span) as i32 - limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_integer_below_the_bound_survives_its_format() {
        for storage in [Storage::F32, Storage::F16, Storage::Bf16] {
            let bound = storage.exact_below().min(1 << 12) as i32;
            for value in -bound..=bound {
                let mut bytes = [0; 4];
                storage.write(value as f32, &mut bytes[..storage.bytes()]);
                assert_eq!(storage.read(&bytes[..storage.bytes()]), value as f32, "{storage:?}");
            }
        }
    }

    #[test]
    fn places_are_the_inverse_of_at() {
        let layout = Layout { rows: 3, columns: 4, ld: 5, first: 7 };
        let places: Vec<_> = (0..layout.elements()).filter_map(|e| layout.place(e).map(|p| (e, p))).collect();
        assert_eq!(places.len(), 12);
        assert!(places.iter().all(|(element, (row, column))| layout.at(*row, *column) == *element));
    }
}
