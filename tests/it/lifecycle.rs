//! Start, reload, signals and end.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use rustix::process::Signal;

use crate::certificates::valid;
use crate::harness::{ADFS, Daemon, OKTA, Stage, integration, quoted};
use crate::simulator::{Fault, Integration, Operation, Rule};

const RELOADED: &str = "sso_certd_config_last_reload_successful";

#[tokio::test]
async fn both_polite_signals_end_it_with_zero_and_take_the_socket_away() {
    for signal in [Signal::TERM, Signal::INT] {
        let stage = Stage::new(&[("okta", OKTA)]).await;
        let mut daemon = stage.start().await;
        let socket = stage.home.state().join("control.sock");
        assert_eq!(mode(&socket), 0o600);
        daemon.signal(signal);
        assert_eq!(daemon.exit().await, 0);
        assert!(!socket.exists());
        assert!(daemon.log().contains("Stopped by "));
    }
}

#[tokio::test]
async fn the_state_is_for_the_daemon_alone() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    assert_eq!(mode(&stage.home.state()) & 0o077, 0);
    for entry in fs::read_dir(stage.home.state()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

fn mode(path: &std::path::Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_request_in_flight_is_finished_before_the_end() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let slow = Fault::new(
        crate::simulator::Commit::After(Duration::from_millis(700)),
        crate::simulator::Reply::Usual,
    );
    stage.sendgrid.script(Rule::next(Operation::Create, slow));
    let daemon = stage.start().await;
    let certificate = valid("flying");
    stage.home.put("okta", "flying.pem", &certificate.pem);
    stage
        .sendgrid_has(&daemon, "the POST is under way", |it| {
            it.history().count(Operation::Create) == 1
        })
        .await;
    assert_eq!(daemon.stop().await, 0);
    stage.assert_one_row(&certificate);

    let again = stage.start().await;
    again.shows_state("okta", &certificate, "trusted").await;
    assert_eq!(stage.sendgrid.history().count(Operation::Create), 1);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_request_without_end_is_left_before_systemd_loses_patience_and_settled_later() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("patient", "[accounts.default]\nrequest_timeout = \"5m\"\n");
    let lost = Fault::commit_then_silence();
    stage.sendgrid.script(Rule::next(Operation::Create, lost));
    let mut daemon = stage.start().await;
    let certificate = valid("silence");
    stage.home.put("okta", "silence.pem", &certificate.pem);
    stage
        .sendgrid_has(&daemon, "the POST is under way", |it| {
            it.history().count(Operation::Create) == 1
        })
        .await;
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_within(Duration::from_secs(25)).await, 0);

    let again = stage.start().await;
    again.shows_state("okta", &certificate, "trusted").await;
    assert_eq!(stage.sendgrid.history().count(Operation::Create), 1);
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn usr1_reconciles() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let before = stage.sendgrid.history().count(Operation::List);
    daemon.signal(Signal::USR1);
    stage
        .sendgrid_has(&daemon, "it is listed again", |it| {
            it.history().count(Operation::List) > before
        })
        .await;
    let labels = [
        ("account", "default"),
        ("trigger", "signal"),
        ("result", "ok"),
    ];
    daemon
        .measures("sso_certd_reconciles_total", &labels, 1.0)
        .await;
}

#[tokio::test]
async fn a_good_reload_takes_an_integration_up_and_another_away() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .sendgrid
        .add_integration("default", Integration::new("adfs", ADFS));
    let daemon = stage.start().await;
    let okta = valid("okta");
    stage.home.put("okta", "okta.pem", &okta.pem);
    daemon.shows_state("okta", &okta, "trusted").await;

    stage.home.integration("adfs", ADFS);
    let adfs = valid("adfs");
    stage.home.put("adfs", "adfs.pem", &adfs.pem);
    daemon.signal(Signal::HUP);
    daemon
        .shows("adfs is there", |it| {
            it["integrations"].as_array().unwrap().len() == 2
        })
        .await;
    daemon.shows_state("adfs", &adfs, "trusted").await;
    daemon.shows_state("okta", &okta, "trusted").await;
    daemon.measures(RELOADED, &[], 1.0).await;

    let later = valid("later");
    stage.home.put("adfs", "later.pem", &later.pem);
    daemon.shows_state("adfs", &later, "trusted").await;

    stage.home.set("integration-okta", "");
    daemon.signal(Signal::HUP);
    daemon
        .shows("okta is gone", |it| {
            it["integrations"].as_array().unwrap().len() == 1
        })
        .await;
    let metrics = daemon.metrics().await;
    let left = metrics
        .samples
        .iter()
        .filter(|it| it.labels.get("integration").is_some_and(|it| it == "okta"));
    assert_eq!(left.count(), 0, "no series of what is gone");
    stage.assert_one_row(&okta);
    assert_eq!(stage.sendgrid.history().count(Operation::Create), 3);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_bad_reload_changes_nothing_and_says_so() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    stage.home.set(
        "broken",
        "[watch]\nquite = \"1s\"\n[delivery]\nsettle = 3\n",
    );
    daemon.signal(Signal::HUP);
    daemon.measures(RELOADED, &[], 0.0).await;
    daemon.logged("Not reloaded").await;
    for key in ["quite", "settle"] {
        assert!(daemon.log().contains(key), "{key}: {}", daemon.log());
    }
    still_works(&stage, &daemon).await;

    stage.home.set("broken", "");
    daemon.signal(Signal::HUP);
    daemon.measures(RELOADED, &[], 1.0).await;
}

#[tokio::test]
async fn another_state_directory_is_refused() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    let other = stage.home.path("elsewhere");
    let other_text = quoted(&other);
    stage
        .home
        .set("state", &format!("state_directory = {other_text}\n"));
    daemon.signal(Signal::HUP);
    daemon.measures(RELOADED, &[], 0.0).await;
    let line = daemon.logged("state_directory").await;
    assert!(line.contains("restart"), "{line}");
    assert!(!other.exists());
    still_works(&stage, &daemon).await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused_at_a_reload_too() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    stage
        .home
        .set("listen", &format!("[http]\nlisten = \"{address}\"\n"));
    daemon.signal(Signal::HUP);
    daemon.measures(RELOADED, &[], 0.0).await;
    still_works(&stage, &daemon).await;
}

/// A new file is uploaded by what the daemon knew before.
async fn still_works(stage: &Stage, daemon: &Daemon) {
    let certificate = valid("still");
    stage.home.put("okta", "still.pem", &certificate.pem);
    let status = daemon.shows_state("okta", &certificate, "trusted").await;
    assert_eq!(integration(&status, "okta")["in_step"], true);
}

#[tokio::test]
async fn a_reload_forgets_no_refusal_of_sendgrid() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let refused = valid("refused");
    stage
        .sendgrid
        .script(Rule::always(Fault::refuse(400)).on(Operation::Create));
    stage.home.put("okta", "refused.pem", &refused.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &refused, "rejected").await;
    daemon.signal(Signal::HUP);
    daemon.has_compared_anew(2).await;
    daemon.shows_state("okta", &refused, "rejected").await;
    assert_eq!(daemon.stop().await, 0);
    let again = stage.start().await;
    again.has_compared().await;
    again.shows_state("okta", &refused, "rejected").await;
    assert_eq!(stage.sendgrid.history().count(Operation::Create), 1);
}

#[tokio::test]
async fn one_state_directory_has_one_daemon() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    let second = stage.home.ask(&["run"]).await;
    assert_eq!(second.exit, 75, "{second:?}");
    assert!(second.err.contains("error"), "{second:?}");
    still_works(&stage, &daemon).await;
    assert_eq!(daemon.stop().await, 0);
    stage.start().await;
}

#[tokio::test]
async fn a_taken_port_ends_the_start_with_one() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    stage
        .home
        .set("listen", &format!("[http]\nlisten = \"{address}\"\n"));
    let ran = stage.home.ask(&["run"]).await;
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(ran.err.contains(&address.to_string()), "{ran:?}");
    assert!(ran.err.contains("http.listen"), "{ran:?}");
}

#[tokio::test]
async fn without_a_listener_it_still_works() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("listen", "[http]\nlisten = \"\"\n");
    let mut daemon = stage.spawn(|_| {});
    daemon.started().await;
    let certificate = valid("silent");
    stage.home.put("okta", "silent.pem", &certificate.pem);
    stage
        .sendgrid_has(&daemon, "the row is there", |it| it.rows().count() == 1)
        .await;
    assert_eq!(daemon.stop().await, 0);
}

#[tokio::test]
async fn without_its_ledger_nothing_is_written_to_sendgrid() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let ledger = stage.home.state().join("ledger.sqlite");
    fs::rename(&ledger, stage.home.path("taken-away")).unwrap();
    let certificate = valid("unwritten");
    stage.home.put("okta", "unwritten.pem", &certificate.pem);
    daemon.measures("sso_certd_ledger_writable", &[], 0.0).await;
    let status = daemon
        .shows("it needs a person", |it| it["needs_person"] == true)
        .await;
    assert_eq!(status["ledger"]["writable"], false);
    assert_eq!(stage.sendgrid.history().writes().count(), 0);
}

#[tokio::test]
async fn a_ledger_of_a_newer_version_is_refused_by_that_versions_name() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    assert_eq!(daemon.stop().await, 0);
    let ledger = rusqlite::Connection::open(stage.home.state().join("ledger.sqlite")).unwrap();
    let newer = "PRAGMA user_version = 999;
        UPDATE meta SET value = 'sso-certd 9.1.0' WHERE key = 'written_by';";
    ledger.execute_batch(newer).unwrap();
    assert_eq!(ledger.changes(), 1);
    ledger.close().unwrap();
    stage.home.put("okta", "new.pem", &valid("new").pem);
    let before = stage.sendgrid.history().requests().count();
    for command in ["run", "status", "sync"] {
        let ran = stage.home.ask(&[command]).await;
        assert_eq!(ran.exit, 78, "{command}: {ran:?}");
        assert!(ran.err.contains("sso-certd 9.1.0"), "{command}: {ran:?}");
    }
    let history = stage.sendgrid.history();
    assert_eq!(history.requests().count(), before, "{history}");
}
