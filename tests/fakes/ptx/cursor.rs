//! A place in the lexemes of a PTX text, and the small steps forward from it.

use super::lex::{Complaint, Lexeme, Token, complain, lex};

pub type Parsed<T> = Result<T, Complaint>;

pub struct Cursor {
    lexemes: Vec<Lexeme>,
    at: usize,
}

impl Cursor {
    pub fn new(text: &str) -> Parsed<Self> {
        let lexemes = lex(text)?;
        Ok(Self { lexemes, at: 0 })
    }

    /// The remaining lexemes, without moving.
    pub fn ahead(&self) -> &[Lexeme] {
        &self.lexemes[self.at..]
    }

    pub fn peek(&self) -> &Token {
        &self.lexemes[self.at].token
    }

    pub fn line(&self) -> u32 {
        self.lexemes[self.at.saturating_sub(1)].line
    }

    pub fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.lexemes.len() - 1);
        token
    }

    pub fn refuse<T>(&self, near: &str) -> Parsed<T> {
        complain(self.line(), format!("Parsing error near '{near}': syntax error"))
    }

    pub fn accept(&mut self, mark: char) -> bool {
        let found = *self.peek() == Token::Mark(mark);
        if found {
            self.next();
        }
        found
    }

    pub fn expect(&mut self, mark: char) -> Parsed<()> {
        match self.next() {
            Token::Mark(found) if found == mark => Ok(()),
            other => self.refuse(&format!("{other:?}")),
        }
    }

    pub fn word(&mut self) -> Parsed<String> {
        match self.next() {
            Token::Word(word) => Ok(word),
            other => self.refuse(&format!("{other:?}")),
        }
    }

    pub fn number(&mut self) -> Parsed<u64> {
        match self.next() {
            Token::Number(number) => Ok(number),
            other => self.refuse(&format!("{other:?}")),
        }
    }

    pub fn keyword(&mut self, wanted: &str) -> Parsed<()> {
        let word = self.word()?;
        if word == wanted { Ok(()) } else { self.refuse(&word) }
    }
}
