//! The smoke kernel: runs on every SM, and its results are compared bit for bit with the host's.
//!
//! A cooperative launch requires that all of its blocks are resident at once, so with as many blocks as
//! fit every SM gets some. The SM IDs that the blocks store prove it. Where cooperative launches are not
//! supported, ordinary ones are repeated until every SM has been seen or [`LAUNCHES`] is reached; an SM that
//! was never seen is undecided. `model.rs` computes the expected results. They depend on block and thread
//! alone, so a wrong word names the SM that computed it.

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

/// Shared memory per block, in bytes. The kernel uses a third of it; the rest limits the number of blocks
/// per SM, so that the host's model of them all takes milliseconds.
const SHARED: u32 = 48 * 1024;

/// The most ordinary launches. SMs that have run no block by then remain unverified.
const LAUNCHES: u32 = 20;

pub struct Kernel<'a> {
    cuda: &'a Cuda,
    function: CUfunction,
}

/// Has the driver compile the kernel for the device.
pub fn compile(cuda: &Cuda) -> Result<Kernel<'_>, Fault> {
    let mut log = vec![0u8; 4096];
    let mut options =
        [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values = [log.as_mut_ptr().cast::<c_void>(), ptr::without_provenance_mut(log.len())];
    let (mut module, mut function) = (ptr::null_mut(), ptr::null_mut());
    let name = std::ffi::CString::new(SMOKE_KERNEL).expect("the name has no NUL");
    // SAFETY: the image ends in NUL; options and values have two entries each; the log outlives the call.
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
                fault.detail = format!("{}; compiler log: {}", fault.detail, log.trim());
            }
            fault
        })?;
        cuda.cuModuleGetFunction(&mut function, module, name.as_ptr())?;
    }
    Ok(Kernel { cuda, function })
}

/// The results of the device, launch by launch.
pub struct Launches {
    present: u32,
    blocks: u32,
    cooperative: bool,
    runs: Vec<Run>,
}

impl Kernel<'_> {
    /// Runs the kernel until every SM has run a block, or [`LAUNCHES`] is reached.
    pub fn run(&self, device: &Device) -> Result<Launches, Fault> {
        let present = device.sms.max(1) as u32;
        let mut per_sm: c_int = 0;
        // SAFETY: the function is loaded; `per_sm` is written before the call returns.
        unsafe {
            self.cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(
                &mut per_sm,
                self.function,
                THREADS as c_int,
                SHARED as usize,
            )?;
        }
        let blocks = per_sm.max(1) as u32 * present;
        // Compute capability 6.0 or later.
        let cooperative = device.cooperative && device.capability >= (6, 0);
        let mut launches = Launches { present, blocks, cooperative, runs: Vec::new() };
        while launches.runs.is_empty() || !launches.enough() {
            match self.launch(blocks, launches.cooperative) {
                // 720 and 801: MPS or a vGPU policy does not allow cooperative launches.
                Err(fault) if launches.cooperative && matches!(fault.code, Some(720 | 801)) => {
                    launches.cooperative = false;
                }
                run => launches.runs.push(run?),
            }
        }
        Ok(launches)
    }

    /// One launch of one block, for CUPTI to trace.
    pub fn run_once(&self) -> Result<(), Fault> {
        self.launch(1, false).map(drop)
    }

    fn launch(&self, blocks: u32, cooperative: bool) -> Result<Run, Fault> {
        let cuda = self.cuda;
        let words = Memory::new(cuda, (blocks * THREADS * 4) as usize)?;
        let ids = Memory::new(cuda, (blocks * 4) as usize)?;
        let sums = Memory::new(cuda, 12)?;
        // Every result starts out wrong, so that one that is not written shows.
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
        // SAFETY: the arguments have the types of the kernel's parameters and outlive the call; the buffers
        // are large enough for `blocks` blocks.
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
    /// The SM that ran each block.
    blocks: Vec<u32>,
    /// Sum and XOR of all words, and %nsmid.
    sums: Vec<u32>,
}

impl Run {
    /// The SM that ran a block. IDs are below %nsmid; a block without a valid ID did not run.
    fn sm_of(&self, block: usize) -> Option<u32> {
        Some(self.blocks[block]).filter(|sm| *sm < self.sums[2])
    }
}

impl Launches {
    fn sms_seen(&self) -> BTreeSet<u32> {
        let blocks = 0..self.blocks as usize;
        self.runs.iter().flat_map(|run| blocks.clone().filter_map(|block| run.sm_of(block))).collect()
    }

    fn enough(&self) -> bool {
        self.sms_seen().len() as u32 >= self.present || self.runs.len() as u32 >= LAUNCHES
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
                wrong.extend(run.sm_of(block).filter(|_| bad > 0));
            }
            sums_right &= run.sums[..2] == model.sums;
        }
        Smoke {
            sms_present: self.present,
            sms_covered: self.sms_seen().len() as u32,
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

/// Makes the primary context of the device current, which libcudart and cuBLAS use as well.
pub fn enter_context(cuda: &Cuda, device: CUdevice) -> Result<(), Fault> {
    let mut context = ptr::null_mut();
    // SAFETY: `context` is written before it is used, and stays retained until the process ends.
    unsafe {
        cuda.cuDevicePrimaryCtxRetain(&mut context, device)?;
        cuda.cuCtxSetCurrent(context)
    }
}
