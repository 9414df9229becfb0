//! How many threads read an image.

/// Number of threads to read with: one per available processor, at most four.
pub fn workers() -> usize {
    rustix::thread::sched_getaffinity(None).map_or(1, |cores| cores.count() as usize).clamp(1, 4)
}
