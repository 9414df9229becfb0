//! The grammar of a PTX text: directives, entry functions, declarations, statements.
//!
//! Instructions are split here and decoded in `decode.rs`. Unknown directives are errors, like unknown
//! instructions.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Kernel;
use super::cursor::{Cursor, Parsed};
use super::decode::Decoder;
use super::inst::{Guard, Inst, Step};
use super::lex::{Token, complain};
use super::operand::Operand;
use super::scope::{Class, Scope};

pub fn module(text: &str, capability: u32) -> Parsed<Vec<Arc<Kernel>>> {
    let mut parser = Parser { cursor: Cursor::new(text)?, shared: Shared::default() };
    let mut kernels = Vec::new();
    parser.header(capability)?;
    loop {
        match parser.cursor.next() {
            Token::End => return Ok(kernels),
            Token::Word(word) => match word.as_str() {
                ".visible" | ".weak" => {}
                ".extern" => parser.extern_shared()?,
                ".shared" => parser.shared_variable()?,
                ".entry" => kernels.push(Arc::new(parser.kernel()?)),
                _ => return parser.cursor.refuse(&word),
            },
            other => return parser.cursor.refuse(&format!("{other:?}")),
        }
    }
}

/// Shared variables of the module and of the current kernel.
#[derive(Clone, Default)]
struct Shared {
    sized: BTreeMap<String, u64>,
    dynamic: Vec<String>,
    end: u64,
}

struct Parser {
    cursor: Cursor,
    shared: Shared,
}

impl Parser {
    fn header(&mut self, capability: u32) -> Parsed<()> {
        self.cursor.keyword(".version")?;
        self.cursor.word()?;
        self.cursor.keyword(".target")?;
        let target = self.cursor.word()?;
        match target.strip_prefix("sm_").and_then(|sm| sm.parse::<u32>().ok()) {
            Some(sm) if sm <= capability => {}
            Some(_) => {
                let message =
                    format!("SM version specified by .target ({target}) is higher than that of the device");
                return complain(self.cursor.line(), message);
            }
            None => return self.cursor.refuse(&target),
        }
        self.cursor.keyword(".address_size")?;
        match self.cursor.number()? {
            64 => Ok(()),
            other => self.cursor.refuse(&other.to_string()),
        }
    }

    fn extern_shared(&mut self) -> Parsed<()> {
        self.cursor.keyword(".shared")?;
        let (name, size) = self.variable()?;
        match size {
            None => self.shared.dynamic.push(name),
            Some(_) => return self.cursor.refuse(&name),
        }
        Ok(())
    }

    fn shared_variable(&mut self) -> Parsed<()> {
        let (name, size) = self.variable()?;
        let Some(size) = size else {
            return self.cursor.refuse(&name);
        };
        self.shared.sized.insert(name, self.shared.end);
        // 16 is the largest alignment of a variable.
        self.shared.end += size.next_multiple_of(16);
        Ok(())
    }

    /// `[.align N] .type name;`, `name[];` or `name[N];`: the name and the bytes, if known.
    fn variable(&mut self) -> Parsed<(String, Option<u64>)> {
        let mut word = self.cursor.word()?;
        if word == ".align" {
            self.cursor.number()?;
            word = self.cursor.word()?;
        }
        let size = self.size(&word)? as u64;
        let name = self.cursor.word()?;
        let mut bytes = Some(size);
        if self.cursor.accept('[') {
            bytes = match self.cursor.peek() {
                Token::Number(_) => Some(size * self.cursor.number()?),
                _ => None,
            };
            self.cursor.expect(']')?;
        }
        self.cursor.expect(';')?;
        Ok((name, bytes))
    }

    fn size(&self, word: &str) -> Parsed<usize> {
        let bits = word.trim_start_matches(|c: char| !c.is_ascii_digit());
        match bits {
            "8" | "16" | "32" | "64" if word.starts_with(".") => Ok(bits.parse::<usize>().unwrap_or(8) / 8),
            _ => self.cursor.refuse(word),
        }
    }

    fn kernel(&mut self) -> Parsed<Kernel> {
        let of_module = self.shared.clone();
        let name = self.cursor.word()?;
        let mut decoder = Decoder::new();
        self.params(&mut decoder.scope)?;
        self.cursor.expect('{')?;
        self.declarations(&mut decoder.scope)?;
        let shared = std::mem::replace(&mut self.shared, of_module);
        decoder.scope.shared = shared.sized;
        for name in shared.dynamic {
            decoder.scope.shared.insert(name, shared.end);
        }

        self.find_labels(&mut decoder.scope)?;
        let mut code = Vec::new();
        while !self.cursor.accept('}') {
            if let Some(step) = self.statement(&mut decoder)? {
                code.push(step);
            }
        }
        // Control that runs off the end of a kernel returns.
        code.push(Step { guard: None, inst: Inst::Return });
        Ok(Kernel {
            name,
            params_size: decoder.scope.params_size,
            static_shared: shared.end as u32,
            registers: decoder.scope.cells.into(),
            predicates: decoder.scope.predicates.into(),
            computed: decoder.computed(),
            params: decoder.scope.params,
            code,
        })
    }

    fn params(&mut self, scope: &mut Scope) -> Parsed<()> {
        if !self.cursor.accept('(') || self.cursor.accept(')') {
            return Ok(());
        }
        loop {
            self.cursor.keyword(".param")?;
            let kind = self.cursor.word()?;
            let size = self.size(&kind)?;
            scope.add_param(self.cursor.word()?, size);
            if self.cursor.accept(')') {
                return Ok(());
            }
            self.cursor.expect(',')?;
        }
    }

    /// Registers and shared variables; they precede the first instruction.
    fn declarations(&mut self, scope: &mut Scope) -> Parsed<()> {
        while let Token::Word(word) = self.cursor.peek().clone() {
            match word.as_str() {
                ".reg" => {
                    self.cursor.next();
                    self.registers(scope)?;
                }
                ".shared" => {
                    self.cursor.next();
                    self.shared_variable()?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn registers(&mut self, scope: &mut Scope) -> Parsed<()> {
        let kind = self.cursor.word()?;
        let class = match kind.as_str() {
            ".pred" => Class::Predicate,
            ".b32" | ".u32" | ".s32" => Class::Narrow,
            ".b64" | ".u64" | ".s64" => Class::Wide,
            _ => return self.cursor.refuse(&kind),
        };
        loop {
            let name = self.cursor.word()?;
            let names: Vec<String> = if self.cursor.accept('<') {
                let count = self.cursor.number()?;
                self.cursor.expect('>')?;
                (0..count).map(|number| format!("{name}{number}")).collect()
            } else {
                vec![name]
            };
            for name in names {
                if !scope.declare(name.clone(), class) {
                    return complain(self.cursor.line(), format!("Duplicate definition of '{name}'"));
                }
            }
            if self.cursor.accept(';') {
                return Ok(());
            }
            self.cursor.expect(',')?;
        }
    }

    /// Branches may go forward, so that all labels are numbered before the first statement is parsed.
    fn find_labels(&self, scope: &mut Scope) -> Parsed<()> {
        let mut step = 0;
        for pair in self.cursor.ahead().windows(2) {
            match (&pair[0].token, &pair[1].token) {
                (Token::Mark('}'), _) => break,
                (Token::Mark(';'), _) => step += 1,
                (Token::Word(label), Token::Mark(':'))
                    if scope.labels.insert(label.clone(), step).is_some() =>
                {
                    let message = format!("Duplicate definition of label '{label}'");
                    return complain(pair[0].line, message);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn statement(&mut self, decoder: &mut Decoder) -> Parsed<Option<Step>> {
        let guard = if self.cursor.accept('@') {
            let negated = self.cursor.accept('!');
            let name = self.cursor.word()?;
            let Some(predicate) = decoder.scope.of_class(&name, Class::Predicate) else {
                return complain(self.cursor.line(), format!("Unknown symbol '{name}'"));
            };
            Some(Guard { predicate, negated })
        } else {
            None
        };
        let opcode = self.cursor.word()?;
        let line = self.cursor.line();
        if guard.is_none() && self.cursor.accept(':') {
            return Ok(None);
        }
        let mut operands = Vec::new();
        if !self.cursor.accept(';') {
            loop {
                operands.push(self.operand()?);
                if self.cursor.accept(';') {
                    break;
                }
                self.cursor.expect(',')?;
            }
        }
        match decoder.decode(&opcode, &operands) {
            Ok(inst) => Ok(Some(Step { guard, inst })),
            Err(message) => complain(line, message),
        }
    }

    fn operand(&mut self) -> Parsed<Operand> {
        match self.cursor.next() {
            Token::Number(number) => Ok(Operand::Number(number)),
            Token::Mark('-') => Ok(Operand::Number(self.cursor.number()?.wrapping_neg())),
            Token::Word(name) if self.cursor.accept('|') => Ok(Operand::Pair(name, self.cursor.word()?)),
            Token::Word(name) => Ok(Operand::Name(name)),
            Token::Mark('[') => {
                let base = self.cursor.word()?;
                let offset = if self.cursor.accept('+') {
                    let negative = self.cursor.accept('-');
                    let offset = self.cursor.number()?;
                    if negative { offset.wrapping_neg() } else { offset }
                } else if self.cursor.accept('-') {
                    self.cursor.number()?.wrapping_neg()
                } else {
                    0
                };
                self.cursor.expect(']')?;
                Ok(Operand::Address { base, offset })
            }
            other => self.cursor.refuse(&format!("{other:?}")),
        }
    }
}
