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
use crate::ffi::text;
use model::{ROUNDS, SEED, THREADS};
use protocol::{Device, Fault, SMOKE_KERNEL, Smoke};

const PTX: &str = concat!(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/smoke.ptx")), "\0");

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

/// What the device left, launch by launch.
pub struct Launches {
    present: u32,
    blocks: u32,
    cooperative: bool,
    runs: Vec<Run>,
}

impl Kernel<'_> {
    /// Runs the kernel until every multiprocessor was seen, or was given up.
    pub fn run(&self, device: &Device) -> Result<Launches, Fault> {
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
        // Compute capability 6.0 is the first that has it.
        let cooperative = device.cooperative && device.capability >= (6, 0);
        let mut launches = Launches { present, blocks, cooperative, runs: Vec::new() };
        while launches.runs.is_empty() || !launches.enough() {
            match self.launch(blocks, launches.cooperative) {
                // 720 and 801: a server in between, or its policy, does not allow cooperation.
                Err(fault) if launches.cooperative && matches!(fault.code, Some(720 | 801)) => {
                    launches.cooperative = false;
                }
                run => launches.runs.push(run?),
            }
        }
        Ok(launches)
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
    /// The multiprocessor that signed for each block.
    blocks: Vec<u32>,
    /// Sum and exclusive-or of all words, and %nsmid.
    sums: Vec<u32>,
}

impl Run {
    /// Who signed for a block. Ids are below %nsmid; a block that left none did not run.
    fn signed(&self, block: usize) -> Option<u32> {
        Some(self.blocks[block]).filter(|sm| *sm < self.sums[2])
    }
}

impl Launches {
    fn seen(&self) -> BTreeSet<u32> {
        let blocks = 0..self.blocks as usize;
        self.runs.iter().flat_map(|run| blocks.clone().filter_map(|block| run.signed(block))).collect()
    }

    fn enough(&self) -> bool {
        self.seen().len() as u32 >= self.present || self.runs.len() as u32 >= PATIENCE
    }

    /// Compares every word of every launch with the host's model.
    pub fn compare(&self) -> Smoke {
        let model = model::run(self.blocks);
        let (mut wrong, mut words_wrong, mut sums_right) = (BTreeSet::new(), 0, true);
        let threads = THREADS as usize;
        for run in &self.runs {
            for (block, (words, right)) in
                run.words.chunks(threads).zip(model.words.chunks(threads)).enumerate()
            {
                let bad = words.iter().zip(right).filter(|(word, right)| word != right).count();
                words_wrong += bad as u64;
                wrong.extend(run.signed(block).filter(|_| bad > 0));
            }
            sums_right &= run.sums[..2] == model.sums;
        }
        Smoke {
            sms_present: self.present,
            sms_covered: self.seen().len() as u32,
            sms_wrong: wrong.into_iter().collect(),
            words: u64::from(self.blocks) * u64::from(THREADS) * self.runs.len() as u64,
            words_wrong,
            sums_right,
            launches: self.runs.len() as u32,
            cooperative: self.cooperative,
        }
    }
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
