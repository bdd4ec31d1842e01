//! A configuration that is wrong is told whole, and nothing of what it holds; one that is right comes from where it says.

use std::fs;

use crate::harness::{OKTA, Stage, finish};

#[tokio::test]
async fn every_error_is_told_at_once_and_no_value() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set(
        "broken",
        r#"
[accounts.default]
base_url = "http://leak-one.example"
api_key = "SG.leak-two"
[watch]
quiet = "leak-three"
poll = 4711
[delivery]
settel = "leak-four"
[integrations.adfs]
integration_id = "leak-five"
account = "nobody-knows"
"#,
    );
    stage
        .home
        .set("other", "[schedule]\nreconcile = \"leak six\"\n");
    stage.home.set(
        "again",
        &format!("[integrations.okta]\nintegration_id = \"{OKTA}\"\n"),
    );
    for arguments in [
        &["run"][..],
        &["check-config"],
        &["check-config", "--print"],
        &["status"],
    ] {
        let ran = stage.home.ask(arguments).await;
        assert_eq!(ran.exit, 78, "{arguments:?}: {ran:?}");
        for (file, line, key) in [
            ("broken.toml", "line 3", "base_url"),
            ("broken.toml", "line 4", "api_key"),
            ("broken.toml", "line 6", "quiet"),
            ("broken.toml", "line 7", "poll"),
            ("broken.toml", "line 9", "settel"),
            ("broken.toml", "line 11", "integration_id"),
            ("broken.toml", "line 12", "account"),
            ("other.toml", "line 2", "reconcile"),
            ("again.toml", "both define", "`okta`"),
        ] {
            let told = ran
                .err
                .lines()
                .any(|it| it.contains(file) && it.contains(line) && it.contains(key));
            assert!(told, "{file} {line} {key}: {}", ran.err);
        }
        for leak in ["leak", "SG.", "4711"] {
            assert!(
                !ran.err.contains(leak) && !ran.out.contains(leak),
                "{leak}: {ran:?}"
            );
        }
    }
    assert_eq!(stage.sendgrid.history().requests().count(), 0);
    assert!(!stage.home.state().exists());
}

#[tokio::test]
async fn what_is_no_toml_is_told_without_its_lines() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set(
        "broken",
        "[watch]\nquiet = \"1s\"\nthe key is SG.leak = = 1\n",
    );
    let ran = stage.home.ask(&["run"]).await;
    assert_eq!(ran.exit, 78, "{ran:?}");
    assert!(ran.err.contains("broken.toml, line 3"), "{ran:?}");
    assert!(!ran.err.contains("leak"), "{ran:?}");
}

#[tokio::test]
async fn a_configuration_that_is_not_there_is_told_with_its_path() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let path = stage.home.path("sso-certd.toml");
    fs::remove_file(&path).unwrap();
    for arguments in [&["run"][..], &["check-config"], &["status"]] {
        let ran = stage.home.ask(arguments).await;
        assert_eq!(ran.exit, 78, "{ran:?}");
        assert!(ran.err.contains(path.to_str().unwrap()), "{ran:?}");
    }
}

#[tokio::test]
async fn a_variable_beats_a_file_and_a_later_file_an_earlier_one() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("a", "[watch]\nquiet = \"111ms\"\npoll = \"11s\"\n");
    stage.home.set(
        "b",
        "[watch]\nquiet = \"222ms\"\n[delivery]\nsettle = \"22s\"\n",
    );
    let mut command = stage.home.command(&["check-config", "--print"]);
    command.env("SSO_CERTD__DELIVERY__SETTLE", "33s");
    let ran = finish(command).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    for (key, value, from) in [
        ("watch.quiet", "222ms", "b.toml"),
        ("watch.poll", "11s", "a.toml"),
        ("delivery.settle", "33s", "SSO_CERTD__DELIVERY__SETTLE"),
        ("delivery.refused_hold", "24h", "default"),
    ] {
        // A long place has a line of its own.
        let lines: Vec<&str> = ran.out.lines().collect();
        let told = lines.windows(2).any(|it| {
            let place = if it[1].starts_with(' ') { it[1] } else { it[0] };
            it[0].starts_with(key) && it[0].contains(value) && place.contains(from)
        });
        assert!(told, "{key} {value} {from}: {}", ran.out);
    }
}

#[tokio::test]
async fn a_variable_that_names_no_key_is_an_error_and_others_mean_nothing() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let mut command = stage.home.command(&["check-config"]);
    command.env("SSO_CERTD__WATCH__QUITE", "leak");
    let ran = finish(command).await;
    assert_eq!(ran.exit, 78, "{ran:?}");
    assert!(ran.err.contains("SSO_CERTD__WATCH__QUITE"), "{ran:?}");
    assert!(!ran.err.contains("leak"), "{ran:?}");

    let mut command = stage.home.command(&["check-config"]);
    command.env("SSO_CERTD_PORT", "tcp://10.0.0.1:80");
    command.env("RUST_LOG", "not a level=");
    let ran = finish(command).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
}

#[tokio::test]
async fn a_key_file_without_a_key_is_told_by_the_check_and_waited_for_by_the_daemon() {
    for (content, why) in [
        (None, "is missing"),
        (Some(""), "is empty"),
        (Some(" \n"), "is empty"),
        (Some("SG.leak\nSG.leak\n"), "holds more than one line"),
    ] {
        let stage = Stage::new(&[("okta", OKTA)]).await;
        match content {
            None => fs::remove_file(stage.home.path("key")).unwrap(),
            Some(content) => stage.home.write_key(content),
        }
        let told = format!("the key file {} {why}", stage.home.path("key").display());
        let ran = stage.home.ask(&["check-config"]).await;
        assert_eq!(ran.exit, 78, "{ran:?}");
        assert!(ran.err.contains(&told), "{ran:?}");
        assert!(!ran.err.contains("leak"), "{ran:?}");

        let certificate = crate::certificates::valid("waiting");
        stage.home.put("okta", "waiting.pem", &certificate.pem);
        let daemon = stage.start().await;
        daemon.logged(&told).await;
        daemon
            .shows("the key needs a person", |it| it["needs_person"] == true)
            .await;
        assert!(!daemon.log().contains("leak"), "{}", daemon.log());
        assert_eq!(daemon.get("/readyz").await.0, 200);
        assert_eq!(stage.sendgrid.history().requests().count(), 0);
        stage.home.write_key(crate::harness::KEY);
        daemon.shows_state("okta", &certificate, "trusted").await;
    }
}

#[tokio::test]
async fn a_key_file_for_all_to_read_is_used_with_a_warning() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.write("key", crate::harness::KEY, 0o644);
    let key = stage.home.path("key").display().to_string();
    let told = format!("{key} can be read by everybody (0644)");
    let ran = stage.home.ask(&["check-config"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.err.contains(&told), "{ran:?}");

    let daemon = stage.start().await;
    let line = daemon.logged(&told).await;
    assert!(line.contains("WARN"), "{line}");
    assert!(line.contains(&format!("chmod 600 {key}")), "{line}");
    daemon.has_compared().await;
    // Closed, and opened again: that is news, though the key is the same.
    stage.home.write_key(crate::harness::KEY);
    stage.home.write("key", crate::harness::KEY, 0o606);
    daemon.logged("can be read by everybody (0606)").await;
}

#[tokio::test]
async fn one_error_among_three_hundred_integrations_refuses_the_reload_whole() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    for number in 0..300 {
        let name = format!("idp-{number:03}");
        let id = format!("00000000-0000-4000-8000-{number:012}");
        stage.home.integration(&name, &id);
    }
    stage.home.set(
        "integration-idp-123",
        "[integrations.idp-123]\nintegration_id = \"canary\"\n",
    );
    stage
        .home
        .set("integration-idp-256", "[integrations.idp-256]\n");
    let requests = stage.sendgrid.history().requests().count();
    daemon.signal(rustix::process::Signal::HUP);
    daemon
        .measures("sso_certd_config_last_reload_successful", &[], 0.0)
        .await;
    for file in ["integration-idp-123.toml", "integration-idp-256.toml"] {
        daemon.logged(file).await;
    }
    let log = daemon.log();
    assert!(!log.contains("canary"), "{log}");
    assert_eq!(stage.sendgrid.history().requests().count(), requests);
    let status = daemon.status().await;
    assert_eq!(status["integrations"].as_array().unwrap().len(), 1);
    let certificate = crate::certificates::valid("still");
    stage.home.put("okta", "still.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
}
