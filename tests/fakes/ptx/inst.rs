//! The decoded form of a kernel: what the interpreter executes.
//!
//! Registers of 32 and 64 bits share one file of 64-bit cells; a 32-bit value keeps its upper half
//! zero. Predicates are bit masks over the lanes of a warp.

#[derive(Clone, Copy)]
pub struct Step {
    pub guard: Option<Guard>,
    pub inst: Inst,
}

/// `@%p` or `@!%p`.
#[derive(Clone, Copy)]
pub struct Guard {
    pub predicate: u16,
    pub negated: bool,
}

#[derive(Clone, Copy)]
pub struct Type {
    pub wide: bool,
    pub signed: bool,
}

impl Type {
    pub fn bytes(self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    pub fn bits(self) -> u32 {
        if self.wide { 64 } else { 32 }
    }

    /// The bits that a value of this type may have.
    pub fn mask(self) -> u64 {
        if self.wide { u64::MAX } else { u32::MAX.into() }
    }

    /// The value with its sign, if the type has one.
    pub fn extend(self, value: u64) -> i64 {
        match self {
            Type { wide: false, signed: true } => i64::from(value as u32 as i32),
            _ => value as i64,
        }
    }

    pub fn less(self, a: u64, b: u64) -> bool {
        match self.signed {
            true => self.extend(a) < self.extend(b),
            false => a < b,
        }
    }
}

#[derive(Clone, Copy)]
pub enum Source {
    Register(u16),
    Constant(u64),
    Special(Special),
}

/// The number is the axis: x, y or z.
#[derive(Clone, Copy)]
pub enum Special {
    Tid(usize),
    Ntid(usize),
    Ctaid(usize),
    Nctaid(usize),
    LaneId,
    WarpId,
    SmId,
    NSmId,
}

#[derive(Clone, Copy)]
pub struct Address {
    pub base: Source,
    pub offset: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Space {
    Global,
    Shared,
}

#[derive(Clone, Copy)]
pub enum Alu {
    Add,
    Sub,
    MulLo,
    MulHi,
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Min,
    Max,
}

#[derive(Clone, Copy)]
pub enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Clone, Copy)]
pub enum Atomic {
    Add,
    And,
    Or,
    Xor,
    Exchange,
    Min,
    Max,
}

#[derive(Clone, Copy)]
pub enum Shuffle {
    Up,
    Down,
    Butterfly,
    Index,
}

#[derive(Clone, Copy)]
pub enum Inst {
    Move {
        to: u16,
        from: Source,
    },
    Convert {
        to: u16,
        from: Source,
        from_type: Type,
        to_type: Type,
    },
    Alu {
        op: Alu,
        kind: Type,
        to: u16,
        a: Source,
        b: Source,
    },
    Not {
        kind: Type,
        to: u16,
        a: Source,
    },
    /// Two 32-bit factors, a 64-bit product.
    MulWide {
        kind: Type,
        to: u16,
        a: Source,
        b: Source,
    },
    MadLo {
        kind: Type,
        to: u16,
        a: Source,
        b: Source,
        c: Source,
    },
    Set {
        compare: Compare,
        kind: Type,
        predicate: u16,
        a: Source,
        b: Source,
    },
    Select {
        to: u16,
        a: Source,
        b: Source,
        predicate: u16,
    },
    Param {
        kind: Type,
        to: u16,
        offset: usize,
    },
    Load {
        space: Space,
        kind: Type,
        to: u16,
        at: Address,
    },
    Store {
        space: Space,
        kind: Type,
        at: Address,
        value: Source,
    },
    Atom {
        op: Atomic,
        space: Space,
        kind: Type,
        to: u16,
        at: Address,
        value: Source,
    },
    Shfl {
        mode: Shuffle,
        to: u16,
        valid: Option<u16>,
        a: Source,
        b: Source,
        c: Source,
        members: Source,
    },
    Barrier,
    Branch {
        target: usize,
    },
    Return,
}
