//! One file checked alone: every key is known, every value is what its key wants. All that is wrong is listed.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::keys::{Group, Key, OF_ONE_INTEGRATION, nearest};
use super::kind;
use super::layer::{Layer, Named};
use super::problem::Problem;
use super::value::Fault;
use crate::domain::text::printable_path;
use crate::domain::{AccountName, IntegrationName, NameError};

/// The good entries of the file at `path` that says `text`, and everything that is wrong with it.
///
/// # Errors
/// The text is no TOML. Then nothing is known of what the file defines.
pub(super) fn file(path: &Path, text: &str) -> Result<(Layer, Vec<Problem>), Problem> {
    let lines = Lines::new(path, text);
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(text.len(), |it| it.start);
        // The library's message may not be shown; of this one it is known that it says nothing else.
        let (says, help) = match error.message() {
            "duplicate key" => (
                "this key or section is written twice",
                "one of the two must go",
            ),
            _ => (
                "this is not TOML",
                "texts stand in \"quotes\", a [section] on a line of its own",
            ),
        };
        Problem::new(format!("{}: {says}", lines.place_with_column(at))).help(help.to_owned())
    })?;
    let mut check = Check {
        lines,
        layer: Layer::default(),
        problems: Vec::new(),
    };
    check.table(&Section::root(), table.get_ref());
    check.problems.sort_by_key(|(at, _)| *at);
    // Several entries of one line may be wrong in the same way.
    check.problems.dedup_by(|a, b| a.1 == b.1);
    let problems = check.problems.into_iter().map(|(_, it)| it).collect();
    Ok((check.layer, problems))
}

struct Check<'a> {
    lines: Lines<'a>,
    layer: Layer,
    /// With the byte that each is about.
    problems: Vec<(usize, Problem)>,
}

/// Where the check is.
struct Section {
    group: Group,
    /// The path of the group: empty, `defaults`, `accounts.NAME`, `integrations.NAME`.
    root: String,
    /// The section in the group: empty, or `trust`.
    inside: String,
}

impl Section {
    fn root() -> Self {
        Self::group(Group::Fixed, String::new())
    }

    const fn group(group: Group, root: String) -> Self {
        Self {
            group,
            root,
            inside: String::new(),
        }
    }

    fn name(&self, word: &str) -> String {
        join(&self.inside, word)
    }

    fn path(&self, word: &str) -> String {
        join(&self.root, &self.name(word))
    }
}

fn join(section: &str, word: &str) -> String {
    if section.is_empty() {
        word.to_owned()
    } else {
        format!("{section}.{word}")
    }
}

type Word<'a> = Spanned<DeString<'a>>;
type Found<'a> = Spanned<DeValue<'a>>;

impl Check<'_> {
    fn table(&mut self, section: &Section, table: &DeTable<'_>) {
        for (word, value) in table {
            let name = section.name(word.get_ref());
            let outermost = section.group == Group::Fixed && section.inside.is_empty();
            match word.get_ref().as_ref() {
                "accounts" if outermost => self.named(word, value, Group::Account),
                "integrations" if outermost => self.named(word, value, Group::Integration),
                "defaults" if outermost => {
                    let inner = Section::group(Group::Defaults, name.clone());
                    self.section(&inner, word, value, &name);
                }
                _ => match section.group.key(&name) {
                    Some(key) => self.value(section, key, word, value),
                    None if section.group.has_section(&name) => {
                        let inner = Section {
                            group: section.group,
                            root: section.root.clone(),
                            inside: name,
                        };
                        self.section(&inner, word, value, &section.path(word.get_ref()));
                    }
                    None => self.unknown(section, word, value),
                },
            }
        }
    }

    fn section(&mut self, inner: &Section, word: &Word<'_>, value: &Found<'_>, path: &str) {
        match value.get_ref() {
            DeValue::Table(table) => self.table(inner, table),
            _ => self.problem(
                word.span().start,
                path,
                &Fault::new(format!("wants a section: [{path}]")),
            ),
        }
    }

    /// `[accounts.NAME]` or `[integrations.NAME]`.
    fn named(&mut self, outer: &Word<'_>, value: &Found<'_>, group: Group) {
        let kind = outer.get_ref();
        let DeValue::Table(table) = value.get_ref() else {
            let fault = Fault::new(format!("wants sections: [{kind}.NAME]"));
            return self.problem(outer.span().start, kind, &fault);
        };
        for (word, value) in table {
            let at = word.span().start;
            let path = format!("{kind}.{}", shown(word.get_ref(), NAME_LENGTH));
            if let Err(error) = self.define(group, word) {
                self.problem(at, &path, &Fault::new(format!("is badly named: {error}")));
                continue;
            }
            let inner = Section::group(group, path.clone());
            self.section(&inner, word, value, &path);
        }
    }

    fn define(&mut self, group: Group, word: &Word<'_>) -> Result<(), NameError> {
        let file = self.lines.file.clone();
        let place = self.lines.place(word.span().start);
        if group == Group::Account {
            let name = AccountName::parse(word.get_ref())?;
            self.layer.accounts.push(Named { name, file, place });
        } else {
            let name = IntegrationName::parse(word.get_ref())?;
            self.layer.integrations.push(Named { name, file, place });
        }
        Ok(())
    }

    fn value(&mut self, section: &Section, key: &Key, word: &Word<'_>, value: &Found<'_>) {
        let path = section.path(word.get_ref());
        match kind::read(key, value) {
            Ok(kind) => {
                let place = self.lines.place(value.span().start);
                self.layer.add(path, &place, kind);
            }
            Err(flaws) => {
                for mut flaw in flaws {
                    if is_api_key(value.get_ref()) {
                        flaw.fault.help = Some(secret_help(account_of(&path), "file"));
                    }
                    self.problem(flaw.at, &path, &flaw.fault);
                }
            }
        }
    }

    fn unknown(&mut self, section: &Section, word: &Word<'_>, value: &Found<'_>) {
        let at = word.span().start;
        let raw: &str = word.get_ref();
        let path = section.path(&shown(raw, WORD_LENGTH));
        if is_secret_word(raw) || is_api_key(value.get_ref()) {
            let mut fault = Fault::new("is not a setting");
            fault.help = Some(secret_help(account_of(&path), "file"));
            return self.problem(at, &path, &fault);
        }
        let own = path.strip_prefix("defaults.").unwrap_or_default();
        if section.group == Group::Defaults && OF_ONE_INTEGRATION.contains(&own) {
            let fault = Fault::new("is not a setting: each integration has its own");
            return self.problem(at, &path, &fault);
        }
        let known = section.group.known_in(&section.inside);
        let list = known.join(", ");
        let help = match meant(section, raw, &known) {
            Some(meant) => format!("did you mean `{meant}`? Known here: {list}"),
            None => format!("known here: {list}"),
        };
        let place = self.lines.place(at);
        let problem = Problem::of_key(&place, &path, format!("unknown key `{path}`")).help(help);
        self.problems.push((at, problem));
    }

    fn problem(&mut self, at: usize, path: &str, fault: &Fault) {
        let place = self.lines.place(at);
        let problem = Problem::of_key(&place, path, format!("`{path}` {}", fault.says));
        self.problems.push((at, problem.help(fault.help.clone())));
    }
}

/// The key that somebody probably meant: one of this section, or one of that name elsewhere.
fn meant(section: &Section, word: &str, known: &[&'static str]) -> Option<&'static str> {
    let elsewhere = |group: Group| {
        group
            .keys()
            .map(|it| it.name)
            .find(|it| it.rsplit('.').next() == Some(word))
    };
    nearest(word, known.iter().copied())
        .or_else(|| elsewhere(section.group))
        .or_else(|| elsewhere(Group::Fixed))
}

/// Characters shown of a word that stands where a key should; the longest key has 22.
const WORD_LENGTH: usize = 24;

/// Characters shown of a word that stands where a name should.
const NAME_LENGTH: usize = 63;

/// `word`, if it looks like a key or a name. Else it may be anything, a secret too.
fn shown(word: &str, longest: usize) -> String {
    let plain = |it: u8| it.is_ascii_alphanumeric() || it == b'_' || it == b'-';
    if (1..=longest).contains(&word.len()) && word.bytes().all(plain) {
        word.to_owned()
    } else {
        "…".to_owned()
    }
}

/// Whether somebody who writes this key means to put a secret behind it.
pub(super) fn is_secret_word(word: &str) -> bool {
    let word = word.to_ascii_lowercase().replace('-', "_");
    let words = [
        "key",
        "api_key",
        "apikey",
        "sendgrid_api_key",
        "token",
        "secret",
        "password",
    ];
    words.contains(&word.as_str())
}

/// Whether a value looks like SendGrid's keys do.
fn is_api_key(value: &DeValue<'_>) -> bool {
    value
        .as_str()
        .is_some_and(|it| it.trim().starts_with("SG."))
}

fn account_of(path: &str) -> &str {
    let name = path
        .strip_prefix("accounts.")
        .and_then(|it| it.split('.').next());
    name.unwrap_or("default")
}

/// What to do with a key that stands in a file or a variable of the configuration.
pub(super) fn secret_help(account: &str, container: &str) -> String {
    let suffix = match account {
        "default" => String::new(),
        _ => format!("-{account}"),
    };
    format!(
        "put the key into /etc/sso-certd/sendgrid-api-key{suffix} (mode 600); the unit passes it on.\n\
         Treat the key in this {container} as known to everybody who could read it."
    )
}

/// Where the lines of a file begin.
struct Lines<'a> {
    file: String,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(path: &Path, text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, it)| *it == b'\n');
        Self {
            file: printable_path(path),
            text,
            starts: std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect(),
        }
    }

    fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|it| *it <= at)
    }

    fn place(&self, at: usize) -> String {
        format!("{}, line {}", self.file, self.line(at))
    }

    fn place_with_column(&self, at: usize) -> String {
        let line = self.line(at);
        let start = self
            .starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let before = self.text.get(start..at).unwrap_or_default();
        format!("{}, column {}", self.place(at), before.chars().count() + 1)
    }
}
