//! The house rules that no compiler knows: who may import whom, what the pure layers must not have, where a foreign
//! crate is named, and how long a file may be.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file before its tests.
const LONGEST: usize = 600;

/// Each layer, and which layers it may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &["domain"]),
    ("intake", &["domain", "intake"]),
    ("plan", &["domain", "plan"]),
    ("adapter", &["domain", "plan", "adapter"]),
    ("view", &["domain", "plan", "view"]),
    ("config", &["domain", "plan", "adapter", "config"]),
    (
        "daemon",
        &[
            "domain", "intake", "plan", "adapter", "view", "config", "daemon",
        ],
    ),
    (
        "cli",
        &[
            "domain", "intake", "plan", "adapter", "view", "config", "daemon", "cli",
        ],
    ),
];

/// The layers that are functions of their arguments.
const PURE: [&str; 4] = ["domain", "intake", "plan", "view"];

/// What a function of its arguments has no use for, as paths begin.
const IMPURE: [&str; 15] = [
    "tokio",
    "tracing",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "fastrand",
    "rustix",
    "nix",
    "reqwest",
    "rusqlite",
    "axum",
];

/// A foreign crate, and the only place that names it.
const HOMES: &[(&str, &str)] = &[
    ("notify", "adapter/watcher"),
    ("rusqlite", "adapter/ledger"),
    ("reqwest", "adapter/sendgrid"),
    ("tokio_cron_scheduler", "adapter/cron"),
    ("prometheus", "adapter/metrics"),
    ("sd_notify", "adapter/systemd"),
    ("tracing_subscriber", "adapter/log"),
    ("aws_lc_rs", "intake"),
    ("x509_parser", "intake"),
    ("x509_cert", "intake"),
    ("clap", "cli"),
];

/// A file of the program, without its tests and comments.
struct Source {
    /// From `src`, such as `plan/gate.rs`.
    path: String,
    lines: Vec<String>,
}

impl Source {
    fn layer(&self) -> &str {
        self.path.split('/').next().unwrap()
    }

    /// Every line that names a path which begins so, as `FILE:LINE: TEXT`.
    fn naming(&self, start: &str) -> Vec<String> {
        let named = |line: &&(usize, &String)| names(line.1, start);
        let lines = self.lines.iter().enumerate().filter(|it| named(&it));
        lines
            .map(|(index, line)| format!("src/{}:{}: {}", self.path, index + 1, line.trim()))
            .collect()
    }
}

/// Whether a line of code names a path that begins with `start`, or an item of it in a `use`.
fn names(line: &str, start: &str) -> bool {
    let is_name = |it: char| it.is_alphanumeric() || it == '_';
    line.match_indices(start).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + start.len()..];
        let is_start = before.is_none_or(|it| !is_name(it) && it != ':' && it != '.' && it != '"');
        let is_type = start
            .rsplit("::")
            .next()
            .unwrap()
            .starts_with(char::is_uppercase);
        let goes_on = after.starts_with("::")
            || after.starts_with([';', ','])
            || (is_type && !after.starts_with(is_name));
        is_start && goes_on
    })
}

/// Every file under `src` that is not for tests alone.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    for path in rust_files(&root) {
        let name = path
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let is_test = name
            .split(['/', '.'])
            .any(|it| it == "tests" || it == "testing");
        if is_test || is_for_tests(&path) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let lines = code.lines().map(|it| {
            let is_comment = it.trim_start().starts_with("//");
            if is_comment {
                String::new()
            } else {
                it.to_owned()
            }
        });
        sources.push(Source {
            path: name,
            lines: lines.collect(),
        });
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

/// Whether the module that names this file names it for tests only.
fn is_for_tests(path: &Path) -> bool {
    let module = path.file_stem().unwrap().to_str().unwrap();
    let beside = path.with_file_name("mod.rs");
    let above = path.parent().unwrap().with_extension("rs");
    let parents = [beside, above]
        .into_iter()
        .filter_map(|it| fs::read_to_string(it).ok());
    let mut parents = parents.map(|it| it.replace("pub(crate) ", ""));
    parents.any(|it| it.contains(&format!("#[cfg(test)]\nmod {module};")))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files
}

#[track_caller]
fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn no_layer_imports_upwards() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|it| it.path.contains('/')) {
        let layer = MAY_IMPORT.iter().find(|it| it.0 == source.layer());
        let (_, allowed) = layer.unwrap_or_else(|| panic!("{} is in no layer", source.path));
        for (other, _) in MAY_IMPORT.iter().filter(|it| !allowed.contains(&it.0)) {
            broken.extend(source.naming(&format!("crate::{other}")));
        }
        broken.extend(source.naming("crate::{"));
    }
    assert_none(&broken);
}

#[test]
fn pure_layers_have_no_clock_no_files_no_log_and_no_tasks() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|it| PURE.contains(&it.layer())) {
        for start in IMPURE {
            broken.extend(source.naming(start));
        }
        // Values go out as JSON in the view alone.
        if source.layer() != "view" {
            broken.extend(source.naming("serde"));
        }
        let tasks = source.lines.iter().filter(|it| it.contains("async "));
        broken.extend(tasks.map(|it| format!("src/{}: {it}", source.path)));
    }
    assert_none(&broken);
}

#[test]
fn a_foreign_crate_is_named_in_one_place() {
    let mut broken = Vec::new();
    for (name, home) in HOMES {
        let is_home = |it: &&Source| {
            it.path == format!("{home}.rs") || it.path.starts_with(&format!("{home}/"))
        };
        let all = sources();
        let (inside, outside): (Vec<_>, Vec<_>) = all.iter().partition(|it| is_home(it));
        assert!(
            inside.iter().any(|it| !it.naming(name).is_empty()),
            "{home} does not name {name}: is this table true?"
        );
        broken.extend(outside.iter().flat_map(|it| it.naming(name)));
    }
    assert_none(&broken);
}

#[test]
fn no_file_is_too_long_to_read() {
    let all = sources().into_iter();
    let long = all.filter(|it| it.lines.len() > LONGEST);
    let broken: Vec<String> = long
        .map(|it| format!("src/{}: {} lines", it.path, it.lines.len()))
        .collect();
    assert_none(&broken);
}

#[test]
fn the_reader_of_lines_sees_paths_and_nothing_else() {
    for (line, start) in [
        ("use crate::daemon::board::Board;", "crate::daemon"),
        (
            "    let it = crate::view::todo::Todo::new();",
            "crate::view",
        ),
        ("use notify::{Event, Watcher};", "notify"),
        ("use std::{fs, io};", "fs"),
        (
            "fn f(at: std::time::SystemTime) {}",
            "std::time::SystemTime",
        ),
    ] {
        assert!(names(line, start), "{line}");
    }
    for (line, start) in [
        ("use crate::daemonic::Board;", "crate::daemon"),
        ("woken.notify_one();", "notify"),
        ("let notify = 1;", "notify"),
        ("use sd_notify::NotifyState;", "notify"),
        ("tokio::sync::notify::Notify", "notify"),
    ] {
        assert!(!names(line, start), "{line}");
    }
}
