//! A warp: 32 lanes with their registers, how they diverge and converge, and the execution of one
//! instruction for converged lanes.

use super::Fault;
use super::exec::{LANES, Lanes, alu, compare, map, mul_lo, mul_wide, shuffle_source};
use super::inst::{Alu, Inst, Source, Special, Step};
use super::run::Block;

/// What reading an absent lane gives: PTX leaves it undefined.
const UNDEFINED: u64 = 0xBAD0_BAD0;

pub struct Warp {
    number: u32,
    cells: Vec<Lanes>,
    predicates: Vec<u32>,
    /// Where each lane goes on; up to date for all lanes that are not being executed.
    next: [usize; LANES],
    exited: u32,
    at_barrier: u32,
    /// Lanes at a shuffle whose other members have not arrived yet.
    at_shuffle: u32,
}

impl Warp {
    /// `lanes` is 32 but for the last warp of a block.
    pub fn new(number: u32, lanes: u32, cells: usize, predicates: usize) -> Self {
        Self {
            number,
            cells: vec![[UNDEFINED; LANES]; cells],
            predicates: vec![0; predicates],
            next: [0; LANES],
            exited: u32::MAX.checked_shl(lanes).unwrap_or(0),
            at_barrier: 0,
            at_shuffle: 0,
        }
    }

    pub fn is_done(&self) -> bool {
        self.exited == u32::MAX
    }

    pub fn leave_barrier(&mut self) {
        self.at_barrier = 0;
    }

    /// Runs until every lane has returned or is at the barrier.
    pub fn run(&mut self, block: &mut Block) -> Result<(), Fault> {
        loop {
            let ready = !(self.exited | self.at_barrier | self.at_shuffle);
            if ready != 0 {
                let (at, group) = self.furthest_behind(ready);
                self.advance(at, group, ready & !group, block)?;
            } else if self.at_shuffle != 0 {
                self.retry_shuffles(block)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Does not wait for members that have returned. A member at the barrier can never arrive.
    fn retry_shuffles(&mut self, block: &mut Block) -> Result<(), Fault> {
        let mut untried = self.at_shuffle;
        while untried != 0 {
            let (at, group) = self.furthest_behind(untried);
            untried &= !group;
            self.at_shuffle &= !group;
            self.advance(at, group, 0, block)?;
            if self.at_shuffle & group == 0 || self.next_of(group) != at {
                return Ok(());
            }
        }
        Err(Fault::Stuck)
    }

    fn furthest_behind(&self, lanes: u32) -> (usize, u32) {
        let at = self.next_of(lanes);
        let group =
            each(lanes).filter(|lane| self.next[*lane] == at).fold(0, |group, lane| group | 1 << lane);
        (at, group)
    }

    fn next_of(&self, lanes: u32) -> usize {
        let places = each(lanes).map(|lane| self.next[lane]);
        places.min().unwrap_or(usize::MAX)
    }

    fn send(&mut self, lanes: u32, to: usize) {
        each(lanes).for_each(|lane| self.next[lane] = to);
    }

    /// Executes a group of lanes until it diverges, waits, returns, or reaches other lanes.
    fn advance(
        &mut self,
        mut at: usize,
        mut group: u32,
        others: u32,
        block: &mut Block,
    ) -> Result<(), Fault> {
        let meeting = self.next_of(others);
        while at < meeting {
            let Step { guard, inst } = block.kernel.code[at];
            let active = match guard {
                None => group,
                Some(guard) => {
                    let holds = self.predicates[usize::from(guard.predicate)];
                    group & if guard.negated { !holds } else { holds }
                }
            };
            at += 1;
            match inst {
                Inst::Branch { target } if active == group => at = target,
                Inst::Branch { target } if active != 0 => {
                    self.send(active, target);
                    self.send(group & !active, at);
                    return Ok(());
                }
                Inst::Branch { .. } => {}
                Inst::Return => {
                    self.exited |= active;
                    group &= !active;
                }
                Inst::Barrier => {
                    self.send(active, at);
                    self.at_barrier |= active;
                    group &= !active;
                }
                Inst::Shfl { .. } if active != 0 => {
                    let came = self.shuffle(at - 1, active, inst, block)?;
                    if came != active {
                        self.send(came, at);
                        self.send(group & !active, at);
                        return Ok(());
                    }
                }
                _ if active != 0 => self.execute(inst, active, block)?,
                _ => {}
            }
            if group == 0 {
                return Ok(());
            }
        }
        self.send(group, at);
        Ok(())
    }

    /// The lanes that have exchanged their values: none while a member is missing.
    fn shuffle(&mut self, at: usize, active: u32, inst: Inst, block: &Block) -> Result<u32, Fault> {
        let Inst::Shfl { mode, to, valid, a, b, c, members } = inst else {
            return Ok(0);
        };
        let waiting = each(self.at_shuffle)
            .filter(|lane| self.next[*lane] == at)
            .fold(0, |group, lane| group | 1 << lane);
        let came = active | waiting;
        let masks = self.fetch(members, block);
        let mask = masks[active.trailing_zeros() as usize] as u32;
        // Undefined in PTX: a lane outside its own mask, or members that disagree on the mask.
        if each(came).any(|lane| masks[lane] as u32 != mask) || came & !mask != 0 {
            return Err(Fault::Stuck);
        }
        if mask & !self.exited & !came != 0 {
            self.send(active, at);
            self.at_shuffle |= active;
            return Ok(0);
        }
        self.at_shuffle &= !came;

        let (a, b, c) = (self.fetch(a, block), self.fetch(b, block), self.fetch(c, block));
        let mut values = [0; LANES];
        let mut in_range = 0;
        for lane in each(came) {
            let (source, valid) = shuffle_source(mode, lane as u64, b[lane], c[lane]);
            let present = came >> source & 1 == 1;
            values[lane] = if present { a[source] } else { UNDEFINED };
            in_range |= u32::from(valid) << lane;
        }
        self.set(to, came, &values);
        if let Some(predicate) = valid {
            self.set_predicate(predicate, came, in_range);
        }
        Ok(came)
    }

    fn execute(&mut self, inst: Inst, active: u32, block: &mut Block) -> Result<(), Fault> {
        let fetch = |source| self.fetch(source, block);
        match inst {
            Inst::Move { to, from } => {
                let value = fetch(from);
                self.set(to, active, &value);
            }
            Inst::Convert { to, from, from_type, to_type } => {
                let value = map(&fetch(from), |value| from_type.extend(value) as u64 & to_type.mask());
                self.set(to, active, &value);
            }
            Inst::Alu { op, kind, to, a, b } => {
                let value = alu(op, kind, &fetch(a), &fetch(b));
                self.set(to, active, &value);
            }
            Inst::Not { kind, to, a } => {
                let value = map(&fetch(a), |value| !value & kind.mask());
                self.set(to, active, &value);
            }
            Inst::MulWide { kind, to, a, b } => {
                let value = mul_wide(kind, &fetch(a), &fetch(b));
                self.set(to, active, &value);
            }
            Inst::MadLo { kind, to, a, b, c } => {
                let product = mul_lo(kind, &fetch(a), &fetch(b));
                let value = alu(Alu::Add, kind, &product, &fetch(c));
                self.set(to, active, &value);
            }
            Inst::Set { compare: how, kind, predicate, a, b } => {
                let holds = compare(how, kind, &fetch(a), &fetch(b));
                self.set_predicate(predicate, active, holds);
            }
            Inst::Select { to, a, b, predicate } => {
                let (a, b) = (fetch(a), fetch(b));
                let holds = self.predicates[usize::from(predicate)];
                self.set(to, active, &b);
                self.set(to, active & holds, &a);
            }
            Inst::Param { kind, to, offset } => {
                let value = [block.param(offset, kind); LANES];
                self.set(to, active, &value);
            }
            Inst::Load { space, kind, to, at } => {
                let base = fetch(at.base);
                for lane in each(active) {
                    let from = base[lane].wrapping_add(at.offset);
                    let value = block.memory.load(space, from, kind)?;
                    self.cells[usize::from(to)][lane] = value;
                }
            }
            Inst::Store { space, kind, at, value } => {
                let flip = block.flip(space, value);
                let (base, value) = (fetch(at.base), fetch(value));
                for lane in each(active) {
                    let to = base[lane].wrapping_add(at.offset);
                    block.memory.store(space, to, kind, value[lane] ^ flip)?;
                }
            }
            Inst::Atom { op, space, kind, to, at, value } => {
                let flip = block.flip(space, value);
                let (base, value) = (fetch(at.base), fetch(value));
                for lane in each(active) {
                    let place = base[lane].wrapping_add(at.offset);
                    let value = value[lane] ^ flip;
                    let old = block.memory.atomic(space, place, kind, op, value)?;
                    self.cells[usize::from(to)][lane] = old;
                }
            }
            // Control flow is in `advance`.
            Inst::Shfl { .. } | Inst::Barrier | Inst::Branch { .. } | Inst::Return => {}
        }
        Ok(())
    }

    fn fetch(&self, source: Source, block: &Block) -> Lanes {
        match source {
            Source::Register(number) => self.cells[usize::from(number)],
            Source::Constant(value) => [value; LANES],
            Source::Special(special) => self.special(special, block),
        }
    }

    fn special(&self, special: Special, block: &Block) -> Lanes {
        let first = u64::from(self.number) * LANES as u64;
        let lanes: Lanes = std::array::from_fn(|lane| lane as u64);
        let [x, y, _] = block.grid.threads.map(u64::from);
        let all = |value: u32| [u64::from(value); LANES];
        match special {
            Special::LaneId => lanes,
            Special::Tid(0) => map(&lanes, |lane| (first + lane) % x),
            Special::Tid(1) => map(&lanes, |lane| (first + lane) / x % y),
            Special::Tid(_) => map(&lanes, |lane| (first + lane) / (x * y)),
            Special::Ntid(axis) => all(block.grid.threads[axis]),
            Special::Ctaid(axis) => all(block.position[axis]),
            Special::Nctaid(axis) => all(block.grid.blocks[axis]),
            Special::WarpId => all(self.number),
            Special::SmId => all(block.sm),
            Special::NSmId => all(block.grid.nsmid),
        }
    }

    fn set(&mut self, to: u16, active: u32, value: &Lanes) {
        let cell = &mut self.cells[usize::from(to)];
        if active == u32::MAX {
            *cell = *value;
        } else {
            each(active).for_each(|lane| cell[lane] = value[lane]);
        }
    }

    fn set_predicate(&mut self, predicate: u16, active: u32, holds: u32) {
        let bits = &mut self.predicates[usize::from(predicate)];
        *bits = *bits & !active | holds & active;
    }
}

/// The numbers of the lanes in a mask.
fn each(mut lanes: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lane = (lanes != 0).then(|| lanes.trailing_zeros() as usize)?;
        lanes &= lanes - 1;
        Some(lane)
    })
}
