//! The files of a configuration as texts.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::problem::Problem;
use crate::domain::text::printable_path;

/// Largest file that is read, in bytes. Ten thousand integrations in one file take less.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Most files that are read of `conf.d`.
const MOST: usize = 10_000;

/// What helps where the main file cannot be read.
const ANOTHER_FILE: &str = "sso-certd --config PATH reads another file";
/// What helps where there is none yet.
const EMPTY_FILE: &str =
    "an empty one is enough for `sso-certd integrations`, which prints what to write into it";

/// One file, read whole.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// The main file, then `conf.d/*.toml` beside it in the order of their names; and what could not be read.
pub(super) fn read(main: &Path) -> (Vec<SourceFile>, Vec<Problem>) {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    let mut paths = vec![main.to_owned()];
    match beside(main, MOST) {
        Ok(more) => paths.extend(more),
        Err(problem) => problems.push(problem),
    }
    for path in paths {
        match read_text(&path) {
            Ok(text) => files.push(SourceFile { path, text }),
            Err(problem) if path == main => {
                let help = if main.exists() {
                    ANOTHER_FILE.to_owned()
                } else {
                    format!("{ANOTHER_FILE}; {EMPTY_FILE}")
                };
                problems.push(problem.help(help));
            }
            Err(problem) => problems.push(problem),
        }
    }
    (files, problems)
}

/// The directory whose files are read after `main`.
pub(super) fn conf_d(main: &Path) -> PathBuf {
    main.with_file_name("conf.d")
}

/// `conf.d/*.toml` beside `main`, at most `most`, by name. No such directory: none. Names that begin with a dot are an editor's.
fn beside(main: &Path, most: usize) -> Result<Vec<PathBuf>, Problem> {
    let directory = conf_d(main);
    let unreadable = |error: &io::Error| {
        Problem::new(format!(
            "{} cannot be read: {error}",
            printable_path(&directory)
        ))
    };
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|it| unreadable(&it))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|it| it.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|it| it == "toml") {
            paths.push(path);
        }
    }
    if paths.len() > most {
        let directory = printable_path(&directory);
        return Err(
            Problem::new(format!("{directory} has more than {most} files"))
                .help("several integrations may share a file".to_owned()),
        );
    }
    paths.sort();
    Ok(paths)
}

fn read_text(path: &Path) -> Result<String, Problem> {
    let shown = printable_path(path);
    let unreadable = |error: io::Error| {
        Problem::new(match error.kind() {
            io::ErrorKind::NotFound => format!("{shown} is missing"),
            _ => format!("{shown} cannot be read: {error}"),
        })
    };
    // Asked first: to open a pipe would wait for its other end.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Problem::new(format!("{shown} is not a regular file")));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|it| it.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|it| it > LARGEST) {
        return Err(Problem::new(format!(
            "{shown} is larger than {} MiB",
            LARGEST >> 20
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to());
        let line = 1 + good.filter(|it| **it == b'\n').count();
        Problem::new(format!("{shown}, line {line}: is not UTF-8 text"))
            .help("save the file as UTF-8".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conf_d_has_a_bound() {
        let etc = tempfile::tempdir().unwrap();
        let main = etc.path().join("sso-certd.toml");
        fs::create_dir(etc.path().join("conf.d")).unwrap();
        for name in ["a.toml", "b.toml", "c.toml"] {
            fs::write(etc.path().join("conf.d").join(name), "").unwrap();
        }
        assert_eq!(beside(&main, 3).unwrap().len(), 3);
        let problem = beside(&main, 2).unwrap_err();
        assert!(
            problem
                .to_string()
                .ends_with("conf.d has more than 2 files")
        );
    }
}
