//! What is wrong with a configuration, in a person's words.

use std::fmt;

/// One error or warning: where, which key, what is allowed. It never quotes a value or a line of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    message: String,
    key: Option<String>,
    /// What to type or to know; several lines are separated by a line feed.
    pub help: Option<String>,
}

impl Problem {
    /// Something that is wrong with a whole file, or with nothing in particular.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            key: None,
            help: None,
        }
    }

    /// Something about the key `key`, found at `place`.
    pub(super) fn of_key(place: &str, key: &str, message: impl fmt::Display) -> Self {
        Self {
            message: format!("{place}: {message}"),
            key: Some(key.to_owned()),
            help: None,
        }
    }

    /// The same problem with help.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }

    /// The problem and its help, in one line.
    pub fn with_help(&self) -> String {
        match &self.help {
            Some(help) => format!("{self} ({})", help.replace('\n', "; ")),
            None => self.to_string(),
        }
    }

    /// Whether this is about `key`, a dotted path.
    pub(super) fn is_about(&self, key: &str) -> bool {
        self.key.as_deref() == Some(key)
    }
}

/// `FILE, line N: …`, without the help.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Everything that is wrong, in the order of the files and their lines. Never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problems(pub Vec<Problem>);

/// One problem a line, without the help.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
