//! CUPTI, the copy that the application's profiler would load: the smoke kernel traced through the
//! Activity API, and the permission to read hardware counters, which is another matter.

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
    /// CUPTI's functions. The kinds of activity are numbers here: newer releases have kinds that no
    /// binding knows.
    Library, Api::Cupti;
    fn cuptiGetVersion(version: *mut u32);
    fn cuptiActivityRegisterCallbacks(request: Request, complete: Complete);
    fn cuptiActivityEnable(kind: u32);
    fn cuptiActivityDisable(kind: u32);
    fn cuptiActivityFlushAll(flag: u32);
    fn cuptiActivityGetNextRecord(buffer: *mut u8, valid: usize, record: *mut *mut u8);
}

const CONCURRENT_KERNEL: u32 = 10;
const KERNEL: u32 = 3;
const FORCED: u32 = 1;
/// CUPTI_ERROR_INSUFFICIENT_PRIVILEGES, and the same on a virtual device.
const REFUSALS: [i64; 2] = [35, 40];
const BUFFER: usize = 64 * 1024;

/// What the callbacks found; CUPTI gives them no argument of ours.
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
            ffi::symbol::<Lookup>(self.library, Api::Cupti, "cuptiGetResultString").ok().and_then(|ask| {
                ask(code, &mut text);
                static_text(text)
            })
        };
        Fault { api: Api::Cupti, call: call.to_owned(), code: Some(code.into()), name, detail: String::new() }
    }
}

pub fn trace(library: Library, cuda: &Cuda, device: CUdevice, kernel: &Kernel) -> Result<Cupti, Fault> {
    let _ = NEXT_RECORD.set(library.cuptiActivityGetNextRecord);
    let mut version = 0;
    // SAFETY: `version` is written once; the callbacks are functions that live as long as the process.
    unsafe {
        library.cuptiGetVersion(&mut version)?;
        library.cuptiActivityRegisterCallbacks(request, complete)?;
        library.cuptiActivityEnable(CONCURRENT_KERNEL)?;
    }
    kernel.run_once()?;
    cuda.synchronize()?;
    // SAFETY: numbers alone.
    unsafe {
        library.cuptiActivityFlushAll(FORCED)?;
        library.cuptiActivityDisable(CONCURRENT_KERNEL)?;
    }
    let kernels = KERNELS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    Ok(Cupti { version, kernels, counters: counters(&library, cuda, device) })
}

extern "C" fn request(buffer: *mut *mut u8, size: *mut usize, max_records: *mut usize) {
    // Words rather than bytes: records are read in place and must be aligned. CUPTI owns the buffer
    // until `complete`; it is never freed, for the process ends soon.
    let words = Box::leak(vec![0u64; BUFFER / 8].into_boxed_slice());
    // SAFETY: CUPTI passes pointers to three variables of its own.
    unsafe {
        *buffer = words.as_mut_ptr().cast();
        *size = BUFFER;
        *max_records = 0;
    }
}

extern "C" fn complete(_context: CUcontext, _stream: u32, buffer: *mut u8, _size: usize, valid: usize) {
    let Some(next) = NEXT_RECORD.get() else { return };
    let mut record = std::ptr::null_mut();
    // SAFETY: `buffer` came from `request`, `valid` bytes of it are records, and the function steps
    // through them; any status but 0 is their end.
    while unsafe { next(buffer, valid, &mut record) } == 0 {
        // SAFETY: every record begins with its kind, read as a number since no enum knows them all.
        let kind = unsafe { record.cast::<u32>().read_unaligned() };
        if kind != KERNEL && kind != CONCURRENT_KERNEL {
            continue;
        }
        // SAFETY: all versions of the kernel record since the fourth (CUDA 9) have the name at this place.
        let name = unsafe {
            let name =
                record.add(offset_of!(CUpti_ActivityKernel4, name)).cast::<*const c_char>().read_unaligned();
            (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
        };
        KERNELS.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(name);
    }
}

/// Whether the driver lets this process read hardware counters: asked, not guessed from settings.
fn counters(library: &Library, cuda: &Cuda, device: CUdevice) -> Field<bool> {
    let unavailable = |why: String| Field::Unavailable { unavailable: why };
    match ask_counters(library, cuda, device) {
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

fn ask_counters(library: &Library, cuda: &Cuda, device: CUdevice) -> Result<(), Fault> {
    let mut context = std::ptr::null_mut();
    // SAFETY: `context` is written once; the primary context is retained already.
    unsafe { cuda.cuDevicePrimaryCtxRetain(&mut context, device)? };
    let mut initialise = CUpti_Profiler_Initialize_Params {
        structSize: size_of::<CUpti_Profiler_Initialize_Params>(),
        pPriv: std::ptr::null_mut(),
    };
    let mut availability = CUpti_Profiler_GetCounterAvailability_Params {
        structSize: size_of::<CUpti_Profiler_GetCounterAvailability_Params>(),
        pPriv: std::ptr::null_mut(),
        ctx: context,
        counterAvailabilityImageSize: 0,
        // Null asks for the size alone.
        pCounterAvailabilityImage: std::ptr::null_mut(),
    };
    call_profiler(library, "cuptiProfilerInitialize", (&raw mut initialise).cast())?;
    let ask = "cuptiProfilerGetCounterAvailability";
    call_profiler(library, ask, (&raw mut availability).cast())?;
    // The first answer is the size alone; the permission shows when the counters are asked for.
    let mut image = vec![0u8; availability.counterAvailabilityImageSize];
    if !image.is_empty() {
        availability.pCounterAvailabilityImage = image.as_mut_ptr();
        call_profiler(library, ask, (&raw mut availability).cast())?;
    }
    Ok(())
}

fn call_profiler(library: &Library, name: &str, parameters: *mut c_void) -> Result<(), Fault> {
    type Call = unsafe extern "C" fn(*mut c_void) -> c_int;
    // SAFETY: the functions take one pointer to a struct that begins with its own size.
    let code = unsafe {
        let call: Call = ffi::symbol(library.library, Api::Cupti, name)?;
        crate::emit::enter(name);
        call(parameters)
    };
    if code == 0 { Ok(()) } else { Err(library.fault(name, code)) }
}
