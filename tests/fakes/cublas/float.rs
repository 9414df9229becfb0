//! The formats of matrix elements. Values become the nearest representable one, ties to even.

/// An element in memory, and its conversion to and from the type of the computation.
pub trait Element<T>: Copy {
    fn load(self) -> T;
    fn store(value: T) -> Self;
}

#[derive(Clone, Copy)]
pub struct Half(pub u16);

#[derive(Clone, Copy)]
pub struct Bfloat(pub u16);

impl Element<f32> for f32 {
    fn load(self) -> f32 {
        self
    }
    fn store(value: f32) -> Self {
        value
    }
}

impl Element<f64> for f64 {
    fn load(self) -> f64 {
        self
    }
    fn store(value: f64) -> Self {
        value
    }
}

impl Element<f32> for Bfloat {
    fn load(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    fn store(value: f32) -> Self {
        let bits = value.to_bits();
        if value.is_nan() {
            // Rounding could turn a NaN into infinity.
            return Self((bits >> 16) as u16 | 0x40);
        }
        let even = bits >> 16 & 1;
        Self(((bits + 0x7FFF + even) >> 16) as u16)
    }
}

impl Element<f32> for Half {
    fn load(self) -> f32 {
        let sign = u32::from(self.0 & 0x8000) << 16;
        let exponent = u32::from(self.0 >> 10 & 31);
        let fraction = u32::from(self.0 & 0x3FF);
        let magnitude = match exponent {
            // 2^-24 for each unit: exact.
            0 => (fraction as f32 * f32::from_bits(0x3380_0000)).to_bits(),
            31 => 0x7F80_0000 | fraction << 13,
            _ => (exponent + 112) << 23 | fraction << 13,
        };
        f32::from_bits(sign | magnitude)
    }

    fn store(value: f32) -> Self {
        const INFINITY: u32 = 0x7C00;
        let sign = (value.to_bits() >> 16 & 0x8000) as u16;
        let bits = value.to_bits() & 0x7FFF_FFFF;
        let magnitude = if value.is_nan() {
            INFINITY | 0x200 | bits >> 13 & 0x3FF
        } else if bits >= 0x477F_F000 {
            // Half way from 65504, the largest, to what would be the next: 65520.
            INFINITY
        } else if bits < 0x3880_0000 {
            // Below 2^-14, the least normal number: count units of 2^-24. Adding 0.5 puts these
            // units at the end of an f32's fraction, so that the CPU rounds.
            (f32::from_bits(bits) + 0.5).to_bits() - 0.5f32.to_bits()
        } else {
            let even = bits >> 13 & 1;
            (bits - (112 << 23) + 0xFFF + even) >> 13
        };
        Self(sign | magnitude as u16)
    }
}

/// An input of a TF32 product: truncated to ten bits of fraction.
pub fn tf32(value: f32) -> f32 {
    f32::from_bits(value.to_bits() & !0x1FFF)
}

pub fn half(value: f32) -> f32 {
    Half::store(value).load()
}

pub fn bfloat(value: f32) -> f32 {
    Bfloat::store(value).load()
}
