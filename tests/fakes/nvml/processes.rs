//! Processes on a GPU: the script's number of other processes, with PIDs that Linux never assigns.

use std::ffi::{c_int, c_uint, c_ulonglong};

use crate::common::abi::{put, put_item, take};
use crate::error;
use crate::handle::{Device, on};

/// Above the largest value of `kernel.pid_max`.
const FIRST_PID: c_uint = 4_200_001;
/// Not a MIG instance.
const WHOLE: c_uint = c_uint::MAX;

#[repr(C)]
pub struct Process {
    pid: c_uint,
    memory: c_ulonglong,
    gpu_instance: c_uint,
    compute_instance: c_uint,
}

#[repr(C)]
pub struct ProcessV1 {
    pid: c_uint,
    memory: c_ulonglong,
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetComputeRunningProcesses_v3(
    device: Device,
    count: *mut c_uint,
    processes: *mut Process,
) -> c_int {
    let symbol = "nvmlDeviceGetComputeRunningProcesses_v3";
    list(symbol, device, "used_by", count, processes, current)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetComputeRunningProcesses_v2(
    device: Device,
    count: *mut c_uint,
    processes: *mut Process,
) -> c_int {
    let symbol = "nvmlDeviceGetComputeRunningProcesses_v2";
    list(symbol, device, "used_by", count, processes, current)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetComputeRunningProcesses(
    device: Device,
    count: *mut c_uint,
    processes: *mut ProcessV1,
) -> c_int {
    let symbol = "nvmlDeviceGetComputeRunningProcesses";
    list(symbol, device, "used_by", count, processes, |pid, memory| ProcessV1 { pid, memory })
}

/// No graphics processes.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetGraphicsRunningProcesses_v3(
    device: Device,
    count: *mut c_uint,
    processes: *mut Process,
) -> c_int {
    let symbol = "nvmlDeviceGetGraphicsRunningProcesses_v3";
    list(symbol, device, "", count, processes, current)
}

fn current(pid: c_uint, memory: c_ulonglong) -> Process {
    Process { pid, memory, gpu_instance: WHOLE, compute_instance: WHOLE }
}

/// Callers call twice: first with an empty buffer, to get the number.
fn list<T>(
    symbol: &str,
    device: Device,
    key: &str,
    count: *mut c_uint,
    to: *mut T,
    process: impl Fn(c_uint, c_ulonglong) -> T,
) -> c_int {
    on(symbol, device, |target| {
        let room = take(count.cast_const())?;
        let number = target.gpu.number(key) as c_uint;
        put(count, number)?;
        if number > room {
            return Err(error::INSUFFICIENT_SIZE);
        }
        let used = target.gpu.total_bytes() - target.gpu.free_bytes();
        for index in 0..number {
            let memory = used / u64::from(number);
            put_item(to, index as usize, process(FIRST_PID + index, memory))?;
        }
        Ok(())
    })
}
