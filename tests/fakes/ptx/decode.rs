//! Decodes opcodes with their operands: one `match` for each kind.
//!
//! Types are checked against the registers, as in ptxas.

use super::inst::{Alu, Inst, Source, Space, Type};
use super::names::{alu, any_type, atomic, bits, comparison, integer, shuffle, state_space};
use super::operand::{Operand, predicate, register};
use super::scope::Scope;

/// `None`: no such instruction. An error: its operands are wrong.
type Known = Result<Option<Inst>, String>;

macro_rules! known {
    ($name:expr) => {
        match $name {
            Some(meaning) => meaning,
            None => return Ok(None),
        }
    };
}

pub struct Decoder {
    pub scope: Scope,
    computed: Vec<u16>,
}

const U32: Type = Type { wide: false, signed: false };

impl Decoder {
    pub fn new() -> Self {
        Self { scope: Scope::default(), computed: Vec::new() }
    }

    pub fn computed(&self) -> Vec<bool> {
        let mut computed = vec![false; self.scope.cells.into()];
        for register in &self.computed {
            computed[usize::from(*register)] = true;
        }
        computed
    }

    pub fn decode(&mut self, opcode: &str, operands: &[Operand]) -> Result<Inst, String> {
        let parts: Vec<&str> = opcode.split('.').collect();
        let inst = self.inst(&parts, operands)?;
        let inst = inst.ok_or_else(|| format!("Unknown instruction '{opcode}'"))?;
        if let Some(register) = computes(&inst) {
            self.computed.push(register);
        }
        Ok(inst)
    }

    fn inst(&self, parts: &[&str], operands: &[Operand]) -> Known {
        match parts[0] {
            "ret" | "exit" | "bra" | "bar" | "barrier" => self.control(parts, operands),
            "mov" | "cvta" | "cvt" | "setp" | "selp" => self.data(parts, operands),
            "ld" | "st" | "atom" => self.memory(parts, operands),
            "shfl" => self.shuffle(parts, operands),
            _ => self.arithmetic(parts, operands),
        }
    }

    fn control(&self, parts: &[&str], operands: &[Operand]) -> Known {
        let inst = match (parts, operands) {
            (["ret" | "exit"], []) => Inst::Return,
            (["bar" | "barrier", "sync"], [Operand::Number(0)]) => Inst::Barrier,
            (["bra"] | ["bra", "uni"], [label]) => {
                let label = label.name()?;
                let target = self.scope.labels.get(label).copied();
                let target = target.ok_or_else(|| format!("Unknown label '{label}'"))?;
                Inst::Branch { target }
            }
            _ => return Ok(None),
        };
        Ok(Some(inst))
    }

    fn data(&self, parts: &[&str], operands: &[Operand]) -> Known {
        let scope = &self.scope;
        let inst = match (parts, operands) {
            // Global addresses and generic ones are the same here; shared ones are not.
            (["mov", kind], [to, from])
            | (["cvta", "to", "global", kind @ "u64"], [to, from])
            | (["cvta", "global", kind @ "u64"], [to, from]) => {
                let kind = known!(any_type(kind));
                Inst::Move { to: to.target(kind, scope)?, from: from.source(kind, scope)? }
            }
            (["cvt", to_type, from_type], [to, from]) => {
                let to_type = known!(integer(to_type));
                let from_type = known!(integer(from_type));
                Inst::Convert {
                    to: to.target(to_type, scope)?,
                    from: from.source(from_type, scope)?,
                    from_type,
                    to_type,
                }
            }
            (["setp", compare, kind], [to, a, b]) => {
                let (compare, kind) = known!(comparison(compare, kind));
                Inst::Set {
                    compare,
                    kind,
                    predicate: to.predicate(scope)?,
                    a: a.source(kind, scope)?,
                    b: b.source(kind, scope)?,
                }
            }
            (["selp", kind], [to, a, b, condition]) => {
                let kind = known!(any_type(kind));
                Inst::Select {
                    to: to.target(kind, scope)?,
                    a: a.source(kind, scope)?,
                    b: b.source(kind, scope)?,
                    predicate: condition.predicate(scope)?,
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(inst))
    }

    fn arithmetic(&self, parts: &[&str], operands: &[Operand]) -> Known {
        let scope = &self.scope;
        let inst = match (parts, operands) {
            (["not", kind], [to, a]) => {
                let kind = known!(bits(kind));
                Inst::Not { kind, to: to.target(kind, scope)?, a: a.source(kind, scope)? }
            }
            (["mul", "wide", kind], [to, a, b]) => {
                let kind = known!(integer(kind).filter(|kind| !kind.wide));
                let product = Type { wide: true, ..kind };
                Inst::MulWide {
                    kind,
                    to: to.target(product, scope)?,
                    a: a.source(kind, scope)?,
                    b: b.source(kind, scope)?,
                }
            }
            (["mad", "lo", kind], [to, a, b, c]) => {
                let kind = known!(integer(kind));
                Inst::MadLo {
                    kind,
                    to: to.target(kind, scope)?,
                    a: a.source(kind, scope)?,
                    b: b.source(kind, scope)?,
                    c: c.source(kind, scope)?,
                }
            }
            (_, [to, a, b]) => {
                let (op, kind) = known!(alu(parts));
                // The count of a shift always has 32 bits.
                let count = match op {
                    Alu::Shl | Alu::Shr => U32,
                    _ => kind,
                };
                Inst::Alu {
                    op,
                    kind,
                    to: to.target(kind, scope)?,
                    a: a.source(kind, scope)?,
                    b: b.source(count, scope)?,
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(inst))
    }

    fn memory(&self, parts: &[&str], operands: &[Operand]) -> Known {
        let scope = &self.scope;
        let inst = match (parts, operands) {
            (["ld", "param", kind], [to, from]) => self.param(known!(any_type(kind)), to, from)?,
            (["ld", space, kind], [to, at]) => {
                let (space, kind) = (known!(state_space(space)), known!(any_type(kind)));
                Inst::Load {
                    space,
                    kind,
                    to: to.target(kind, scope)?,
                    at: at.address(space == Space::Shared, scope)?,
                }
            }
            (["st", space, kind], [at, value]) => {
                let (space, kind) = (known!(state_space(space)), known!(any_type(kind)));
                Inst::Store {
                    space,
                    kind,
                    at: at.address(space == Space::Shared, scope)?,
                    value: value.source(kind, scope)?,
                }
            }
            (["atom", space, op, kind], [to, at, value]) => {
                let space = known!(state_space(space));
                let (op, kind) = known!(atomic(op, kind));
                Inst::Atom {
                    op,
                    space,
                    kind,
                    to: to.target(kind, scope)?,
                    at: at.address(space == Space::Shared, scope)?,
                    value: value.source(kind, scope)?,
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(inst))
    }

    fn shuffle(&self, parts: &[&str], operands: &[Operand]) -> Known {
        let (["shfl", "sync", mode, "b32"], [to, a, b, c, members]) = (parts, operands) else {
            return Ok(None);
        };
        let scope = &self.scope;
        let mode = known!(shuffle(mode));
        let (to, valid) = match to {
            Operand::Pair(to, valid) => (to.as_str(), Some(predicate(valid, scope)?)),
            _ => (to.name()?, None),
        };
        Ok(Some(Inst::Shfl {
            mode,
            to: register(to, U32, scope)?,
            valid,
            a: a.source(U32, scope)?,
            b: b.source(U32, scope)?,
            c: c.source(U32, scope)?,
            members: members.source(U32, scope)?,
        }))
    }

    fn param(&self, kind: Type, to: &Operand, from: &Operand) -> Result<Inst, String> {
        let Operand::Address { base, offset } = from else {
            return Err("Arguments mismatch: an address is expected".into());
        };
        let param = self.scope.param(base);
        let param = param.ok_or_else(|| format!("Unknown symbol '{base}'"))?;
        let within = offset.checked_add(kind.bytes() as u64).is_some_and(|end| end <= param.size as u64);
        if !within {
            return Err(format!("Address out of bounds of parameter '{base}'"));
        }
        Ok(Inst::Param { kind, to: to.target(kind, &self.scope)?, offset: param.offset + *offset as usize })
    }
}

/// The register that receives a result; constants and special registers are not results.
fn computes(inst: &Inst) -> Option<u16> {
    match *inst {
        Inst::Move { from, .. } if !matches!(from, Source::Register(_)) => None,
        Inst::Move { to, .. }
        | Inst::Convert { to, .. }
        | Inst::Alu { to, .. }
        | Inst::Not { to, .. }
        | Inst::MulWide { to, .. }
        | Inst::MadLo { to, .. }
        | Inst::Select { to, .. }
        | Inst::Param { to, .. }
        | Inst::Load { to, .. }
        | Inst::Atom { to, .. }
        | Inst::Shfl { to, .. } => Some(to),
        _ => None,
    }
}
