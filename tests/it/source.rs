//! A source as its owner sees it: what is remarked upon, refused, held and passed over, through the whole program.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use rustix::process::{Signal, geteuid};
use serde_json::{Value, json};

use crate::certificates::{Made, expired, short_lived, valid};
use crate::harness::{Daemon, OKTA, PROGRAM, Stage, finish, integration, states};

const DAY: u64 = 86_400;

/// A certificate in a status.
#[track_caller]
fn row<'a>(status: &'a Value, certificate: &Made) -> &'a Value {
    let all = integration(status, "okta")["certificates"]
        .as_array()
        .unwrap();
    let is_it = |it: &&Value| it["fingerprint"] == certificate.fingerprint.hex();
    all.iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("{status:#}"))
}

#[tokio::test]
async fn what_is_remarkable_of_an_accepted_certificate_is_in_status_and_inspect() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let warn = "[defaults]\nexpiry.warn = \"60d\"\n";
    stage.home.set("warn", warn);
    let (long, short) = (valid("long"), short_lived("short", 40 * DAY + 3600));
    stage.home.put("okta", "long.pem", &long.pem);
    stage.home.put("okta", "short.pem", &short.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &short, "trusted").await;
    let status = daemon.shows_state("okta", &long, "trusted").await;
    assert_eq!(row(&status, &long)["remarks"][0]["code"], "long_validity");
    let near = "ends in 40 d; expiry.warn is 60 d";
    let remark = &row(&status, &short)["remarks"][0];
    assert_eq!(
        (remark["code"].as_str(), remark["text"].as_str()),
        (Some("ends_soon"), Some(near))
    );

    let status = stage.home.ask(&["status"]).await;
    assert_eq!(status.exit, 0, "{status:?}");
    for remark in [near, "valid for more than 21 years"] {
        assert!(
            status.out.contains(&format!("remark: {remark}")),
            "{status:?}"
        );
    }
    // The same file, where it is watched, where it is not, and where nothing is configured.
    let watched = stage.home.directory("okta").join("short.pem");
    stage
        .home
        .write("copy.pem", &short_lived("copy", 20 * DAY + 3600).pem, 0o644);
    let copy = stage.home.path("copy.pem");
    let told = stage
        .home
        .ask(&["inspect", watched.to_str().unwrap()])
        .await;
    assert!(told.out.contains(&format!("! {near}\n")), "{told:?}");
    let told = stage.home.ask(&["inspect", copy.to_str().unwrap()]).await;
    assert!(
        told.out.contains("! ends in 20 d; expiry.warn is 60 d\n"),
        "{told:?}"
    );
    // The directory: a line for each file, and what is remarkable of it below.
    stage.home.put("okta", "zero.pem", "no certificate");
    let directory = stage.home.directory("okta");
    let told = stage
        .home
        .ask(&["inspect", directory.to_str().unwrap()])
        .await;
    let lines: Vec<&str> = told.out.lines().collect();
    let after = |name: &str| {
        let at = lines.iter().position(|it| it.contains(name));
        lines[at.unwrap_or_else(|| panic!("{name}: {told:?}")) + 1]
    };
    assert!(after("long.pem").starts_with("  ! valid for"), "{told:?}");
    assert_eq!(after("short.pem"), format!("  ! {near}"), "{told:?}");
    assert!(after("zero.pem").starts_with("  help: "), "{told:?}");
    // Files that are not watched, one of which anybody may write.
    let open = stage.home.path("open.pem");
    stage.home.write("open.pem", &long.pem, 0o666);
    let paths = [copy.to_str().unwrap(), open.to_str().unwrap()];
    let told = stage.home.ask(&["inspect", paths[0], paths[1]]).await;
    for said in [
        "\n  ! ends in 20 d; expiry.warn is 60 d\n".to_owned(),
        format!(
            "{} is writable by everyone (0666)\n    help: chmod go-w {}\n",
            paths[1], paths[1]
        ),
    ] {
        assert!(told.out.contains(&said), "{said}: {}", told.out);
    }
    let mut alone = Command::new(PROGRAM);
    alone.env_clear().arg("--config");
    alone.args([&stage.home.path("nowhere.toml"), &"inspect".into(), &copy]);
    let told = finish(alone).await;
    assert!(
        told.out
            .contains("! ends in 20 d; expiry.warn is 30 d by default\n"),
        "{told:?}"
    );
}

#[tokio::test]
async fn inspect_says_by_which_patterns_of_the_integration_a_name_does_not_count() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("files", "[defaults]\nfiles = [\"okta-*\"]\n");
    let names = ["okta-1.pem", "idp.pem", ".okta-2.pem", "okta-3.pem~"];
    for name in names {
        stage.home.put("okta", name, &valid(name).pem);
    }
    let directory = stage.home.directory("okta");
    let told = stage
        .home
        .ask(&["inspect", directory.to_str().unwrap()])
        .await;
    let line = |name: &str| {
        let line = told.out.lines().find(|it| it.contains(name));
        line.unwrap_or_else(|| panic!("{name}: {told:?}"))
    };
    assert!(line("okta-1.pem").starts_with("ok "), "{told:?}");
    let unmatched = " not looked at: the name matches none of okta-*";
    assert!(line("  idp.pem").ends_with(unmatched), "{told:?}");
    for name in [".okta-2.pem", "okta-3.pem~"] {
        let hidden = " not looked at: a hidden or unfinished file, by its name";
        assert!(line(name).ends_with(hidden), "{told:?}");
    }
}

/// How often the log says so.
fn told(daemon: &Daemon, what: &str) -> usize {
    daemon.log().matches(what).count()
}

#[tokio::test]
async fn a_refusal_is_told_once_for_each_content() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let path = stage.home.directory("okta").join("bad.pem");
    let (refused, labels) = (
        "sso_certd_source_refusals_total",
        [("reason", "no_certificate")],
    );
    stage.home.put("okta", "bad.pem", "no certificate");
    let daemon = stage.start().await;
    daemon.has_compared().await;
    daemon.measures(refused, &labels, 1.0).await;

    // Touched, written anew, put anew, and the configuration read anew. What comes last is told once all that is.
    let bad = || fs::write(&path, "no certificate").unwrap();
    let touch = || File::open(&path).unwrap().set_modified(UNIX_EPOCH).unwrap();
    let put = || stage.home.put("okta", "bad.pem", "no certificate");
    let reload = || daemon.signal(Signal::HUP);
    let deeds: [&dyn Fn(); 4] = [&bad, &touch, &put, &reload];
    for (number, deed) in (1..).zip(deeds) {
        deed();
        let after = valid("after");
        stage.home.put("okta", "after.pem", &after.pem);
        daemon.shows_state("okta", &after, "trusted").await;
        daemon
            .shows("the file is refused", |it| {
                integration(it, "okta")["source"]["refused"][0]["reason"] == "no_certificate"
            })
            .await;
        assert_eq!(told(&daemon, "bad.pem: "), 1, "{number}: {}", daemon.log());
    }
    let line = daemon.logged("bad.pem: ").await;
    assert!(line.contains("WARN"), "{line}");
    // Other bytes, refused for the same reason in the same words.
    fs::write(&path, "still no certificate").unwrap();
    daemon.measures(refused, &labels, 2.0).await;
    assert_eq!(told(&daemon, "bad.pem: "), 2, "{}", daemon.log());
}

#[tokio::test]
async fn of_a_directory_that_others_can_write_the_start_says_what_check_config_says() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let directory = stage.home.directory("okta");
    fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
    let checked = stage.home.ask(&["check-config"]).await;
    let remark = format!(
        "okta: refused (unsafe_permissions): {} is writable by everyone (0777)",
        directory.display()
    );
    assert!(checked.out.contains(&remark), "{checked:?}");
    let daemon = stage.start().await;
    let log = daemon.logged(&remark).await;
    assert!(
        log.contains(&format!("chmod go-w {}", directory.display())),
        "{log}"
    );
    daemon.signal(Signal::HUP);
    daemon.has_compared_anew(2).await;
    assert_eq!(told(&daemon, &remark), 1, "{}", daemon.log());

    // What was repaired in between is news.
    let labels = [("trigger", "signal"), ("result", "ok")];
    for (mode, passes) in [(0o755, 1.0), (0o777, 2.0)] {
        fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
        daemon.signal(Signal::USR1);
        daemon
            .measures("sso_certd_reconciles_total", &labels, passes)
            .await;
    }
    assert_eq!(told(&daemon, &remark), 2, "{}", daemon.log());

    // Where it does not count, nobody hears of it.
    drop(daemon);
    stage
        .home
        .set("lax", "[defaults]\nstrict_permissions = false\n");
    let daemon = stage.start().await;
    daemon.has_compared().await;
    assert_eq!(told(&daemon, "unsafe_permissions"), 0, "{}", daemon.log());
}

#[tokio::test]
async fn of_many_names_all_are_counted_and_a_few_are_named() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let directory = stage.home.directory("okta");
    for number in 0..3_000 {
        fs::write(directory.join(format!("{number:04}.txt")), "").unwrap();
    }
    // All of them fine: nothing but their number needs a person.
    let certificate = valid("many");
    for number in 0..1_100 {
        let path = directory.join(format!("{number:04}.pem"));
        fs::write(path, &certificate.pem).unwrap();
    }
    let daemon = stage.start().await;
    let status = daemon.shows_state("okta", &certificate, "trusted").await;
    let okta = integration(&status, "okta");
    let source = &okta["source"];
    assert_eq!(
        (&source["ignored"], &source["surplus"], &source["accepted"]),
        (&3_000.into(), &76.into(), &1_024.into())
    );
    assert_eq!(
        (&source["refused"], &okta["attention"]),
        (&json!([]), &json!(["refused"]))
    );
    let told = stage.home.ask(&["status"]).await;
    assert_eq!(told.exit, 2, "{told:?}");
    drop(daemon);
    let told = stage
        .home
        .ask(&["inspect", directory.to_str().unwrap()])
        .await;
    for line in [
        "\n  0000.txt ",
        "\n  1024.pem ",
        " and 3036 more that were not looked at\n",
    ] {
        assert!(told.out.contains(line), "{line:?}: {}", told.out);
    }
    assert!(!told.out.contains("0020.txt"), "{}", told.out);
}

#[tokio::test]
async fn two_hundred_certificates_go_up_and_one_more_is_held_and_named() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("budget", "[defaults]\ntrust.new_keys_per_day = 0\n");
    let certificates: Vec<Made> = (0..200).map(|it| valid(&format!("number {it}"))).collect();
    for (number, certificate) in certificates.iter().enumerate() {
        stage
            .home
            .put("okta", &format!("{number}.pem"), &certificate.pem);
    }
    // What is over takes nobody's place.
    for number in 0..5 {
        let over = expired(&format!("over {number}"));
        stage
            .home
            .put("okta", &format!("over-{number}.pem"), &over.pem);
    }
    let daemon = stage.start().await;
    daemon
        .shows("all are trusted", |it| {
            integration(it, "okta")["trusted"] == 200
        })
        .await;
    let status = daemon.status().await;
    assert_eq!(
        states(&status, "okta")
            .iter()
            .filter(|it| *it == "held")
            .count(),
        0
    );

    let one_more = valid("one more");
    stage.home.put("okta", "one-more.pem", &one_more.pem);
    let status = daemon.shows_state("okta", &one_more, "held").await;
    let held = row(&status, &one_more);
    assert_eq!(held["reason"], "too_many", "{held}");
    let okta = integration(&status, "okta");
    assert_eq!(
        (&okta["mark"], &okta["attention"]),
        (&"needs_you".into(), &json!(["key_budget"]))
    );
    let labels = [
        ("integration", "okta"),
        ("account", "default"),
        ("reason", "key_budget"),
    ];
    daemon
        .measures("sso_certd_integration_attention", &labels, 1.0)
        .await;
    let told = stage.home.ask(&["status"]).await;
    assert_eq!(told.exit, 2, "{told:?}");
    assert!(told.out.contains(&one_more.short()), "{}", told.out);
    assert_eq!(stage.sendgrid.rows().len(), 200);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn one_certificate_in_two_files_is_one_row_and_both_files_are_shown() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let certificate = valid("twice");
    let directory = stage.home.directory("okta");
    stage.home.put("okta", "a.pem", &certificate.pem);
    fs::write(directory.join("a.der"), &certificate.der).unwrap();
    let daemon = stage.start().await;
    let status = daemon.shows_state("okta", &certificate, "trusted").await;
    assert_eq!(states(&status, "okta"), ["trusted"]);
    let paths = ["a.der", "a.pem"].map(|it| directory.join(it).display().to_string());
    assert_eq!(row(&status, &certificate)["paths"], json!(paths));
    let told = stage.home.ask(&["status", "--all"]).await;
    assert!(told.out.contains("a.der, a.pem"), "{}", told.out);
    stage.assert_one_row(&certificate);
    assert_eq!(stage.sendgrid.history().writes().count(), 1);
    stage.assert_well_behaved();
}

/// The daemon as a user who owns nothing but its state and its key; as oneself where nobody can become another.
async fn start_as_nobody(stage: &Stage) -> Daemon {
    const NOBODY: u32 = 65_534;
    if !geteuid().is_root() {
        return stage.start().await;
    }
    let home = &stage.home;
    let program = home.path("program"); // the build may lie where nobody can go
    fs::copy(PROGRAM, &program).unwrap();
    home.open_to_all();
    home.make_directory("state");
    for name in ["state", "key"] {
        chown(home.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null()).arg("--config");
    command.arg(home.path("sso-certd.toml")).arg("run");
    command.uid(NOBODY).gid(NOBODY);
    let mut daemon = Daemon::spawn(command, Arc::clone(&stage.sendgrid));
    daemon.started().await;
    daemon
}

#[tokio::test]
async fn from_what_cannot_be_read_nothing_is_concluded() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (kept, other) = (valid("kept"), valid("other"));
    stage.home.put("okta", "kept.pem", &kept.pem);
    stage.home.put("okta", "other.pem", &other.pem);
    let directory = stage.home.directory("okta");
    let file = directory.join("kept.pem");
    let daemon = start_as_nobody(&stage).await;
    daemon.shows_state("okta", &other, "trusted").await;
    daemon.shows_state("okta", &kept, "trusted").await;
    // Names can be read, and nothing else: neither what is in the files nor what they are. Then one file alone.
    let searchable_by_nobody = if geteuid().is_root() { 0o744 } else { 0o444 };
    for (path, closed, open, refused) in [
        (&directory, searchable_by_nobody, 0o755, 2),
        (&file, 0o000, 0o644, 1),
    ] {
        fs::set_permissions(path, Permissions::from_mode(closed)).unwrap();
        let status = daemon
            .shows("what cannot be read is refused", |it| {
                let okta = integration(it, "okta");
                let all = okta["source"]["refused"].as_array().unwrap();
                all.len() == refused && okta["attention"] == json!(["refused"])
            })
            .await;
        let okta = integration(&status, "okta");
        assert_eq!(
            okta["source"]["refused"][0]["reason"], "unreadable",
            "{okta}"
        );
        assert_eq!(states(&status, "okta"), ["trusted", "trusted"], "{okta}");
        fs::set_permissions(path, Permissions::from_mode(open)).unwrap();
        daemon
            .shows("it is read again", |it| {
                integration(it, "okta")["source"]["accepted"] == 2
            })
            .await;
    }
    assert_eq!(stage.sendgrid.history().writes().count(), 2);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn without_the_daemon_status_shows_what_waits_for_a_person() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let (first, held, late) = (valid("first"), valid("held"), valid("late"));
    stage.home.put("okta", "first.pem", &first.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &first, "trusted").await;
    stage
        .home
        .set("trust", "[defaults]\ntrust.require = \"approval\"\n");
    daemon.signal(Signal::HUP);
    daemon.has_compared_anew(2).await;
    stage.home.put("okta", "held.pem", &held.pem);
    daemon.shows_state("okta", &held, "held").await;
    let with = stage.home.ask(&["status", "--json"]).await.json();
    assert_eq!(daemon.stop().await, 0);
    let without = stage.home.ask(&["status", "--json"]).await.json();
    let rows = |it: &Value| {
        let mut rows = integration(it, "okta")["certificates"].clone();
        for row in rows.as_array_mut().unwrap() {
            row["left_seconds"].take(); // the clock goes on
        }
        rows
    };
    assert_eq!(rows(&without), rows(&with), "{without:#}");
    assert_eq!(integration(&without, "okta")["approvals_pending"], 1);

    // What came since is in a file alone.
    stage.home.put("okta", "late.pem", &late.pem);
    fs::write(stage.home.directory("okta").join("bad.pem"), "bad").unwrap();
    let without = stage.home.ask(&["status"]).await;
    assert_eq!(without.exit, 3, "{without:?}");
    for shown in [
        held.short(),
        late.short(),
        "bad.pem: refused (no_certificate)".to_owned(),
    ] {
        assert!(without.out.contains(&shown), "{shown}: {}", without.out);
    }
    let approve = ["approve", &held.fingerprint.hex(), "--yes"];
    assert_eq!(stage.home.ask(&approve).await.exit, 0);
    stage
        .start()
        .await
        .shows_state("okta", &held, "trusted")
        .await;
}
