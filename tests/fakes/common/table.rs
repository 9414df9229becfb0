//! Objects behind opaque handles; a handle that is not in the table is invalid.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub struct Table<T> {
    rows: Mutex<Rows<T>>,
}

struct Rows<T> {
    next: usize,
    rows: BTreeMap<usize, T>,
}

impl<T: Clone> Table<T> {
    /// `first` keeps the handles of different tables apart.
    pub const fn new(first: usize) -> Self {
        let rows = BTreeMap::new();
        Self { rows: Mutex::new(Rows { next: first, rows }) }
    }

    /// A handle is given out once: a stale one is never mistaken for a new object.
    pub fn insert(&self, row: T) -> usize {
        let mut table = self.lock();
        let handle = table.next;
        table.next += 16;
        table.rows.insert(handle, row);
        handle
    }

    pub fn get(&self, handle: usize) -> Option<T> {
        self.lock().rows.get(&handle).cloned()
    }

    pub fn remove(&self, handle: usize) -> Option<T> {
        self.lock().rows.remove(&handle)
    }

    /// Replaces the object behind a handle; false when the handle is unknown.
    pub fn set(&self, handle: usize, row: T) -> bool {
        let mut table = self.lock();
        let place = table.rows.get_mut(&handle);
        place.map(|place| *place = row).is_some()
    }

    pub fn retain(&self, keep: impl Fn(&T) -> bool) {
        self.lock().rows.retain(|_, row| keep(row));
    }

    pub fn is_empty(&self) -> bool {
        self.lock().rows.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Rows<T>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
