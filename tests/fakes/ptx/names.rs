//! The parts of an opcode after its first dot: types, operators, comparisons, spaces, modes.

use super::inst::{Alu, Atomic, Compare, Shuffle, Space, Type};

pub fn any_type(name: &str) -> Option<Type> {
    integer(name).or_else(|| bits(name))
}

pub fn integer(name: &str) -> Option<Type> {
    let (wide, signed) = match name {
        "u32" => (false, false),
        "s32" => (false, true),
        "u64" => (true, false),
        "s64" => (true, true),
        _ => return None,
    };
    Some(Type { wide, signed })
}

pub fn bits(name: &str) -> Option<Type> {
    let wide = match name {
        "b32" => false,
        "b64" => true,
        _ => return None,
    };
    let signed = false;
    Some(Type { wide, signed })
}

pub fn alu(parts: &[&str]) -> Option<(Alu, Type)> {
    let (op, kind) = match parts {
        ["add", kind] => (Alu::Add, integer(kind)),
        ["sub", kind] => (Alu::Sub, integer(kind)),
        ["mul", "lo", kind] => (Alu::MulLo, integer(kind)),
        ["mul", "hi", kind] => (Alu::MulHi, integer(kind)),
        ["min", kind] => (Alu::Min, integer(kind)),
        ["max", kind] => (Alu::Max, integer(kind)),
        ["and", kind] => (Alu::And, bits(kind)),
        ["or", kind] => (Alu::Or, bits(kind)),
        ["xor", kind] => (Alu::Xor, bits(kind)),
        ["shl", kind] => (Alu::Shl, bits(kind)),
        ["shr", kind] => (Alu::Shr, any_type(kind)),
        _ => return None,
    };
    Some((op, kind?))
}

/// `lo`, `ls`, `hi`, `hs` are for unsigned types, `b` types only support equality.
pub fn comparison(name: &str, kind: &str) -> Option<(Compare, Type)> {
    let compare = match name {
        "eq" => Compare::Eq,
        "ne" => Compare::Ne,
        "lt" | "lo" => Compare::Lt,
        "le" | "ls" => Compare::Le,
        "gt" | "hi" => Compare::Gt,
        "ge" | "hs" => Compare::Ge,
        _ => return None,
    };
    let kind = match name {
        "eq" | "ne" => any_type(kind),
        "lt" | "le" | "gt" | "ge" => integer(kind),
        _ => integer(kind).filter(|kind| !kind.signed),
    };
    Some((compare, kind?))
}

pub fn state_space(name: &str) -> Option<Space> {
    match name {
        "global" => Some(Space::Global),
        "shared" => Some(Space::Shared),
        _ => None,
    }
}

pub fn atomic(op: &str, kind: &str) -> Option<(Atomic, Type)> {
    let (op, kind) = match op {
        "add" => (Atomic::Add, integer(kind).filter(|kind| !(kind.wide && kind.signed))),
        "min" => (Atomic::Min, integer(kind)),
        "max" => (Atomic::Max, integer(kind)),
        "and" => (Atomic::And, bits(kind)),
        "or" => (Atomic::Or, bits(kind)),
        "xor" => (Atomic::Xor, bits(kind)),
        "exch" => (Atomic::Exchange, bits(kind)),
        _ => return None,
    };
    Some((op, kind?))
}

pub fn shuffle(mode: &str) -> Option<Shuffle> {
    match mode {
        "up" => Some(Shuffle::Up),
        "down" => Some(Shuffle::Down),
        "bfly" => Some(Shuffle::Butterfly),
        "idx" => Some(Shuffle::Index),
        _ => None,
    }
}
