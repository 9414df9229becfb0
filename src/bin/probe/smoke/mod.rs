//! The smoke kernel: run on every multiprocessor, compared bit for bit with the host's model.
//!
//! A cooperative launch is accepted only if all its blocks are resident at once. With as many blocks
//! as fit, every multiprocessor has some: coverage is proved by the ids that the blocks leave, not
//! hoped. Where such a launch is refused, ordinary ones are repeated and the coverage is what was
//! seen. This file runs the kernel; `model.rs` knows the right answer.

pub mod model;

use std::collections::BTreeSet;
use std::ffi::{c_int, c_uint, c_void};
use std::ptr;

use cudarc::driver::sys::{CUdevice, CUfunction, CUjit_option};

use crate::driver::{Cuda, Memory};
use crate::event::{Device, Fault, SMOKE_KERNEL, Smoke};
use crate::ffi::text;
use model::{ROUNDS, SEED, THREADS};

const PTX: &str = concat!(include_str!("../../../../kernels/smoke.ptx"), "\0");

/// Shared memory that a block asks for, in bytes. It uses a third; the rest keeps few blocks on a
/// multiprocessor, so that the host's model of them all takes milliseconds.
const SHARED: u32 = 48 * 1024;

/// Ordinary launches after which a multiprocessor that was never seen is left as undecided.
const PATIENCE: u32 = 20;

pub struct Kernel<'a> {
    cuda: &'a Cuda,
    function: CUfunction,
}

/// Compiles the kernel for the device: the driver's JIT compiler at work.
pub fn compile(cuda: &Cuda) -> Result<Kernel<'_>, Fault> {
    let mut log = vec![0u8; 4096];
    let mut options =
        [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values = [log.as_mut_ptr().cast::<c_void>(), ptr::without_provenance_mut(log.len())];
    let (mut module, mut function) = (ptr::null_mut(), ptr::null_mut());
    let name = std::ffi::CString::new(SMOKE_KERNEL).expect("the name has no NUL");
    // SAFETY: the image ends in NUL; options and values have the two entries that are announced, and
    // the log outlives the call.
    unsafe {
        cuda.cuModuleLoadDataEx(
            &mut module,
            PTX.as_ptr().cast(),
            2,
            options.as_mut_ptr(),
            values.as_mut_ptr(),
        )
        .map_err(|mut fault| {
            let log = text(&log);
            if !log.is_empty() {
                fault.detail = format!("{}; the compiler says: {}", fault.detail, log.trim());
            }
            fault
        })?;
        cuda.cuModuleGetFunction(&mut function, module, name.as_ptr())?;
    }
    Ok(Kernel { cuda, function })
}

impl Kernel<'_> {
    /// Runs the kernel until every multiprocessor was seen, or was given up.
    pub fn verify(&self, device: &Device) -> Result<Smoke, Fault> {
        let present = device.sms.max(1) as u32;
        let mut per_sm: c_int = 0;
        // SAFETY: the function is loaded; `per_sm` is written once, before the call returns.
        unsafe {
            self.cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(
                &mut per_sm,
                self.function,
                THREADS as c_int,
                SHARED as usize,
            )?;
        }
        let blocks = per_sm.max(1) as u32 * present;
        let model = model::run(blocks);
        let mut result = Smoke {
            sms_present: present,
            sms_covered: 0,
            sms_wrong: Vec::new(),
            words: u64::from(blocks) * u64::from(THREADS),
            words_wrong: 0,
            sums_right: true,
            launches: 0,
            // Compute capability 6.0 is the first that has it.
            cooperative: device.cooperative && device.capability >= (6, 0),
        };
        let (mut seen, mut wrong) = (BTreeSet::new(), BTreeSet::new());
        loop {
            let run = match self.launch(blocks, result.cooperative) {
                // 720 and 801: a server in between, or its policy, does not allow cooperation.
                Err(fault) if result.cooperative && matches!(fault.code, Some(720 | 801)) => {
                    result.cooperative = false;
                    continue;
                }
                run => run?,
            };
            result.launches += 1;
            for (block, sm) in run.blocks.iter().enumerate() {
                seen.insert(*sm);
                let range = block * THREADS as usize..(block + 1) * THREADS as usize;
                let bad =
                    run.words[range.clone()].iter().zip(&model.words[range]).filter(|(a, b)| a != b).count();
                if bad > 0 {
                    wrong.insert(*sm);
                    result.words_wrong += bad as u64;
                }
            }
            result.sums_right &= run.sums[..2] == model.sums;
            result.sms_covered = seen.len() as u32;
            if result.sms_covered >= present || result.cooperative || result.launches >= PATIENCE {
                result.sms_wrong = wrong.into_iter().collect();
                return Ok(result);
            }
        }
    }

    /// One small run without a check, for whoever watches launches.
    pub fn run_once(&self) -> Result<(), Fault> {
        self.launch(1, false).map(drop)
    }

    fn launch(&self, blocks: u32, cooperative: bool) -> Result<Run, Fault> {
        let cuda = self.cuda;
        let words = Memory::new(cuda, (blocks * THREADS * 4) as usize)?;
        let ids = Memory::new(cuda, (blocks * 4) as usize)?;
        let sums = Memory::new(cuda, 12)?;
        // What the kernel does not write must not look right.
        words.fill(0xA5)?;
        ids.fill(0xFF)?;
        sums.fill(0)?;
        let (mut seed, mut rounds) = (SEED, ROUNDS);
        let mut pointers = [words.pointer, ids.pointer, sums.pointer];
        let [words_argument, ids_argument, sums_argument] =
            pointers.each_mut().map(|p| ptr::from_mut(p).cast());
        let mut arguments: [*mut c_void; 5] = [
            words_argument,
            ids_argument,
            sums_argument,
            ptr::from_mut(&mut seed).cast(),
            ptr::from_mut(&mut rounds).cast(),
        ];
        let (grid, block): (c_uint, c_uint) = (blocks, THREADS);
        let (function, stream) = (self.function, ptr::null_mut());
        // SAFETY: the five arguments have the types of the kernel's parameters and outlive the call;
        // the buffers have room for what `blocks` blocks write.
        unsafe {
            if cooperative {
                cuda.cuLaunchCooperativeKernel(
                    function,
                    grid,
                    1,
                    1,
                    block,
                    1,
                    1,
                    SHARED,
                    stream,
                    arguments.as_mut_ptr(),
                )?;
            } else {
                let extra = ptr::null_mut();
                cuda.cuLaunchKernel(
                    function,
                    grid,
                    1,
                    1,
                    block,
                    1,
                    1,
                    SHARED,
                    stream,
                    arguments.as_mut_ptr(),
                    extra,
                )?;
            }
        }
        cuda.synchronize()?;
        Ok(Run {
            words: numbers(&words.read()?),
            blocks: numbers(&ids.read()?),
            sums: numbers(&sums.read()?),
        })
    }
}

struct Run {
    words: Vec<u32>,
    blocks: Vec<u32>,
    sums: Vec<u32>,
}

fn numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().expect("four bytes"))).collect()
}

/// Makes the device's primary context current: the one that the runtime and cuBLAS use as well.
pub fn enter_context(cuda: &Cuda, device: CUdevice) -> Result<(), Fault> {
    let mut context = ptr::null_mut();
    // SAFETY: `context` is written once; it stays retained until the process ends.
    unsafe {
        cuda.cuDevicePrimaryCtxRetain(&mut context, device)?;
        cuda.cuCtxSetCurrent(context)
    }
}
