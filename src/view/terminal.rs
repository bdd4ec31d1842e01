//! The terminal as a value: marks, tones, and lines in them.

use std::fmt::Write as _;

use crate::domain::text::{is_hidden, printable};

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
        match tone.code().filter(|_| self.color && !text.is_empty()) {
            Some(code) => format!("{BEGIN}{code}m{text}{BEGIN}{END}m"),
            None => text.to_owned(),
        }
    }

    /// An answer that came from elsewhere: its lines, and our own colours where they are wanted. Nothing else in it steers
    /// the terminal, whoever wrote it.
    pub fn foreign(self, answer: &str) -> String {
        let lines: Vec<String> = answer.split('\n').map(|it| self.foreign_line(it)).collect();
        lines.join("\n")
    }

    fn foreign_line(self, line: &str) -> String {
        let mut pieces = line.split(BEGIN);
        let mut out = self.text(pieces.next().unwrap_or_default());
        for piece in pieces {
            let painted = piece
                .split_once('m')
                .filter(|(code, _)| self.color && CODES.contains(code));
            if let Some((code, text)) = painted {
                out.push_str(BEGIN);
                out.push_str(code);
                out.push('m');
                out.push_str(&self.text(text));
            } else {
                out.push_str(&self.text(BEGIN));
                out.push_str(&self.text(piece));
            }
        }
        out
    }

    /// The same for an answer in JSON, which stays the JSON that it was.
    pub fn foreign_json(self, answer: &str) -> String {
        let mut out = String::with_capacity(answer.len());
        for character in answer.chars() {
            let is_unfit = is_hidden(character) || !(self.utf8 || character.is_ascii());
            if character == '\n' || !is_unfit {
                out.push(character);
                continue;
            }
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a text does not fail.
                if write!(out, "\\u{unit:04x}").is_err() {
                    return String::new();
                }
            }
        }
        out
    }
}

/// Begins a colour, and its end.
const BEGIN: &str = "\u{1b}[";

/// Ends every colour.
const END: &str = "0";

/// Every code that [`Terminal::paint`] writes.
const CODES: [&str; 7] = [END, "32", "34", "1;33", "1;31", "35", "2"];

impl Tone {
    const fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::Plain => return None,
            Self::Fine => "32",
            Self::Waits => "34",
            Self::NeedsYou => "1;33",
            Self::Broken => "1;31",
            Self::NotOurs => "35",
            Self::Dim => "2",
        })
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
    fn nothing_but_lines_and_our_colours_comes_through_from_an_answer() {
        let color = Terminal {
            color: true,
            utf8: true,
            ..ASCII
        };
        let tones = [
            Tone::Plain,
            Tone::Fine,
            Tone::Waits,
            Tone::NeedsYou,
            Tone::Broken,
            Tone::NotOurs,
            Tone::Dim,
        ];
        for tone in tones {
            let painted = format!("a {}\nb\n", color.paint("x – y", tone));
            assert_eq!(color.foreign(&painted), painted);
        }
        for (answer, expected) in [
            ("\u{1b}[2J\u{1b}[8mx", "\\u{1b}[2J\\u{1b}[8mx"),
            ("\u{1b}]0;x\u{7}\r\ny\t", "\\u{1b}]0;x\\u{7}\\u{d}\ny\\u{9}"),
            ("\u{9b}2J\u{202e}z", "\\u{9b}2J\\u{202e}z"),
        ] {
            assert_eq!(color.foreign(answer), expected);
        }
        assert_eq!(
            ASCII.foreign("\u{1b}[32mx\u{1b}[0m"),
            "\\u{1b}[32mx\\u{1b}[0m"
        );
        assert_eq!(
            ASCII.foreign("ě"),
            "\\u{11b}",
            "its second byte steers some"
        );
    }

    #[test]
    fn an_answer_in_json_stays_what_it_was() {
        let answer = "{\"a\": \"\u{202e}\u{e0001}\u{7f}ü\"}\n";
        let utf8 = Terminal {
            utf8: true,
            ..ASCII
        };
        for (terminal, expected) in [
            (utf8, "{\"a\": \"\\u202e\\udb40\\udc01\\u007fü\"}\n"),
            (ASCII, "{\"a\": \"\\u202e\\udb40\\udc01\\u007f\\u00fc\"}\n"),
        ] {
            let shown = terminal.foreign_json(answer);
            assert_eq!(shown, expected);
            let parse = |it: &str| serde_json::from_str::<serde_json::Value>(it).unwrap();
            assert_eq!(parse(&shown), parse(answer));
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
