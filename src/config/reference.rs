//! The tables of keys as texts for people: the shipped file and the table of the handbook.

use super::keys::{Group, INTEGRATION_ID, Key, Preset};
use super::merge::rendered;

/// A configuration file with every key, its default, and one comment a key: `config/sso-certd.toml`.
///
/// A key that has no default stands behind a `#`. The one integration is called `example`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Every key of sso-certd, with its default. A file needs only what differs: two lines are enough,\n\
         #\n\
         #     [integrations.okta]\n\
         #     integration_id = \"b0b98502-9408-4b24-9e3d-31ed7cb15312\"\n\
         #\n\
         # conf.d/*.toml beside the file come after it, then the variables SSO_CERTD__SECTION__KEY; later beats\n\
         # earlier, key by key. Durations are texts with units: \"250ms\", \"7d\".\n\n",
    );
    let (above, sections) = fixed();
    write_keys(&mut text, "", above);
    text.push_str("\n# One SendGrid account: one API key, one rate budget. `default` exists without being written.\n");
    text.push_str("[accounts.default]\n");
    write_keys(&mut text, "accounts.default", Group::Account.keys());
    text.push_str("\n# Any key of an integration but integration_id, for all that do not set it.\n[defaults]\n");
    text.push_str("\n# NAME: 1 to 63 of a-z, 0-9 and -; used in logs, labels and commands.\n[integrations.example]\n");
    write_keys(&mut text, "integrations.example", Group::Integration.keys());
    write_keys(&mut text, "", sections);
    text
}

/// Every key in a Markdown table, with its default and what it means.
pub fn key_table() -> String {
    let mut text = String::from("| key | default | meaning |\n|---|---|---|\n");
    let (above, sections) = fixed();
    let groups = [
        ("", above),
        ("accounts.NAME.", Group::Account.keys().collect()),
        ("integrations.NAME.", Group::Integration.keys().collect()),
        ("", sections),
    ];
    for (root, keys) in groups {
        for key in keys {
            let default = match key.default.value("NAME") {
                Some(value) => format!("`{}`", rendered(&value)),
                None => "unset".to_owned(),
            };
            let row = [&format!("`{root}{}`", key.name), &default, key.doc].join(" | ");
            text.extend(["| ", &row, " |\n"]);
        }
    }
    text
}

/// The keys above the first section, and those of the fixed sections.
fn fixed() -> (Vec<&'static Key>, Vec<&'static Key>) {
    Group::Fixed.keys().partition(|it| !it.name.contains('.'))
}

/// The keys below `root`, with a header for each section in it.
fn write_keys(text: &mut String, root: &str, keys: impl IntoIterator<Item = &'static Key>) {
    let mut open = "";
    for key in keys {
        let (section, word) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        if section != open {
            let separator = if root.is_empty() { "" } else { "." };
            text.extend(["\n[", root, separator, section, "]\n"]);
            open = section;
        }
        let line = match (key.default.value("example"), key.default) {
            (Some(value), _) => format!("{word} = {}", rendered(&value)),
            (None, Preset::Unset(example)) if key.name == INTEGRATION_ID => {
                format!("{word} = {example}")
            }
            (None, Preset::Unset(example)) => format!("#{word} = {example}"),
            (None, _) => continue,
        };
        text.extend(["# ", key.doc, "\n", &line, "\n"]);
    }
}
