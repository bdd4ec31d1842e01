//! A status, read.

use serde_json::Value;
use sso_certd::domain::Fingerprint;

/// An integration in a status.
#[track_caller]
pub fn integration<'a>(status: &'a Value, name: &str) -> &'a Value {
    let all = status["integrations"].as_array().unwrap();
    let found = all.iter().find(|it| it["name"] == name);
    found.unwrap_or_else(|| panic!("no integration {name}: {status:#}"))
}

/// The state of a certificate in a status; none if it is not there.
pub fn state_of(status: &Value, name: &str, fingerprint: Fingerprint) -> Option<String> {
    let all = integration(status, name)["certificates"]
        .as_array()
        .unwrap();
    let found = all.iter().find(|it| it["fingerprint"] == fingerprint.hex());
    Some(found?["state"].as_str().unwrap().to_owned())
}

/// The states of everything in an integration, in alphabetical order.
pub fn states(status: &Value, name: &str) -> Vec<String> {
    let all = integration(status, name)["certificates"]
        .as_array()
        .unwrap();
    let mut states: Vec<String> = all
        .iter()
        .map(|it| it["state"].as_str().unwrap().to_owned())
        .collect();
    states.sort();
    states
}
