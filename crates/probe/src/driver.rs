//! libcuda: the driver API. Uses only symbols that exist since driver 470.

use std::ffi::{c_char, c_int, c_uint, c_void};

use cudarc::driver::sys::{
    CUcontext, CUdevice, CUdevice_attribute, CUdeviceptr, CUevent, CUfunction, CUjit_option, CUmodule,
    CUstream, CUuuid,
};

use crate::ffi::{self, open, static_text, table, text};
use protocol::{Api, Device, Fault};

table! {
    /// The functions of libcuda, under the names that it exports.
    Cuda, Api::Driver;
    fn cuInit(flags: c_uint);
    fn cuDriverGetVersion(version: *mut c_int);
    fn cuDeviceGetCount(count: *mut c_int);
    fn cuDeviceGet(device: *mut CUdevice, ordinal: c_int);
    fn cuDeviceGetName(name: *mut c_char, size: c_int, device: CUdevice);
    fn cuDeviceGetUuid(uuid: *mut CUuuid, device: CUdevice);
    fn cuDeviceGetPCIBusId(id: *mut c_char, size: c_int, device: CUdevice);
    fn cuDeviceGetAttribute(value: *mut c_int, attribute: CUdevice_attribute, device: CUdevice);
    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: CUdevice);
    fn cuDevicePrimaryCtxRetain(context: *mut CUcontext, device: CUdevice);
    fn cuDevicePrimaryCtxRelease_v2(device: CUdevice);
    fn cuCtxSetCurrent(context: CUcontext);
    fn cuCtxSynchronize();
    fn cuModuleLoadDataEx(module: *mut CUmodule, image: *const c_void, count: c_uint, options: *mut CUjit_option, values: *mut *mut c_void);
    fn cuModuleGetFunction(function: *mut CUfunction, module: CUmodule, name: *const c_char);
    fn cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks: *mut c_int, function: CUfunction, threads: c_int, shared: usize);
    fn cuLaunchKernel(function: CUfunction, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint, block_x: c_uint, block_y: c_uint, block_z: c_uint, shared: c_uint, stream: CUstream, arguments: *mut *mut c_void, extra: *mut *mut c_void);
    fn cuLaunchCooperativeKernel(function: CUfunction, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint, block_x: c_uint, block_y: c_uint, block_z: c_uint, shared: c_uint, stream: CUstream, arguments: *mut *mut c_void);
    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
    fn cuMemAlloc_v2(pointer: *mut CUdeviceptr, bytes: usize);
    fn cuMemFree_v2(pointer: CUdeviceptr);
    fn cuMemcpyHtoD_v2(to: CUdeviceptr, from: *const c_void, bytes: usize);
    fn cuMemcpyDtoH_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize);
    fn cuMemsetD8_v2(to: CUdeviceptr, value: u8, count: usize);
    fn cuEventCreate(event: *mut CUevent, flags: c_uint);
    fn cuEventRecord(event: CUevent, stream: CUstream);
    fn cuEventSynchronize(event: CUevent);
    fn cuEventElapsedTime(milliseconds: *mut f32, start: CUevent, end: CUevent);
    fn cuEventDestroy_v2(event: CUevent);
}

/// The symbols that libcuda must export; a test looks them up in real drivers.
pub const SYMBOLS: &[&str] = Cuda::SYMBOLS;

pub const SONAME: &str = "libcuda.so.1";

impl Cuda {
    pub fn load() -> Result<Self, Fault> {
        Self::bind(open("libcuda", &[], &[SONAME])?)
    }

    fn fault(&self, call: &str, code: c_int) -> Fault {
        let look_up = |symbol: &str| {
            type Lookup = unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int;
            // SAFETY: cuGetErrorName and cuGetErrorString have this signature, with the status as a number.
            let function: Lookup = unsafe { ffi::symbol(self.library, Api::Driver, symbol) }.ok()?;
            let mut name = std::ptr::null();
            // SAFETY: `name` receives a pointer to a static string, or null.
            unsafe {
                function(code, &mut name);
                static_text(name)
            }
        };
        Fault {
            api: Api::Driver,
            call: call.to_owned(),
            code: Some(code.into()),
            name: look_up("cuGetErrorName"),
            detail: look_up("cuGetErrorString").unwrap_or_default(),
        }
    }

    pub fn version(&self) -> Result<i32, Fault> {
        let mut version = 0;
        // SAFETY: `version` is written before the call returns.
        unsafe { self.cuDriverGetVersion(&mut version)? };
        Ok(version)
    }

    pub fn device_count(&self) -> Result<u32, Fault> {
        let mut count = 0;
        // SAFETY: `count` is written before the call returns.
        unsafe { self.cuDeviceGetCount(&mut count)? };
        Ok(count.max(0) as u32)
    }

    pub fn device(&self, ordinal: u32) -> Result<(CUdevice, Device), Fault> {
        let mut device = 0;
        let mut name = [0u8; 256];
        let mut pci = [0u8; 64];
        let mut memory = 0;
        // SAFETY: each out-pointer is valid during its call, and buffers have the size that is passed.
        unsafe {
            self.cuDeviceGet(&mut device, ordinal as c_int)?;
            self.cuDeviceGetName(name.as_mut_ptr().cast(), name.len() as c_int, device)?;
            self.cuDeviceGetPCIBusId(pci.as_mut_ptr().cast(), pci.len() as c_int, device)?;
            self.cuDeviceTotalMem_v2(&mut memory, device)?;
        }
        use CUdevice_attribute::*;
        let get = |attribute| self.attribute(device, attribute);
        let facts = Device {
            ordinal,
            name: text(&name),
            uuid: self.uuid(device)?,
            pci: text(&pci),
            memory: memory as u64,
            capability: (
                get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                get(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ),
            sms: get(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            clock: get(CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?,
            compute_mode: get(CU_DEVICE_ATTRIBUTE_COMPUTE_MODE)?,
            cooperative: get(CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH)? != 0,
            integrated: get(CU_DEVICE_ATTRIBUTE_INTEGRATED)? != 0,
        };
        Ok((device, facts))
    }

    fn attribute(&self, device: CUdevice, attribute: CUdevice_attribute) -> Result<i32, Fault> {
        let mut value = 0;
        // SAFETY: `value` is written before the call returns.
        unsafe { self.cuDeviceGetAttribute(&mut value, attribute, device)? };
        Ok(value)
    }

    /// Without the prefix that nvidia-smi prints. Only the second version of the function, which exists since driver
    /// 470.42, returns the UUID of a MIG instance rather than of its GPU.
    fn uuid(&self, device: CUdevice) -> Result<String, Fault> {
        type Get = unsafe extern "C" fn(*mut CUuuid, CUdevice) -> c_int;
        let mut uuid = CUuuid { bytes: [0; 16] };
        // SAFETY: the symbol has this signature; `uuid` has the 16 bytes that it writes.
        let second = unsafe {
            ffi::symbol::<Get>(self.library, Api::Driver, "cuDeviceGetUuid_v2")
                .map(|get| get(&mut uuid, device))
        };
        if second != Ok(0) {
            // SAFETY: `uuid` has the 16 bytes that the call writes.
            unsafe { self.cuDeviceGetUuid(&mut uuid, device)? };
        }
        let hex: Vec<String> = uuid.bytes.iter().map(|byte| format!("{:02x}", *byte as u8)).collect();
        Ok([&hex[..4], &hex[4..6], &hex[6..8], &hex[8..10], &hex[10..]].map(|part| part.concat()).join("-"))
    }

    pub fn free_memory(&self) -> Result<u64, Fault> {
        let (mut free, mut total) = (0, 0);
        // SAFETY: both are written before the call returns.
        unsafe { self.cuMemGetInfo_v2(&mut free, &mut total)? };
        Ok(free as u64)
    }

    pub fn synchronize(&self) -> Result<(), Fault> {
        // SAFETY: takes no arguments.
        unsafe { self.cuCtxSynchronize() }
    }
}

/// Device memory, freed when it goes out of scope.
pub struct Memory<'a> {
    cuda: &'a Cuda,
    pub pointer: CUdeviceptr,
    pub bytes: usize,
}

impl<'a> Memory<'a> {
    pub fn new(cuda: &'a Cuda, bytes: usize) -> Result<Self, Fault> {
        let mut pointer = 0;
        // SAFETY: `pointer` is written before the call returns.
        unsafe { cuda.cuMemAlloc_v2(&mut pointer, bytes)? };
        Ok(Memory { cuda, pointer, bytes })
    }

    pub fn of(cuda: &'a Cuda, bytes: &[u8]) -> Result<Self, Fault> {
        let memory = Self::new(cuda, bytes.len())?;
        memory.write(bytes)?;
        Ok(memory)
    }

    pub fn fill(&self, byte: u8) -> Result<(), Fault> {
        // SAFETY: the allocation has `bytes` bytes.
        unsafe { self.cuda.cuMemsetD8_v2(self.pointer, byte, self.bytes) }
    }

    pub fn write(&self, bytes: &[u8]) -> Result<(), Fault> {
        assert!(bytes.len() <= self.bytes, "the copy fits the allocation");
        // SAFETY: the source is valid for its length, the allocation is at least as long.
        unsafe { self.cuda.cuMemcpyHtoD_v2(self.pointer, bytes.as_ptr().cast(), bytes.len()) }
    }

    pub fn read(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; self.bytes];
        // SAFETY: both sides have `bytes` bytes.
        unsafe { self.cuda.cuMemcpyDtoH_v2(bytes.as_mut_ptr().cast(), self.pointer, self.bytes)? };
        Ok(bytes)
    }
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from cuMemAlloc_v2 and is freed once. If this fails, so will the next call.
        let _ = unsafe { self.cuda.cuMemFree_v2(self.pointer) };
    }
}

/// Measures time on the device, in the default stream.
pub struct Stopwatch<'a> {
    cuda: &'a Cuda,
    events: [CUevent; 2],
}

impl<'a> Stopwatch<'a> {
    pub fn start(cuda: &'a Cuda) -> Result<Self, Fault> {
        let mut events = [std::ptr::null_mut(); 2];
        for event in &mut events {
            // SAFETY: `event` is written before the call returns.
            unsafe { cuda.cuEventCreate(event, 0)? };
        }
        let watch = Stopwatch { cuda, events };
        // SAFETY: the event exists, and null is the default stream.
        unsafe { cuda.cuEventRecord(watch.events[0], std::ptr::null_mut())? };
        Ok(watch)
    }

    pub fn seconds(self) -> Result<f64, Fault> {
        let mut milliseconds = 0.0;
        // SAFETY: both events exist; `milliseconds` is written before the call returns.
        unsafe {
            self.cuda.cuEventRecord(self.events[1], std::ptr::null_mut())?;
            self.cuda.cuEventSynchronize(self.events[1])?;
            self.cuda.cuEventElapsedTime(&mut milliseconds, self.events[0], self.events[1])?;
        }
        Ok(f64::from(milliseconds) / 1e3)
    }
}

impl Drop for Stopwatch<'_> {
    fn drop(&mut self) {
        for event in self.events {
            // SAFETY: each event was created once and is destroyed once.
            let _ = unsafe { self.cuda.cuEventDestroy_v2(event) };
        }
    }
}
