//! Modules and functions: translates PTX text to kernels for `launch.rs`.

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::common::abi::{bytes, item, put, put_item, put_text, text};
use crate::common::driver;
use crate::common::table::Table;
use crate::context::{Context, within};
use crate::error;
use crate::ptx::{Kernel, Module};

type Handle = usize;

const STATIC_SHARED: c_int = 1;
const MAX_DYNAMIC_SHARED: c_int = 8;
/// Bytes of shared memory per block: the default limit, and the opt-in limit.
const DEFAULT_SHARED: u32 = 49_152;
const LARGEST_SHARED: u32 = 232_448;

static MODULES: Table<Loaded> = Table::new(0x40D0_0000);
static FUNCTIONS: Table<Function> = Table::new(0xF0C0_0000);

#[derive(Clone)]
struct Loaded {
    ordinal: c_int,
    module: Arc<Module>,
}

#[derive(Clone)]
pub struct Function {
    module: Handle,
    pub ordinal: c_int,
    pub kernel: Arc<Kernel>,
    max_dynamic_shared: Arc<AtomicU32>,
}

impl Function {
    pub fn find(handle: Handle) -> Result<Self, c_int> {
        FUNCTIONS.get(handle).ok_or(error::INVALID_HANDLE)
    }

    pub fn fits(&self, dynamic_shared: u32) -> bool {
        let most = self.max_dynamic_shared.load(Relaxed);
        u64::from(dynamic_shared) + u64::from(self.kernel.static_shared) <= most.into()
    }
}

pub fn unload_all(ordinal: c_int) {
    MODULES.retain(|module| module.ordinal != ordinal);
    FUNCTIONS.retain(|function| function.ordinal != ordinal);
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleLoadData(module: *mut Handle, image: *const c_char) -> c_int {
    within("cuModuleLoadData", |context| load(context, module, image, |_| Ok(())))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleLoadDataEx(
    module: *mut Handle,
    image: *const c_char,
    count: c_uint,
    options: *const c_uint,
    values: *mut *mut c_void,
) -> c_int {
    within("cuModuleLoadDataEx", |context| {
        load(context, module, image, |log| write_log(log, count as usize, options, values))
    })
}

fn load(
    context: Context,
    module: *mut Handle,
    image: *const c_char,
    complain: impl FnOnce(&str) -> Result<(), c_int>,
) -> Result<(), c_int> {
    const ELF: &[u8] = b"\x7fELF";
    const FATBIN: &[u8] = b"\x50\xed\x55\xba";
    let image = bytes(image)?;
    if image.starts_with(ELF) || image.starts_with(FATBIN) {
        return Err(error::INVALID_IMAGE);
    }
    if context.gpu.is("needs_compiler") && !driver::loads(c"libnvidia-ptxjitcompiler.so.1") {
        return Err(error::JIT_COMPILER_NOT_FOUND);
    }
    let (major, minor) = context.gpu.capability();
    let parsed = std::str::from_utf8(image)
        .map_err(|_| "ptxas fatal   : not a text".to_string())
        .and_then(|text| Module::parse(text, major * 10 + minor));
    match parsed {
        Ok(parsed) => {
            put(module, MODULES.insert(Loaded { ordinal: context.ordinal, module: Arc::new(parsed) }))
        }
        Err(log) => {
            complain(&log)?;
            Err(error::INVALID_PTX)
        }
    }
}

/// Options are two arrays; sizes are passed in the pointer itself, in both directions.
fn write_log(log: &str, count: usize, options: *const c_uint, values: *mut *mut c_void) -> Result<(), c_int> {
    const ERROR_LOG_BUFFER: c_uint = 5;
    const ERROR_LOG_BUFFER_SIZE: c_uint = 6;
    let mut buffer = None;
    let mut size = None;
    for index in 0..count {
        match item(options, index)? {
            ERROR_LOG_BUFFER => buffer = Some(item(values, index)?),
            ERROR_LOG_BUFFER_SIZE => size = Some((index, item(values, index)? as usize)),
            _ => {}
        }
    }
    if let (Some(buffer), Some((index, room))) = (buffer, size)
        && room > 0
    {
        put_text(buffer.cast(), room, log)?;
        let written = log.len().min(room - 1);
        put_item(values, index, written as *mut c_void)?;
    }
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleUnload(module: Handle) -> c_int {
    within("cuModuleUnload", |_| {
        MODULES.remove(module).ok_or(error::INVALID_HANDLE)?;
        FUNCTIONS.retain(|function| function.module != module);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuModuleGetFunction(function: *mut Handle, module: Handle, name: *const c_char) -> c_int {
    within("cuModuleGetFunction", |_| {
        let Loaded { ordinal, module: loaded } = MODULES.get(module).ok_or(error::INVALID_HANDLE)?;
        let kernel = loaded.kernel(text(name)?).ok_or(error::NOT_FOUND)?;
        let max_dynamic_shared = Arc::new(AtomicU32::new(DEFAULT_SHARED));
        put(function, FUNCTIONS.insert(Function { module, ordinal, kernel, max_dynamic_shared }))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncGetAttribute(value: *mut c_int, attribute: c_int, function: Handle) -> c_int {
    within("cuFuncGetAttribute", |context| {
        let function = Function::find(function)?;
        let (major, minor) = context.gpu.capability();
        let found = match attribute {
            0 => 1024, // threads in a block
            STATIC_SHARED => function.kernel.static_shared,
            4 => 32, // registers of a thread
            5 => 60, // PTX version
            6 => major * 10 + minor,
            MAX_DYNAMIC_SHARED => function.max_dynamic_shared.load(Relaxed),
            _ => 0,
        };
        put(value, found as c_int)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetAttribute(function: Handle, attribute: c_int, value: c_int) -> c_int {
    within("cuFuncSetAttribute", |_| {
        let function = Function::find(function)?;
        let value = u32::try_from(value).map_err(|_| error::INVALID_VALUE)?;
        if attribute != MAX_DYNAMIC_SHARED || value > LARGEST_SHARED {
            return Err(error::INVALID_VALUE);
        }
        function.max_dynamic_shared.store(value, Relaxed);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    blocks: *mut c_int,
    function: Handle,
    threads: c_int,
    dynamic_shared: usize,
) -> c_int {
    within("cuOccupancyMaxActiveBlocksPerMultiprocessor", |context| {
        occupancy(context, blocks, function, threads, dynamic_shared)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    blocks: *mut c_int,
    function: Handle,
    threads: c_int,
    dynamic_shared: usize,
    _flags: c_uint,
) -> c_int {
    let symbol = "cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags";
    within(symbol, |context| occupancy(context, blocks, function, threads, dynamic_shared))
}

fn occupancy(
    context: Context,
    blocks: *mut c_int,
    function: Handle,
    threads: c_int,
    dynamic_shared: usize,
) -> Result<(), c_int> {
    let function = Function::find(function)?;
    if !(1..=1024).contains(&threads) {
        return Err(error::INVALID_VALUE);
    }
    let fits = u32::try_from(dynamic_shared).is_ok_and(|bytes| function.fits(bytes));
    let most = context.gpu.number("blocks_per_sm") as c_int;
    put(blocks, if fits { most } else { 0 })
}
