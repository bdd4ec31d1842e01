//! Tables that fit: columns go before text does, and what goes under a row is still there.

use super::terminal::{Mark, Terminal, Tone};

/// What happens to a column where the terminal is too narrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fit {
    /// It stays.
    Always,
    /// It is left out first, from the right.
    Droppable,
    /// It moves under its row, after the droppable ones are gone.
    Under,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    fit: Fit,
    is_right: bool,
}

impl Column {
    pub(crate) const fn new(title: &'static str, fit: Fit) -> Self {
        Self {
            title,
            fit,
            is_right: false,
        }
    }

    /// The same column, its cells ending at its right edge.
    pub(crate) const fn right(title: &'static str) -> Self {
        Self {
            title,
            fit: Fit::Always,
            is_right: true,
        }
    }
}

/// One cell.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text, Tone::Plain)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text, Tone::Plain)
    }
}

struct Row {
    mark: Option<Mark>,
    cells: Vec<Cell>,
    notes: Vec<Cell>,
}

/// Rows under titled columns.
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
    has_marks: bool,
}

impl Table {
    /// A table without a column of marks.
    pub(crate) const fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            has_marks: false,
        }
    }

    /// A table whose rows begin with a mark, or with the space of one.
    pub(crate) const fn marked(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
            has_marks: true,
        }
    }

    /// Adds a row with one cell a column.
    pub(crate) fn row(&mut self, mark: Option<Mark>, cells: Vec<Cell>) {
        self.rows.push(Row {
            mark,
            cells,
            notes: Vec::new(),
        });
    }

    /// Adds a line under the last row, behind its first column.
    pub(crate) fn note(&mut self, text: &str) {
        if let Some(row) = self.rows.last_mut() {
            row.notes.push(Cell::new(text, Tone::Dim));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn render(&self, terminal: Terminal) -> String {
        let titles: Vec<Cell> = self
            .columns
            .iter()
            .map(|it| Cell::new(it.title, Tone::Dim))
            .collect();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|index| self.width(index, terminal))
            .collect();
        let layout = Layout::new(self, widths, terminal);
        let mut out = String::new();
        layout.line(&mut out, None, &titles);
        for row in &self.rows {
            layout.line(&mut out, row.mark, &row.cells);
            layout.under(&mut out, &row.cells);
            for note in &row.notes {
                layout.note(&mut out, note);
            }
        }
        out
    }

    fn width(&self, index: usize, terminal: Terminal) -> usize {
        let title = self.columns.get(index).map_or(0, |it| it.title.len());
        let cells = self
            .rows
            .iter()
            .filter_map(|it| it.cells.get(index))
            .map(|it| terminal.text(&it.text).chars().count());
        cells.chain([title]).max().unwrap_or(0)
    }

    fn mark_width(&self, terminal: Terminal) -> usize {
        if !self.has_marks {
            return 0;
        }
        let signs = self
            .rows
            .iter()
            .filter_map(|it| it.mark)
            .map(|it| it.sign(terminal.utf8).chars().count());
        signs.max().unwrap_or(1) + GAP_AFTER_MARK
    }
}

const GAP: usize = 2;
const GAP_AFTER_MARK: usize = 1;
/// Before the second line of a note.
const HANGING: &str = "  ";

struct Layout<'a> {
    columns: &'a [Column],
    widths: Vec<usize>,
    shown: Vec<bool>,
    moves_under: bool,
    mark_width: usize,
    terminal: Terminal,
}

impl<'a> Layout<'a> {
    fn new(table: &'a Table, widths: Vec<usize>, terminal: Terminal) -> Self {
        let mut layout = Self {
            columns: &table.columns,
            shown: vec![true; widths.len()],
            widths,
            moves_under: false,
            mark_width: table.mark_width(terminal),
            terminal,
        };
        while layout.total() > terminal.width && layout.hide_last(Fit::Droppable) {}
        while layout.total() > terminal.width && layout.hide_last(Fit::Under) {
            layout.moves_under = true;
        }
        layout
    }

    fn total(&self) -> usize {
        let shown = self.widths.iter().zip(&self.shown).filter(|(_, it)| **it);
        let (sum, count) = shown.fold((0, 0usize), |(sum, count), (width, _)| {
            (sum + width, count + 1)
        });
        self.mark_width + sum + GAP * count.saturating_sub(1)
    }

    /// Hides the last shown column of this kind; false if there is none.
    fn hide_last(&mut self, fit: Fit) -> bool {
        let candidates = self.columns.iter().zip(&mut self.shown);
        let last = candidates
            .rev()
            .find(|(it, shown)| it.fit == fit && **shown);
        match last {
            Some((_, shown)) => {
                *shown = false;
                true
            }
            None => false,
        }
    }

    fn line(&self, out: &mut String, mark: Option<Mark>, cells: &[Cell]) {
        let mut pad = self.mark_width;
        if let Some(mark) = mark {
            let sign = mark.sign(self.terminal.utf8);
            out.push_str(&self.terminal.paint(sign, mark.tone()));
            pad = pad.saturating_sub(sign.chars().count());
        }
        let columns = self.columns.iter().zip(&self.widths).zip(&self.shown);
        for (((column, width), shown), cell) in columns.zip(cells) {
            if !shown {
                continue;
            }
            let text = self.terminal.text(&cell.text);
            let rest = width.saturating_sub(text.chars().count());
            if column.is_right {
                pad += rest;
            }
            if !text.is_empty() {
                out.push_str(&" ".repeat(pad));
                out.push_str(&self.terminal.paint(&text, cell.tone));
                pad = 0;
            }
            pad += GAP + if column.is_right { 0 } else { rest };
        }
        out.push('\n');
    }

    /// What did not fit beside goes below, behind the first column.
    fn under(&self, out: &mut String, cells: &[Cell]) {
        if !self.moves_under {
            return;
        }
        for ((column, shown), cell) in self.columns.iter().zip(&self.shown).zip(cells) {
            let says_nothing = cell.text.is_empty() || cell.text == "–";
            if column.fit == Fit::Under && !shown && !says_nothing {
                let text = self.terminal.text(&cell.text);
                self.behind_the_first(out, &text, cell.tone);
            }
        }
    }

    /// In as many lines as the terminal's width asks for, broken between words.
    fn note(&self, out: &mut String, cell: &Cell) {
        let room = self.terminal.width.saturating_sub(self.indent());
        let text = self.terminal.text(&cell.text);
        let mut line = String::new();
        for word in text.split(' ') {
            let is_full = line.chars().count() + 1 + word.chars().count() > room;
            if is_full && !line.trim_start().is_empty() {
                self.behind_the_first(out, &line, cell.tone);
                HANGING.clone_into(&mut line);
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.behind_the_first(out, &line, cell.tone);
    }

    fn behind_the_first(&self, out: &mut String, text: &str, tone: Tone) {
        out.push_str(&" ".repeat(self.indent()));
        out.push_str(&self.terminal.paint(text, tone));
        out.push('\n');
    }

    fn indent(&self) -> usize {
        self.mark_width + self.widths.first().copied().unwrap_or(0) + GAP
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(width: usize, utf8: bool, expected: &Expect) {
        let mut table = Table::marked(vec![
            Column::new("NAME", Fit::Always),
            Column::right("LEFT"),
            Column::new("FROM", Fit::Droppable),
            Column::new("NEXT", Fit::Under),
        ]);
        let row = |it: [&str; 4]| it.into_iter().map(Cell::from).collect();
        table.row(
            Some(Mark::Fine),
            row(["okta", "9.3 y", "okta.pem", "successor expected"]),
        );
        table.row(None, row(["", "20 d", "", "–"]));
        let terminal = Terminal {
            width,
            color: false,
            utf8,
        };
        expected.assert_eq(&table.render(terminal));
    }

    #[test]
    fn a_note_stands_under_its_row_and_is_broken_between_words() {
        let mut table = Table::marked(vec![
            Column::new("NAME", Fit::Always),
            Column::right("LEFT"),
        ]);
        let row = |it: [&str; 2]| it.into_iter().map(Cell::from).collect();
        table.row(Some(Mark::Fine), row(["okta", "9.3 y"]));
        table.note("remark: a word, and another one – and-one-that-is-too-long-for-it");
        table.note("remark: short");
        table.row(None, row(["", "20 d"]));
        let terminal = Terminal {
            width: 30,
            color: false,
            utf8: true,
        };
        expect![[r#"
              NAME   LEFT
            ✓ okta  9.3 y
                    remark: a word, and
                      another one –
                      and-one-that-is-too-long-for-it
                    remark: short
                     20 d
        "#]]
        .assert_eq(&table.render(terminal));
    }

    #[test]
    fn a_wide_terminal_has_every_column() {
        check(
            80,
            true,
            &expect![[r#"
              NAME   LEFT  FROM      NEXT
            ✓ okta  9.3 y  okta.pem  successor expected
                     20 d            –
        "#]],
        );
    }

    #[test]
    fn a_narrower_one_drops_what_may_go() {
        check(
            40,
            true,
            &expect![[r#"
              NAME   LEFT  NEXT
            ✓ okta  9.3 y  successor expected
                     20 d  –
        "#]],
        );
    }

    #[test]
    fn the_narrowest_puts_the_last_column_under_its_row() {
        check(
            20,
            false,
            &expect![[r#"
               NAME   LEFT
            ok okta  9.3 y
                     successor expected
                      20 d
        "#]],
        );
    }
}
