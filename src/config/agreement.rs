//! What only all files together can get wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use config::{Value, ValueKind};

use super::keys::INTEGRATION_ID;
use super::layer::{Layer, place};
use super::merge::{DEFAULT, Merged};
use super::problem::Problem;
use super::value::FromText as _;
use crate::domain::{AccountName, IntegrationId, IntegrationName};

/// Everything in which the layers do not agree. `known` are the problems of the layers themselves: what is wrong
/// there is not said to be missing here.
pub(super) fn problems(layers: &[Layer], merged: &Merged, known: &[Problem]) -> Vec<Problem> {
    let mut problems = defined_twice(layers);
    problems.extend(unknown_accounts(layers, merged));
    problems.extend(missing_ids(merged, known));
    problems.extend(shared_ids(merged));
    problems.extend(retry_order(merged, known));
    problems
}

/// An integration belongs to one file: two that define it are a slip, whichever comes later.
fn defined_twice(layers: &[Layer]) -> Vec<Problem> {
    let mut first: BTreeMap<&IntegrationName, &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for it in layers.iter().flat_map(|it| &it.integrations) {
        match first.get(&it.name) {
            Some(file) => problems.push(
                Problem::new(format!(
                    "{file} and {} both define the integration `{}`",
                    it.file, it.name
                ))
                .help(
                    "write it in one of them; what several integrations share goes into [defaults]"
                        .to_owned(),
                ),
            ),
            None => {
                first.insert(&it.name, &it.file);
            }
        }
    }
    problems
}

fn unknown_accounts(layers: &[Layer], merged: &Merged) -> Vec<Problem> {
    let known: Vec<&str> = merged.accounts.keys().map(AccountName::as_str).collect();
    let mut problems = Vec::new();
    for entry in layers.iter().flat_map(|it| &it.entries) {
        let of_integration =
            entry.path.starts_with("integrations.") || entry.path.starts_with("defaults.");
        if !of_integration || !entry.path.ends_with(".account") {
            continue;
        }
        if text(&entry.value).is_some_and(|it| !known.contains(&it)) {
            let path = &entry.path;
            let message = format!("`{path}` names an account that has no section [accounts.NAME]");
            let help = format!("known accounts: {}", known.join(", "));
            problems.push(Problem::of_key(place(&entry.value), path, message).help(help));
        }
    }
    problems
}

fn missing_ids(merged: &Merged, known: &[Problem]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, place) in &merged.integrations {
        let path = id_path(name);
        let section = format!("integrations.{name}");
        let is_known = |it: &Problem| it.is_about(&path) || it.is_about(&section);
        if merged.at(&path).is_none() && !known.iter().any(is_known) {
            let message = format!("`{path}` is missing");
            let help = "sso-certd integrations lists yours".to_owned();
            problems.push(Problem::of_key(place, &path, message).help(help));
        }
    }
    problems
}

/// Two sections for one integration would work against each other, and an id belongs to one account.
fn shared_ids(merged: &Merged) -> Vec<Problem> {
    let mut first = BTreeMap::new();
    let mut problems = Vec::new();
    for name in merged.integrations.keys() {
        let value = merged.at(&id_path(name));
        let id = value
            .and_then(text)
            .and_then(|it| IntegrationId::from_text(it).ok());
        let (Some(value), Some(id)) = (value, id) else {
            continue;
        };
        match first.get(&id) {
            Some((other, where_else)) => {
                let path = id_path(name);
                let message = format!("`{path}` is that of `integrations.{other}` ({where_else})");
                let help = "one section an integration; one directory may serve several".to_owned();
                problems.push(Problem::of_key(place(value), &path, message).help(help));
            }
            None => {
                first.insert(id, (name, place(value)));
            }
        }
    }
    problems
}

fn retry_order(merged: &Merged, known: &[Problem]) -> Option<Problem> {
    let [first, cap] = ["delivery.retry_first", "delivery.retry_cap"];
    if known
        .iter()
        .any(|it| it.is_about(first) || it.is_about(cap))
    {
        return None;
    }
    let duration = |path| {
        let raw = merged.at(path).and_then(text)?;
        Duration::from_text(raw).ok()
    };
    if duration(cap)? >= duration(first)? {
        return None;
    }
    // The one that somebody wrote is the one to look at.
    let places: BTreeSet<&str> = [cap, first]
        .iter()
        .filter_map(|it| merged.at(it))
        .map(place)
        .collect();
    let written = places.into_iter().find(|it| *it != DEFAULT)?;
    Some(Problem::of_key(
        written,
        cap,
        format!("`{cap}` is shorter than `{first}`"),
    ))
}

fn id_path(name: &IntegrationName) -> String {
    format!("integrations.{name}.{INTEGRATION_ID}")
}

fn text(value: &Value) -> Option<&str> {
    match &value.kind {
        ValueKind::String(it) => Some(it),
        _ => None,
    }
}
