//! Watching that cannot be fooled: whatever is done to a file, to its directory or to the way there is noticed, by an
//! event where the kernel sends one. Nothing is polled but where a test says so.

#![expect(clippy::float_cmp, reason = "counters of whole things")]
#![expect(clippy::disallowed_methods, reason = "a test aborts its own noise")]

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::certificates::{Made, valid};
use crate::harness::{ADFS, Daemon, LIMIT, OKTA, Stage, integration, quoted, state_of};
use crate::simulator::Operation;

const OF_OKTA: [(&str, &str); 2] = [("integration", "okta"), ("account", "default")];

/// How many looks there were.
async fn looks(daemon: &Daemon) -> f64 {
    let name = "sso_certd_source_scan_duration_seconds_count";
    daemon.metrics().await.value(name, &[]).unwrap()
}

/// Waits until it has looked so many times more: then every look that a hint has asked for is over, and where nothing
/// happens only the poll looks.
async fn has_looked(daemon: &Daemon, more: f64) {
    let wanted = looks(daemon).await + more;
    let until = Instant::now() + LIMIT;
    while looks(daemon).await < wanted {
        if Instant::now() > until {
            daemon.fail("it goes on looking");
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// How many changes were found by the poll alone.
async fn missed(daemon: &Daemon) -> f64 {
    let name = "sso_certd_watch_missed_changes_total";
    daemon.metrics().await.value(name, &[]).unwrap()
}

/// How many hints the kernel's events were.
async fn events(daemon: &Daemon) -> f64 {
    let name = "sso_certd_watch_events_total";
    daemon.metrics().await.value(name, &[]).unwrap()
}

/// Waits until so many files are accepted.
async fn has_files(daemon: &Daemon, accepted: u32) {
    let labels = [OF_OKTA[0], OF_OKTA[1], ("status", "accepted")];
    daemon
        .measures("sso_certd_source_files", &labels, f64::from(accepted))
        .await;
}

async fn is_up(daemon: &Daemon, up: bool) {
    let value = f64::from(u8::from(up));
    daemon
        .measures("sso_certd_source_up", &OF_OKTA, value)
        .await;
}

/// The watch stands, and tells of a new file.
async fn is_watched(stage: &Stage, daemon: &Daemon, name: &str) -> Made {
    daemon
        .measures("sso_certd_watch_active", &OF_OKTA, 1.0)
        .await;
    let certificate = valid(name);
    stage.home.put("okta", name, &certificate.pem);
    daemon.shows_state("okta", &certificate, "trusted").await;
    certificate
}

/// A daemon that trusts the certificate in `kept.pem`, and polls so often.
async fn keeper(poll: &str) -> (Stage, Daemon, Made) {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage
        .home
        .set("watch", &format!("[watch]\npoll = \"{poll}\"\n"));
    let kept = valid("kept");
    stage.home.put("okta", "kept.pem", &kept.pem);
    let daemon = stage.start().await;
    daemon.shows_state("okta", &kept, "trusted").await;
    (stage, daemon, kept)
}

fn replace_link(target: &Path, link: &Path) {
    let aside = link.with_extension("aside");
    symlink(target, &aside).unwrap();
    fs::rename(&aside, link).unwrap();
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

// What files are called.

#[tokio::test]
async fn names_are_bytes_and_are_shown_so_that_nothing_is_done_by_them() {
    let (stage, daemon, _) = keeper("0s").await;
    let longest = [b"a".repeat(251), b".pem".to_vec()].concat();
    let names: [&[u8]; 5] = [
        b"-rf.pem",
        &longest,
        b"two\nlines.pem",
        b"\xff\xfe.pem",
        b"\x1b[2J\xe2\x80\xae.pem",
    ];
    let directory = stage.home.directory("okta");
    for (number, name) in names.into_iter().enumerate() {
        let certificate = valid(&format!("number {number}"));
        let path = directory.join(OsStr::from_bytes(name));
        fs::write(&path, &certificate.pem).unwrap();
        chmod(&path, 0o644);
        daemon.shows_state("okta", &certificate, "trusted").await;
    }
    has_files(&daemon, 6).await;
    // A reason is told of each, in every place.
    for name in names {
        fs::write(directory.join(OsStr::from_bytes(name)), "no certificate").unwrap();
    }
    let refused = [OF_OKTA[0], OF_OKTA[1], ("status", "refused")];
    daemon
        .measures("sso_certd_source_files", &refused, 5.0)
        .await;
    let shown = [
        "-rf.pem",
        "two\\u{a}lines.pem",
        "\\xff\\xfe.pem",
        "\\u{1b}[2J\\u{202e}.pem",
    ];
    let path = directory.to_str().unwrap();
    let told = [
        stage.home.ask(&["status", "--all"]).await.out,
        stage.home.ask(&["plan"]).await.out,
        stage.home.ask(&["inspect", path]).await.out,
    ];
    for told in told {
        assert!(
            !told.contains(['\u{1b}', '\u{202e}', '\u{fffd}']),
            "{told:?}"
        );
        assert!(!told.contains("\nlines.pem"), "{told:?}");
    }
    let status = stage.home.ask(&["status", "--all"]).await;
    for name in shown {
        assert!(status.out.contains(name), "{name}: {status:?}");
    }
}

// What is done to a file.

#[tokio::test]
async fn whatever_is_done_to_a_file_is_noticed_by_event() {
    let (stage, daemon, _) = keeper("0s").await;
    let home = &stage.home;
    let path = home.directory("okta").join("a.pem");
    let [created, renamed, rewritten, linked] =
        ["created", "renamed", "rewritten", "linked"].map(valid);

    fs::write(&path, &created.pem).unwrap();
    chmod(&path, 0o644);
    daemon.shows_state("okta", &created, "trusted").await;

    home.put("okta", "a.pem", &renamed.pem);
    daemon.shows_state("okta", &renamed, "trusted").await;

    fs::write(&path, &rewritten.pem).unwrap();
    daemon.shows_state("okta", &rewritten, "trusted").await;

    home.write("elsewhere.pem", &linked.pem, 0o644);
    fs::hard_link(
        home.path("elsewhere.pem"),
        home.directory("okta").join("b.pem"),
    )
    .unwrap();
    daemon.shows_state("okta", &linked, "trusted").await;
    has_files(&daemon, 3).await;

    chmod(&path, 0o666);
    has_files(&daemon, 2).await;
    chmod(&path, 0o644);
    has_files(&daemon, 3).await;

    fs::remove_file(&path).unwrap();
    has_files(&daemon, 2).await;
    stage.assert_well_behaved();
}

#[tokio::test]
async fn the_look_comes_quiet_after_the_last_event() {
    const QUIET: Duration = Duration::from_secs(1);
    let (stage, daemon, _) = keeper("0s").await;
    stage.home.set("quiet", "[watch]\nquiet = \"1s\"\n");
    daemon.signal(Signal::HUP);
    daemon.has_compared_anew(2).await;

    let certificate = valid("slow");
    let path = stage.home.directory("okta").join("slow.pem");
    let before = looks(&daemon).await;
    for _ in 0..15 {
        fs::write(&path, &certificate.pem).unwrap();
        sleep(Duration::from_millis(40)).await;
    }
    let last = Instant::now();
    fs::write(&path, &certificate.pem).unwrap();
    assert_eq!(looks(&daemon).await, before, "it does not look yet");
    daemon.shows_state("okta", &certificate, "trusted").await;
    assert!(last.elapsed() >= QUIET, "{:?}", last.elapsed());
}

#[tokio::test]
async fn a_neighbour_that_is_written_without_end_hides_nothing() {
    let (stage, daemon, _) = keeper("0s").await;
    let noise = stage.home.directory("okta").join("noise.log");
    let busy = tokio::spawn(async move {
        loop {
            fs::write(&noise, "noise").unwrap();
            sleep(Duration::from_millis(5)).await;
        }
    });
    is_watched(&stage, &daemon, "finished.pem").await;
    busy.abort();
}

#[tokio::test]
async fn over_a_longer_bundle_without_truncation_only_whole_versions_count() {
    let (stage, daemon, _) = keeper("0s").await;
    let [first, second, successor] = ["first", "second", "successor"].map(valid);
    let bundle = format!("{}{}", first.pem, second.pem);
    stage.home.put("okta", "bundle.pem", &bundle);
    daemon.shows_state("okta", &second, "trusted").await;

    let path = stage.home.directory("okta").join("bundle.pem");
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    let half = successor.pem.len() / 2;
    file.write_all(&successor.pem.as_bytes()[..half]).unwrap();
    // Long enough for a look at the half that is written over the tail that is left.
    has_files(&daemon, 1).await;
    file.seek(std::io::SeekFrom::Start(0)).unwrap();
    file.write_all(successor.pem.as_bytes()).unwrap();
    file.set_len(u64::try_from(successor.pem.len()).unwrap())
        .unwrap();
    daemon.shows_state("okta", &successor, "trusted").await;
    assert_eq!(stage.sendgrid.history().writes().count(), 4);
    stage.assert_well_behaved();
}

// What is done to the directory.

#[tokio::test]
async fn a_directory_that_is_deleted_and_made_anew_is_watched_again() {
    let (stage, daemon, mut kept) = keeper("0s").await;
    let directory = stage.home.directory("okta");
    for name in ["first.pem", "second.pem"] {
        fs::remove_dir_all(&directory).unwrap();
        is_up(&daemon, false).await;
        let status = daemon.status().await;
        let state = state_of(&status, "okta", kept.fingerprint);
        assert_eq!(state.as_deref(), Some("trusted"), "absence says nothing");
        stage.home.make_directory("certificates/okta");
        is_up(&daemon, true).await;
        kept = is_watched(&stage, &daemon, name).await;
    }
    assert_eq!(missed(&daemon).await, 0.0);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_directory_that_is_swapped_by_rename_is_watched_again() {
    let (stage, daemon, _) = keeper("0s").await;
    let directory = stage.home.directory("okta");
    for turn in ["once", "twice"] {
        let certificate = valid(turn);
        stage.home.make_directory("certificates/next");
        stage.home.put("next", "next.pem", &certificate.pem);
        let old = stage.home.directory(&format!("before-{turn}"));
        fs::rename(&directory, old).unwrap();
        fs::rename(stage.home.directory("next"), &directory).unwrap();
        daemon.shows_state("okta", &certificate, "trusted").await;
        is_watched(&stage, &daemon, &format!("{turn}.pem")).await;
    }
    assert_eq!(missed(&daemon).await, 0.0);
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_directory_that_becomes_a_link_and_a_link_on_the_way_that_leads_elsewhere_are_followed() {
    let (stage, daemon, kept) = keeper("200ms").await;
    let home = &stage.home;
    let directory = home.directory("okta");
    let certificates = ["first", "second", "third"].map(valid);
    for (number, certificate) in certificates.iter().enumerate() {
        home.make_directory(&format!("certificates/target-{number}/in"));
        home.put(
            &format!("target-{number}/in"),
            "there.pem",
            &certificate.pem,
        );
    }
    let target = |number| home.directory(&format!("target-{number}"));

    fs::rename(&directory, home.directory("before")).unwrap();
    symlink(target(0).join("in"), &directory).unwrap();
    daemon
        .shows_state("okta", &certificates[0], "trusted")
        .await;
    is_watched(&stage, &daemon, "through-a-link.pem").await;

    // Now the last step but one is a link.
    let way = home.directory("way");
    symlink(target(1), &way).unwrap();
    replace_link(&way.join("in"), &directory);
    daemon
        .shows_state("okta", &certificates[1], "trusted")
        .await;
    replace_link(&target(2), &way);
    daemon
        .shows_state("okta", &certificates[2], "trusted")
        .await;
    is_watched(&stage, &daemon, "through-two.pem").await;

    // The first one's file is in none of these directories any more, and absence moves nobody to write.
    stage.assert_one_row(&kept);
    let history = stage.sendgrid.history();
    assert_eq!(history.count(Operation::Create), 6, "{history}");
    assert_eq!(history.writes().count(), 6, "{history}");
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_link_on_the_way_that_leads_nowhere_takes_nothing_away() {
    let (stage, daemon, kept) = keeper("200ms").await;
    let home = &stage.home;
    let (directory, aside) = (home.directory("okta"), home.directory("aside"));
    fs::rename(&directory, &aside).unwrap();
    symlink(home.directory("nowhere"), &directory).unwrap();
    is_up(&daemon, false).await;
    let status = daemon.status().await;
    let state = state_of(&status, "okta", kept.fingerprint);
    assert_eq!(state.as_deref(), Some("trusted"));
    replace_link(&aside, &directory);
    is_up(&daemon, true).await;
    is_watched(&stage, &daemon, "after.pem").await;
}

#[tokio::test]
async fn a_kubernetes_volume_is_followed_through_swaps_by_event() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let volume = stage.home.directory("okta");
    let swap = |version: &str, certificate: &Made| {
        stage
            .home
            .make_directory(&format!("certificates/okta/..{version}"));
        stage
            .home
            .put("okta", &format!("..{version}/idp.pem"), &certificate.pem);
        symlink(format!("..{version}"), volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    };
    let [first, second, third, skipped, last] =
        ["first", "second", "third", "skipped", "last"].map(valid);
    swap("1", &first);
    symlink("..data/idp.pem", volume.join("idp.pem")).unwrap();
    let daemon = stage.start().await;
    daemon.shows_state("okta", &first, "trusted").await;
    for (version, certificate) in [("2", &second), ("3", &third)] {
        swap(version, certificate);
        fs::remove_dir_all(volume.join("..1")).ok();
        daemon.shows_state("okta", certificate, "trusted").await;
    }
    swap("4", &skipped);
    swap("5", &last);
    daemon.shows_state("okta", &last, "trusted").await;
    stage.assert_well_behaved();
}

#[tokio::test]
async fn a_renewal_as_certbot_makes_it_is_noticed_by_event() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.make_directory("certificates/archive");
    let live = stage.home.directory("okta");
    let [first, second, third] = ["first", "second", "third"].map(valid);
    stage.home.put("archive", "cert1.pem", &first.pem);
    symlink("../archive/cert1.pem", live.join("cert.pem")).unwrap();
    let daemon = stage.start().await;
    daemon.shows_state("okta", &first, "trusted").await;
    for (name, certificate) in [("cert2.pem", &second), ("cert3.pem", &third)] {
        stage.home.put("archive", name, &certificate.pem);
        fs::remove_file(live.join("cert.pem")).unwrap();
        symlink(format!("../archive/{name}"), live.join("cert.pem")).unwrap();
        daemon.shows_state("okta", certificate, "trusted").await;
    }
}

#[tokio::test]
async fn a_change_that_no_event_tells_of_is_found_by_the_poll_and_counted() {
    let (stage, daemon, _) = keeper("200ms").await;
    let [first, second] = ["first", "second"].map(valid);
    stage.home.write("target.pem", &first.pem, 0o644);
    let link = stage.home.directory("okta").join("link.pem");
    symlink(stage.home.path("target.pem"), &link).unwrap();
    daemon.shows_state("okta", &first, "trusted").await;
    assert_eq!(
        missed(&daemon).await,
        0.0,
        "a link that is made is an event"
    );
    has_looked(&daemon, 3.0).await;
    stage.home.write("target.pem", &second.pem, 0o644);
    daemon.shows_state("okta", &second, "trusted").await;
    daemon
        .measures("sso_certd_watch_missed_changes_total", &[], 1.0)
        .await;
    is_watched(&stage, &daemon, "after.pem").await;
}

#[tokio::test]
async fn what_an_event_tells_of_is_never_counted_as_missed() {
    let (stage, daemon, _) = keeper("60ms").await;
    for number in 0..40 {
        let path = stage.home.directory("okta").join("coming-and-going.pem");
        if number % 2 == 0 {
            stage
                .home
                .put("okta", "coming-and-going.pem", &valid("coming").pem);
        } else {
            fs::remove_file(&path).unwrap();
        }
        sleep(Duration::from_millis(30)).await;
    }
    is_watched(&stage, &daemon, "last.pem").await;
    assert_eq!(missed(&daemon).await, 0.0);
}

#[tokio::test]
async fn two_integrations_that_choose_from_one_directory_are_both_told() {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    let directory = quoted(&stage.home.directory("okta"));
    for (name, id) in [("okta", OKTA), ("adfs", ADFS)] {
        stage.home.set(
            &format!("integration-{name}"),
            &format!(
                "[integrations.{name}]\nintegration_id = \"{id}\"\n\
                 directory = {directory}\nfiles = [\"{name}-*\"]\n"
            ),
        );
    }
    let daemon = stage.start().await;
    daemon.has_compared().await;
    for turn in ["1", "2"] {
        let [okta, adfs] = ["okta", "adfs"].map(valid);
        stage
            .home
            .put("okta", &format!("okta-{turn}.pem"), &okta.pem);
        stage
            .home
            .put("okta", &format!("adfs-{turn}.pem"), &adfs.pem);
        daemon.shows_state("okta", &okta, "trusted").await;
        daemon.shows_state("adfs", &adfs, "trusted").await;
    }
}

// When nothing happens, and when much does.

#[tokio::test]
async fn idle_means_no_look() {
    let (_stage, daemon, _) = keeper("0s").await;
    daemon.has_compared().await;
    let before = looks(&daemon).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        assert_eq!(looks(&daemon).await, before);
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn after_more_events_than_the_queue_holds_nothing_is_lost() {
    let (stage, daemon, _) = keeper("0s").await;
    daemon.has_compared().await;
    let before = looks(&daemon).await;
    daemon.signal(Signal::STOP);
    let directory = stage.home.directory("okta");
    let (one, other) = (directory.join("a.tmp"), directory.join("b.tmp"));
    fs::write(&one, "").unwrap();
    for _ in 0..10_000 {
        fs::rename(&one, &other).unwrap();
        fs::rename(&other, &one).unwrap();
    }
    let certificate = valid("behind");
    stage.home.put("okta", "behind.pem", &certificate.pem);
    daemon.signal(Signal::CONT);
    daemon.shows_state("okta", &certificate, "trusted").await;
    // One for the events, one for the pass, and room for a machine that pauses in between.
    let looks = looks(&daemon).await - before;
    assert!(looks <= 6.0, "{looks}");
    is_watched(&stage, &daemon, "after.pem").await;
}

#[tokio::test]
async fn what_another_directory_did_while_events_were_lost_is_found() {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    for integration in ["okta", "adfs"] {
        let labels = [("integration", integration), OF_OKTA[1]];
        daemon
            .measures("sso_certd_watch_active", &labels, 1.0)
            .await;
    }
    let before = events(&daemon).await;
    daemon.signal(Signal::STOP);
    let directory = stage.home.directory("okta");
    let (one, other) = (directory.join("a.tmp"), directory.join("b.tmp"));
    fs::write(&one, "").unwrap();
    // Each is two events: the queue is full half-way, wherever its limit is.
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let turns = limit.trim().parse::<u32>().unwrap() / 2 + 1_000;
    for _ in 0..turns {
        fs::rename(&one, &other).unwrap();
        fs::rename(&other, &one).unwrap();
    }
    let certificate = valid("behind the others");
    stage.home.put("adfs", "behind.pem", &certificate.pem);
    daemon.signal(Signal::CONT);
    daemon.shows_state("adfs", &certificate, "trusted").await;
    let heard = events(&daemon).await - before;
    let raised = f64::from(turns) * 4.0;
    assert!(heard < raised, "nothing was lost: {heard} of {raised}");
    stage.assert_well_behaved();
}

#[tokio::test]
async fn what_comes_while_the_daemon_starts_is_found() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let certificates: Vec<Made> = (0..20).map(|it| valid(&format!("at-start-{it}"))).collect();
    let mut daemon = stage.spawn(|_| {});
    for (number, certificate) in certificates.iter().enumerate() {
        stage
            .home
            .put("okta", &format!("{number}.pem"), &certificate.pem);
        sleep(Duration::from_millis(15)).await;
    }
    daemon.started().await;
    has_files(&daemon, 20).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_at_the_start_is_taken_when_it_can() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let directory = stage.home.directory("okta");
    fs::remove_dir(&directory).unwrap();
    fs::write(&directory, "not a directory").unwrap();
    let daemon = stage.start().await;
    is_up(&daemon, false).await;
    let status = daemon.status().await;
    assert_eq!(integration(&status, "okta")["source"]["up"], false);
    fs::remove_file(&directory).unwrap();
    stage.home.make_directory("certificates/okta");
    is_up(&daemon, true).await;
    is_watched(&stage, &daemon, "late.pem").await;
}
