//! A small interpreter of PTX: text in, kernels out, run on the CPU.
//!
//! It is written from the PTX ISA and knows nothing of the kernel that the probe launches: that
//! kernel's results are compared with the project's own model, and an interpreter that shared
//! assumptions with the model would prove nothing. An instruction that it does not know is an error at
//! load time. What PTX leaves undefined gives a value that no test can expect.
//!
//! Threads of a warp run in lockstep and part at divergent branches; the group that is furthest
//! behind runs first. Warps run one after the other up to a barrier, blocks one after the other.
//! So a kernel that spins until another warp or block does something never ends.

mod cursor;
mod decode;
mod exec;
mod inst;
mod lex;
mod memory;
mod names;
mod operand;
mod parse;
mod run;
mod scope;
mod warp;

use std::sync::Arc;

pub use run::Grid;

/// What was loaded from one PTX text.
pub struct Module {
    kernels: Vec<Arc<Kernel>>,
}

/// One entry function, decoded.
pub struct Kernel {
    pub name: String,
    pub params: Vec<Param>,
    pub params_size: usize,
    /// Bytes of shared memory that the text declares; dynamic shared memory begins behind them.
    pub static_shared: u32,
    code: Vec<inst::Step>,
    registers: usize,
    predicates: usize,
    /// Registers that receive something other than a special register or a constant.
    computed: Vec<bool>,
}

pub struct Param {
    pub name: String,
    pub size: usize,
    pub offset: usize,
}

/// How a kernel can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    IllegalAddress,
    Misaligned,
    /// Threads wait for others that can never arrive. A real GPU would hang.
    Stuck,
}

impl Module {
    /// `capability` is that of the GPU, times ten. The error is a log in the words of ptxas.
    pub fn parse(text: &str, capability: u32) -> Result<Self, String> {
        let kernels = parse::module(text, capability).map_err(|complaint| {
            format!(
                "ptxas application ptx input, line {}; error   : {}\n\
                 ptxas fatal   : Ptx assembly aborted due to errors\n",
                complaint.line, complaint.message
            )
        })?;
        Ok(Self { kernels })
    }

    pub fn kernel(&self, name: &str) -> Option<Arc<Kernel>> {
        self.kernels.iter().find(|kernel| kernel.name == name).cloned()
    }
}
