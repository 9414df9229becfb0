//! A grid on the CPU: which block runs on which SM, and the barrier within a block.

use super::inst::{Source, Space, Type};
use super::memory::Memory;
use super::warp::Warp;
use super::{Fault, Kernel};

/// A launch.
pub struct Grid {
    pub blocks: [u32; 3],
    pub threads: [u32; 3],
    pub dynamic_shared: u32,
    /// The arguments, each where the kernel's parameter is.
    pub params: Vec<u8>,
    /// Allocations of global memory: first byte and length, in order.
    pub regions: Vec<(usize, usize)>,
    /// The SMs that run blocks, in turn.
    pub sms: Vec<u32>,
    pub nsmid: u32,
    /// The SM that inverts one bit in everything it computes.
    pub bad_sm: Option<u64>,
}

/// The current block, as its warps see it.
pub struct Block<'a> {
    pub kernel: &'a Kernel,
    pub grid: &'a Grid,
    pub memory: Memory<'a>,
    pub position: [u32; 3],
    pub sm: u32,
    bad_bits: u64,
}

impl Kernel {
    pub fn run(&self, grid: &Grid) -> Result<(), Fault> {
        let shared = self.static_shared as usize + grid.dynamic_shared as usize;
        let mut block = Block {
            kernel: self,
            grid,
            memory: Memory::new(&grid.regions, shared),
            position: [0; 3],
            sm: 0,
            bad_bits: 0,
        };
        let mut turn = grid.sms.iter().copied().cycle();
        for z in 0..grid.blocks[2] {
            for y in 0..grid.blocks[1] {
                for x in 0..grid.blocks[0] {
                    block.position = [x, y, z];
                    // With every SM hidden, no block ever starts.
                    block.sm = turn.next().ok_or(Fault::Stuck)?;
                    block.run()?;
                }
            }
        }
        Ok(())
    }
}

impl Block<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        let bad = self.grid.bad_sm == Some(self.sm.into());
        self.bad_bits = if bad { 1 << 7 } else { 0 };
        self.memory.forget_shared();
        let threads: u32 = self.grid.threads.iter().product();
        let mut warps: Vec<Warp> = (0..threads.div_ceil(32))
            .map(|number| {
                let lanes = (threads - number * 32).min(32);
                Warp::new(number, lanes, self.kernel.registers, self.kernel.predicates)
            })
            .collect();
        // Each pass takes every warp to the barrier or to its end. A thread that has returned
        // is not waited for.
        while warps.iter().any(|warp| !warp.is_done()) {
            for warp in &mut warps {
                warp.leave_barrier();
                warp.run(self)?;
            }
        }
        Ok(())
    }

    pub fn param(&self, offset: usize, kind: Type) -> u64 {
        let mut bytes = [0; 8];
        let size = kind.bytes();
        bytes[..size].copy_from_slice(&self.grid.params[offset..offset + size]);
        u64::from_le_bytes(bytes)
    }

    /// What a faulty SM does to a word that it writes to global memory. Copied words, such as its own
    /// id, stay right, so that the faulty SM can be named.
    pub fn flip(&self, space: Space, value: Source) -> u64 {
        match value {
            Source::Register(number)
                if space == Space::Global && self.kernel.computed[usize::from(number)] =>
            {
                self.bad_bits
            }
            _ => 0,
        }
    }
}
