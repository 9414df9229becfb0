//! Which GPUs libcuda lists, and in which order: `CUDA_VISIBLE_DEVICES`, read once by `cuInit`.
//!
//! CUDA lists one instance of a GPU in MIG mode: the first, or the one in the variable.

use std::ffi::c_int;
use std::sync::OnceLock;

use crate::common::gpu::Gpu;
use crate::common::nodes;
use crate::error;

/// The GPU or MIG instance of an ordinal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub gpu: Gpu,
    pub instance: Option<u32>,
}

static VISIBLE: OnceLock<Vec<Place>> = OnceLock::new();

/// The work of `cuInit`; only its success opens the rest of the API.
pub fn initialize() -> Result<(), c_int> {
    open_nodes()?;
    let places = choose();
    if places.is_empty() {
        return Err(error::NO_DEVICE);
    }
    VISIBLE.get_or_init(|| places);
    Ok(())
}

/// Without the control node there is no device; without nvidia-uvm the error is unspecific.
fn open_nodes() -> Result<(), c_int> {
    nodes::open("/dev/nvidiactl").map_err(|_| error::NO_DEVICE)?;
    nodes::open("/dev/nvidia-uvm").map_err(|_| error::UNKNOWN)
}

pub fn places() -> Result<&'static [Place], c_int> {
    let visible = VISIBLE.get().ok_or(error::NOT_INITIALIZED)?;
    Ok(visible)
}

pub fn place(ordinal: c_int) -> Result<Place, c_int> {
    let index = usize::try_from(ordinal).map_err(|_| error::INVALID_DEVICE)?;
    places()?.get(index).copied().ok_or(error::INVALID_DEVICE)
}

/// The GPU that a call about this ordinal concerns, for the script: also known before `cuInit`.
pub fn gpu(ordinal: c_int) -> Option<u32> {
    let index = usize::try_from(ordinal).ok()?;
    let place = match VISIBLE.get() {
        Some(places) => places.get(index).copied(),
        None => choose().get(index).copied(),
    };
    place.map(|place| place.gpu.0)
}

fn choose() -> Vec<Place> {
    let Ok(list) = std::env::var("CUDA_VISIBLE_DEVICES") else {
        return Gpu::all().filter(usable).map(first).collect();
    };
    // The first entry that is unknown or repeated ends the list.
    let mut places = Vec::new();
    for word in list.split(',') {
        match find(word.trim()) {
            Some(place) if !places.contains(&place) => places.push(place),
            _ => break,
        }
    }
    places
}

fn find(word: &str) -> Option<Place> {
    if let Ok(ordinal) = word.parse::<u32>() {
        return (ordinal < Gpu::count()).then_some(Gpu(ordinal)).filter(usable).map(first);
    }
    Gpu::all().find_map(|gpu| {
        if gpu.uuid_text(None) == word && usable(&gpu) {
            return Some(first(gpu));
        }
        let instance = (0..gpu.instances()).find(|id| gpu.uuid_text(Some(*id)) == word)?;
        let instance = Some(instance);
        Some(Place { gpu, instance })
    })
}

/// A GPU in MIG mode without instances is not listed.
fn usable(gpu: &Gpu) -> bool {
    gpu.instances() > 0 || !gpu.is("mig_mode")
}

fn first(gpu: Gpu) -> Place {
    let instance = (gpu.instances() > 0).then_some(0);
    Place { gpu, instance }
}
