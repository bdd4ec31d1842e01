//! What is shown: lines of several sources in the order of their times, for a terminal of any width and locale.

use std::io::{ErrorKind, IsTerminal as _, Write as _, stdout};
use std::time::Duration;

use rustix::termios::tcgetwinsize;
use sso_certd::view::terminal::Terminal;

/// How long a line waits for an earlier one from another source.
const HOLD: Duration = Duration::from_millis(150);

/// Columns before the text: `  00:05.3  sso-certd  `.
const INDENT: usize = 22;

/// Columns where there is no terminal, and the fewest and most that are used.
const WIDTH: usize = 100;
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=120;

/// Whose words a line has.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    /// What happened to a file.
    File(&'static str),
    /// The daemon's log.
    Daemon,
    /// The simulator's record.
    SendGrid,
    /// What this program looked up.
    Checked,
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::File(who) => who,
            Self::Daemon => "sso-certd",
            Self::SendGrid => "SendGrid",
            Self::Checked => "checked",
        }
    }
}

struct Line {
    at: Duration,
    who: Who,
    text: String,
}

/// The transcript on standard output.
pub(crate) struct Transcript {
    held: Vec<Line>,
    width: usize,
    is_read: bool,
}

impl Transcript {
    pub(crate) fn new() -> Self {
        let columns = stdout()
            .is_terminal()
            .then(|| tcgetwinsize(stdout()).ok())
            .flatten()
            .map(|it| usize::from(it.ws_col))
            .filter(|it| *it > 0);
        Self {
            held: Vec::new(),
            width: columns
                .unwrap_or(WIDTH)
                .clamp(*WIDTHS.start(), *WIDTHS.end()),
            is_read: true,
        }
    }

    /// Whether somebody still reads it.
    pub(crate) const fn is_read(&self) -> bool {
        self.is_read
    }

    /// A line of the story; it is shown once no earlier one can come.
    pub(crate) fn tell(&mut self, at: Duration, who: Who, text: &str) {
        let text = text.to_owned();
        self.held.push(Line { at, who, text });
    }

    /// Shows what has been held long enough.
    pub(crate) fn advance(&mut self, now: Duration) {
        self.show(now.checked_sub(HOLD));
    }

    /// Shows all that is held, then these lines as they are.
    pub(crate) fn say(&mut self, text: &str) {
        self.show(Some(Duration::MAX));
        self.write(&format!("{text}\n"));
    }

    fn show(&mut self, until: Option<Duration>) {
        let is_due = |line: &Line| until.is_some_and(|it| line.at <= it);
        let (mut due, held) = std::mem::take(&mut self.held)
            .into_iter()
            .partition::<Vec<_>, _>(is_due);
        self.held = held;
        due.sort_by_key(|it| it.at);
        for line in due {
            let head = format!("  {}  {:9}  ", clock(line.at), line.who.name());
            let text = wrapped(&plain(&line.text), self.width.saturating_sub(INDENT));
            let text = text.join(&format!("\n{}", " ".repeat(INDENT)));
            self.write(&format!("{head}{text}\n"));
        }
    }

    fn write(&mut self, text: &str) {
        let mut out = stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if written.is_err_and(|it| it.kind() != ErrorKind::Interrupted) {
            self.is_read = false;
        }
    }
}

/// The daemon's words in characters that every terminal has.
fn plain(text: &str) -> String {
    let terminal = Terminal {
        width: WIDTH,
        color: false,
        utf8: false,
    };
    terminal.text(text)
}

/// Lines of at most `width` characters, but for longer words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// `01:07.3`.
fn clock(since: Duration) -> String {
    let secs = since.as_secs();
    let tenths = since.subsec_millis() / 100;
    format!("{:02}:{:02}.{tenths}", secs / 60, secs % 60)
}
