//! An index over a table of paths, made when the program is compiled: which of them can end in a name.
//!
//! It rules out and proves nothing: what it lets through is compared in full. It exists because a tree
//! has a million names and nearly none matters.

/// By the first letter of a name and by its length, the rows of a table whose last component is like it.
pub struct Index {
    letters: [u128; 256],
    lengths: [u128; LONGEST],
}

const LONGEST: usize = 48;

impl Index {
    pub const EMPTY: Index = Index { letters: [0; 256], lengths: [0; LONGEST] };

    /// With the row of a path that has a slash and a name after it.
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

    /// Rows that may end in a name, in the table's order.
    pub fn rows(&self, name: &[u8]) -> Rows {
        match name.first() {
            Some(first) if name.len() < LONGEST => {
                Rows(self.letters[usize::from(*first)] & self.lengths[name.len()])
            }
            _ => Rows(0),
        }
    }
}

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
    fn rows_are_those_of_like_names() {
        let index = Index::EMPTY.with("/a/bc", 0).with("/bd", 3).with("/b", 127);
        let rows = |name: &str| index.rows(name.as_bytes()).collect::<Vec<_>>();
        assert_eq!(rows("bc"), [0, 3]);
        assert_eq!(rows("b"), [127]);
        assert_eq!(rows("cb"), [] as [usize; 0]);
        assert_eq!(rows(""), [] as [usize; 0]);
        assert_eq!(rows(&"b".repeat(1000)), [] as [usize; 0]);
    }
}
