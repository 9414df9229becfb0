//! The names that a kernel may use: registers, parameters, shared variables, labels.

use std::collections::BTreeMap;

use super::Param;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Predicate,
    Narrow,
    Wide,
}

#[derive(Default)]
pub struct Scope {
    registers: BTreeMap<String, (Class, u16)>,
    /// Address in the shared window; dynamic variables follow all others.
    pub shared: BTreeMap<String, u64>,
    pub labels: BTreeMap<String, usize>,
    pub params: Vec<Param>,
    pub params_size: usize,
    pub cells: u16,
    pub predicates: u16,
}

impl Scope {
    /// False if the name is taken or there are too many registers.
    pub fn declare(&mut self, name: String, class: Class) -> bool {
        let counter = match class {
            Class::Predicate => &mut self.predicates,
            Class::Narrow | Class::Wide => &mut self.cells,
        };
        let Some(next) = counter.checked_add(1) else {
            return false;
        };
        let number = std::mem::replace(counter, next);
        self.registers.insert(name, (class, number)).is_none()
    }

    pub fn register(&self, name: &str) -> Option<(Class, u16)> {
        self.registers.get(name).copied()
    }

    /// A register of this class only.
    pub fn of_class(&self, name: &str, class: Class) -> Option<u16> {
        let (found, number) = self.register(name)?;
        (found == class).then_some(number)
    }

    /// Parameters are consecutive, each aligned to its size.
    pub fn add_param(&mut self, name: String, size: usize) {
        let offset = self.params_size.next_multiple_of(size);
        self.params_size = offset + size;
        self.params.push(Param { name, size, offset });
    }

    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }
}
