use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

use super::super::keys::Group;
use super::super::{Environment, Loaded, key_table, load, reference};
use super::{Etc, OKTA};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[track_caller]
fn shipped(path: &str) -> Loaded {
    load(&repository(path), &Environment::default()).unwrap_or_else(|it| panic!("{it}"))
}

#[test]
fn the_shipped_file_has_every_key_and_its_default() {
    expect_file!["../../../config/sso-certd.toml"].assert_eq(&reference());
}

#[test]
fn the_shipped_file_changes_nothing_but_the_names() {
    let mut written = shipped("config/sso-certd.toml").settings;
    let id = "00000000-0000-0000-0000-000000000000";
    let two_lines = Etc::new(&format!(
        "[integrations.example]\nintegration_id = \"{id}\"\n"
    ));
    let expected = two_lines.loaded().settings;
    written.files_read.clone_from(&expected.files_read);
    assert_eq!(written, expected);
}

#[test]
fn each_key_that_stands_behind_a_mark_is_one_that_loads() {
    let text = fs::read_to_string(repository("config/sso-certd.toml")).unwrap();
    for line in text
        .lines()
        .filter(|it| it.starts_with('#') && !it.starts_with("# ") && *it != "#")
    {
        let all = text.replace(line, line.trim_start_matches('#'));
        let is_later = line.starts_with("#url") || line.starts_with("#entity_id");
        assert_eq!(Etc::new(&all).load().is_err(), is_later, "{line}");
    }
}

#[test]
fn the_examples_load() {
    let okta = shipped("config/examples/okta-one-vm.toml");
    assert_eq!(okta.settings.integrations.len(), 1);
    let two = shipped("config/examples/adfs-and-entra-two-accounts.toml");
    assert_eq!(
        (two.settings.accounts.len(), two.settings.integrations.len()),
        (2, 3)
    );
    let many = shipped("config/examples/many-integrations/sso-certd.toml");
    assert_eq!(
        (
            many.settings.files_read.len(),
            many.settings.integrations.len()
        ),
        (3, 2)
    );
    for loaded in [okta, two, many] {
        assert_eq!(loaded.warnings, []);
    }
}

#[test]
fn no_example_is_left_out_of_the_test_above() {
    let mut names: Vec<String> = fs::read_dir(repository("config/examples"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "adfs-and-entra-two-accounts.toml",
            "many-integrations",
            "okta-one-vm.toml"
        ]
    );
}

#[test]
fn the_table_has_a_row_for_every_key() {
    let table = key_table();
    for (root, group) in [
        ("", Group::Fixed),
        ("accounts.NAME.", Group::Account),
        ("integrations.NAME.", Group::Integration),
    ] {
        for key in group.keys() {
            assert!(
                table.contains(&format!("| `{root}{}` | ", key.name)),
                "{}",
                key.name
            );
            assert!(!key.doc.contains('|'), "{}", key.name);
        }
    }
    assert!(
        table
            .contains("| `integrations.NAME.directory` | `\"/etc/sso-certd/certificates/NAME\"` |")
    );
}

#[test]
fn print_shows_every_key_once() {
    let printed = Etc::new(OKTA).loaded().printed;
    let keys: Vec<&str> = printed.iter().map(|it| it.key.as_str()).collect();
    let expected = Group::Fixed.keys().count()
        + Group::Account.keys().count()
        + Group::Integration.keys().count();
    assert_eq!(keys.len(), expected);
    let mut unique = keys.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), expected);
    assert_eq!(keys[0], "state_directory");
}
