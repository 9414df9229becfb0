//! The host's model of `smoke.ptx`: the same 32-bit arithmetic, step by step. Change both or neither.

/// Threads per block.
pub const THREADS: u32 = 256;
pub const ROUNDS: u32 = 16;
pub const SEED: u32 = 0x2545_F491;

const LANES: usize = 32;

/// The results of all blocks: one word per thread, and the sum and XOR of all words.
pub struct Model {
    pub words: Vec<u32>,
    pub sums: [u32; 2],
}

pub fn run(blocks: u32) -> Model {
    let words: Vec<u32> = (0..blocks).flat_map(block).collect();
    let sum = words.iter().fold(0u32, |sum, word| sum.wrapping_add(*word));
    let xor = words.iter().fold(0, |xor, word| xor ^ word);
    Model { words, sums: [sum, xor] }
}

fn block(number: u32) -> [u32; THREADS as usize] {
    let mut x: [u32; THREADS as usize] =
        std::array::from_fn(|thread| SEED ^ (number * THREADS + thread as u32).wrapping_mul(0x9E37_79B9));
    let mut exchange = [[0u32; THREADS as usize]; ROUNDS as usize];
    for (round, row) in exchange.iter_mut().enumerate() {
        for (x, word) in x.iter_mut().zip(row) {
            *x = mix(x.wrapping_add(round as u32));
            *word = *x;
        }
    }
    for (round, row) in exchange.iter().enumerate() {
        for (thread, x) in x.iter_mut().enumerate() {
            let y = row[(thread + 37 * round + 1) % THREADS as usize];
            *x = (x.rotate_left(5) ^ y).wrapping_mul(0x9E37_79B1).wrapping_add(0x7F4A_7C15);
        }
        let before = x;
        let partner = (2 * round + 1) % LANES;
        for (thread, x) in x.iter_mut().enumerate() {
            *x = x.wrapping_add(before[thread ^ partner].rotate_left(11));
        }
    }
    x
}

fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}
