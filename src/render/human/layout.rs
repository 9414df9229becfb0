//! How text is laid out: colors, headings, wrapping by display width, sizes. It knows nothing of the report.

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

#[derive(Clone, Copy)]
pub struct Style {
    pub color: bool,
    pub width: usize,
}

#[derive(Clone, Copy)]
pub enum Ink {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
}

impl Style {
    pub fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Plain => return text.to_owned(),
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Good => "1;32",
            Ink::Bad => "1;31",
            Ink::Warn => "1;33",
        };
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

pub fn heading(out: &mut String, style: Style, title: &str, note: &str) {
    *out += &format!("\n{}", style.paint(Ink::Bold, title));
    if !note.is_empty() {
        *out += &format!("  {}", style.paint(Ink::Dim, note));
    }
    out.push('\n');
}

/// Text in lines of the width, each after the indent. A longer word has a line to itself and is never broken: it may
/// be a path or a command to paste.
pub fn wrap(out: &mut String, text: &str, indent: &str, style: Style, ink: Ink) {
    let room = style.width.saturating_sub(indent.len()).max(20);
    let options = Options::new(room)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    for line in textwrap::wrap(text, options) {
        *out += &format!("{indent}{}\n", style.paint(ink, &line));
    }
}

/// Shortens to `room` columns, in the middle: what was cut from the start would read like a path. Two thirds are left
/// for the end, which matters more.
pub fn fit(text: &str, room: usize) -> String {
    if display_width(text) <= room {
        return text.to_owned();
    }
    let room = room.saturating_sub(1);
    let head = fitting(text.char_indices(), room / 3);
    let head = &text[..head.map_or(0, |(at, last)| at + last.len_utf8())];
    let tail = fitting(text.char_indices().rev(), room - display_width(head));
    let tail = &text[tail.map_or(text.len(), |(at, _)| at)..];
    format!("{head}…{tail}")
}

/// The last of the characters that fit into so many columns.
fn fitting(characters: impl Iterator<Item = (usize, char)>, room: usize) -> Option<(usize, char)> {
    let mut width = 0;
    let fits = |(_, character): &(usize, char)| {
        width += display_width(character.encode_utf8(&mut [0; 4]));
        width <= room
    };
    characters.take_while(fits).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: usize) -> Vec<String> {
        let mut out = String::new();
        wrap(&mut out, text, "  ", Style { color: false, width }, Ink::Plain);
        out.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_keep_to_the_width() {
        let lines = wrapped("some words that do not fit on one line of forty columns, do they", 40);
        assert!(lines.len() == 2 && lines.iter().all(|line| display_width(line) <= 40), "{lines:?}");
        // A character of two columns counts as two.
        let wide = wrapped(&"\u{8b66}\u{544a} ".repeat(12), 40);
        assert!(wide.iter().all(|line| display_width(line) <= 40), "{wide:?}");
    }

    #[test]
    fn commands_are_not_broken() {
        let path = "/usr/lib/python3/dist-packages/nvidia/cublas/lib/libcublas.so.12";
        assert_eq!(wrapped(&format!("in {path} here"), 40), ["  in", &format!("  {path}"), "  here"]);
        assert_eq!(
            wrapped("run --gpus=all-of-them-that-there-are now", 30)[1],
            "  --gpus=all-of-them-that-there-are"
        );
    }

    #[test]
    fn the_middle_is_cut() {
        assert_eq!(fit("/usr/lib/libcuda.so", 10), "/us…uda.so");
        assert_eq!(fit("short", 10), "short");
        // A character of two columns is kept or cut.
        assert_eq!(fit("/a/\u{8b66}\u{544a}", 5), "/…\u{544a}");
        assert_eq!(fit("long", 1), "…");
        assert_eq!(fit("long", 0), "…");
    }
}
