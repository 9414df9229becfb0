//! Global and shared memory of a running grid: every access is checked for alignment and bounds.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::Fault;
use super::inst::{Atomic, Space, Type};

/// Initial content of shared memory, which no test can expect.
const GARBAGE: u64 = 0xBAD0_BAD1_BAD2_BAD3;

pub struct Memory<'a> {
    /// Live allocations, first byte and length, in order.
    regions: &'a [(usize, usize)],
    shared: Vec<u64>,
    shared_bytes: usize,
}

impl<'a> Memory<'a> {
    pub fn new(regions: &'a [(usize, usize)], shared_bytes: usize) -> Self {
        Self { regions, shared: vec![GARBAGE; shared_bytes.div_ceil(8)], shared_bytes }
    }

    /// For the next block.
    pub fn forget_shared(&mut self) {
        self.shared.fill(GARBAGE);
    }

    pub fn load(&mut self, space: Space, at: u64, kind: Type) -> Result<u64, Fault> {
        let from = self.locate(space, at, kind)?;
        // SAFETY: `locate` checked bounds and alignment.
        Ok(unsafe {
            match kind.wide {
                true => from.cast::<u64>().read(),
                false => from.cast::<u32>().read().into(),
            }
        })
    }

    pub fn store(&mut self, space: Space, at: u64, kind: Type, value: u64) -> Result<(), Fault> {
        let to = self.locate(space, at, kind)?;
        // SAFETY: `locate` checked bounds and alignment.
        unsafe {
            match kind.wide {
                true => to.cast::<u64>().write(value),
                false => to.cast::<u32>().write(value as u32),
            }
        }
        Ok(())
    }

    /// The value before the operation. Kernels from two threads may use the same allocation, so these are the
    /// CPU's atomic operations.
    pub fn atomic(
        &mut self,
        space: Space,
        at: u64,
        kind: Type,
        op: Atomic,
        value: u64,
    ) -> Result<u64, Fault> {
        let place = self.locate(space, at, kind)?;
        let update = |old: u64| match op {
            Atomic::Add => old.wrapping_add(value) & kind.mask(),
            Atomic::And => old & value,
            Atomic::Or => old | value,
            Atomic::Xor => old ^ value,
            Atomic::Exchange => value,
            Atomic::Min if kind.less(value, old) => value,
            Atomic::Max if kind.less(old, value) => value,
            Atomic::Min | Atomic::Max => old,
        };
        let old = if kind.wide {
            // SAFETY: `locate` checked bounds and alignment.
            let cell = unsafe { AtomicU64::from_ptr(place.cast()) };
            cell.fetch_update(Relaxed, Relaxed, |old| Some(update(old)))
        } else {
            // SAFETY: as above.
            let cell = unsafe { AtomicU32::from_ptr(place.cast()) };
            cell.fetch_update(Relaxed, Relaxed, |old| Some(update(old.into()) as u32))
                .map(u64::from)
                .map_err(u64::from)
        };
        Ok(old.unwrap_or_else(|old| old))
    }

    fn locate(&mut self, space: Space, at: u64, kind: Type) -> Result<*mut u8, Fault> {
        let bytes = kind.bytes();
        let at = at as usize;
        if !at.is_multiple_of(bytes) {
            return Err(Fault::Misaligned);
        }
        match space {
            Space::Shared => {
                if at.checked_add(bytes).is_none_or(|end| end > self.shared_bytes) {
                    return Err(Fault::IllegalAddress);
                }
                // SAFETY: the offset lies within the vector.
                Ok(unsafe { self.shared.as_mut_ptr().cast::<u8>().add(at) })
            }
            Space::Global => {
                let behind = self.regions.partition_point(|(start, _)| *start <= at);
                match self.regions[..behind].last() {
                    Some((start, length)) if at - start + bytes <= *length => Ok(at as *mut u8),
                    _ => Err(Fault::IllegalAddress),
                }
            }
        }
    }
}
