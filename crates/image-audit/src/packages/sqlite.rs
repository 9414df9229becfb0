//! Reads the rows of one table of a SQLite 3 database file.
//!
//! It supports ordinary tables of UTF-8 databases. Values are returned as stored: an INTEGER PRIMARY KEY is
//! Null, and columns that were added after a row was written are missing. A write-ahead log or journal is
//! ignored. Each page is used once and no row is larger than the file, so time and memory are bounded by the
//! size of the file.

use std::borrow::Cow;

use anyhow::{Context, Result, bail, ensure};

/// The value of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
}

type Visit<'a> = &'a mut dyn FnMut(&[Value]) -> Result<()>;

/// Calls `row` with the columns of each row of a table, in order, until it fails.
pub fn for_each_row(database: &[u8], table: &str, mut row: impl FnMut(&[Value]) -> Result<()>) -> Result<()> {
    let mut pages = Pages::new(database)?;
    let root = pages.root(table)?;
    pages.walk(root, 0, &mut row).with_context(|| format!("table {table}"))
}

/// Size of the file header, at the start of the first page.
const HEADER: usize = 100;
/// The limit of SQLite itself.
const DEEPEST: usize = 20;
/// The limit of SQLite itself.
const MOST_COLUMNS: usize = 32767;
const INTERIOR: u8 = 0x05;
const LEAF: u8 = 0x0d;

struct Pages<'a> {
    bytes: &'a [u8],
    size: usize,
    /// The part of a page that is not reserved for extensions.
    usable: usize,
    seen: Vec<bool>,
}

impl<'a> Pages<'a> {
    fn new(bytes: &'a [u8]) -> Result<Pages<'a>> {
        let header = bytes.get(..HEADER).filter(|header| header.starts_with(b"SQLite format 3\0"));
        let header = header.context("not a SQLite database")?;
        let size = unsigned::<2>(header, 16)?;
        let size = if size == 1 { 65536 } else { size };
        ensure!(size.is_power_of_two() && size >= 512, "invalid page size {size}");
        // 2 means that there may be a write-ahead log; the pages are the same.
        ensure!(matches!(header[19], 1 | 2), "unknown format version {}", header[19]);
        let usable = size - usize::from(header[20]);
        ensure!(usable >= 480, "{usable} usable bytes per page are too few");
        // 0 in a database without tables.
        ensure!(unsigned::<4>(header, 56)? <= 1, "the database is not UTF-8");
        Ok(Pages { bytes, size, usable, seen: vec![false; bytes.len() / size] })
    }

    /// The first page of a table, according to the schema table.
    fn root(&mut self, table: &str) -> Result<usize> {
        let mut root = None;
        let mut row = |columns: &[Value]| {
            if let [Value::Text("table"), Value::Text(name), _, Value::Integer(page), ..] = columns
                && name.eq_ignore_ascii_case(table)
            {
                root = usize::try_from(*page).ok();
            }
            Ok(())
        };
        self.walk(1, 0, &mut row).context("schema table")?;
        root.with_context(|| format!("no table {table}"))
    }

    /// Takes a page; each can be used once.
    fn take(&mut self, number: usize) -> Result<&'a [u8]> {
        let (index, pages) = (number.wrapping_sub(1), self.seen.len());
        let seen =
            self.seen.get_mut(index).with_context(|| format!("page {number} of {pages} does not exist"))?;
        ensure!(!std::mem::replace(seen, true), "page {number} is used twice");
        Ok(&self.bytes[index * self.size..][..self.usable])
    }

    /// Visits the rows of a page and of those below it.
    fn walk(&mut self, number: usize, depth: usize, row: Visit) -> Result<()> {
        ensure!(depth < DEEPEST, "more than {DEEPEST} levels of pages");
        let page = self.take(number)?;
        let header = if number == 1 { HEADER } else { 0 };
        let count = unsigned::<2>(page, header + 3)?;
        match page[header] {
            INTERIOR => {
                for index in 0..=count {
                    let next = child(page, header, index, count).with_context(|| format!("page {number}"))?;
                    self.walk(next, depth + 1, row)?;
                }
                Ok(())
            }
            LEAF => self.leaf(page, header, count, row).with_context(|| format!("page {number}")),
            kind => bail!("page {number} has kind {kind:#04x}, which is not part of a table"),
        }
    }

    fn leaf(&mut self, page: &'a [u8], header: usize, count: usize, row: Visit) -> Result<()> {
        let cells = header + 8;
        let mut room = page.len().checked_sub(cells + 2 * count).context("too many rows")?;
        for index in 0..count {
            let start = unsigned::<2>(page, cells + 2 * index)?;
            let mut rest = page.get(start..).context("a row starts beyond the page")?;
            let length = varint(&mut rest)?;
            let _number = varint(&mut rest)?;
            let payload = self.payload(&mut rest, length)?;
            // Otherwise one page could contain the same row thousands of times.
            room = room.checked_sub(page.len() - start - rest.len()).context("rows overlap")?;
            row(&record(&payload)?)?;
        }
        Ok(())
    }

    /// The bytes of a row, from its leaf and its overflow pages.
    fn payload(&mut self, cell: &mut &'a [u8], length: u64) -> Result<Cow<'a, [u8]>> {
        let fits = usize::try_from(length).ok().filter(|length| *length <= self.bytes.len());
        let length = fits.with_context(|| format!("a row of {length} bytes is larger than the file"))?;
        let local = cell.split_off(..self.local(length)).context("a row extends beyond its page")?;
        if local.len() == length {
            return Ok(Cow::Borrowed(local));
        }
        let link = cell.split_off(..4).context("a row extends beyond its page")?;
        let mut next = unsigned::<4>(link, 0)?;
        let mut payload = local.to_vec();
        while payload.len() < length {
            let page = self.take(next)?;
            next = unsigned::<4>(page, 0)?;
            let wanted = (length - payload.len()).min(page.len() - 4);
            payload.extend_from_slice(&page[4..4 + wanted]);
        }
        Ok(Cow::Owned(payload))
    }

    /// How many bytes of a row are in its leaf: all, or as many as make the last overflow page full.
    fn local(&self, length: usize) -> usize {
        let most = self.usable - 35;
        if length <= most {
            return length;
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let full = least + (length - least) % (self.usable - 4);
        if full <= most { full } else { least }
    }
}

/// A child of an interior page; the last one is in the header of the page.
fn child(page: &[u8], header: usize, index: usize, count: usize) -> Result<usize> {
    let cell = if index < count { unsigned::<2>(page, header + 12 + 2 * index)? } else { header + 8 };
    unsigned::<4>(page, cell)
}

/// The columns of a row: a header with their types, then their values.
fn record(payload: &[u8]) -> Result<Vec<Value<'_>>> {
    let mut body = payload;
    let size = varint(&mut body)?;
    let types = size.checked_sub((payload.len() - body.len()) as u64);
    let types = types.and_then(|length| cut(&mut body, length));
    let mut types = types.context("the header of a row extends beyond the row")?;
    let mut columns = Vec::new();
    while !types.is_empty() {
        ensure!(columns.len() < MOST_COLUMNS, "a row has more than {MOST_COLUMNS} columns");
        columns.push(value(varint(&mut types)?, &mut body)?);
    }
    Ok(columns)
}

fn value<'a>(kind: u64, body: &mut &'a [u8]) -> Result<Value<'a>> {
    let length = match kind {
        0 | 8 | 9 => 0,
        1..=4 => kind,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => bail!("unknown column type {kind}"),
        _ => (kind - 12) / 2,
    };
    let bytes = cut(body, length).with_context(|| format!("a column of {length} bytes is truncated"))?;
    Ok(match kind {
        0 => Value::Null,
        1..=6 => Value::Integer(signed(bytes)),
        7 => Value::Real(f64::from_bits(signed(bytes).cast_unsigned())),
        8 => Value::Integer(0),
        9 => Value::Integer(1),
        _ if kind.is_multiple_of(2) => Value::Blob(bytes),
        _ => Value::Text(str::from_utf8(bytes).context("a text is not UTF-8")?),
    })
}

fn cut<'a>(bytes: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    bytes.split_off(..usize::try_from(length).ok()?)
}

/// A big-endian number of up to 8 bytes.
fn signed(bytes: &[u8]) -> i64 {
    let first = bytes.first().map_or(0, |byte| i64::from(byte.cast_signed() >> 7));
    bytes.iter().fold(first, |number, byte| number << 8 | i64::from(*byte))
}

/// An unsigned number of N bytes, 4 at most.
fn unsigned<const N: usize>(bytes: &[u8], at: usize) -> Result<usize> {
    let bytes = bytes.get(at..).and_then(|bytes| bytes.first_chunk::<N>());
    let bytes = bytes.context("a number is beyond its page")?;
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

/// Seven bits per byte, highest first; a ninth byte has eight.
fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut number = 0;
    for _ in 0..8 {
        let byte = *bytes.split_off_first().context("a number is truncated")?;
        number = number << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Ok(number << 8 | u64::from(*bytes.split_off_first().context("a number is truncated")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by SQLite, in pages of 512 bytes.
    const THINGS: &[u8] = include_bytes!("samples/things.sqlite");

    #[test]
    fn rows_are_as_written() {
        let bounds = [7, 15, 23, 31, 47, 63].map(|bits| i64::MAX >> (63 - bits));
        let mut numbers = vec![0, 1, -1];
        numbers.extend(bounds.iter().flat_map(|bound| [*bound, !bound]));
        let mut row = 0u8;
        let check = |columns: &[Value]| {
            let (text, blob) = ("é".repeat(row.into()), vec![row; 30 * usize::from(row)]);
            let text = if row % 5 == 4 { Value::Null } else { Value::Text(&text) };
            let number = Value::Integer(numbers[usize::from(row) % numbers.len()]);
            let want = [Value::Null, number, Value::Real(f64::from(row) / 4.0), text, Value::Blob(&blob)];
            assert_eq!(columns, want, "row {row}");
            row += 1;
            Ok(())
        };
        for_each_row(THINGS, "Things", check).unwrap();
        assert_eq!(row, 30);
    }

    #[test]
    fn damage_is_reported() {
        // Page 2 is the root, and page 4 its first leaf.
        let (root, leaf) = (512, 3 * 512);
        let deep: Vec<u8> = (3..37).flat_map(|to| [&[5][..], &[0; 10], &[to], &[0; 500]].concat()).collect();
        let cases: [(usize, &[u8], &str); 18] = [
            (0, b"s", "not a SQLite database"),
            (16, &[0, 3], "invalid page size 3"),
            (19, &[3], "unknown format version 3"),
            (20, &[255], "257 usable bytes per page are too few"),
            (59, &[2], "the database is not UTF-8"),
            (100, &[0x0d, 0, 0, 0, 0], "no table things"),
            (root, &deep, "more than 20 levels of pages"),
            (root, &[0x0a], "page 2 has kind 0x0a, which is not part of a table"),
            (root + 12, &[255, 255], "page 2: a number is beyond its page"),
            (root + 8, &[0, 0, 0, 2], "page 2 is used twice"),
            (root + 8, &[0; 4], "page 0 of 36 does not exist"),
            (root + 8, &[255; 4], "page 4294967295 of 36 does not exist"),
            (leaf + 3, &[255, 255], "page 4: too many rows"),
            (leaf + 8, &[0, 113, 0, 113, 0, 113, 0, 113], "page 4: rows overlap"),
            (leaf + 496, &[255; 9], "page 4: a row of 18446744073709551615 bytes is larger than the file"),
            (leaf + 496, &[0x7f], "page 4: a row extends beyond its page"),
            (leaf + 498, &[0x7f], "page 4: the header of a row extends beyond the row"),
            (leaf + 500, &[10], "page 4: unknown column type 10"),
        ];
        for (at, bytes, want) in cases {
            let mut database = THINGS.to_vec();
            database[at..at + bytes.len()].copy_from_slice(bytes);
            let error = format!("{:#}", for_each_row(&database, "things", |_| Ok(())).unwrap_err());
            assert!(error.ends_with(want), "{error:?} is not {want:?}");
        }
    }

    #[test]
    fn truncated_databases_are_errors() {
        for length in 0..THINGS.len() {
            let read = for_each_row(&THINGS[..length], "things", |_| Ok(()));
            assert!(read.is_err(), "the first {length} bytes");
        }
    }
}
