//! Nothing is asked for nothing: what happens to files, and not to the certificates in them, makes no request and no write.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::certificates::valid;
use crate::exposition::Scrape;
use crate::harness::{Daemon, LIMIT, OKTA, Stage, files_below, integration, quoted};

const LOOKS: &str = "sso_certd_source_scan_duration_seconds_count";

fn looks(scrape: &Scrape) -> f64 {
    scrape.value(LOOKS, &[]).unwrap()
}

/// Does something to files, and waits until the directory was looked at since.
async fn seen(daemon: &Daemon, deed: impl FnOnce()) {
    let before = looks(&daemon.metrics().await);
    deed();
    let until = tokio::time::Instant::now() + LIMIT;
    while looks(&daemon.metrics().await) <= before {
        assert!(tokio::time::Instant::now() < until, "it is looked at again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Where a status says that the one certificate of an integration lies.
fn paths(status: &Value, name: &str) -> Value {
    integration(status, name)["certificates"][0]["paths"].clone()
}

#[tokio::test]
async fn a_touched_chmodded_renamed_copied_or_rewritten_file_asks_nothing_and_writes_nothing() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let first = valid("first");
    stage.home.put("okta", "first.pem", &first.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &first, "trusted").await;
    daemon.has_compared().await;
    let requests = stage.sendgrid.history().requests().count();
    let ledger = files_below(&stage.home.state());
    let directory = stage.home.directory("okta");
    let [path, other] = ["first.pem", "other.pem"].map(|it| directory.join(it));
    for number in 1..=20 {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(number);
        seen(&daemon, || {
            File::open(&path).unwrap().set_modified(time).unwrap();
        })
        .await;
    }
    seen(&daemon, || {
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    })
    .await;
    seen(&daemon, || fs::write(&path, &first.pem).unwrap()).await;
    seen(&daemon, || stage.home.put("okta", "first.pem", &first.pem)).await;
    seen(&daemon, || fs::rename(&path, &other).unwrap()).await;
    let lies_in = |names: &'static [&'static str]| {
        let wanted: Vec<String> = names
            .iter()
            .map(|it| directory.join(it).display().to_string())
            .collect();
        move |it: &Value| paths(it, "okta") == Value::from(wanted.clone())
    };
    daemon
        .shows("it lies under its new name", lies_in(&["other.pem"]))
        .await;
    seen(&daemon, || fs::copy(&other, &path).map(drop).unwrap()).await;
    daemon
        .shows("it lies in both", lies_in(&["first.pem", "other.pem"]))
        .await;
    seen(&daemon, || fs::remove_file(&other).unwrap()).await;
    daemon
        .shows("it lies in one", lies_in(&["first.pem"]))
        .await;
    assert!(ledger == files_below(&stage.home.state()), "no write");
    // Had any of it woken a pass, its list would come before these three.
    let second = valid("second");
    stage.home.put("okta", "second.pem", &second.pem);
    daemon.shows_state("okta", &second, "trusted").await;
    let history = stage.sendgrid.history();
    assert_eq!(history.requests().count(), requests + 3, "{history}");
    stage.assert_well_behaved();
}

#[tokio::test]
async fn one_touch_of_a_directory_that_serves_fifty_integrations_asks_nothing() {
    let names: Vec<(String, String)> = (0..50)
        .map(|number| {
            (
                format!("idp-{number:02}"),
                format!("00000000-0000-4000-8000-{number:012}"),
            )
        })
        .collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(|(name, id)| (&**name, &**id)).collect();
    let stage = Stage::new(&pairs).await;
    stage.home.make_directory("certificates/shared");
    let directory = quoted(&stage.home.directory("shared"));
    for (name, id) in &names {
        let toml =
            format!("[integrations.{name}]\nintegration_id = \"{id}\"\ndirectory = {directory}\n");
        stage.home.set(&format!("integration-{name}"), &toml);
    }
    let shared = valid("shared");
    stage.home.put("shared", "shared.pem", &shared.pem);
    let daemon = stage.start().await;
    for (name, _) in &names {
        daemon.shows_state(name, &shared, "trusted").await;
    }
    daemon.has_compared().await;
    let requests = stage.sendgrid.history().requests().count();
    let path = stage.home.directory("shared").join("shared.pem");
    let touch = || {
        File::open(&path)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH)
            .unwrap();
    };
    seen(&daemon, touch).await;
    let more = valid("more");
    stage.home.put("shared", "more.pem", &more.pem);
    for (name, _) in &names {
        daemon.shows_state(name, &more, "trusted").await;
    }
    daemon.has_compared().await;
    let history = stage.sendgrid.history();
    assert_eq!(
        history.requests().count(),
        requests + 3 * names.len(),
        "{history}"
    );
}

#[tokio::test]
async fn a_refused_file_that_appears_or_goes_is_news_to_the_plan() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let certificate = valid("okta");
    stage.home.put("okta", "okta.pem", &certificate.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &certificate, "trusted").await;
    let attends = |reason: &'static str| {
        move |it: &Value| integration(it, "okta")["attention"] == Value::from(vec![reason])
    };
    stage.home.put(
        "okta",
        "bad.pem",
        "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    );
    daemon.shows("it is refused", attends("refused")).await;
    stage.home.take("okta", "bad.pem");
    daemon
        .shows("all is well", |it| {
            integration(it, "okta")["attention"] == Value::Array(Vec::new())
        })
        .await;
}

#[tokio::test]
async fn what_a_plan_on_the_command_line_saw_first_is_delivered_all_the_same() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    // Only a look that is asked for finds it.
    stage
        .home
        .set("polled", "[watch]\nevents = false\npoll = \"0s\"\n");
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let certificate = valid("new");
    stage.home.put("okta", "new.pem", &certificate.pem);
    let ran = stage.home.ask(&["plan"]).await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    daemon.shows_state("okta", &certificate, "trusted").await;
    stage.assert_one_row(&certificate);
}
