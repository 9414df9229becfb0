//! Arithmetic on all lanes of a warp at once.

use super::inst::{Alu, Compare, Shuffle, Type};

pub const LANES: usize = 32;

/// One value per lane. A 32-bit value has zeros in its upper half.
pub type Lanes = [u64; LANES];

pub fn map(a: &Lanes, f: impl Fn(u64) -> u64) -> Lanes {
    std::array::from_fn(|lane| f(a[lane]))
}

pub fn zip(a: &Lanes, b: &Lanes, f: impl Fn(u64, u64) -> u64) -> Lanes {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

pub fn alu(op: Alu, kind: Type, a: &Lanes, b: &Lanes) -> Lanes {
    let mask = kind.mask();
    match op {
        Alu::Add => zip(a, b, |a, b| a.wrapping_add(b) & mask),
        Alu::Sub => zip(a, b, |a, b| a.wrapping_sub(b) & mask),
        Alu::MulLo => mul_lo(kind, a, b),
        Alu::MulHi => zip(a, b, |a, b| mul_hi(kind, a, b)),
        Alu::And => zip(a, b, |a, b| a & b),
        Alu::Or => zip(a, b, |a, b| a | b),
        Alu::Xor => zip(a, b, |a, b| a ^ b),
        Alu::Shl => zip(a, b, |a, count| match count < kind.bits().into() {
            true => (a << count) & mask,
            false => 0,
        }),
        Alu::Shr => zip(a, b, |a, count| shr(kind, a, count)),
        Alu::Min => zip(a, b, |a, b| if kind.less(b, a) { b } else { a }),
        Alu::Max => zip(a, b, |a, b| if kind.less(a, b) { b } else { a }),
    }
}

/// A special case for 32 bits, which the compiler can vectorize.
pub fn mul_lo(kind: Type, a: &Lanes, b: &Lanes) -> Lanes {
    match kind.wide {
        true => zip(a, b, u64::wrapping_mul),
        false => zip(a, b, |a, b| (u64::from(a as u32) * u64::from(b as u32)) & u64::from(u32::MAX)),
    }
}

fn mul_hi(kind: Type, a: u64, b: u64) -> u64 {
    let product = match kind.signed {
        true => (i128::from(kind.extend(a)) * i128::from(kind.extend(b))) as u128,
        false => u128::from(a) * u128::from(b),
    };
    (product >> kind.bits()) as u64 & kind.mask()
}

pub fn mul_wide(kind: Type, a: &Lanes, b: &Lanes) -> Lanes {
    match kind.signed {
        true => zip(a, b, |a, b| (kind.extend(a) * kind.extend(b)) as u64),
        false => zip(a, b, |a, b| u64::from(a as u32) * u64::from(b as u32)),
    }
}

/// With a count of the width or more, the result is zero, or all copies of the sign.
fn shr(kind: Type, a: u64, count: u64) -> u64 {
    let last = u64::from(kind.bits()) - 1;
    match kind.signed {
        true => (kind.extend(a) >> count.min(last)) as u64 & kind.mask(),
        false if count > last => 0,
        false => a >> count,
    }
}

/// One bit per lane.
pub fn compare(compare: Compare, kind: Type, a: &Lanes, b: &Lanes) -> u32 {
    let holds = |a, b| match compare {
        Compare::Eq => a == b,
        Compare::Ne => a != b,
        Compare::Lt => kind.less(a, b),
        Compare::Le => !kind.less(b, a),
        Compare::Gt => kind.less(b, a),
        Compare::Ge => !kind.less(a, b),
    };
    (0..LANES).map(|lane| u32::from(holds(a[lane], b[lane])) << lane).fold(0, |bits, bit| bits | bit)
}

/// Where a lane reads from, and whether that lane is in range: the formulas of the PTX ISA.
pub fn shuffle_source(mode: Shuffle, lane: u64, b: u64, c: u64) -> (usize, bool) {
    let lane = lane as i64;
    let b = (b & 31) as i64;
    let clamp = (c & 31) as i64;
    let segment = (c >> 8 & 31) as i64;
    let most = (lane & segment) | (clamp & !segment);
    let least = lane & segment;
    let (source, in_range) = match mode {
        Shuffle::Up => (lane - b, lane - b >= most),
        Shuffle::Down => (lane + b, lane + b <= most),
        Shuffle::Butterfly => (lane ^ b, lane ^ b <= most),
        Shuffle::Index => {
            let source = least | (b & !segment);
            (source, source <= most)
        }
    };
    let source = if in_range { source } else { lane };
    (source as usize, in_range)
}
