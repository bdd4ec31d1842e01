//! SendGrid refuses, blocks or is not there: it is said, the others go on, and all recovers by itself.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::certificates::valid;
use crate::harness::{ADFS, Home, KEY, OKTA, Stage, integration, quoted, state_of};
use crate::simulator::{
    Account, Commit, Fault, Integration, Listening, Moment, Operation, Options, Reply, Rule,
    SCOPES, Simulator,
};

const ACCOUNT: [(&str, &str); 1] = [("account", "default")];

#[tokio::test]
async fn a_corrected_key_file_is_taken_up_without_a_restart() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    // Long enough that only the changed file can be what wakes it.
    stage.home.set("probe", "[delivery]\nprobe = \"1h\"\n");
    stage.home.write_key("SG.wrong");
    let certificate = valid("patient");
    stage.home.put("okta", "patient.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon
        .measures("sso_certd_api_key_valid", &ACCOUNT, 0.0)
        .await;
    let status = daemon
        .shows("the key needs a person", |it| it["needs_person"] == true)
        .await;
    let attention = integration(&status, "okta")["attention"].to_string();
    assert!(attention.contains("api_key"), "{attention}");
    assert_eq!(stage.sendgrid.rows().len(), 0);
    daemon.logged("(401)").await;

    stage.home.write_key(KEY);
    daemon.shows_state("okta", &certificate, "trusted").await;
    daemon
        .measures("sso_certd_api_key_valid", &ACCOUNT, 1.0)
        .await;
    daemon
        .shows("all is well", |it| it["needs_person"] == false)
        .await;
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_key_replaced_at_both_ends_loses_nothing() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    stage.home.write_key("SG.another");
    stage.sendgrid.rotate_key("default", 1, "SG.another");
    let certificate = valid("rotated");
    stage.home.put("okta", "rotated.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    stage.assert_well_behaved();
}

const OTHER_KEY: &str = "SG.other.8wLq2Vn5tR1yC7mK3pX6";

/// A SendGrid that knows two keys, and a home with the first; nothing but a changed file makes it try a key again.
async fn two_keys() -> Stage {
    let account = Account::new("default")
        .key(KEY, &SCOPES)
        .key(OTHER_KEY, &SCOPES)
        .integration(Integration::new("okta", OKTA));
    let options = Options {
        accounts: vec![account],
        ..Options::default()
    };
    let sendgrid = Arc::new(Simulator::start(options).await);
    let home = Home::new(&sendgrid.url());
    home.integration("okta", OKTA);
    home.set("probe", "[delivery]\nprobe = \"1h\"\n");
    Stage { sendgrid, home }
}

#[tokio::test]
async fn a_key_replaced_while_a_request_is_under_way_is_read_at_its_401_and_used_at_once() {
    let stage = two_keys().await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    stage
        .sendgrid
        .script(Rule::next(Operation::Create, Fault::refuse(401)));
    let (staged, key) = (stage.home.path(".next-key"), stage.home.path("key"));
    std::fs::write(&staged, OTHER_KEY).unwrap();
    std::fs::set_permissions(&staged, std::fs::Permissions::from_mode(0o600)).unwrap();
    stage.sendgrid.on_post(move |moment, _| {
        if moment == Moment::Received && staged.exists() {
            std::fs::rename(&staged, &key).unwrap();
        }
    });
    let certificate = valid("between");
    stage.home.put("okta", "between.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;

    let history = stage.sendgrid.history();
    let posts = history.posts_of(certificate.fingerprint);
    let posts: Vec<_> = posts.map(|it| (it.status, it.client.as_deref())).collect();
    let expected = [
        (Some(401), Some("default/1")),
        (Some(200), Some("default/2")),
    ];
    assert_eq!(posts, expected, "{history}");
    let log = daemon.log();
    assert!(!log.contains("rejected (401)"), "{log}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_reload_takes_up_another_key() {
    let stage = two_keys().await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    stage.home.write_key(OTHER_KEY);
    daemon.signal(Signal::HUP);
    daemon.logged("Reloaded: ").await;
    let before = stage.sendgrid.history().requests().count();
    daemon.signal(Signal::USR1);
    stage
        .sendgrid_has(&daemon, "it is asked again", |it| {
            it.history().requests().count() > before
        })
        .await;
    let history = stage.sendgrid.history();
    let mut later = history.requests().skip(before);
    let is_by_it = later.all(|it| it.client.as_deref() == Some("default/2"));
    assert!(is_by_it, "{history}");
}

#[tokio::test]
async fn started_while_sendgrid_is_away_it_is_ready_says_so_and_recovers() {
    for away in [Listening::Closed, Listening::Silent] {
        let stage = Stage::new(&[("okta", OKTA)]).await;
        stage
            .home
            .set("short", "[accounts.default]\nrequest_timeout = \"300ms\"\n");
        let certificate = valid("early");
        stage.home.put("okta", "early.pem", &certificate.pem);
        stage.sendgrid.listen(away).await;
        let daemon = stage.start().await;
        assert_eq!(daemon.get("/readyz").await.0, 200);
        assert_eq!(daemon.get("/livez").await.0, 200);
        let status = daemon
            .shows("the failure is told", |it| {
                integration(it, "okta")["failure"]["text"].is_string()
            })
            .await;
        assert_ne!(status["mark"], "fine", "{status:#}");
        assert!(status["accounts"][0]["failures"].as_u64() >= Some(1));
        daemon
            .has_counted("sso_certd_integration_reconcile_failures_total", &[])
            .await;
        let in_step = daemon
            .metrics()
            .await
            .value("sso_certd_integration_in_step", &[]);
        assert_ne!(in_step, Some(1.0), "nothing was compared yet");

        stage.sendgrid.listen(Listening::Open).await;
        daemon.shows_state("okta", &certificate, "trusted").await;
        daemon.shows("all is well", |it| it["mark"] == "fine").await;
        stage.assert_one_row(&certificate);
        stage.assert_well_behaved();
    }
}

#[tokio::test]
async fn a_temporary_block_is_waited_out() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let block = Fault::new(Commit::Never, Reply::TemporaryBlock);
    stage.sendgrid.script(Rule::always(block).times(2));
    let certificate = valid("blocked");
    stage.home.put("okta", "blocked.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    let history = stage.sendgrid.history();
    assert_eq!(history.answered(403).count(), 2, "{history}");
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_key_that_may_not_create_is_told_and_recovers() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .sendgrid
        .set_scopes("default", 1, &["sso.settings.read"]);
    let certificate = valid("scoped");
    stage.home.put("okta", "scoped.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon
        .shows("what the key lacks", |it| {
            let summary = it["summary"].as_str().unwrap_or_default();
            summary.contains("scope sso.settings.create?")
        })
        .await;
    let attention = integration(&daemon.status().await, "okta")["attention"].to_string();
    assert!(
        !attention.contains("api_key"),
        "SendGrid knows the key: {attention}"
    );
    stage
        .sendgrid
        .set_scopes("default", 1, &["sso.settings.read", "sso.settings.create"]);
    daemon.shows_state("okta", &certificate, "trusted").await;
    stage.assert_one_row(&certificate);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn an_integration_that_is_not_there_stops_nobody_else() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.integration("gone", ADFS);
    let (good, lost) = (valid("good"), valid("lost"));
    stage.home.put("okta", "good.pem", &good.pem);
    stage.home.put("gone", "lost.pem", &lost.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &good, "trusted").await;
    let status = daemon
        .shows("the missing one is told", |it| {
            let attention = integration(it, "gone")["attention"].to_string();
            attention.contains("integration_missing")
        })
        .await;
    assert_eq!(integration(&status, "okta")["attention"].to_string(), "[]");
    let second = valid("second");
    stage.home.put("okta", "second.pem", &second.pem);
    daemon.shows_state("okta", &second, "trusted").await;
    assert_eq!(
        stage.sendgrid.history().posts_of(lost.fingerprint).count(),
        0
    );
}

#[tokio::test]
async fn an_integration_that_lists_and_knows_no_upload_is_told_and_not_pressed() {
    let stage = Stage::new(&[("okta", OKTA), ("half", ADFS)]).await;
    stage
        .home
        .set("budget", "[defaults.trust]\nnew_keys_per_day = 0\n");
    let unknown = Rule::always(Fault::refuse(404)).on(Operation::Create);
    stage.sendgrid.script(unknown.within(ADFS));
    let lost = valid("lost");
    stage.home.put("half", "lost.pem", &lost.pem);
    let daemon = stage.start().await;
    let attention =
        |status: &serde_json::Value, name: &str| integration(status, name)["attention"].to_string();
    daemon
        .shows("the half one is told", |it| {
            attention(it, "half").contains("integration_missing")
        })
        .await;
    // Longer than the longest wait for a retry.
    for number in 0..6 {
        let good = valid("good");
        stage.home.put("okta", &format!("{number}.pem"), &good.pem);
        let status = daemon.shows_state("okta", &good, "trusted").await;
        assert_eq!(attention(&status, "okta"), "[]");
        let missing = attention(&status, "half").contains("integration_missing");
        assert!(missing, "{status:#}");
    }
    let history = stage.sendgrid.history();
    let posts = history.posts_of(lost.fingerprint).count();
    // A second one, if its file was so young at the first look that it was looked at again: that is a change.
    assert!((1..=2).contains(&posts), "{history}");
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_failing_list_is_never_an_empty_one() {
    for reply in [
        Reply::EmptyBody,
        Reply::HtmlBody,
        Reply::CutBody,
        Reply::InvalidJson,
    ] {
        let stage = Stage::new(&[("okta", OKTA)]).await;
        let certificate = valid("listed");
        stage.home.put("okta", "listed.pem", &certificate.pem);
        let daemon = stage.start().await;
        daemon.shows_state("okta", &certificate, "trusted").await;

        stage
            .sendgrid
            .script(Rule::always(Fault::reply(reply.clone())).on(Operation::List));
        daemon.signal(Signal::USR1);
        let status = daemon
            .shows("the failure is told", |it| {
                integration(it, "okta")["failure"]["text"].is_string()
            })
            .await;
        let state = state_of(&status, "okta", certificate.fingerprint);
        assert_eq!(state.as_deref(), Some("trusted"), "{reply:?}");
        stage.sendgrid.be_well();
        daemon.has_compared().await;
        stage.assert_one_row(&certificate);
        assert_eq!(stage.sendgrid.history().writes().count(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn an_account_whose_requests_hang_delays_no_other() {
    let account = |name: &str, key: &str, id: &str| {
        Account::new(name)
            .key(key, &SCOPES)
            .integration(Integration::new(name, id))
    };
    let sendgrid = Simulator::start(Options {
        accounts: vec![account("default", KEY, OKTA), account("eu", "SG.eu", ADFS)],
        ..Options::default()
    })
    .await;
    let home = Home::new(&sendgrid.url());
    home.integration("okta", OKTA);
    home.write("key-eu", "SG.eu", 0o600);
    home.make_directory("certificates/eu");
    let (key, directory) = (quoted(&home.path("key-eu")), quoted(&home.directory("eu")));
    let url = sendgrid.url();
    home.set(
        "eu",
        &format!(
            "[accounts.eu]\napi_key_file = {key}\nrequest_timeout = \"5s\"\nbase_url = \"{url}\"\n\
             [integrations.eu]\naccount = \"eu\"\nintegration_id = \"{ADFS}\"\ndirectory = {directory}\n"
        ),
    );
    let stage = Stage {
        sendgrid: Arc::new(sendgrid),
        home,
    };
    let silence = Fault::new(Commit::Never, Reply::Silence);
    stage
        .sendgrid
        .script(Rule::always(silence).by_account("eu"));
    let daemon = stage.start().await;
    let certificate = valid("quick");
    let moved = Instant::now();
    stage.home.put("okta", "quick.pem", &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    let history = stage.sendgrid.history();
    let post = history.posts_of(certificate.fingerprint).next().unwrap();
    let took = post.at.duration_since(moved);
    assert!(took < Duration::from_secs(2), "{took:?}");

    stage.sendgrid.be_well();
    let later = valid("later");
    stage.home.put("eu", "later.pem", &later.pem);
    daemon.shows_state("eu", &later, "trusted").await;
    let history = stage.sendgrid.history();
    let post = history.posts_of(later.fingerprint).next().unwrap();
    assert_eq!(post.client.as_deref(), Some("eu/1"), "by its own key");
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_wait_that_is_over_before_it_is_written_down_is_not_forgotten() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set(
        "hasty",
        "[delivery]\nretry_first = \"1ms\"\nretry_cap = \"1ms\"\n",
    );
    stage
        .sendgrid
        .script(Rule::next(Operation::List, Fault::refuse(500)));
    let daemon = stage.start().await;
    stage
        .sendgrid_has(&daemon, "it is listed again", |it| {
            it.history().count(Operation::List) >= 2
        })
        .await;
    daemon.has_compared().await;
}

/// The id of the integration of this number.
fn id_of(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

#[tokio::test]
async fn one_failing_integration_of_five_hundred_keeps_nobody_waiting() {
    const ALL: usize = 500;
    let account = (0..ALL).fold(
        Account::new("default").key(KEY, &SCOPES),
        |account, number| {
            let name = format!("idp-{number}");
            account.integration(Integration::new(&name, &id_of(number)))
        },
    );
    let sendgrid = Simulator::start(Options {
        accounts: vec![account],
        ..Options::default()
    })
    .await;
    let home = Home::new(&sendgrid.url());
    home.make_directory("certificates/shared");
    let shared = quoted(&home.directory("shared"));
    let sections: Vec<String> = (0..ALL - 1)
        .map(|number| {
            let id = id_of(number);
            format!(
                "[integrations.idp-{number}]\nintegration_id = \"{id}\"\ndirectory = {shared}\n"
            )
        })
        .collect();
    home.set("many", &sections.concat());
    home.integration("last", &id_of(ALL - 1));
    let stage = Stage {
        sendgrid: Arc::new(sendgrid),
        home,
    };
    let down = Rule::always(Fault::refuse(500)).within(&id_of(0));
    stage.sendgrid.script(down);
    let daemon = stage.start().await;
    stage
        .sendgrid_has(&daemon, "all others are listed", |it| {
            it.history().answered(200).count() == ALL - 1
        })
        .await;
    let status = daemon
        .shows("the failing one is told", |it| {
            integration(it, "idp-0")["failure"]["text"].is_string()
        })
        .await;
    let all = status["integrations"].as_array().unwrap();
    assert_eq!(all.iter().filter(|it| !it["failure"].is_null()).count(), 1);

    // Again and again the failing one is asked in between.
    for index in 0..3 {
        let certificate = valid("quick");
        let moved = Instant::now();
        let name = format!("{index}.pem");
        stage.home.put("last", &name, &certificate.pem);
        stage
            .sendgrid_has(&daemon, "it is uploaded", |it| {
                it.history().posts_of(certificate.fingerprint).count() == 1
            })
            .await;
        let history = stage.sendgrid.history();
        let post = history.posts_of(certificate.fingerprint).next().unwrap();
        let took = post.at.duration_since(moved);
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    let history = stage.sendgrid.history();
    let lists: Vec<_> = history.answered(500).map(|it| it.at).collect();
    let took = lists[lists.len() - 1].duration_since(lists[0]);
    // Never sooner than after half of the longest wait, but for the first few.
    let most = 5 + took.as_millis() / 200;
    let asked = u128::try_from(lists.len()).unwrap();
    assert!(asked <= most, "{asked} in {took:?}");
    stage.assert_well_behaved();
}
