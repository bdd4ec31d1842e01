//! What one file says, or the environment: checked alone, and ready to be merged.

use std::fmt;

use config::{ConfigError, Map, Source, Value, ValueKind};

use crate::domain::{AccountName, IntegrationName};

/// The good entries of one file or of the environment, and the names that it defines.
#[derive(Clone, Default)]
pub(super) struct Layer {
    pub(super) entries: Vec<Entry>,
    pub(super) accounts: Vec<Named<AccountName>>,
    pub(super) integrations: Vec<Named<IntegrationName>>,
}

/// A key with its value, which knows its place.
#[derive(Clone)]
pub(super) struct Entry {
    /// From the root on, dotted.
    pub(super) path: String,
    pub(super) value: Value,
}

/// A section with a name of its own.
#[derive(Clone)]
pub(super) struct Named<N> {
    pub(super) name: N,
    /// The file.
    pub(super) file: String,
    /// The file and the line.
    pub(super) place: String,
}

impl Layer {
    /// Adds an entry that was found at `place`.
    pub(super) fn add(&mut self, path: String, place: &str, kind: ValueKind) {
        let value = Value::new(Some(&place.to_owned()), kind);
        self.entries.push(Entry { path, value });
    }
}

/// The place of a value, as [`Layer::add`] was told.
pub(super) fn place(value: &Value) -> &str {
    value.origin().unwrap_or_default()
}

/// How many entries there are; never what they say.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Layer({} entries)", self.entries.len())
    }
}

/// Dotted paths, which `config` takes apart: names of integrations and accounts have no dot.
impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let entries = self.entries.iter();
        Ok(entries
            .map(|it| (it.path.clone(), it.value.clone()))
            .collect())
    }
}
