//! Kernel launches: the driver's checks, then the interpreter, then the log.

use std::ffi::{c_int, c_uint, c_void};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::common::abi::{call, item};
use crate::common::launch::Launch;
use crate::context::{Context, current, current_gpu, poison};
use crate::module::Function;
use crate::ptx::{Fault, Grid, Kernel};
use crate::stream::{Stream, known};
use crate::{error, log, memory};

/// The arguments of both launch calls.
struct Request {
    function: usize,
    grid: [c_uint; 3],
    block: [c_uint; 3],
    dynamic_shared: c_uint,
    stream: Stream,
    params: *mut *mut c_void,
    cooperative: bool,
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchKernel(
    function: usize,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    dynamic_shared: c_uint,
    stream: Stream,
    params: *mut *mut c_void,
    extra: *mut *mut c_void,
) -> c_int {
    call("cuLaunchKernel", current_gpu(), || {
        if !extra.is_null() {
            return Err(error::INVALID_VALUE);
        }
        launch(Request {
            function,
            grid: [grid_x, grid_y, grid_z],
            block: [block_x, block_y, block_z],
            dynamic_shared,
            stream,
            params,
            cooperative: false,
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuLaunchCooperativeKernel(
    function: usize,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    dynamic_shared: c_uint,
    stream: Stream,
    params: *mut *mut c_void,
) -> c_int {
    call("cuLaunchCooperativeKernel", current_gpu(), || {
        launch(Request {
            function,
            grid: [grid_x, grid_y, grid_z],
            block: [block_x, block_y, block_z],
            dynamic_shared,
            stream,
            params,
            cooperative: true,
        })
    })
}

fn launch(request: Request) -> Result<(), c_int> {
    let context = current()?;
    known(request.stream)?;
    let function = Function::find(request.function)?;
    if function.ordinal != context.ordinal {
        return Err(error::INVALID_CONTEXT);
    }
    check(context, &request, &function)?;
    let kernel = &function.kernel;
    let params = gather(kernel, request.params)?;

    let start = now();
    let outcome = kernel.run(&Grid {
        blocks: request.grid,
        threads: request.block,
        dynamic_shared: request.dynamic_shared,
        params,
        regions: memory::regions(),
        sms: context.gpu.busy_sms(),
        nsmid: context.gpu.nsmid(),
        bad_sm: context.gpu.option("bad_sm"),
    });
    log::record(Launch {
        name: log::name(&kernel.name),
        gpu: context.gpu.0,
        ordinal: context.ordinal as c_uint,
        grid: request.grid,
        block: request.block,
        static_shared: kernel.static_shared,
        dynamic_shared: request.dynamic_shared,
        start,
        end: now().max(start + 1),
    });
    // A launch is asynchronous: faults of the kernel are returned by later calls.
    if let Err(fault) = outcome {
        poison(context, status(fault));
    }
    Ok(())
}

fn check(context: Context, request: &Request, function: &Function) -> Result<(), c_int> {
    const MOST_BLOCKS: [u32; 3] = [i32::MAX as u32, 65535, 65535];
    const MOST_THREADS: [u32; 3] = [1024, 1024, 64];
    let within = |sizes: [u32; 3], most: [u32; 3]| {
        sizes.iter().zip(most).all(|(size, most)| (1..=most).contains(size))
    };
    if !within(request.grid, MOST_BLOCKS)
        || !within(request.block, MOST_THREADS)
        || request.block.iter().product::<u32>() > 1024
        || !function.fits(request.dynamic_shared)
    {
        return Err(error::INVALID_VALUE);
    }
    let blocks: u64 = request.grid.iter().map(|size| u64::from(*size)).product();
    let resident = context.gpu.number("blocks_per_sm") * context.gpu.number("sms");
    if request.cooperative && blocks > resident {
        return Err(error::COOPERATIVE_LAUNCH_TOO_LARGE);
    }
    Ok(())
}

/// Copies the arguments, each from its own pointer, to where the kernel's parameters are.
fn gather(kernel: &Kernel, params: *mut *mut c_void) -> Result<Vec<u8>, c_int> {
    let mut block = vec![0; kernel.params_size];
    for (index, param) in kernel.params.iter().enumerate() {
        let from = item(params, index)?.cast::<u8>();
        if from.is_null() {
            return Err(error::INVALID_VALUE);
        }
        // SAFETY: the caller vouches that each pointer leads to a value of the parameter's size.
        let value = unsafe { std::slice::from_raw_parts(from, param.size) };
        block[param.offset..param.offset + param.size].copy_from_slice(value);
    }
    Ok(block)
}

fn status(fault: Fault) -> c_int {
    match fault {
        Fault::IllegalAddress => error::ILLEGAL_ADDRESS,
        Fault::Misaligned => error::MISALIGNED_ADDRESS,
        Fault::Stuck => error::LAUNCH_FAILED,
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |time| time.as_nanos() as u64)
}
