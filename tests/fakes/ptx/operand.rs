//! Operands, and their meaning as a value, a register or an address.

use super::inst::{Address, Source, Special, Type};
use super::scope::{Class, Scope};

pub enum Operand {
    Name(String),
    /// `d|p`: a destination and a predicate.
    Pair(String, String),
    Number(u64),
    Address {
        base: String,
        offset: u64,
    },
}

impl Operand {
    pub fn name(&self) -> Result<&str, String> {
        match self {
            Self::Name(name) => Ok(name),
            _ => Err("Arguments mismatch: a name is expected".into()),
        }
    }

    /// A register that an instruction of this type writes.
    pub fn target(&self, kind: Type, scope: &Scope) -> Result<u16, String> {
        register(self.name()?, kind, scope)
    }

    pub fn predicate(&self, scope: &Scope) -> Result<u16, String> {
        predicate(self.name()?, scope)
    }

    /// A register, constant, special register or address of a shared variable.
    pub fn source(&self, kind: Type, scope: &Scope) -> Result<Source, String> {
        match self {
            Self::Number(number) => Ok(Source::Constant(number & kind.mask())),
            Self::Name(name) => {
                if let Some(address) = scope.shared.get(name) {
                    return Ok(Source::Constant(*address));
                }
                if let Some(special) = special(name) {
                    return match kind.wide {
                        false => Ok(Source::Special(special)),
                        true => Err(format!("'{name}' has 32 bits")),
                    };
                }
                register(name, kind, scope).map(Source::Register)
            }
            _ => Err("Arguments mismatch: a value is expected".into()),
        }
    }

    /// `[register+offset]` or `[variable+offset]`; shared addresses may have 32 bits.
    pub fn address(&self, may_be_narrow: bool, scope: &Scope) -> Result<Address, String> {
        let Self::Address { base, offset } = self else {
            return Err("Arguments mismatch: an address is expected".into());
        };
        let offset = *offset;
        if let Some(start) = scope.shared.get(base).filter(|_| may_be_narrow) {
            let base = Source::Constant(*start);
            return Ok(Address { base, offset });
        }
        match scope.register(base) {
            Some((Class::Wide, number)) => Ok(number),
            Some((Class::Narrow, number)) if may_be_narrow => Ok(number),
            Some(_) => Err(format!("'{base}' cannot hold an address")),
            None => Err(format!("Unknown symbol '{base}'")),
        }
        .map(|number| Address { base: Source::Register(number), offset })
    }
}

pub fn register(name: &str, kind: Type, scope: &Scope) -> Result<u16, String> {
    let class = if kind.wide { Class::Wide } else { Class::Narrow };
    of_class(name, class, scope)
}

pub fn predicate(name: &str, scope: &Scope) -> Result<u16, String> {
    of_class(name, Class::Predicate, scope)
}

fn of_class(name: &str, class: Class, scope: &Scope) -> Result<u16, String> {
    match scope.register(name) {
        Some((found, number)) if found == class => Ok(number),
        Some(_) => Err(format!("Arguments mismatch: type of '{name}'")),
        None => Err(format!("Unknown symbol '{name}'")),
    }
}

fn special(name: &str) -> Option<Special> {
    let (stem, axis) = match name.split_once('.') {
        Some((stem, "x")) => (stem, Some(0)),
        Some((stem, "y")) => (stem, Some(1)),
        Some((stem, "z")) => (stem, Some(2)),
        Some(_) => return None,
        None => (name, None),
    };
    match (stem, axis) {
        ("%tid", Some(axis)) => Some(Special::Tid(axis)),
        ("%ntid", Some(axis)) => Some(Special::Ntid(axis)),
        ("%ctaid", Some(axis)) => Some(Special::Ctaid(axis)),
        ("%nctaid", Some(axis)) => Some(Special::Nctaid(axis)),
        ("%laneid", None) => Some(Special::LaneId),
        ("%warpid", None) => Some(Special::WarpId),
        ("%smid", None) => Some(Special::SmId),
        ("%nsmid", None) => Some(Special::NSmId),
        _ => None,
    }
}
