//! The variables that set a key, checked as a file is.

use std::borrow::Cow;
use std::ffi::OsStr;

use toml::Spanned;
use toml::de::DeValue;

use super::check::{is_secret_word, secret_help};
use super::environment::Environment;
use super::keys::{Group, Key, Kind, nearest, variables};
use super::kind;
use super::layer::Layer;
use super::problem::Problem;
use crate::domain::text::printable;

/// The good entries of all variables `SSO_CERTD__SECTION__KEY`, and everything that is wrong with them.
pub(super) fn read(environment: &Environment) -> (Layer, Vec<Problem>) {
    let known: Vec<_> = variables().collect();
    let mut layer = Layer::default();
    let mut problems = Vec::new();
    for (name, value) in environment.settings() {
        match known.iter().find(|it| it.0 == name) {
            Some((_, path, key)) => problems.extend(take(&mut layer, name, path, key, value)),
            None => problems.push(unknown(name, known.iter().map(|it| it.0.as_str()))),
        }
    }
    (layer, problems)
}

/// The default of `state_directory` that systemd knows better.
pub(super) fn state_directory(environment: &Environment) -> (Layer, Vec<Problem>) {
    let mut layer = Layer::default();
    let mut problems = Vec::new();
    let path = "state_directory";
    if let (Some((name, value)), Some(key)) =
        (environment.state_directory(), Group::Fixed.key(path))
    {
        // Several directories are separated by colons; the first is ours.
        let first = value.to_str().and_then(|it| it.split(':').next());
        let first = first.map_or(value, OsStr::new);
        problems = take(&mut layer, name, path, key, first);
    }
    (layer, problems)
}

fn take(layer: &mut Layer, name: &str, path: &str, key: &Key, value: &OsStr) -> Vec<Problem> {
    let place = format!("variable {name}");
    let Some(raw) = value.to_str() else {
        return vec![Problem::of_key(
            &place,
            path,
            format!("`{path}` is not UTF-8 text"),
        )];
    };
    match kind::read(key, &Spanned::new(0..0, parse(key, raw))) {
        Ok(kind) => {
            layer.add(path.to_owned(), &place, kind);
            Vec::new()
        }
        Err(flaws) => flaws
            .into_iter()
            .map(|it| {
                Problem::of_key(&place, path, format!("`{path}` {}", it.fault.says))
                    .help(it.fault.help)
            })
            .collect(),
    }
}

/// A TOML scalar or list; else the text as it is. Where a text is wanted, only quotes make it TOML.
fn parse<'a>(key: &Key, raw: &'a str) -> DeValue<'a> {
    let wants_text = !matches!(
        key.kind,
        Kind::Switch | Kind::Number(..) | Kind::Texts(_) | Kind::SomeTexts(_) | Kind::Principals
    );
    match DeValue::parse(raw).map(Spanned::into_inner) {
        Ok(value) if value.is_str() || !wants_text => value,
        _ => DeValue::String(Cow::Borrowed(raw)),
    }
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    let shown = printable(name, 80);
    let last = name.rsplit("__").next().unwrap_or_default();
    let help = if is_secret_word(last) {
        secret_help("default", "variable")
    } else if let Some(meant) = nearest(name, known) {
        format!("did you mean `{meant}`?")
    } else {
        "variables set what has one name only: the keys of the fixed sections, [defaults] and [accounts.default]"
            .to_owned()
    };
    Problem::new(format!("variable {shown} sets no key")).help(help)
}
