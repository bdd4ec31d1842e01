use std::path::Path;
use std::time::Duration;

use super::super::Printed;
use super::{Etc, OKTA};
use crate::adapter::sendgrid::KeySource;
use crate::domain::{AccountName, IntegrationName};
use crate::plan::policy::Mode;

impl Etc {
    /// The effective value of `key` and where it comes from.
    #[track_caller]
    fn value(&self, key: &str) -> (String, String) {
        let printed = self.loaded().printed;
        let found = printed.into_iter().find(|it| it.key == key);
        let Printed { value, from, .. } = found.unwrap_or_else(|| panic!("no {key}"));
        let directory = self.directory.path().to_str().unwrap();
        (value, from.replace(directory, "/etc"))
    }

    #[track_caller]
    fn check(&self, key: &str, value: &str, from: &str) {
        assert_eq!(
            self.value(key),
            (value.to_owned(), from.to_owned()),
            "{key}"
        );
    }
}

#[test]
fn two_lines_are_a_configuration() {
    let loaded = Etc::new(OKTA).loaded();
    let settings = loaded.settings;
    let okta = &settings.integrations[&IntegrationName::parse("okta").unwrap()];
    assert_eq!(okta.account, AccountName::default());
    assert_eq!(
        okta.integration_id.to_string(),
        "b0b98502-9408-4b24-9e3d-31ed7cb15312"
    );
    assert_eq!(
        okta.directory.directory,
        Path::new("/etc/sso-certd/certificates/okta")
    );
    assert_eq!(okta.directory.files.len(), 7);
    assert!(okta.directory.strict_permissions);
    assert_eq!(okta.policy.mode, Mode::Manage);
    assert_eq!(okta.policy.trust.new_keys_per_day, 5);
    assert_eq!(
        okta.policy.expiry.successor,
        Duration::from_secs(45 * 86400)
    );
    assert_eq!(okta.policy.delivery.settle, Duration::from_secs(180));
    let account = &settings.accounts[&AccountName::default()];
    assert_eq!(account.client.base_url, "https://api.sendgrid.com");
    assert_eq!(account.gate.requests_per_minute, 120);
    assert_eq!(account.gate.retry_cap, Duration::from_secs(900));
    assert_eq!(
        account.key,
        KeySource::Default("/etc/sso-certd/sendgrid-api-key".into())
    );
    assert_eq!(settings.state_directory, Path::new("/var/lib/sso-certd"));
    assert_eq!(settings.watch.poll, Some(Duration::from_secs(60)));
    assert_eq!(settings.schedule.reconcile.six_fields(), "0 0 * * * *");
    assert_eq!(settings.http.listen.unwrap().to_string(), "127.0.0.1:9465");
    assert_eq!(settings.log.level, "info");
    assert_eq!(loaded.warnings, []);
}

#[test]
fn later_beats_earlier_key_by_key() {
    let etc = Etc::new(&format!(
        "{OKTA}[delivery]\nsettle = \"1m\"\nretry_first = \"2s\"\nprobe = \"1m\"\n"
    ))
    .and("20-b.toml", "[delivery]\nprobe = \"3m\"\n")
    .and(
        "10-a.toml",
        "[delivery]\nretry_first = \"3s\"\nprobe = \"2m\"\n",
    )
    .variable("SSO_CERTD__DELIVERY__PROBE", "4m");
    etc.check("delivery.refused_hold", "\"24h\"", "default");
    etc.check("delivery.settle", "\"1m\"", "/etc/sso-certd.toml, line 4");
    etc.check(
        "delivery.retry_first",
        "\"3s\"",
        "/etc/conf.d/10-a.toml, line 2",
    );
    etc.check(
        "delivery.probe",
        "\"4m\"",
        "variable SSO_CERTD__DELIVERY__PROBE",
    );
    let gate = etc.loaded().settings.accounts[&AccountName::default()].gate;
    assert_eq!(gate.probe, Duration::from_secs(240));
    assert_eq!(gate.retry_first, Duration::from_secs(3));
}

#[test]
fn defaults_give_what_an_integration_does_not_set() {
    let etc = Etc::new(&format!(
        "[defaults]\nmode = \"observe\"\nexpiry = {{ warn = \"20d\", critical = \"5d\" }}\nallowed_groups = [\"a\", 7]\n{OKTA}expiry.critical = \"6d\"\n"
    ))
    .and("a.toml", "[defaults.expiry]\nwarn = \"21d\"\ncritical = \"4d\"\n");
    etc.check(
        "integrations.okta.mode",
        "\"observe\"",
        "/etc/sso-certd.toml, line 2",
    );
    etc.check("integrations.okta.expiry.successor", "\"45d\"", "default");
    etc.check(
        "integrations.okta.expiry.warn",
        "\"21d\"",
        "/etc/conf.d/a.toml, line 2",
    );
    etc.check(
        "integrations.okta.expiry.critical",
        "\"6d\"",
        "/etc/sso-certd.toml, line 7",
    );
    etc.check(
        "integrations.okta.allowed_groups",
        "[\"a\", \"7\"]",
        "/etc/sso-certd.toml, line 4",
    );
}

#[test]
fn a_list_is_replaced_not_mixed() {
    let etc = Etc::new(&format!(
        "[defaults]\nfiles = [\"*.pem\", \"*.cer\", \"*.crt\"]\n{OKTA}files = [\"*.der\"]\n"
    ));
    etc.check(
        "integrations.okta.files",
        "[\"*.der\"]",
        "/etc/sso-certd.toml, line 5",
    );
}

#[test]
fn variables_are_read_as_toml_or_as_text() {
    let etc = Etc::new(OKTA)
        .variable("SSO_CERTD__WATCH__EVENTS", "false")
        .variable("SSO_CERTD__WATCH__POLL", "\"0s\"")
        .variable("SSO_CERTD__SCHEDULE__RECONCILE", "*/15 * * * *")
        .variable("SSO_CERTD__HTTP__LISTEN", "")
        .variable("SSO_CERTD__ACCOUNTS__DEFAULT__ON_BEHALF_OF", "12345")
        .variable("SSO_CERTD__ACCOUNTS__DEFAULT__REQUESTS_PER_MINUTE", "7")
        .variable("SSO_CERTD__DEFAULTS__FILES", "[\"*.pem\"]")
        .variable("SSO_CERTD__DEFAULTS__TRUST__NEW_KEYS_PER_DAY", "1")
        .variable("SSO_CERTD__STATE_DIRECTORY", "/state")
        .variable("SSO_CERTD_PORT", "tcp://10.0.0.1:80")
        .variable("RUST_LOG", "trace");
    let settings = etc.loaded().settings;
    assert!(!settings.watch.events);
    assert_eq!(settings.watch.poll, None);
    assert_eq!(settings.schedule.reconcile.six_fields(), "0 */15 * * * *");
    assert_eq!(settings.http.listen, None);
    let account = &settings.accounts[&AccountName::default()];
    assert_eq!(account.client.on_behalf_of.as_deref(), Some("12345"));
    assert_eq!(account.gate.requests_per_minute, 7);
    let okta = &settings.integrations[&IntegrationName::parse("okta").unwrap()];
    assert_eq!(okta.directory.files, ["*.pem"]);
    assert_eq!(okta.policy.trust.new_keys_per_day, 1);
    assert_eq!(settings.state_directory, Path::new("/state"));
    assert_eq!(settings.log.level, "info");
}

#[test]
fn systemd_names_the_state_directory_until_somebody_else_does() {
    let etc = Etc::new(OKTA).variable("STATE_DIRECTORY", "/var/lib/private/sso-certd:/other");
    etc.check(
        "state_directory",
        "\"/var/lib/private/sso-certd\"",
        "variable STATE_DIRECTORY",
    );
    let etc = Etc::new(&format!("state_directory = \"/state\"\n{OKTA}"))
        .variable("STATE_DIRECTORY", "/other");
    etc.check(
        "state_directory",
        "\"/state\"",
        "/etc/sso-certd.toml, line 1",
    );
}

#[test]
fn each_key_is_looked_for_in_its_places_in_order() {
    let credentials = tempfile::tempdir().unwrap();
    let eu = credentials.path().join("sendgrid-api-key-eu");
    std::fs::write(&eu, "x").unwrap();
    let key = |etc: &Etc, name: &str| {
        let settings = etc.loaded().settings;
        settings.accounts[&AccountName::parse(name).unwrap()]
            .key
            .clone()
    };
    let directory = credentials.path().to_str().unwrap();
    let etc =
        Etc::new("[accounts.eu]\n[accounts.us]\n[accounts.fr]\napi_key_file = \"/secret/fr\"\n")
            .variable("CREDENTIALS_DIRECTORY", directory);
    assert_eq!(
        key(&etc, "default"),
        KeySource::Default("/etc/sso-certd/sendgrid-api-key".into())
    );
    assert_eq!(
        key(&etc, "us"),
        KeySource::Default("/etc/sso-certd/sendgrid-api-key-us".into())
    );
    assert_eq!(key(&etc, "fr"), KeySource::File("/secret/fr".into()));
    let credential = KeySource::Credential {
        name: "sendgrid-api-key-eu".to_owned(),
        path: eu,
    };
    assert_eq!(key(&etc, "eu"), credential);

    let etc = etc.variable("SENDGRID_API_KEY", "x");
    assert_eq!(key(&etc, "default"), KeySource::Variable);
    assert_eq!(
        key(&etc, "us"),
        KeySource::Default("/etc/sso-certd/sendgrid-api-key-us".into())
    );
    let path = credentials.path().join("sendgrid-api-key");
    std::fs::write(&path, "x").unwrap();
    let credential = KeySource::Credential {
        name: "sendgrid-api-key".to_owned(),
        path,
    };
    assert_eq!(key(&etc, "default"), credential);
}

#[test]
fn files_of_conf_d_are_read_by_name_and_others_are_not() {
    let loaded = Etc::new(OKTA)
        .and("b.toml", "")
        .and(
            "a.toml",
            "\u{feff}# saved by an editor on Windows\r\n[watch]\r\npoll = \"5s\"\r\n",
        )
        .and("c.toml.bak", "broken")
        .and(".#a.toml", "broken")
        .loaded();
    let names: Vec<&str> = loaded
        .settings
        .files_read
        .iter()
        .map(|it| it.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["sso-certd.toml", "a.toml", "b.toml"]);
    assert_eq!(loaded.settings.watch.poll, Some(Duration::from_secs(5)));
}

#[test]
fn variables_that_others_obey_are_named_in_a_warning() {
    let etc = Etc::new(OKTA)
        .variable("HTTPS_PROXY", "http://u:SG.canary@proxy")
        .variable("SSL_CERT_FILE", "/canary.pem")
        .variable("SSLKEYLOGFILE", "/canary")
        .variable("ALL_PROXY", "");
    let warnings = etc.shown(&etc.loaded().warnings);
    expect_test::expect![[r#"
        HTTPS_PROXY is set and not used
          accounts.default.proxy = "http://proxy.example.com:3128"
        SSL_CERT_FILE is set and not used
          accounts.default.ca_file = "/path/to/roots.pem"
        SSLKEYLOGFILE is set and not used
          keys of TLS sessions are never written anywhere
    "#]]
    .assert_eq(&warnings);
    let etc = Etc::new(&format!(
        "accounts.default.proxy = \"http://127.0.0.1:3128\"\n{OKTA}"
    ))
    .variable("HTTPS_PROXY", "http://proxy");
    assert_eq!(etc.loaded().warnings, []);
}

#[test]
fn a_configuration_that_works_and_is_probably_not_meant_is_remarked_upon() {
    let etc = Etc::new("schedule.reconcile = \"* */15 * * * *\"\n");
    expect_test::expect![[r#"
        no integration is configured
          sso-certd integrations lists yours, and prints the lines to paste
        `schedule.reconcile` comes more than once a minute
          six fields begin with the second: "0 */15 * * * *" is every quarter of an hour
    "#]]
    .assert_eq(&etc.shown(&etc.loaded().warnings));
}

#[test]
fn three_hundred_integrations_are_three_hundred_files() {
    let mut etc = Etc::new("[accounts.eu]\n[defaults]\nexpiry.warn = \"20d\"\n");
    for number in 0..300 {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let text = format!(
            "[integrations.customer-{number:04}]\naccount = \"eu\"\nintegration_id = \"{id}\"\n"
        );
        etc = etc.and(&format!("customer-{number:04}.toml"), &text);
    }
    let loaded = etc.loaded();
    assert_eq!(loaded.settings.integrations.len(), 300);
    assert!(
        loaded
            .settings
            .integrations
            .values()
            .all(|it| it.policy.expiry.warn == Duration::from_secs(20 * 86400))
    );
}

#[test]
fn the_environment_tells_no_value_of_its_own() {
    let etc = Etc::new(OKTA);
    let environment = super::Environment::new([
        ("SENDGRID_API_KEY", "SG.canary"),
        ("SSO_CERTD__HTTP__LISTEN", "SG.canary"),
    ]);
    assert!(!format!("{environment:?}").contains("canary"));
    assert!(!format!("{:?}", etc.loaded()).contains("SENDGRID_API_KEY"));
}

const HASTY: &str =
    "[delivery]\nretry_first = \"1ms\"\nretry_cap = \"2ms\"\nprobe = \"1s\"\nsettle = \"1s\"\n";

fn waits(loaded: &super::Loaded) -> [u64; 3] {
    let gate = loaded.settings.accounts.values().next().unwrap().gate;
    [gate.retry_first, gate.retry_cap, gate.probe].map(|it| it.as_millis().try_into().unwrap())
}

#[test]
fn waits_that_would_ask_without_a_pause_are_longer_and_that_is_said() {
    let etc = Etc::new(&format!("{HASTY}{OKTA}"));
    let loaded = etc.loaded();
    assert_eq!(waits(&loaded), [100, 1_000, 10_000]);
    expect_test::expect![[r#"
        `delivery.retry_first` is shorter than 100ms: 100ms is used
        `delivery.retry_cap` is shorter than 1s: 1s is used
        `delivery.probe` is shorter than 10s: 10s is used
        `delivery.settle` is shorter than 30s
          an upload without an answer may still be stored after that, and the next one beside it
    "#]]
    .assert_eq(&etc.shown(&loaded.warnings));
}

#[test]
fn a_simulated_sendgrid_may_be_asked_as_often_as_anybody_likes() {
    let local = "[accounts.default]\nbase_url = \"http://127.0.0.1:8080\"\n";
    let etc = Etc::new(&format!("{HASTY}{local}{OKTA}"));
    assert_eq!(waits(&etc.loaded()), [1, 2, 1_000]);
    let far = "[accounts.far]\nbase_url = \"https://127.0.0.1.example.com\"\n";
    let used = OKTA.replace("okta", "adfs").replace("b0b98502", "b0b98503");
    let etc = Etc::new(&format!(
        "{HASTY}{local}{far}{OKTA}{used}account = \"far\"\n"
    ));
    let loaded = etc.loaded();
    let gates: Vec<_> = loaded
        .settings
        .accounts
        .values()
        .map(|it| it.gate.probe.as_secs())
        .collect();
    assert_eq!(gates, [1, 10]);
    assert!(
        etc.shown(&loaded.warnings)
            .contains("`delivery.probe` is shorter")
    );
}

#[test]
fn without_events_and_polls_the_schedule_is_named_as_the_only_way_in() {
    let etc = Etc::new(&format!("[watch]\nevents = false\npoll = \"0s\"\n{OKTA}"));
    expect_test::expect![[r#"
        `watch.events` is false and `watch.poll` is "0s": a new file is found by `schedule.reconcile` alone
          watch.poll = "60s"
    "#]]
    .assert_eq(&etc.shown(&etc.loaded().warnings));
    for quiet in ["events = false\n", "poll = \"0s\"\n"] {
        let etc = Etc::new(&format!("[watch]\n{quiet}{OKTA}"));
        assert_eq!(etc.loaded().warnings, []);
    }
}
