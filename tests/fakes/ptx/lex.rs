//! Splits PTX text into words, numbers and marks, each with its line.

pub struct Complaint {
    pub line: u32,
    pub message: String,
}

pub fn complain<T>(line: u32, message: impl Into<String>) -> Result<T, Complaint> {
    let message = message.into();
    Err(Complaint { line, message })
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// An identifier, directive, register or opcode; dots belong to it.
    Word(String),
    Number(u64),
    Mark(char),
    End,
}

#[derive(Clone)]
pub struct Lexeme {
    pub token: Token,
    pub line: u32,
}

pub fn lex(text: &str) -> Result<Vec<Lexeme>, Complaint> {
    let mut lexemes = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let length = if first == '\n' || first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            match rest.find("*/") {
                Some(end) => end + 2,
                None => return complain(line, "comment without end"),
            }
        } else {
            let length = token_length(rest);
            let token = token(&rest[..length], line)?;
            lexemes.push(Lexeme { token, line });
            length
        };
        line += rest[..length].matches('\n').count() as u32;
        rest = &rest[length..];
    }
    let token = Token::End;
    lexemes.push(Lexeme { token, line });
    Ok(lexemes)
}

fn token_length(rest: &str) -> usize {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_$.%".contains(c);
    match rest.find(|c| !is_part(c)) {
        Some(0) => rest.chars().next().map_or(0, char::len_utf8),
        Some(length) => length,
        None => rest.len(),
    }
}

fn token(text: &str, line: u32) -> Result<Token, Complaint> {
    match text.chars().next() {
        // A version such as 6.0 stays a word.
        Some(first) if first.is_ascii_digit() && !text.contains('.') => match number(text) {
            Some(number) => Ok(Token::Number(number)),
            None => complain(line, format!("Invalid number '{text}'")),
        },
        Some(first) if first.is_ascii_alphanumeric() || "_$.%".contains(first) => {
            Ok(Token::Word(text.to_string()))
        }
        Some(mark) if mark.is_ascii_punctuation() => Ok(Token::Mark(mark)),
        _ => complain(line, format!("Unexpected character '{text}'")),
    }
}

/// Integer constants as in C, with an optional `U`.
fn number(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('U').unwrap_or(text);
    let with_base = |prefix: [&str; 2]| {
        let found = prefix.iter().find_map(|prefix| digits.strip_prefix(prefix));
        found.filter(|digits| !digits.is_empty())
    };
    if let Some(hex) = with_base(["0x", "0X"]) {
        u64::from_str_radix(hex, 16).ok()
    } else if let Some(binary) = with_base(["0b", "0B"]) {
        u64::from_str_radix(binary, 2).ok()
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(digits, 8).ok()
    } else {
        digits.parse().ok()
    }
}
