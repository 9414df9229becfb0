//! CUPTI: traces the smoke kernel through the Activity API, and asks whether this process may read hardware
//! counters, which is a separate permission.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::offset_of;
use std::sync::{Mutex, OnceLock};

use cudarc::cupti::sys::{
    CUpti_ActivityKernel4, CUpti_Profiler_GetCounterAvailability_Params, CUpti_Profiler_Initialize_Params,
};
use cudarc::driver::sys::{CUcontext, CUdevice};

use crate::driver::Cuda;
use crate::ffi::{self, open, static_text, table};
use crate::smoke::Kernel;
use protocol::{Api, Cupti, Fault, Field};

type Request = extern "C" fn(*mut *mut u8, *mut usize, *mut usize);
type Complete = extern "C" fn(CUcontext, u32, *mut u8, usize, usize);
type NextRecord = unsafe extern "C" fn(*mut u8, usize, *mut *mut u8) -> c_int;

table! {
    /// The functions of CUPTI. Activity kinds are numbers, because newer releases have kinds that no binding
    /// knows.
    Library, Api::Cupti;
    fn cuptiGetVersion(version: *mut u32);
    fn cuptiActivityRegisterCallbacks(request: Request, complete: Complete);
    fn cuptiActivityEnable(kind: u32);
    fn cuptiActivityDisable(kind: u32);
    fn cuptiActivityFlushAll(flag: u32);
    fn cuptiActivityGetNextRecord(buffer: *mut u8, valid: usize, record: *mut *mut u8);
}

// CUpti_ActivityKind
const CONCURRENT_KERNEL: u32 = 10;
const KERNEL: u32 = 3;
/// CUPTI_ACTIVITY_FLAG_FLUSH_FORCED
const FORCED: u32 = 1;
/// CUPTI_ERROR_INSUFFICIENT_PRIVILEGES and CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES.
const REFUSALS: [i64; 2] = [35, 40];
/// Size of an activity buffer in bytes.
const BUFFER: usize = 64 * 1024;

// CUPTI passes no user data to its callbacks, so their results are global.
static KERNELS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static NEXT_RECORD: OnceLock<NextRecord> = OnceLock::new();

pub fn load(files: &[String]) -> Result<Library, Fault> {
    let sonames = ["libcupti.so.13", "libcupti.so.12", "libcupti.so.11.8", "libcupti.so.11.2"];
    Library::bind(open("libcupti", files, &sonames)?)
}

impl Library {
    fn fault(&self, call: &str, code: c_int) -> Fault {
        type Lookup = unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int;
        let mut text = std::ptr::null();
        // SAFETY: the function takes the status as a number and writes a static string or nothing.
        let name = unsafe {
            ffi::symbol::<Lookup>(self.library, Api::Cupti, "cuptiGetResultString").ok().and_then(|look_up| {
                look_up(code, &mut text);
                static_text(text)
            })
        };
        Fault { api: Api::Cupti, call: call.to_owned(), code: Some(code.into()), name, detail: String::new() }
    }
}

pub fn trace(library: Library, cuda: &Cuda, device: CUdevice, kernel: &Kernel) -> Result<Cupti, Fault> {
    let _ = NEXT_RECORD.set(library.cuptiActivityGetNextRecord);
    let mut version = 0;
    // SAFETY: `version` is written before the call returns; the callbacks are functions of this program.
    unsafe {
        library.cuptiGetVersion(&mut version)?;
        library.cuptiActivityRegisterCallbacks(request, complete)?;
        library.cuptiActivityEnable(CONCURRENT_KERNEL)?;
    }
    kernel.run_once()?;
    cuda.synchronize()?;
    // SAFETY: takes no pointers.
    unsafe {
        library.cuptiActivityFlushAll(FORCED)?;
        library.cuptiActivityDisable(CONCURRENT_KERNEL)?;
    }
    let kernels = KERNELS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    Ok(Cupti { version, kernels, counters: counters(&library, cuda, device) })
}

extern "C" fn request(buffer: *mut *mut u8, size: *mut usize, max_records: *mut usize) {
    // Words, because records are read in place and must be aligned. Never freed: the process ends soon.
    let words = Box::leak(vec![0u64; BUFFER / 8].into_boxed_slice());
    // SAFETY: CUPTI passes pointers to three of its variables.
    unsafe {
        *buffer = words.as_mut_ptr().cast();
        *size = BUFFER;
        *max_records = 0;
    }
}

extern "C" fn complete(_context: CUcontext, _stream: u32, buffer: *mut u8, _size: usize, valid: usize) {
    let Some(next) = NEXT_RECORD.get() else { return };
    let mut record = std::ptr::null_mut();
    // SAFETY: `buffer` came from `request`, and its first `valid` bytes are records. After the last one the
    // status is not 0.
    while unsafe { next(buffer, valid, &mut record) } == 0 {
        // SAFETY: every record begins with its kind.
        let kind = unsafe { record.cast::<u32>().read_unaligned() };
        if kind != KERNEL && kind != CONCURRENT_KERNEL {
            continue;
        }
        // SAFETY: the kernel record has its name at this offset since version 4 (CUDA 9).
        let name = unsafe {
            let name =
                record.add(offset_of!(CUpti_ActivityKernel4, name)).cast::<*const c_char>().read_unaligned();
            (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
        };
        KERNELS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(name);
    }
}

/// Whether the driver lets this process read hardware counters, by trying.
fn counters(library: &Library, cuda: &Cuda, device: CUdevice) -> Field<bool> {
    let unavailable = |why: String| Field::Unavailable { unavailable: why };
    match query_counters(library, cuda, device) {
        Ok(()) => Field::Known(true),
        Err(fault) if fault.code.is_some_and(|code| REFUSALS.contains(&code)) => Field::Known(false),
        Err(fault) => match fault.code {
            Some(code) => {
                unavailable(format!("{} returned {code} {}", fault.call, fault.name.unwrap_or_default()))
            }
            None => unavailable(fault.detail),
        },
    }
}

fn query_counters(library: &Library, cuda: &Cuda, device: CUdevice) -> Result<(), Fault> {
    let mut context = std::ptr::null_mut();
    // SAFETY: `context` is written before the call returns.
    unsafe { cuda.cuDevicePrimaryCtxRetain(&mut context, device)? };
    let mut initialize = CUpti_Profiler_Initialize_Params {
        structSize: size_of::<CUpti_Profiler_Initialize_Params>(),
        pPriv: std::ptr::null_mut(),
    };
    let mut availability = CUpti_Profiler_GetCounterAvailability_Params {
        structSize: size_of::<CUpti_Profiler_GetCounterAvailability_Params>(),
        pPriv: std::ptr::null_mut(),
        ctx: context,
        counterAvailabilityImageSize: 0,
        // Null requests only the size.
        pCounterAvailabilityImage: std::ptr::null_mut(),
    };
    call_profiler(library, "cuptiProfilerInitialize", (&raw mut initialize).cast())?;
    let query = "cuptiProfilerGetCounterAvailability";
    call_profiler(library, query, (&raw mut availability).cast())?;
    // The permission is checked when the counters are requested, not their size.
    let mut image = vec![0u8; availability.counterAvailabilityImageSize];
    if !image.is_empty() {
        availability.pCounterAvailabilityImage = image.as_mut_ptr();
        call_profiler(library, query, (&raw mut availability).cast())?;
    }
    Ok(())
}

fn call_profiler(library: &Library, name: &str, parameters: *mut c_void) -> Result<(), Fault> {
    type Call = unsafe extern "C" fn(*mut c_void) -> c_int;
    // SAFETY: `parameters` points to the struct of this function, which begins with its size.
    let code = unsafe {
        let call: Call = ffi::symbol(library.library, Api::Cupti, name)?;
        crate::emit::enter(name);
        call(parameters)
    };
    if code == 0 { Ok(()) } else { Err(library.fault(name, code)) }
}
