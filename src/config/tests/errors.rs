use std::fs;
use std::os::unix::fs::symlink;

use expect_test::{Expect, expect};

use super::{Etc, OKTA};

#[track_caller]
fn check(main: &str, expected: &Expect) {
    expected.assert_eq(&Etc::new(main).errors());
}

#[test]
fn an_unknown_key_is_named_with_the_one_that_was_meant() {
    check(
        "poll = \"1s\"\n[integrations.okta]\ndirecotry = \"/x\"\npins = []\ncolour = \"red\"\nexpiry.warm = \"1d\"\n[watch]\nstate_directory = \"/x\"\n[integration.x]\n",
        &expect![[r#"
            /etc/sso-certd.toml, line 1: unknown key `poll`
              did you mean `watch.poll`? Known here: state_directory, watch, schedule, delivery, http, log, accounts, defaults, integrations
            /etc/sso-certd.toml, line 3: unknown key `integrations.okta.direcotry`
              did you mean `directory`? Known here: account, integration_id, directory, files, mode, strict_permissions, allowed_owners, allowed_groups, metadata, trust, retire, expiry
            /etc/sso-certd.toml, line 4: unknown key `integrations.okta.pins`
              did you mean `trust.pins`? Known here: account, integration_id, directory, files, mode, strict_permissions, allowed_owners, allowed_groups, metadata, trust, retire, expiry
            /etc/sso-certd.toml, line 5: unknown key `integrations.okta.colour`
              known here: account, integration_id, directory, files, mode, strict_permissions, allowed_owners, allowed_groups, metadata, trust, retire, expiry
            /etc/sso-certd.toml, line 6: unknown key `integrations.okta.expiry.warm`
              did you mean `warn`? Known here: successor, warn, critical
            /etc/sso-certd.toml, line 8: unknown key `watch.state_directory`
              did you mean `state_directory`? Known here: events, quiet, poll
            /etc/sso-certd.toml, line 9: unknown key `integration`
              did you mean `integrations`? Known here: state_directory, watch, schedule, delivery, http, log, accounts, defaults, integrations
            /etc/sso-certd.toml, line 2: `integrations.okta.integration_id` is missing
              sso-certd integrations lists yours
        "#]],
    );
}

#[test]
fn a_key_in_the_wrong_place_is_known_to_everybody() {
    check(
        "[accounts.default]\napi_key = \"SG.canary\"\n[accounts.eu]\nkey = \"SG.canary\"\napi_key_file = \"SG.canary\"\n[integrations.okta]\nintegration_id = \"SG.canary\"\nnote = \"SG.canary\"\n",
        &expect![[r#"
            /etc/sso-certd.toml, line 2: `accounts.default.api_key` is not a setting
              put the key into /etc/sso-certd/sendgrid-api-key (mode 600); the unit passes it on.
              Treat the key in this file as known to everybody who could read it.
            /etc/sso-certd.toml, line 4: `accounts.eu.key` is not a setting
              put the key into /etc/sso-certd/sendgrid-api-key-eu (mode 600); the unit passes it on.
              Treat the key in this file as known to everybody who could read it.
            /etc/sso-certd.toml, line 5: `accounts.eu.api_key_file` wants an absolute path, one that begins with /
              put the key into /etc/sso-certd/sendgrid-api-key-eu (mode 600); the unit passes it on.
              Treat the key in this file as known to everybody who could read it.
            /etc/sso-certd.toml, line 7: `integrations.okta.integration_id` is not a UUID
              put the key into /etc/sso-certd/sendgrid-api-key (mode 600); the unit passes it on.
              Treat the key in this file as known to everybody who could read it.
            /etc/sso-certd.toml, line 8: `integrations.okta.note` is not a setting
              put the key into /etc/sso-certd/sendgrid-api-key (mode 600); the unit passes it on.
              Treat the key in this file as known to everybody who could read it.
        "#]],
    );
}

#[test]
fn types_are_strict() {
    check(
        "state_directory = 1\nwatch.events = \"yes\"\nwatch.quiet = 250\nwatch.poll = \"60\"\nhttp = \"127.0.0.1:1\"\nlog.level = true\nschedule.jitter = [\"2m\"]\n[accounts]\ndefault = \"x\"\n[integrations.okta]\nstrict_permissions = 1\nfiles = \"*.pem\"\nallowed_owners = [1.5, -1, \"ok\", true]\ntrust.new_keys_per_day = \"5\"\n",
        &expect![[r#"
            /etc/sso-certd.toml, line 1: `state_directory` wants a text in quotes
            /etc/sso-certd.toml, line 2: `watch.events` wants true or false
            /etc/sso-certd.toml, line 3: `watch.quiet` wants a text with a unit, such as "250ms"
            /etc/sso-certd.toml, line 4: `watch.poll` wants a text with a unit, such as "60s"
            /etc/sso-certd.toml, line 5: `http` wants a section: [http]
            /etc/sso-certd.toml, line 6: `log.level` wants a text in quotes
            /etc/sso-certd.toml, line 7: `schedule.jitter` wants a text with a unit, such as "2m"
            /etc/sso-certd.toml, line 9: `accounts.default` wants a section: [accounts.default]
            /etc/sso-certd.toml, line 11: `integrations.okta.strict_permissions` wants true or false
            /etc/sso-certd.toml, line 12: `integrations.okta.files` wants a list of texts: ["…", "…"]
            /etc/sso-certd.toml, line 13: `integrations.okta.allowed_owners` wants a list of names or numbers, such as ["idp-drop", 1001]
            /etc/sso-certd.toml, line 14: `integrations.okta.trust.new_keys_per_day` wants a whole number from 0 to 10000
            /etc/sso-certd.toml, line 10: `integrations.okta.integration_id` is missing
              sso-certd integrations lists yours
        "#]],
    );
}

#[test]
fn ranges_are_checked() {
    check(
        "[watch]\nquiet = \"0s\"\npoll = \"-1s\"\n[delivery]\nretry_first = \"0s\"\nsettle = \"1us\"\nprobe = \"101y\"\n[accounts.default]\nrequests_per_minute = 0\nconnect_timeout = \"0s\"\n[integrations.okta]\nfiles = []\ntrust.new_keys_per_day = -1\nmetadata.refresh = \"0s\"\n",
        &expect![[r#"
            /etc/sso-certd.toml, line 2: `watch.quiet` is too short: at least "1ms"
            /etc/sso-certd.toml, line 3: `watch.poll` wants a text with a unit, such as "60s"
            /etc/sso-certd.toml, line 5: `delivery.retry_first` is too short: at least "1ms"
            /etc/sso-certd.toml, line 6: `delivery.settle` is too short: at least "1ms"
            /etc/sso-certd.toml, line 7: `delivery.probe` is too long: at most 100 years
            /etc/sso-certd.toml, line 9: `accounts.default.requests_per_minute` wants a whole number from 1 to 60000
            /etc/sso-certd.toml, line 10: `accounts.default.connect_timeout` is too short: at least "1ms"
            /etc/sso-certd.toml, line 12: `integrations.okta.files` wants at least one text
            /etc/sso-certd.toml, line 13: `integrations.okta.trust.new_keys_per_day` wants a whole number from 0 to 10000
            /etc/sso-certd.toml, line 14: `integrations.okta.metadata.refresh` is too short: at least "1ms"
            /etc/sso-certd.toml, line 11: `integrations.okta.integration_id` is missing
              sso-certd integrations lists yours
        "#]],
    );
}

#[test]
fn the_cap_is_not_below_the_first_wait() {
    check(
        &format!("{OKTA}[delivery]\nretry_first = \"2m\"\nretry_cap = \"1m\"\n"),
        &expect![[r#"
            /etc/sso-certd.toml, line 4: `delivery.retry_cap` is shorter than `delivery.retry_first`
        "#]],
    );
    check(
        &format!("{OKTA}[delivery]\nretry_first = \"16m\"\n"),
        &expect![[r#"
            /etc/sso-certd.toml, line 4: `delivery.retry_cap` is shorter than `delivery.retry_first`
        "#]],
    );
}

#[test]
fn values_are_checked() {
    check(
        "state_directory = \"state\"\n[accounts.default]\nbase_url = \"http://canary.example.com\"\nproxy = \"http://u:canary@proxy\"\non_behalf_of = \"\"\n[integrations.okta]\nintegration_id = \"okta\"\ndirectory = \"certificates\"\nfiles = [\"*.pem\", \"sub/*.pem\"]\nmode = \"watch\"\naccount = \"EU\"\nretire.when = \"never\"\n[http]\nlisten = \"localhost:80\"\n[log]\nlevel = \"verbose\"\nformat = \"xml\"\n[schedule]\nreconcile = \"every hour\"\n",
        &expect![[r#"
            /etc/sso-certd.toml, line 1: `state_directory` wants an absolute path, one that begins with /
            /etc/sso-certd.toml, line 3: `accounts.default.base_url` is plain http; only https carries the key
              plain http goes to a literal loopback address only, such as "http://127.0.0.1:8080"
            /etc/sso-certd.toml, line 4: `accounts.default.proxy` has a user name or a password in it
              for a proxy, put user:password into a file that proxy_credentials_file names.
              Treat the password in this file as known to everybody who could read it.
            /etc/sso-certd.toml, line 5: `accounts.default.on_behalf_of` wants a subuser's name, or "account-id ID": 1 to 255 ASCII characters
            /etc/sso-certd.toml, line 7: `integrations.okta.integration_id` is not a UUID
              sso-certd integrations lists yours
            /etc/sso-certd.toml, line 8: `integrations.okta.directory` wants an absolute path, one that begins with /
            /etc/sso-certd.toml, line 9: `integrations.okta.files` wants patterns of file names, such as ["*.pem"]; subdirectories are not looked at
            /etc/sso-certd.toml, line 10: `integrations.okta.mode` wants one of "manage", "observe"
            /etc/sso-certd.toml, line 11: `integrations.okta.account` wants the name of an account: 1 to 63 of a-z, 0-9 and -
            /etc/sso-certd.toml, line 12: `integrations.okta.retire.when` wants one of "expired", "absent"
            /etc/sso-certd.toml, line 14: `http.listen` wants an address and a port, such as "127.0.0.1:9465", or "" for none
            /etc/sso-certd.toml, line 16: `log.level` wants "error", "warn", "info", "debug", "trace" or "off", or directives for sso_certd such as "info,sso_certd::plan=debug"
            /etc/sso-certd.toml, line 17: `log.format` wants "auto", "text" or "json"
            /etc/sso-certd.toml, line 19: `schedule.reconcile` wants five cron fields, or six with seconds first
              "0 * * * *" is every full hour, "*/15 * * * *" every quarter, in UTC
        "#]],
    );
}

#[test]
fn each_wrong_pin_has_its_line() {
    let good = "a".repeat(64);
    let thumbprint = "b".repeat(40);
    check(
        &format!("{OKTA}trust.pins = [\n  \"{good}\",\n  \"{thumbprint}\",\n  \"c\",\n]\n"),
        &expect![[r#"
            /etc/sso-certd.toml, line 5: `integrations.okta.trust.pins` has an entry that is no fingerprint: 40 hexadecimal digits are a SHA-1 thumbprint; SHA-256 has 64
              sso-certd inspect FILE prints the fingerprint of a certificate
            /etc/sso-certd.toml, line 6: `integrations.okta.trust.pins` has an entry that is no fingerprint: a fingerprint has 64 hexadecimal digits, with or without colons
              sso-certd inspect FILE prints the fingerprint of a certificate
        "#]],
    );
}

#[test]
fn what_is_not_supported_yet_says_so() {
    check(
        &format!(
            "{OKTA}trust.require = \"hold-down\"\nretire = {{ action = \"delete\", when = \"absent\" }}\nmetadata.url = \"https://idp.example.com\"\nmetadata.entity_id = \"x\"\n[defaults]\ntrust.require = \"pins\"\n"
        ),
        &expect![[r#"
            /etc/sso-certd.toml, line 5: `integrations.okta.metadata.url` is not supported yet
              leave it out: the directory is the source
            /etc/sso-certd.toml, line 6: `integrations.okta.metadata.entity_id` is not supported yet
              leave it out: the directory is the source
            /etc/sso-certd.toml, line 8: `defaults.trust.require` wants one of "source", "pin", "hold-down", "approval"
        "#]],
    );
    let harmless = "trust = { require = \"source\", hold_down = \"72h\" }\nretire = { action = \"keep\", when = \"absent\", min_overlap = \"1d\" }\nmetadata.refresh = \"2h\"\n";
    Etc::new(&format!("{OKTA}{harmless}")).loaded();
}

#[test]
fn names_are_checked() {
    check(
        "[integrations.Okta]\n[integrations.\"a b\"]\n[accounts.\"\"]\n[integrations]\nx = 1\n",
        &expect![[r#"
            /etc/sso-certd.toml, line 1: `integrations.Okta` is badly named: a name has 1 to 63 of a-z, 0-9 and -
            /etc/sso-certd.toml, line 2: `integrations.…` is badly named: a name has 1 to 63 of a-z, 0-9 and -
            /etc/sso-certd.toml, line 3: `accounts.…` is badly named: a name has 1 to 63 of a-z, 0-9 and -
            /etc/sso-certd.toml, line 5: `integrations.x` wants a section: [integrations.x]
        "#]],
    );
    check(
        "integrations = []\naccounts = true\ndefaults = 1\n",
        &expect![[r#"
            /etc/sso-certd.toml, line 1: `integrations` wants sections: [integrations.NAME]
            /etc/sso-certd.toml, line 2: `accounts` wants sections: [accounts.NAME]
            /etc/sso-certd.toml, line 3: `defaults` wants a section: [defaults]
        "#]],
    );
}

#[test]
fn a_pin_is_of_one_integration() {
    check(
        &format!("{OKTA}[defaults.trust]\nrequire = \"pin\"\npins = []\n"),
        &expect![[r#"
            /etc/sso-certd.toml, line 5: `defaults.trust.pins` is not a setting: each integration has its own
        "#]],
    );
}

#[test]
fn an_integration_has_one_id_of_its_own() {
    check(
        "[integrations.okta]\n[defaults]\nintegration_id = \"b0b98502-9408-4b24-9e3d-31ed7cb15312\"\n",
        &expect![[r#"
            /etc/sso-certd.toml, line 3: `defaults.integration_id` is not a setting: each integration has its own
            /etc/sso-certd.toml, line 1: `integrations.okta.integration_id` is missing
              sso-certd integrations lists yours
        "#]],
    );
    check(
        &format!(
            "{OKTA}[accounts.eu]\n[integrations.adfs]\nintegration_id = \"B0B98502-9408-4b24-9e3d-31ed7cb15312\"\n[integrations.adfs-eu]\naccount = \"eu\"\nintegration_id = \"b0b98502-9408-4b24-9e3d-31ed7cb15312\"\n"
        ),
        &expect![[r#"
            /etc/sso-certd.toml, line 8: `integrations.adfs-eu.integration_id` is that of `integrations.adfs` (/etc/sso-certd.toml, line 5)
              one section an integration; one directory may serve several
            /etc/sso-certd.toml, line 2: `integrations.okta.integration_id` is that of `integrations.adfs` (/etc/sso-certd.toml, line 5)
              one section an integration; one directory may serve several
        "#]],
    );
}

#[test]
fn an_account_is_configured() {
    let etc = Etc::new(&format!("{OKTA}account = \"eu\"\n[accounts.us]\n[defaults]\naccount = \"uk\"\n"))
        .and("a.toml", "[integrations.adfs]\nintegration_id = \"4f0ce1a5-7a5d-4a8e-9d8e-0a2b5c9f1d33\"\naccount = \"us\"\n");
    expect![[r#"
        /etc/sso-certd.toml, line 6: `defaults.account` names an account that has no section [accounts.NAME]
          known accounts: default, us
        /etc/sso-certd.toml, line 3: `integrations.okta.account` names an account that has no section [accounts.NAME]
          known accounts: default, us
    "#]].assert_eq(&etc.errors());
}

#[test]
fn two_files_that_define_an_integration_are_both_named() {
    let etc = Etc::new("")
        .and("a.toml", OKTA)
        .and("b.toml", "[integrations.okta]\nmode = \"observe\"\n");
    expect![[r#"
        /etc/conf.d/a.toml and /etc/conf.d/b.toml both define the integration `okta`
          write it in one of them; what several integrations share goes into [defaults]
    "#]]
    .assert_eq(&etc.errors());
}

#[test]
fn a_broken_file_is_placed_and_never_quoted() {
    check(
        "[watch]\npoll = canary\n",
        &expect![[r#"
        /etc/sso-certd.toml, line 2, column 8: this is not TOML
          texts stand in "quotes", a [section] on a line of its own
    "#]],
    );
    check(
        "[accounts.default]\n\"api_key\" = \"SG.canary\n",
        &expect![[r#"
            /etc/sso-certd.toml, line 2, column 23: this is not TOML
              texts stand in "quotes", a [section] on a line of its own
        "#]],
    );
    check(
        "[watch]\npoll = \"1s\"\npoll = \"2s\"\n",
        &expect![[r#"
        /etc/sso-certd.toml, line 3, column 1: this key or section is written twice
          one of the two must go
    "#]],
    );
    check(
        "[watch]\n[watch]\n",
        &expect![[r#"
        /etc/sso-certd.toml, line 2, column 2: this key or section is written twice
          one of the two must go
    "#]],
    );
    check(
        "SG.canary",
        &expect![[r#"
        /etc/sso-certd.toml, line 1, column 10: this is not TOML
          texts stand in "quotes", a [section] on a line of its own
    "#]],
    );
    let etc = Etc::new("[watch\n")
        .and("a.toml", "x = 1\n")
        .and("b.toml", "[log]\nlevel =\n")
        .and("c.toml", "[integrations.okta]\naccount = \"eu\"\n");
    expect![[r#"
        /etc/sso-certd.toml, line 1, column 7: this is not TOML
          texts stand in "quotes", a [section] on a line of its own
        /etc/conf.d/a.toml, line 1: unknown key `x`
          known here: state_directory, watch, schedule, delivery, http, log, accounts, defaults, integrations
        /etc/conf.d/b.toml, line 2, column 8: this is not TOML
          texts stand in "quotes", a [section] on a line of its own
    "#]].assert_eq(&etc.errors());
}

#[test]
fn what_cannot_be_read_is_named() {
    let etc = Etc::new(OKTA);
    fs::remove_file(etc.main()).unwrap();
    expect![[r#"
        /etc/sso-certd.toml is missing
          sso-certd --config PATH reads another file; an empty one is enough for `sso-certd integrations`, which prints what to write into it
    "#]]
    .assert_eq(&etc.errors());
    let etc = Etc::new(OKTA).and("a.toml", "");
    let conf_d = etc.directory.path().join("conf.d");
    fs::create_dir(conf_d.join("b.toml")).unwrap();
    symlink("/nowhere", conf_d.join("c.toml")).unwrap();
    fs::write(conf_d.join("d.toml"), b"# fine\n# \xff\n").unwrap();
    fs::write(conf_d.join("e.toml"), vec![b'#'; 4 << 20 | 1]).unwrap();
    expect![[r#"
        /etc/conf.d/b.toml is not a regular file
        /etc/conf.d/c.toml is missing
        /etc/conf.d/d.toml, line 2: is not UTF-8 text
          save the file as UTF-8
        /etc/conf.d/e.toml is larger than 4 MiB
    "#]]
    .assert_eq(&etc.errors());
    let etc = Etc::new(OKTA);
    fs::write(etc.directory.path().join("conf.d"), "").unwrap();
    expect![[r#"
        /etc/conf.d cannot be read: Not a directory (os error 20)
    "#]]
    .assert_eq(&etc.errors());
}

#[test]
fn a_variable_that_sets_nothing_is_named() {
    let etc = Etc::new(OKTA)
        .variable("SSO_CERTD__WATCH__POL", "1s")
        .variable("SSO_CERTD__WATCH__QUIET", "canary")
        .variable("SSO_CERTD__WATCH__EVENTS", "no")
        .variable("SSO_CERTD__INTEGRATIONS__OKTA__MODE", "observe")
        .variable("SSO_CERTD__ACCOUNTS__DEFAULT__API_KEY", "SG.canary")
        .variable("SSO_CERTD__", "x")
        .variable("STATE_DIRECTORY", "state");
    expect![[r#"
        variable STATE_DIRECTORY: `state_directory` wants an absolute path, one that begins with /
        variable SSO_CERTD__ sets no key
          variables set what has one name only: the keys of the fixed sections, [defaults] and [accounts.default]
        variable SSO_CERTD__ACCOUNTS__DEFAULT__API_KEY sets no key
          put the key into /etc/sso-certd/sendgrid-api-key (mode 600); the unit passes it on.
          Treat the key in this variable as known to everybody who could read it.
        variable SSO_CERTD__INTEGRATIONS__OKTA__MODE sets no key
          variables set what has one name only: the keys of the fixed sections, [defaults] and [accounts.default]
        variable SSO_CERTD__WATCH__EVENTS: `watch.events` wants true or false
        variable SSO_CERTD__WATCH__POL sets no key
          did you mean `SSO_CERTD__WATCH__POLL`?
        variable SSO_CERTD__WATCH__QUIET: `watch.quiet` wants a text with a unit, such as "250ms"
    "#]].assert_eq(&etc.errors());
}

/// What looks like a key of SendGrid, put wherever something can be put.
#[test]
fn no_message_quotes_a_value_or_a_line() {
    const CANARY: &str = "SG.canary-0123456789abcdef.canary-0123456789abcdef0123456789abcdef";
    let mut texts = vec![
        CANARY.to_owned(),
        format!("\"{CANARY}\""),
        format!("\"{CANARY}\" = 1"),
        format!("\"{CANARY}\" = \"{CANARY}\""),
        format!("{CANARY} = 1"),
        format!("x = {CANARY}"),
        format!("x = \"{CANARY}"),
        format!("x = '''{CANARY}"),
        format!("[{CANARY}"),
        format!("[\"{CANARY}\"]"),
        format!("[accounts.\"{CANARY}\"]\nx = 1"),
        format!("[integrations.\"{CANARY}\"]"),
        format!("[integrations.\"{CANARY}\".trust]"),
        format!("[integrations.okta.\"{CANARY}\"]"),
        format!("[integrations.okta]\n\"{CANARY}\" = 1\n\"{CANARY}\" = 1"),
        format!("# {CANARY}\nx = \u{1}"),
        format!("accounts = \"{CANARY}\""),
        format!("accounts.default = \"{CANARY}\""),
        format!("integrations.okta = [\"{CANARY}\"]"),
        format!("defaults = \"{CANARY}\""),
        format!("watch = \"{CANARY}\""),
        format!("unknown = [\"{CANARY}\", {{ x = \"{CANARY}\" }}]"),
    ];
    for (_, path, _) in super::super::keys::variables() {
        for value in [
            format!("\"{CANARY}\""),
            format!("[\"{CANARY}\"]"),
            format!("{{ x = \"{CANARY}\" }}"),
            format!("\"http://{CANARY}\""),
            format!("\"https://{CANARY}@x\""),
            format!("\"\\u0000{CANARY}\""),
            CANARY.to_owned(),
        ] {
            texts.push(format!("{path} = {value}"));
        }
    }
    let mut refused = 0;
    for text in &texts {
        // What is any text to us, such as a subuser's name, may be anything.
        if let Err(problems) = Etc::new(&format!("{text}\n")).load() {
            refused += 1;
            let all = format!("{problems} {problems:?}");
            assert!(!all.contains("canary"), "{text}\n{all}");
        }
    }
    assert!(
        refused > texts.len() * 9 / 10,
        "{refused} of {}",
        texts.len()
    );
    for (name, _, _) in super::super::keys::variables() {
        for value in [
            CANARY.to_owned(),
            format!("[\"{CANARY}\"]"),
            format!("\"{CANARY}"),
        ] {
            if let Err(problems) = Etc::new(OKTA).variable(&name, &value).load() {
                let all = format!("{problems} {problems:?}");
                assert!(!all.contains("canary"), "{name}\n{all}");
            }
        }
    }
}
