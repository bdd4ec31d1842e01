//! The layers become one: later beats earlier, key by key.

use std::collections::BTreeMap;

use config::{Config, Value, ValueKind};

use super::keys::{Group, Key};
use super::layer::{Layer, place};
use super::problem::Problem;
use crate::domain::{AccountName, IntegrationName};

/// Where a value comes from that nobody wrote.
pub(super) const DEFAULT: &str = "default";

/// Everything that anybody said, and the defaults for the rest.
pub(super) struct Merged {
    pub(super) root: Value,
    /// Each account with the place of its first section; `default` may have none.
    pub(super) accounts: BTreeMap<AccountName, Option<String>>,
    /// Each integration with the place of its first section.
    pub(super) integrations: BTreeMap<IntegrationName, String>,
}

/// One key with its effective value, for `check-config --print`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Printed {
    /// Dotted, from the root on.
    pub key: String,
    /// The value as TOML, or `unset`.
    pub value: String,
    /// `default`, `FILE, line N` or `variable NAME`.
    pub from: String,
}

/// Merges the layers, the first of which is the weakest.
pub(super) fn merge(layers: &[Layer]) -> Result<Merged, Problem> {
    let mut accounts = BTreeMap::from([(AccountName::default(), None)]);
    let mut integrations = BTreeMap::new();
    for layer in layers {
        for it in &layer.accounts {
            let place = accounts.entry(it.name.clone()).or_default();
            place.get_or_insert_with(|| it.place.clone());
        }
        for it in &layer.integrations {
            integrations
                .entry(it.name.clone())
                .or_insert_with(|| it.place.clone());
        }
    }
    let mut merged = Merged {
        root: Value::new(None, ValueKind::Nil),
        accounts,
        integrations,
    };
    let mut builder = Config::builder().add_source(merged.presets());
    for layer in layers {
        builder = builder.add_source(merged.spread(layer));
    }
    for layer in layers {
        builder = builder.add_source(own(layer));
    }
    // The library's text may quote a value.
    let config = builder
        .build()
        .map_err(|_| Problem::new("the files of the configuration do not fit together"))?;
    merged.root = config.cache;
    Ok(merged)
}

/// A layer without its `[defaults]`.
fn own(layer: &Layer) -> Layer {
    let mut own = layer.clone();
    own.entries.retain(|it| !it.path.starts_with("defaults."));
    own
}

impl Merged {
    /// The value at `path`.
    pub(super) fn at(&self, path: &str) -> Option<&Value> {
        path.split('.')
            .try_fold(&self.root, |it, word| match &it.kind {
                ValueKind::Table(table) => table.get(word),
                _ => None,
            })
    }

    /// Every key with its effective value, in the order of the shipped file.
    pub(super) fn printed(&self) -> Vec<Printed> {
        let printed = self.keys().map(|(path, _)| match self.at(&path) {
            Some(value) => Printed {
                value: rendered(&value.kind),
                from: place(value).to_owned(),
                key: path,
            },
            None => Printed {
                key: path,
                value: "unset".to_owned(),
                from: DEFAULT.to_owned(),
            },
        });
        printed.collect()
    }

    /// Every key of the fixed sections, of each account and of each integration, by its path.
    fn keys(&self) -> impl Iterator<Item = (String, &'static Key)> {
        let accounts = self.accounts.keys().flat_map(|name| {
            let keys = Group::Account.keys();
            keys.map(move |it| (format!("accounts.{name}.{}", it.name), it))
        });
        let integrations = self.integrations.keys().flat_map(|name| {
            let keys = Group::Integration.keys();
            keys.map(move |it| (format!("integrations.{name}.{}", it.name), it))
        });
        let (above, sections): (Vec<_>, Vec<_>) = Group::Fixed
            .keys()
            .map(|it| (it.name.to_owned(), it))
            .partition(|it| !it.0.contains('.'));
        above
            .into_iter()
            .chain(accounts)
            .chain(integrations)
            .chain(sections)
    }

    /// What holds if nobody says anything.
    fn presets(&self) -> Layer {
        let mut layer = Layer::default();
        for (path, key) in self.keys() {
            let name = path.split('.').nth(1).unwrap_or_default();
            if let Some(kind) = key.default.value(name) {
                layer.add(path, DEFAULT, kind);
            }
        }
        layer
    }

    /// The `[defaults]` of a layer, written out for each integration.
    fn spread(&self, layer: &Layer) -> Layer {
        let mut spread = Layer::default();
        for entry in &layer.entries {
            let Some(name) = entry.path.strip_prefix("defaults.") else {
                continue;
            };
            for integration in self.integrations.keys() {
                let mut entry = entry.clone();
                entry.path = format!("integrations.{integration}.{name}");
                spread.entries.push(entry);
            }
        }
        spread
    }
}

/// A value as TOML.
pub(super) fn rendered(value: &ValueKind) -> String {
    match value {
        ValueKind::Boolean(it) => it.to_string(),
        ValueKind::I64(it) => it.to_string(),
        ValueKind::String(it) => toml::Value::String(it.clone()).to_string(),
        ValueKind::Array(it) => {
            let elements: Vec<String> = it.iter().map(|it| rendered(&it.kind)).collect();
            format!("[{}]", elements.join(", "))
        }
        _ => String::new(),
    }
}
