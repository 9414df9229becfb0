//! libcudart: version, device count, and a copy to the device and back.

use std::ffi::{c_char, c_int, c_void};

use crate::ffi::{self, open, static_text, table};
use protocol::{Api, Fault, Runtime};

table! {
    /// The functions of libcudart.
    Cudart, Api::Runtime;
    fn cudaRuntimeGetVersion(version: *mut c_int);
    fn cudaDriverGetVersion(version: *mut c_int);
    fn cudaGetDeviceCount(count: *mut c_int);
    fn cudaSetDevice(device: c_int);
    fn cudaMalloc(pointer: *mut *mut c_void, bytes: usize);
    fn cudaFree(pointer: *mut c_void);
    fn cudaMemcpy(to: *mut c_void, from: *const c_void, bytes: usize, kind: c_int);
}

// cudaMemcpyKind
const HOST_TO_DEVICE: c_int = 1;
const DEVICE_TO_HOST: c_int = 2;

/// Bytes to copy: more than a page of host or device, and not a multiple of one.
const COPIED: usize = (1 << 20) + 12_345;

pub fn load(files: &[String]) -> Result<Cudart, Fault> {
    Cudart::bind(open("libcudart", files, &["libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0"])?)
}

impl Cudart {
    fn fault(&self, call: &str, code: c_int) -> Fault {
        let look_up = |symbol| {
            type Lookup = unsafe extern "C" fn(c_int) -> *const c_char;
            // SAFETY: both functions take the status as a number and return a static string or null.
            unsafe {
                ffi::symbol::<Lookup>(self.library, Api::Runtime, symbol)
                    .ok()
                    .and_then(|text| static_text(text(code)))
            }
        };
        Fault {
            api: Api::Runtime,
            call: call.to_owned(),
            code: Some(code.into()),
            name: look_up("cudaGetErrorName"),
            detail: look_up("cudaGetErrorString").unwrap_or_default(),
        }
    }
}

pub fn verify(cudart: &Cudart, ordinal: u32) -> Result<Runtime, Fault> {
    let sent: Vec<u8> =
        (0..COPIED).map(|place| (place as u32).wrapping_mul(0x9E37_79B9).to_le_bytes()[3]).collect();
    // Every byte starts out wrong, so that one that is not copied shows.
    let mut received: Vec<u8> = sent.iter().map(|byte| !byte).collect();
    let (mut version, mut driver, mut devices) = (0, 0, 0);
    let mut memory = std::ptr::null_mut();
    // SAFETY: out-pointers are valid for their calls; all three buffers have COPIED bytes.
    unsafe {
        cudart.cudaRuntimeGetVersion(&mut version)?;
        cudart.cudaDriverGetVersion(&mut driver)?;
        cudart.cudaGetDeviceCount(&mut devices)?;
        cudart.cudaSetDevice(ordinal as c_int)?;
        cudart.cudaMalloc(&mut memory, COPIED)?;
        cudart.cudaMemcpy(memory, sent.as_ptr().cast(), COPIED, HOST_TO_DEVICE)?;
        cudart.cudaMemcpy(received.as_mut_ptr().cast(), memory, COPIED, DEVICE_TO_HOST)?;
        cudart.cudaFree(memory)?;
    }
    let wrong_at = sent.iter().zip(&received).position(|(sent, received)| sent != received);
    Ok(Runtime { version, driver, devices, copied: COPIED as u64, wrong_at: wrong_at.map(|at| at as u64) })
}
