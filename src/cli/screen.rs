//! What the outputs of this process can show.

use std::io::{IsTerminal as _, stderr, stdout};

use rustix::fd::AsFd;
use rustix::termios::tcgetwinsize;

use super::arguments::Color;
use crate::view::terminal::Terminal;

/// Columns where there is no terminal to ask.
const PLAIN_WIDTH: usize = 120;

/// Both outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    pub(super) out: Terminal,
    pub(super) err: Terminal,
}

impl Screen {
    pub(super) fn of_process(color: Color) -> Self {
        let utf8 = is_utf8();
        let terminal = |is_terminal: bool, width: Option<usize>| Terminal {
            width: width.filter(|_| is_terminal).unwrap_or(PLAIN_WIDTH),
            color: wants_color(color, is_terminal),
            utf8,
        };
        Self {
            out: terminal(stdout().is_terminal(), width(stdout())),
            err: terminal(stderr().is_terminal(), width(stderr())),
        }
    }
}

fn width(output: impl AsFd) -> Option<usize> {
    tcgetwinsize(output)
        .ok()
        .map(|it| usize::from(it.ws_col))
        .filter(|it| *it > 0)
}

fn wants_color(color: Color, is_terminal: bool) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|it| !it.is_empty());
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            is_terminal
                && !is_set("NO_COLOR")
                && std::env::var_os("TERM").is_none_or(|it| it != "dumb")
        }
    }
}

/// Whether the locale's character set is UTF-8: the first of these that is set decides (locale(7)).
fn is_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
    let locale = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"))
        .unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
