//! Every key there is: its kind, its default, and what it means.
//!
//! The check of a file, `--print`, the help of an error and `config/sso-certd.toml` are all drawn from the tables beside this file.

use std::time::Duration;

use config::ValueKind;

use super::table::{ACCOUNT, FIXED, INTEGRATION};
use super::value::{Fault, FromText as _};

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// Dotted, from its group on: `trust.pins`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Preset,
    /// One line for the shipped file.
    pub(super) doc: &'static str,
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// true or false.
    Switch,
    /// A whole number of this range.
    Number(u32, u32),
    /// A text with a unit; at least this.
    Duration(Duration),
    /// A text that is not supported today, whatever it says.
    Unsupported,
    /// A text that passes a check.
    Text(fn(&str) -> Result<(), Fault>),
    /// A list of such texts.
    Texts(fn(&str) -> Result<(), Fault>),
    /// A list of such texts, of which at least one.
    SomeTexts(fn(&str) -> Result<(), Fault>),
    /// A list of names or numbers.
    Principals,
}

/// What holds if nobody says anything.
#[derive(Clone, Copy, Debug)]
pub(super) enum Preset {
    /// Nothing; with an example as TOML.
    Unset(&'static str),
    /// The directory of the integration's name.
    Directory,
    Switch(bool),
    Number(u32),
    Text(&'static str),
    Texts(&'static [&'static str]),
}

/// The default of `expiry.warn`.
pub fn default_warn() -> Duration {
    let default = default("expiry.warn").and_then(|it| match it {
        Preset::Text(text) => Duration::from_text(text).ok(),
        _ => None,
    });
    default.unwrap_or_default()
}

/// The default of `files`.
pub fn default_files() -> Vec<String> {
    match default("files") {
        Some(Preset::Texts(patterns)) => patterns.iter().map(|it| (*it).to_owned()).collect(),
        _ => Vec::new(),
    }
}

fn default(name: &str) -> Option<Preset> {
    let key = INTEGRATION.iter().find(|it| it.name == name);
    key.map(|it| it.default)
}

impl Preset {
    /// The value for the account or integration `name`, if there is one.
    pub(super) fn value(self, name: &str) -> Option<ValueKind> {
        match self {
            Self::Unset(_) => None,
            Self::Directory => Some(format!("{CERTIFICATES}/{name}").into()),
            Self::Switch(it) => Some(it.into()),
            Self::Number(it) => Some(i64::from(it).into()),
            Self::Text(it) => Some(it.into()),
            Self::Texts(it) => Some(it.to_vec().into()),
        }
    }
}

/// Where the directories of certificates lie if nobody says otherwise.
const CERTIFICATES: &str = "/etc/sso-certd/certificates";

/// Keys that belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Group {
    /// The sections with fixed names, and what stands above them.
    Fixed,
    /// `[accounts.NAME]`.
    Account,
    /// `[integrations.NAME]`.
    Integration,
    /// `[defaults]`.
    Defaults,
}

impl Group {
    /// The keys of this group, in the order of the shipped file.
    pub(super) fn keys(self) -> impl Iterator<Item = &'static Key> {
        let keys = match self {
            Self::Fixed => FIXED,
            Self::Account => ACCOUNT,
            Self::Integration | Self::Defaults => INTEGRATION,
        };
        keys.iter()
            .filter(move |it| self != Self::Defaults || !OF_ONE_INTEGRATION.contains(&it.name))
    }

    /// The key of this name.
    pub(super) fn key(self, name: &str) -> Option<&'static Key> {
        self.keys().find(|it| it.name == name)
    }

    /// Whether `name` is a section of this group: `trust` of an integration.
    pub(super) fn has_section(self, name: &str) -> bool {
        self.keys().any(|it| {
            it.name
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    /// What may stand in the section `section` of this group: keys and sections, each once. The outermost section
    /// is the empty text.
    pub(super) fn known_in(self, section: &str) -> Vec<&'static str> {
        let mut known: Vec<&'static str> = Vec::new();
        for key in self.keys() {
            let inside = match section {
                "" => Some(key.name),
                _ => key
                    .name
                    .strip_prefix(section)
                    .and_then(|it| it.strip_prefix('.')),
            };
            if let Some(word) = inside.and_then(|it| it.split('.').next())
                && !known.contains(&word)
            {
                known.push(word);
            }
        }
        if self == Self::Fixed && section.is_empty() {
            known.extend(["accounts", "defaults", "integrations"]);
        }
        known
    }
}

/// The key that an integration must have.
pub(super) const INTEGRATION_ID: &str = "integration_id";

/// What has no default for all integrations: a pin that admits a certificate of one provider would admit it everywhere.
pub(super) const OF_ONE_INTEGRATION: [&str; 2] = [INTEGRATION_ID, "trust.pins"];

/// The variables that set a key, with the key's path and group: all but those of named accounts and integrations.
pub(super) fn variables() -> impl Iterator<Item = (String, String, &'static Key)> {
    let fixed = Group::Fixed.keys().map(|it| (it.name.to_owned(), it));
    let account = Group::Account
        .keys()
        .map(|it| (format!("accounts.default.{}", it.name), it));
    let defaults = Group::Defaults
        .keys()
        .map(|it| (format!("defaults.{}", it.name), it));
    fixed
        .chain(account)
        .chain(defaults)
        .map(|(path, key)| (variable(&path), path, key))
}

/// The variable that sets the key at `path`.
pub(super) fn variable(path: &str) -> String {
    format!(
        "{VARIABLE_PREFIX}{}",
        path.replace('.', "__").to_uppercase()
    )
}

/// What every variable that sets a key begins with: two underscores, so that a cluster's `SSO_CERTD_PORT` means
/// nothing.
pub(super) const VARIABLE_PREFIX: &str = "SSO_CERTD__";

/// The longest word that a meant one is looked for, in bytes: to compare two takes as long as the product of their lengths.
const LONGEST_WORD: usize = 63;

/// The word among `known` that somebody who typed `word` probably meant; none for what is too long to be a name or a key.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    let length = word.chars().count();
    let slips = |it: &str| 1 + it.len() / 5;
    known
        .into_iter()
        .filter(|it| it.len().abs_diff(length) <= slips(it))
        .map(|it| (strsim::damerau_levenshtein(word, it), it))
        .filter(|(distance, it)| *distance <= slips(it))
        .min()
        .map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_and_what_can_be_no_name_is_not_compared() {
        let known = ["okta", "okta-eu", "entra"];
        assert_eq!(nearest("otka", known), Some("okta"));
        assert_eq!(nearest("oktaeu", known), Some("okta-eu"));
        assert_eq!(nearest("google", known), None);
        let (fits, long) = ("a".repeat(63), "a".repeat(64));
        assert_eq!(nearest(&fits, [fits.as_str()]), Some(fits.as_str()));
        assert_eq!(nearest(&long, [long.as_str()]), None);
    }
}
