//! SQLite: rows are not larger than the file.

#![no_main]

use image_audit::fuzzing::{Value, for_each_row};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for table in ["things", "Packages", "sqlite_sequence"] {
        let mut bytes = 0;
        let _ = for_each_row(data, table, |columns| {
            bytes += columns
                .iter()
                .map(|column| match column {
                    Value::Text(text) => text.len(),
                    Value::Blob(blob) => blob.len(),
                    Value::Null | Value::Integer(_) | Value::Real(_) => 0,
                })
                .sum::<usize>();
            Ok(())
        });
        assert!(bytes <= data.len());
    }
});
