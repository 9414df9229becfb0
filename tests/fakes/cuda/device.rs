//! Initialization, versions, devices and their attributes, and lookup by name.

use std::ffi::{c_char, c_int, c_uint, c_void};

use crate::common::abi::{call, put, put_text, text};
use crate::common::{driver, script};
use crate::error;
use crate::visible::{Place, gpu, initialize, place, places};

#[unsafe(no_mangle)]
pub extern "C" fn cuInit(flags: c_uint) -> c_int {
    call("cuInit", None, || {
        if flags != 0 {
            return Err(error::INVALID_VALUE);
        }
        initialize()
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDriverGetVersion(version: *mut c_int) -> c_int {
    call("cuDriverGetVersion", None, || put(version, script::number(None, "cuda") as c_int))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetCount(count: *mut c_int) -> c_int {
    call("cuDeviceGetCount", None, || put(count, places()?.len() as c_int))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> c_int {
    on("cuDeviceGet", ordinal, |_| put(device, ordinal))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetName(name: *mut c_char, room: c_int, device: c_int) -> c_int {
    on("cuDeviceGetName", device, |place| {
        let mut full = place.gpu.text("name").to_string();
        if place.instance.is_some() {
            full += " MIG 1g.10gb";
        }
        put_text(name, room.max(0) as usize, &full).map(|_| ())
    })
}

/// The older call does not support MIG: it returns the UUID of the GPU.
#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetUuid(uuid: *mut [u8; 16], device: c_int) -> c_int {
    on("cuDeviceGetUuid", device, |place| put(uuid, place.gpu.uuid(None)))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetUuid_v2(uuid: *mut [u8; 16], device: c_int) -> c_int {
    on("cuDeviceGetUuid_v2", device, |place| put(uuid, place.gpu.uuid(place.instance)))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetPCIBusId(id: *mut c_char, room: c_int, device: c_int) -> c_int {
    on("cuDeviceGetPCIBusId", device, |place| {
        match put_text(id, room.max(0) as usize, &place.gpu.bus_id(4))? {
            true => Ok(()),
            false => Err(error::INVALID_VALUE),
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) -> c_int {
    on("cuDeviceTotalMem_v2", device, |place| put(bytes, place.gpu.total_bytes() as usize))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, device: c_int) -> c_int {
    on("cuDeviceGetAttribute", device, |place| put(value, attribute_of(place, attribute)))
}

fn attribute_of(place: Place, attribute: c_int) -> c_int {
    let gpu = place.gpu;
    match attribute {
        1..=3 => 1024,    // threads in a block; block x and y
        4 => 64,          // block z
        5 => c_int::MAX,  // grid x
        6 | 7 => 65535,   // grid y and z
        8 => 49152,       // shared memory of a block
        9 => 65536,       // constant memory
        10 => 32,         // warp size
        12 | 82 => 65536, // registers of a block, of an SM
        13 => 1_980_000,  // clock, kHz
        16 => gpu.number("sms") as c_int,
        19 | 31 | 41 | 83 | 95 => 1, // host mapping, concurrent kernels, UVA, managed, cooperative
        20 => gpu.number("compute_mode") as c_int,
        32 => gpu.number("ecc") as c_int,
        33 => gpu.bus() as c_int,
        36 => 2_619_000, // memory clock, kHz
        37 => 5120,      // memory bus, bits
        38 => 50 << 20,  // L2 cache
        39 => 2048,      // threads on an SM
        40 => 3,         // copy engines
        75 => gpu.capability().0 as c_int,
        76 => gpu.capability().1 as c_int,
        81 => 233_472, // shared memory of an SM
        97 => 232_448, // shared memory of a block that asks for more
        106 => 32,     // blocks on an SM
        _ => 0,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGetProcAddress(
    symbol: *const c_char,
    function: *mut *mut c_void,
    version: c_int,
    _flags: u64,
) -> c_int {
    call("cuGetProcAddress", None, || look_up(text(symbol)?, function, version))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGetProcAddress_v2(
    symbol: *const c_char,
    function: *mut *mut c_void,
    version: c_int,
    _flags: u64,
    status: *mut c_uint,
) -> c_int {
    call("cuGetProcAddress_v2", None, || {
        let found = look_up(text(symbol)?, function, version);
        if !status.is_null() {
            const NOT_FOUND: c_uint = 1;
            put(status, if found.is_ok() { 0 } else { NOT_FOUND })?;
        }
        found
    })
}

/// Callers ask for `cuMemAlloc` and mean the newest revision that their version knows.
fn look_up(name: &str, to: *mut *mut c_void, version: c_int) -> Result<(), c_int> {
    if version > script::number(None, "cuda") as c_int {
        put(to, std::ptr::null_mut())?;
        return Err(error::NOT_FOUND);
    }
    let revised = format!("{name}_v2\0");
    let plain = format!("{name}\0");
    let found = [revised, plain]
        .iter()
        .filter_map(|name| std::ffi::CStr::from_bytes_until_nul(name.as_bytes()).ok())
        .map(driver::address)
        .find(|address| !address.is_null());
    put(to, found.unwrap_or(std::ptr::null_mut()))?;
    found.map(|_| ()).ok_or(error::NOT_FOUND)
}

/// A call about one device.
pub fn on(symbol: &str, ordinal: c_int, body: impl FnOnce(Place) -> Result<(), c_int>) -> c_int {
    call(symbol, gpu(ordinal), || body(place(ordinal)?))
}

/// For the other fakes: the GPU of an ordinal, or -1.
#[unsafe(no_mangle)]
pub extern "C" fn fake_gpu_of(ordinal: c_int) -> c_int {
    gpu(ordinal).map_or(-1, |gpu| gpu as c_int)
}
