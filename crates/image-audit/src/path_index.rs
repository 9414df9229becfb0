//! An index over a table of paths, built at compile time: which paths may end in a file name.
//!
//! It only rules out; hits are compared in full. A tree may have a million names of which almost none match.

/// Rows of a table, by the first letter and the length of their last component.
pub struct Index {
    letters: [u128; 256],
    lengths: [u128; LONGEST],
}

const LONGEST: usize = 48;

impl Index {
    pub const EMPTY: Index = Index { letters: [0; 256], lengths: [0; LONGEST] };

    /// Adds the row of a path. The path must have a slash followed by a name.
    pub const fn with(mut self, path: &str, row: usize) -> Index {
        let bytes = path.as_bytes();
        let mut start = bytes.len();
        while bytes[start - 1] != b'/' {
            start -= 1;
        }
        self.letters[bytes[start] as usize] |= 1 << row;
        self.lengths[bytes.len() - start] |= 1 << row;
        self
    }

    /// Rows that may end in a name, in the order of the table.
    pub fn rows(&self, name: &[u8]) -> Rows {
        match name.first() {
            Some(first) if name.len() < LONGEST => {
                Rows(self.letters[usize::from(*first)] & self.lengths[name.len()])
            }
            _ => Rows(0),
        }
    }
}

/// An iterator over rows.
pub struct Rows(u128);

impl Iterator for Rows {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let row = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_similar_names() {
        let index = Index::EMPTY.with("/a/bc", 0).with("/bd", 3).with("/b", 127);
        let rows = |name: &str| index.rows(name.as_bytes()).collect::<Vec<_>>();
        assert_eq!(rows("bc"), [0, 3]);
        assert_eq!(rows("b"), [127]);
        assert_eq!(rows("cb"), [] as [usize; 0]);
        assert_eq!(rows(""), [] as [usize; 0]);
        assert_eq!(rows(&"b".repeat(1000)), [] as [usize; 0]);
    }
}
