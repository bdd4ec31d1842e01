//! The terminal as a value: marks, tones, and lines in them.

use crate::domain::text::printable;

use super::table::Table;

/// What the terminal can show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terminal {
    /// Columns of characters.
    pub width: usize,
    /// Whether colours are wanted.
    pub color: bool,
    /// Whether the locale is UTF-8; else only ASCII is written.
    pub utf8: bool,
}

/// A finished answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// Whole lines, each with its end; empty if there is nothing to say.
    pub text: String,
    /// The exit code that goes with it.
    pub exit: u8,
}

/// The sign before a line. It never stands alone: a word says the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// Fine.
    Fine,
    /// Waits by itself.
    Waits,
    /// Needs a person.
    NeedsYou,
    /// Broken or refused.
    Broken,
    /// Not ours.
    NotOurs,
    /// In a plan: an upload.
    Upload,
    /// In a plan: enabled or disabled.
    Change,
    /// In a plan: deleted.
    Delete,
    /// In a plan: stays as it is.
    Stays,
}

/// The colour of a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tone {
    /// The terminal's own.
    Plain,
    /// Green.
    Fine,
    /// Blue.
    Waits,
    /// Yellow, bold.
    NeedsYou,
    /// Red, bold.
    Broken,
    /// Magenta.
    NotOurs,
    /// Dim, for notes.
    Dim,
}

impl Mark {
    /// The sign; in a locale that is not UTF-8 an ASCII one.
    pub const fn sign(self, utf8: bool) -> &'static str {
        match (self, utf8) {
            (Self::Fine, true) => "✓",
            (Self::Fine, false) => "ok",
            (Self::Waits, true) => "·",
            (Self::Waits, false) => ".",
            (Self::NeedsYou, _) => "!",
            (Self::Broken, true) => "✗",
            (Self::Broken, false) => "x",
            (Self::NotOurs, _) => "?",
            (Self::Upload, _) => "+",
            (Self::Change, _) => "~",
            (Self::Delete, _) => "-",
            (Self::Stays, _) => "=",
        }
    }

    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Waits => "waits",
            Self::NeedsYou => "needs_you",
            Self::Broken => "broken",
            Self::NotOurs => "not_ours",
            Self::Upload => "upload",
            Self::Change => "change",
            Self::Delete => "delete",
            Self::Stays => "stays",
        }
    }

    /// Whether it calls for a person.
    pub const fn needs_person(self) -> bool {
        matches!(self, Self::NeedsYou | Self::Broken)
    }

    pub(crate) const fn tone(self) -> Tone {
        match self {
            Self::Fine | Self::Upload => Tone::Fine,
            Self::Waits | Self::Change => Tone::Waits,
            Self::NeedsYou => Tone::NeedsYou,
            Self::Broken | Self::Delete => Tone::Broken,
            Self::NotOurs => Tone::NotOurs,
            Self::Stays => Tone::Dim,
        }
    }
}

impl Terminal {
    /// The text in the characters that the terminal has; nothing in it steers the terminal, whoever wrote it.
    pub fn text(self, text: &str) -> String {
        let text = printable(text, usize::MAX);
        if self.utf8 {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '✓' => out.push_str("ok"),
                '·' => out.push('.'),
                '✗' => out.push('x'),
                '–' => out.push('-'),
                '…' => out.push_str("..."),
                _ if character.is_ascii() => out.push(character),
                _ => out.extend(character.escape_unicode()),
            }
        }
        out
    }

    /// The text in a colour, if colours are wanted.
    pub(crate) fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            _ if !self.color || text.is_empty() => return text.to_owned(),
            Tone::Fine => "32",
            Tone::Waits => "34",
            Tone::NeedsYou => "1;33",
            Tone::Broken => "1;31",
            Tone::NotOurs => "35",
            Tone::Dim => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// An answer in the making, line by line.
pub(crate) struct Page {
    terminal: Terminal,
    out: String,
}

impl Page {
    pub(crate) const fn new(terminal: Terminal) -> Self {
        Self {
            terminal,
            out: String::new(),
        }
    }

    /// A line as it is.
    pub(crate) fn line(&mut self, text: &str) {
        self.toned(text, Tone::Plain);
    }

    /// An empty line.
    pub(crate) fn blank(&mut self) {
        self.out.push('\n');
    }

    /// A line in one tone.
    pub(crate) fn toned(&mut self, text: &str, tone: Tone) {
        let text = self.terminal.text(text);
        self.out.push_str(&self.terminal.paint(&text, tone));
        self.out.push('\n');
    }

    /// A line behind its mark, both in the mark's colour.
    pub(crate) fn marked(&mut self, mark: Mark, text: &str) {
        let line = format!("{} {text}", mark.sign(self.terminal.utf8));
        self.toned(&line, mark.tone());
    }

    /// A line behind its mark, of which only the mark has a colour; `indent` columns to the right.
    pub(crate) fn item(&mut self, indent: usize, mark: Mark, text: &str) {
        let sign = self
            .terminal
            .paint(mark.sign(self.terminal.utf8), mark.tone());
        let text = self.terminal.text(text);
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(&sign);
        self.out.push(' ');
        self.out.push_str(&text);
        self.out.push('\n');
    }

    /// A line whose first word is painted already.
    pub(crate) fn line_with(&mut self, word: &str, text: &str) {
        self.out.push_str(word);
        self.line(text);
    }

    /// A table that fits the terminal.
    pub(crate) fn table(&mut self, table: &Table) {
        self.out.push_str(&table.render(self.terminal));
    }

    pub(crate) fn finish(self, exit: u8) -> Rendered {
        Rendered {
            text: self.out,
            exit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASCII: Terminal = Terminal {
        width: 80,
        color: false,
        utf8: false,
    };

    #[test]
    fn without_utf8_every_character_is_ascii() {
        assert_eq!(ASCII.text("a – b… ü ✓"), "a - b... \\u{fc} ok");
        for mark in [
            Mark::Fine,
            Mark::Waits,
            Mark::NeedsYou,
            Mark::Broken,
            Mark::NotOurs,
        ] {
            assert!(mark.sign(false).is_ascii());
        }
    }

    #[test]
    fn no_text_steers_the_terminal() {
        for utf8 in [true, false] {
            let mut page = Page::new(Terminal { utf8, ..ASCII });
            page.line("\u{1b}[2J\nx");
            assert_eq!(page.finish(0).text, "\\u{1b}[2J\\u{a}x\n");
        }
    }

    #[test]
    fn a_colour_is_only_written_where_colours_are_wanted() {
        let color = Terminal {
            color: true,
            ..ASCII
        };
        assert_eq!(ASCII.paint("x", Tone::Broken), "x");
        assert_eq!(color.paint("x", Tone::Broken), "\u{1b}[1;31mx\u{1b}[0m");
        assert_eq!(color.paint("x", Tone::Plain), "x");
    }
}
