//! Somebody changes rows at SendGrid: each change is named, and nothing is written because of it.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use crate::certificates::{Made, valid};
use crate::harness::{Daemon, Home, KEY, OKTA, Stage, integration, state_of, states};
use crate::simulator::{
    Account, Commit, Duplicates, Fault, Integration, ListTrick, Operation, Options, Reply, Rule,
    SCOPES, Simulator,
};

/// A daemon in step with one certificate of ours.
async fn in_step(stage: &Stage) -> (Daemon, Made) {
    let ours = valid("ours");
    stage.home.put("okta", "ours.pem", &ours.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &ours, "trusted").await;
    daemon.has_compared().await;
    (daemon, ours)
}

/// Looks at SendGrid again until this is in that state, and holds that nothing but the first upload was written.
async fn comes_to(stage: &Stage, daemon: &Daemon, certificate: &Made, state: &str) {
    daemon.signal(Signal::USR1);
    daemon.shows_state("okta", certificate, state).await;
    let again = stage.sendgrid.history().count(Operation::List) + 2;
    while stage.sendgrid.history().count(Operation::List) < again {
        let before = stage.sendgrid.history().count(Operation::List);
        daemon.signal(Signal::USR1);
        stage
            .sendgrid_has(daemon, "it is listed again", |it| {
                it.history().count(Operation::List) > before
            })
            .await;
    }
    let status = daemon.status().await;
    let now = state_of(&status, "okta", certificate.fingerprint);
    assert_eq!(now.as_deref(), Some(state), "it stays so");
    let history = stage.sendgrid.history();
    assert_eq!(history.writes().count(), 1, "{history}");
    stage.assert_well_behaved();
}

/// The reasons why a person is needed.
async fn attention(daemon: &Daemon) -> String {
    integration(&daemon.status().await, "okta")["attention"].to_string()
}

#[tokio::test]
async fn a_removed_row_is_removed_and_not_uploaded_again_even_after_a_restart() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (daemon, ours) = in_step(&stage).await;
    let id = stage.sendgrid.rows()[0].id;
    stage.sendgrid.remove_row(id);
    comes_to(&stage, &daemon, &ours, "removed").await;
    assert!(attention(&daemon).await.contains("\"removed\""));
    assert_eq!(daemon.stop().await, 0);

    let daemon = stage.start().await;
    daemon.has_compared().await;
    daemon.shows_state("okta", &ours, "removed").await;
    // Nor does its key come back in another wrapper.
    let renewed = ours.renewed();
    stage.home.put("okta", "renewed.pem", &renewed.pem);
    daemon.shows_state("okta", &renewed, "held").await;
    assert_eq!(stage.sendgrid.history().writes().count(), 1);
    stage.sendgrid.add_row(OKTA, &ours.der, true);
    daemon.signal(Signal::USR1);
    daemon.shows_state("okta", &ours, "found").await;
}

#[tokio::test]
async fn a_replaced_row_is_replaced() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (daemon, ours) = in_step(&stage).await;
    let stranger = valid("stranger");
    let id = stage.sendgrid.rows()[0].id;
    stage.sendgrid.replace_row(id, &stranger.der);
    comes_to(&stage, &daemon, &ours, "replaced").await;
    assert!(attention(&daemon).await.contains("\"replaced\""));
    let state = state_of(&daemon.status().await, "okta", stranger.fingerprint);
    assert_eq!(state.as_deref(), Some("unmanaged"));
}

#[tokio::test]
async fn what_others_add_is_unmanaged_and_what_was_there_before_is_inherited() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (before, after) = (valid("before"), valid("after"));
    stage.sendgrid.add_row(OKTA, &before.der, true);
    let (daemon, _) = in_step(&stage).await;
    daemon.shows_state("okta", &before, "inherited").await;
    assert_eq!(attention(&daemon).await, "[]");
    stage.sendgrid.add_row(OKTA, &after.der, true);
    comes_to(&stage, &daemon, &after, "unmanaged").await;
    daemon.shows_state("okta", &before, "inherited").await;
    assert!(attention(&daemon).await.contains("\"unmanaged\""));
}

#[tokio::test]
async fn what_others_uploaded_before_us_is_found() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let found = valid("found");
    stage.sendgrid.add_row(OKTA, &found.der, true);
    stage.home.put("okta", "found.pem", &found.pem);
    let daemon = stage.start().await;
    let status = daemon.shows_state("okta", &found, "found").await;
    assert_eq!(integration(&status, "okta")["in_step"], true);
    assert_eq!(stage.sendgrid.history().writes().count(), 0);
}

#[tokio::test]
async fn a_second_row_of_ours_is_a_duplicate() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (daemon, ours) = in_step(&stage).await;
    stage.sendgrid.add_row(OKTA, &ours.der, true);
    daemon.signal(Signal::USR1);
    daemon
        .shows("there is a duplicate", |it| {
            states(it, "okta") == ["duplicate", "trusted"]
        })
        .await;
    assert_eq!(attention(&daemon).await, "[]");
    assert_eq!(stage.sendgrid.history().writes().count(), 1);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_undecodable_and_hides_nothing() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (daemon, ours) = in_step(&stage).await;
    let garbled = Fault::list(ListTrick::UndecodableRow);
    stage
        .sendgrid
        .script(Rule::always(garbled).on(Operation::List));
    daemon.signal(Signal::USR1);
    daemon
        .shows("there is an undecodable row", |it| {
            states(it, "okta") == ["trusted", "undecodable"]
        })
        .await;
    assert!(attention(&daemon).await.contains("\"undecodable\""));
    let more = valid("more");
    stage.home.put("okta", "more.pem", &more.pem);
    daemon.shows_state("okta", &more, "trusted").await;
    stage.assert_one_row(&ours);
    stage.assert_one_row(&more);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn one_empty_list_takes_nothing_away() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (daemon, ours) = in_step(&stage).await;
    let empty = Fault::list(ListTrick::Empty);
    stage.sendgrid.script(Rule::next(Operation::List, empty));
    daemon.signal(Signal::USR1);
    daemon.shows_state("okta", &ours, "settling").await;
    daemon.shows_state("okta", &ours, "trusted").await;
    assert_eq!(stage.sendgrid.history().writes().count(), 1);
}

#[tokio::test]
async fn a_file_that_is_taken_away_takes_nothing_away() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (daemon, ours) = in_step(&stage).await;
    let next = valid("next");
    stage.home.put("okta", "next.pem", &next.pem);
    daemon.shows_state("okta", &next, "trusted").await;
    stage.home.take("okta", "ours.pem");
    daemon
        .shows("the file is gone", |it| {
            integration(it, "okta")["source"]["accepted"] == 1
        })
        .await;
    daemon.signal(Signal::USR1);
    daemon.has_compared().await;
    stage.assert_one_row(&ours);
    stage.assert_one_row(&next);
    assert_eq!(stage.sendgrid.history().writes().count(), 2);
}

/// Two daemons on two hosts, each with its key and its ledger, that have compared nothing with nothing.
async fn two_hosts() -> [(Stage, Daemon); 2] {
    const OTHER_KEY: &str = "SG.other-host.4Fq0Zr8xW2nL6tB1vC9k";
    let account = Account::new("default")
        .key(KEY, &SCOPES)
        .key(OTHER_KEY, &SCOPES)
        .integration(Integration::new("okta", OKTA));
    let options = Options {
        accounts: vec![account],
        ..Options::default()
    };
    let sendgrid = Arc::new(Simulator::start(options).await);
    let host = |key: &str| {
        let home = Home::new(&sendgrid.url());
        home.write_key(key);
        home.integration("okta", OKTA);
        home.set("patient", "[accounts.default]\nrequest_timeout = \"20s\"\n");
        let sendgrid = Arc::clone(&sendgrid);
        Stage { sendgrid, home }
    };
    let (here, there) = (host(KEY), host(OTHER_KEY));
    let (first, second) = tokio::join!(here.start(), there.start());
    for daemon in [&first, &second] {
        daemon.has_compared().await;
    }
    [(here, first), (there, second)]
}

#[tokio::test]
async fn two_daemons_on_two_hosts_make_a_row_each_at_most_and_neither_takes_one_away() {
    let [(here, first), (there, second)] = two_hosts().await;
    let sendgrid = &here.sendgrid;
    // Stored so late that the other one has looked and found nothing, and answered in time.
    let slow = Fault::new(Commit::After(Duration::from_secs(3)), Reply::Usual);
    sendgrid.script(Rule::always(slow).on(Operation::Create).times(2));
    let certificate = valid("both");
    here.home.put("okta", "both.pem", &certificate.pem);
    there.home.put("okta", "both.pem", &certificate.pem);
    for daemon in [&first, &second] {
        daemon.shows_state("okta", &certificate, "trusted").await;
    }
    for daemon in [&first, &second] {
        daemon.signal(Signal::USR1);
        let status = daemon
            .shows("the other's row is a duplicate", |it| {
                states(it, "okta") == ["duplicate", "trusted"]
            })
            .await;
        assert_eq!(integration(&status, "okta")["in_step"], true);
    }
    let history = sendgrid.history();
    assert_eq!(history.writes().count(), 2, "{history}");
    assert_eq!(sendgrid.rows_with(certificate.fingerprint).len(), 2);
    here.assert_well_behaved();
}

#[tokio::test]
async fn where_sendgrid_refuses_what_it_has_the_later_of_two_hosts_finds_the_row_of_the_first() {
    let [(here, first), (there, second)] = two_hosts().await;
    let sendgrid = &here.sendgrid;
    sendgrid.behave(|it| it.duplicates = Duplicates::Refused);
    let certificate = valid("both");
    here.home.put("okta", "both.pem", &certificate.pem);
    first.shows_state("okta", &certificate, "trusted").await;
    // The other one looked just before.
    let before = Fault::list(ListTrick::Empty);
    sendgrid.script(Rule::next(Operation::List, before));
    there.home.put("okta", "both.pem", &certificate.pem);
    there
        .sendgrid_has(&second, "it is refused", |it| {
            it.history().answered(400).count() == 1
        })
        .await;
    for (daemon, state) in [(&first, "trusted"), (&second, "found")] {
        daemon.signal(Signal::USR1);
        daemon
            .shows(&format!("it is {state} and in step"), |it| {
                states(it, "okta") == [state] && integration(it, "okta")["in_step"] == true
            })
            .await;
    }
    let history = sendgrid.history();
    let posts: Vec<_> = history.posts_of(certificate.fingerprint).collect();
    assert_eq!(posts.len(), 2, "{history}");
    assert_eq!(history.writes().count(), 2, "{history}");
    here.assert_one_row(&certificate);
    here.assert_well_behaved();
}
