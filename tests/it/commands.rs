//! What a person types: the same answers whether or not the daemon runs, and the exit code of everything.

use std::process::Command;

use serde_json::Value;

use crate::certificates::valid;
use crate::harness::{ADFS, ENTRA, OKTA, PROGRAM, Ran, Stage, finish, integration, state_of};
use crate::simulator::{Fault, Operation, Rule};

#[tokio::test]
async fn the_answers_are_the_same_with_and_without_the_daemon() {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    let (okta, stranger) = (valid("okta"), valid("stranger"));
    stage.sendgrid.add_row(ADFS, &stranger.der, true);
    stage.home.put("okta", "okta.pem", &okta.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &okta, "trusted").await;
    daemon.has_compared().await;
    let with = answers(&stage).await;
    assert_eq!(daemon.stop().await, 0);
    let without = answers(&stage).await;
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(with, without);
    }
    stage.assert_well_behaved();
}

/// What commands say, without what only time or the way of asking changes.
async fn answers(stage: &Stage) -> Vec<String> {
    let plan = stage.home.ask(&["plan", "--json"]).await;
    let mut answers = vec![plan.json()["integrations"].to_string()];
    let status = stage.home.ask(&["status", "--json", "--all"]).await;
    for it in status.json()["integrations"].as_array().unwrap() {
        answers.push(format!("{} {:?}", it["name"], certificates(it)));
    }
    for arguments in [&["history", "--json"][..], &["integrations"]] {
        let ran = stage.home.ask(arguments).await;
        assert_eq!(ran.exit, 0, "{ran:?}");
        answers.push(ran.out);
    }
    let probe = stage.home.ask(&["check-config", "--probe"]).await;
    assert_eq!(probe.exit, 0, "{probe:?}");
    answers.push(without_way(&probe.out));
    answers
}

/// Each certificate of an integration with its state.
fn certificates(integration: &Value) -> Vec<(String, String)> {
    let all = integration["certificates"].as_array().unwrap();
    let mut all: Vec<_> = all
        .iter()
        .map(|it| (it["fingerprint"].to_string(), it["state"].to_string()))
        .collect();
    all.sort();
    all
}

/// Whether the daemon was asked is no part of the answer.
fn without_way(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.retain(|it| !it.contains("asked "));
    lines.join("\n")
}

#[tokio::test]
async fn a_plan_writes_nothing_anywhere() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let certificate = valid("planned");
    stage.home.put("okta", "planned.pem", &certificate.pem);
    let plan = stage.home.ask(&["plan"]).await;
    assert_eq!(plan.exit, 0, "{plan:?}");
    assert!(plan.out.contains(&certificate.short()[..8]), "{plan:?}");
    let plan = stage.home.ask(&["plan", "--detailed-exitcode"]).await;
    assert_eq!(plan.exit, 2, "{plan:?}");
    assert!(!stage.home.state().exists());
    assert_eq!(stage.sendgrid.history().writes().count(), 0);

    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    let plan = stage.home.ask(&["plan", "--detailed-exitcode"]).await;
    assert_eq!(plan.exit, 0, "{plan:?}");
    assert_eq!(daemon.stop().await, 0);
    let plan = stage
        .home
        .ask(&["plan", "okta", "--detailed-exitcode"])
        .await;
    assert_eq!(plan.exit, 0, "{plan:?}");
}

#[tokio::test]
async fn a_plan_that_cannot_ask_exits_with_one() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .sendgrid
        .listen(crate::simulator::Listening::Closed)
        .await;
    for arguments in [
        &["plan"][..],
        &["plan", "--detailed-exitcode"],
        &["integrations"],
    ] {
        let ran = stage.home.ask(arguments).await;
        assert_eq!(ran.exit, 1, "{arguments:?}: {ran:?}");
    }
}

#[tokio::test]
async fn status_exits_by_what_is_known() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let nothing = stage.home.ask(&["status"]).await;
    assert_eq!(nothing.exit, 1, "{nothing:?}");

    let certificate = valid("shown");
    stage.home.put("okta", "shown.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    let fine = stage.home.ask(&["status"]).await;
    assert_eq!(fine.exit, 0, "{fine:?}");
    let quiet = stage.home.ask(&["status", "--quiet"]).await;
    assert_eq!((quiet.exit, quiet.out.as_str()), (0, ""), "{quiet:?}");
    let json = stage.home.ask(&["status", "--json"]).await;
    assert_eq!((json.exit, &json.json()["schema"]), (0, &1.into()));

    stage.sendgrid.add_row(OKTA, &valid("stranger").der, true);
    stage.home.ask(&["sync"]).await;
    let needs_you = stage.home.ask(&["status"]).await;
    assert_eq!(needs_you.exit, 2, "{needs_you:?}");

    assert_eq!(daemon.stop().await, 0);
    let gone = stage.home.ask(&["status", "--json"]).await;
    assert_eq!(gone.exit, 3, "{gone:?}");
    assert_eq!(gone.json()["live"], false);
    let state = state_of(&gone.json(), "okta", certificate.fingerprint);
    assert_eq!(state.as_deref(), Some("trusted"));
    let told = stage.home.ask(&["status"]).await;
    let blamed = told.out.contains("the ledger cannot be written");
    assert!(!blamed, "who only asks writes nothing: {told:?}");
}

#[tokio::test]
async fn sync_without_a_daemon_uploads_and_leaves_the_state_as_the_daemon_would() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let certificate = valid("by hand");
    stage.home.put("okta", "hand.pem", &certificate.pem);
    let ran = stage.home.ask(&["sync"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    stage.assert_one_row(&certificate);
    let daemon = stage.start().await;
    daemon.has_compared().await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    assert_eq!(stage.sendgrid.history().count(Operation::Create), 1);
}

#[tokio::test]
async fn sync_lifts_the_hold_of_a_rejected_certificate_once_two_lists_lack_it() {
    for is_running in [true, false] {
        let stage = Stage::new(&[("okta", OKTA)]).await;
        let certificate = valid("refused");
        stage.sendgrid.script(
            Rule::always(Fault::refuse(400))
                .on(Operation::Create)
                .times(2),
        );
        stage.home.put("okta", "refused.pem", &certificate.pem);
        let daemon = stage.start().await;
        let status = daemon.shows_state("okta", &certificate, "rejected").await;
        let attention = integration(&status, "okta")["attention"].to_string();
        assert!(attention.contains("rejected"), "{attention}");
        let daemon = if is_running {
            Some(daemon)
        } else {
            assert_eq!(daemon.stop().await, 0);
            None
        };
        let still = stage.home.ask(&["sync", "--wait"]).await;
        assert_eq!(still.exit, 1, "{still:?}");
        assert_eq!(stage.sendgrid.history().count(Operation::Create), 2);
        let synced = stage.home.ask(&["sync", "--wait", "okta"]).await;
        assert_eq!(synced.exit, 0, "{synced:?}");
        stage.assert_one_row(&certificate);
        stage.assert_well_behaved();
        drop(daemon);
    }
}

#[tokio::test]
async fn sync_never_shortens_the_settle_window_and_can_wait_for_it() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("settle", "[delivery]\nsettle = \"3s\"\n");
    stage
        .sendgrid
        .script(Rule::next(Operation::Create, Fault::close_before_commit()));
    let certificate = valid("settling");
    stage.home.put("okta", "settling.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "settling").await;
    let ran = stage.home.ask(&["sync"]).await;
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert_eq!(stage.sendgrid.history().count(Operation::Create), 1);
    let ran = stage.home.ask(&["sync", "--wait"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn while_a_sync_waits_everything_else_goes_on() {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    stage.home.set("settle", "[delivery]\nsettle = \"8s\"\n");
    stage
        .sendgrid
        .script(Rule::next(Operation::Create, Fault::close_before_commit()));
    let (settling, new) = (valid("settling"), valid("new"));
    stage.home.put("okta", "settling.pem", &settling.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &settling, "settling").await;
    let waiting = stage.home.ask(&["sync", "--wait"]);
    tokio::pin!(waiting);
    let goes_on = async {
        stage.home.put("adfs", "new.pem", &new.pem);
        daemon.shows_state("adfs", &new, "trusted").await;
        let paused = stage.home.ask(&["pause", "adfs", "--yes"]).await;
        assert_eq!(paused.exit, 0, "{paused:?}");
        let planned = stage.home.ask(&["plan"]).await;
        assert!(planned.out.contains("not sent twice"), "{planned:?}");
    };
    tokio::select! {
        biased;
        ran = &mut waiting => panic!("nothing went on before this ended: {ran:?}"),
        () = goes_on => {}
    }
    let ran = waiting.await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    stage.assert_one_row(&settling);
    stage.assert_one_row(&new);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_sync_without_a_daemon_touches_nothing_that_was_not_asked_about() {
    let names = ["okta", "other", "zitadel"];
    let stage = Stage::new(&[("okta", OKTA), ("other", ADFS), ("zitadel", ENTRA)]).await;
    let shared = stage.home.directory("okta");
    for (name, id) in names.into_iter().zip([OKTA, ADFS, ENTRA]) {
        let toml =
            format!("[integrations.{name}]\nintegration_id = \"{id}\"\ndirectory = {shared:?}\n");
        stage.home.set(&format!("integration-{name}"), &toml);
    }
    let certificate = valid("shared");
    stage.home.put("okta", "shared.pem", &certificate.pem);
    let ran = stage.home.ask(&["sync", "okta", "zitadel"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    let history = stage.sendgrid.history();
    let posts = history.posts_of(certificate.fingerprint).count();
    assert_eq!((posts, history.count(Operation::List)), (2, 4), "{history}");
    stage.assert_well_behaved();
}

#[tokio::test]
async fn wrong_words_exit_with_64() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    let all = wrong_words(&stage).await;
    assert_eq!(daemon.stop().await, 0);
    for (arguments, ran) in all.into_iter().chain(wrong_words(&stage).await) {
        assert_eq!(ran.exit, 64, "{arguments:?}: {ran:?}");
        assert!(!(ran.out + &ran.err).is_empty(), "{arguments:?}");
    }
}

async fn wrong_words(stage: &Stage) -> Vec<(Vec<&'static str>, Ran)> {
    let wrong: [&[&str]; 12] = [
        &[],
        &["runn"],
        &["run", "okta"],
        &["status", "--colour"],
        &["status", "otka"],
        &["plan", "otka"],
        &["sync", "okta", "otka"],
        &["history", "otka"],
        &["history", "--since", "7"],
        &["history", "-n", "0"],
        &["plan", "--at", "tomorrow"],
        &["integrations", "--account", "nobody"],
    ];
    let mut all = Vec::new();
    for arguments in wrong {
        all.push((arguments.to_vec(), stage.home.ask(arguments).await));
    }
    all
}

#[tokio::test]
async fn an_unknown_integration_gets_a_hint() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let ran = stage.home.ask(&["plan", "otka"]).await;
    let said = ran.out.clone() + &ran.err;
    assert!(said.contains("unknown integration `otka`"), "{ran:?}");
    assert!(said.contains("did you mean `okta`?"), "{ran:?}");
}

#[tokio::test]
async fn a_probe_says_what_sendgrid_says_of_the_key() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let fine = stage.home.ask(&["check-config", "--probe"]).await;
    assert_eq!(fine.exit, 0, "{fine:?}");

    stage
        .sendgrid
        .set_scopes("default", 1, &["sso.settings.read"]);
    let scope = stage.home.ask(&["check-config", "--probe"]).await;
    assert_eq!(scope.exit, 1, "{scope:?}");
    assert!(scope.out.contains("sso.settings.create"), "{scope:?}");

    stage.sendgrid.remove_integration("default", OKTA);
    let missing = stage.home.ask(&["check-config", "--probe"]).await;
    assert_eq!(missing.exit, 1, "{missing:?}");

    stage.home.write_key("SG.wrong");
    let key = stage.home.ask(&["check-config", "--probe"]).await;
    assert_eq!(key.exit, 1, "{key:?}");
    assert!(key.out.contains("401"), "{key:?}");
    let offline = stage.home.ask(&["check-config"]).await;
    assert_eq!(offline.exit, 0, "{offline:?}");
    assert!(!stage.home.state().exists(), "it writes nothing");
}

#[tokio::test]
async fn a_probe_asks_for_the_scopes_that_the_configuration_needs() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let everything =
        "sso.settings.read, sso.settings.create, sso.settings.update, sso.settings.delete";
    for (settings, needed) in [
        ("mode = \"observe\"", 1),
        ("retire.action = \"keep\"", 2),
        ("retire.action = \"disable\"", 3),
        ("retire.action = \"delete\"", 4),
        ("mode = \"observe\"\nretire.action = \"delete\"", 1),
    ] {
        stage
            .home
            .set("defaults", &format!("[defaults]\n{settings}\n"));
        let scopes: Vec<&str> = everything.split(", ").collect();
        let all = stage.home.ask(&["check-config", "--probe"]).await;
        assert_eq!(all.exit, 0, "{settings}: {all:?}");
        let last = scopes[needed - 1];
        let without: Vec<&str> = scopes.iter().copied().filter(|it| *it != last).collect();
        stage.sendgrid.set_scopes("default", 1, &without);
        let lacking = stage.home.ask(&["check-config", "--probe"]).await;
        assert_eq!(lacking.exit, 1, "{settings}: {lacking:?}");
        assert!(
            lacking.out.contains(&format!("lacks {last}")),
            "{settings}: {lacking:?}"
        );
        let enough: Vec<&str> = match needed {
            3 => vec![scopes[0], scopes[1], scopes[2]],
            4 => vec![scopes[0], scopes[1], scopes[3]],
            _ => scopes[..needed].to_vec(),
        };
        stage.sendgrid.set_scopes("default", 1, &enough);
        let fine = stage.home.ask(&["check-config", "--probe"]).await;
        assert_eq!(fine.exit, 0, "{settings}: {fine:?}");
        stage.sendgrid.set_scopes("default", 1, &scopes);
    }
}

#[tokio::test]
async fn another_user_is_told_by_the_listener_what_it_tells_and_nothing_else() {
    if !rustix::process::geteuid().is_root() {
        return; // only root can become somebody else
    }
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let address = daemon.address();
    stage
        .home
        .set("listen", &format!("[http]\nlisten = \"{address}\"\n"));
    stage.home.open_to_all();
    let status = as_nobody(&stage, &["status", "--json"]).await;
    assert_eq!(status.json()["live"], true, "{status:?}");
    let history = as_nobody(&stage, &["history"]).await;
    assert_eq!(history.exit, 0, "{history:?}");
    for arguments in [&["sync"][..], &["plan"], &["integrations"]] {
        let ran = as_nobody(&stage, arguments).await;
        assert_eq!(ran.exit, 77, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("sudo"), "{arguments:?}: {ran:?}");
    }
}

/// Runs a command as a user who owns nothing.
async fn as_nobody(stage: &Stage, arguments: &[&str]) -> Ran {
    use std::os::unix::process::CommandExt as _;
    let program = stage.home.path("program"); // the build may lie where nobody can go
    if !program.exists() {
        let linked = std::fs::hard_link(PROGRAM, &program);
        if linked.is_err() {
            std::fs::copy(PROGRAM, &program).unwrap(); // the other file system
        }
    }
    let mut command = Command::new(program);
    let configuration = stage.home.path("sso-certd.toml");
    command
        .env_clear()
        .arg("--config")
        .arg(configuration)
        .args(arguments)
        .uid(65_534)
        .gid(65_534);
    finish(command).await
}

#[tokio::test]
async fn help_version_and_completions_need_nothing() {
    let stage = Stage::new(&[]).await;
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["completions", "bash"],
        &["run", "--help"],
    ] {
        let ran = stage.home.ask(arguments).await;
        assert_eq!(ran.exit, 0, "{arguments:?}: {ran:?}");
        assert!(ran.out.contains("sso-certd"), "{arguments:?}: {ran:?}");
        assert_eq!(ran.err, "", "{arguments:?}");
    }
}
