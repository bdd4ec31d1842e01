//! The configuration from real files.

mod errors;
mod readme;
mod shipped;
mod sources;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Environment, Loaded, Problem, Problems, load};

/// The section that makes a file whole.
const OKTA: &str =
    "[integrations.okta]\nintegration_id = \"b0b98502-9408-4b24-9e3d-31ed7cb15312\"\n";

/// A configuration directory; paths in messages begin with `/etc`.
struct Etc {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

impl Etc {
    fn new(main: &str) -> Self {
        let etc = Self {
            directory: TempDir::new().unwrap(),
            variables: Vec::new(),
        };
        fs::write(etc.main(), main).unwrap();
        etc
    }

    fn main(&self) -> PathBuf {
        self.directory.path().join("sso-certd.toml")
    }

    fn and(self, name: &str, text: &str) -> Self {
        let conf_d = self.directory.path().join("conf.d");
        fs::create_dir_all(&conf_d).unwrap();
        fs::write(conf_d.join(name), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn load(&self) -> Result<Loaded, Problems> {
        load(&self.main(), &Environment::new(self.variables.clone()))
    }

    #[track_caller]
    fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|it| panic!("{it}"))
    }

    fn shown(&self, problems: &[Problem]) -> String {
        let directory = self.directory.path().to_str().unwrap();
        let mut text = String::new();
        for problem in problems {
            text.extend([&problem.to_string(), "\n"]);
            for line in problem.help.iter().flat_map(|it| it.lines()) {
                text.extend(["  ", line, "\n"]);
            }
        }
        text.replace(directory, "/etc")
    }

    /// Everything that is wrong, with the help indented below.
    #[track_caller]
    fn errors(&self) -> String {
        let problems = self.load().expect_err("it loads");
        assert!(!problems.0.is_empty());
        self.shown(&problems.0)
    }
}
