//! A person decides: over the daemon's socket, and by themselves where no daemon runs. Every story is told both ways.

use rustix::process::geteuid;
use serde_json::Value;
use tokio::time::Instant;

use crate::certificates::{Made, ending, valid};
use crate::harness::{
    ADFS, Daemon, LIMIT, OKTA, Ran, Stage, at_terminal, exchange, finish, state_of,
};
use crate::simulator::{Exchange, Listening, Operation};

const APPROVAL: &str = "[defaults.trust]\nrequire = \"approval\"\n";

/// A stage where a person decides, with a daemon or without.
struct Desk {
    stage: Stage,
    daemon: Option<Daemon>,
}

impl Desk {
    async fn open(stage: Stage, has_daemon: bool) -> Self {
        let daemon = if has_daemon {
            Some(stage.start().await)
        } else {
            None
        };
        stage.home.ask(&["sync"]).await; // it has seen every file and every row
        Self { stage, daemon }
    }

    /// One integration, with these settings and files, compared once.
    async fn with(settings: &str, files: &[(&str, &Made)], has_daemon: bool) -> Self {
        let stage = Stage::new(&[("okta", OKTA)]).await;
        stage.home.set("settings", settings);
        for (name, certificate) in files {
            stage.home.put("okta", name, &certificate.pem);
        }
        Self::open(stage, has_daemon).await
    }

    async fn ask(&self, arguments: &[&str]) -> Ran {
        self.stage.home.ask(arguments).await
    }

    /// Decides without being asked.
    async fn decide(&self, verb: &str, certificate: &Made, more: &[&str]) -> Ran {
        let hex = certificate.fingerprint.hex();
        let mut arguments = vec![verb, &hex, "--yes"];
        arguments.extend(more);
        self.ask(&arguments).await
    }

    /// The same, and it is done.
    async fn done(&self, verb: &str, certificate: &Made, more: &[&str], told: &str) {
        let ran = self.decide(verb, certificate, more).await;
        assert_eq!((ran.exit, ran.err.as_str()), (0, ""), "{verb}: {ran:?}");
        assert!(ran.out.contains(told), "{verb}: {ran:?}");
    }

    /// Compares until a certificate is shown in this state.
    async fn comes_to(&self, certificate: &Made, state: &str) {
        let until = Instant::now() + LIMIT;
        loop {
            let told = self.synced().await;
            let is_so = |it: &str| it.contains(&certificate.short()) && it.contains(state);
            if told.lines().any(is_so) || self.state(certificate).await.as_deref() == Some(state) {
                return;
            }
            assert!(Instant::now() < until, "not {state}: {told}");
        }
    }

    /// The state by the daemon's status or, without one, by the ledger's.
    async fn state(&self, certificate: &Made) -> Option<String> {
        let status = self.ask(&["status", "--json", "--all"]).await;
        state_of(&status.json(), "okta", certificate.fingerprint)
    }

    /// What a fresh comparison says.
    async fn synced(&self) -> String {
        self.ask(&["sync"]).await.out
    }

    /// The audit trail, oldest first.
    async fn history(&self) -> Vec<Value> {
        let told = self.ask(&["history", "--json"]).await;
        let lines = told.out.lines().rev();
        lines.map(|it| serde_json::from_str(it).unwrap()).collect()
    }

    fn writes(&self) -> Vec<Exchange> {
        self.stage.sendgrid.history().writes().cloned().collect()
    }

    fn enabled(&self, certificate: &Made) -> Vec<bool> {
        let rows = self.stage.sendgrid.rows_with(certificate.fingerprint);
        rows.iter().map(|it| it.enabled).collect()
    }

    /// Nothing went wrong on the way, and a daemon is still well.
    async fn close(mut self) {
        self.stage.assert_well_behaved();
        if let Some(daemon) = self.daemon.take() {
            assert_eq!(daemon.stop().await, 0);
        }
    }
}

/// Whom the audit trail names for who runs these tests.
fn me() -> (String, String) {
    let uid = geteuid().as_raw();
    let user = nix::unistd::User::from_uid(uid.into()).ok().flatten();
    let name = user.map_or_else(|| uid.to_string(), |it| it.name);
    (name, format!("uid {uid}"))
}

#[tokio::test]
async fn what_waits_for_approval_goes_up_once_a_person_approves() {
    for has_daemon in [true, false] {
        let new = valid("new");
        let desk = Desk::with(APPROVAL, &[("new.pem", &new)], has_daemon).await;
        let told = desk.synced().await;
        assert!(told.contains("held"), "{told}");
        assert_eq!(desk.writes().len(), 0);

        let (name, uid) = me();
        let told = format!("Approved by {name}. Uploaded and read back after ");
        desk.done("approve", &new, &["--reason", "CHG0031337"], &told)
            .await;
        desk.stage.assert_one_row(&new);
        let again = desk.decide("approve", &new, &[]).await;
        assert_eq!(again.exit, 1, "{again:?}");
        assert!(again.out.contains("it is at SendGrid already"), "{again:?}");
        let history = desk.history().await;
        let approved = history.iter().find(|it| it["what"] == "approved").unwrap();
        assert_eq!(approved["by"], name);
        assert_eq!(approved["detail"], format!("\"CHG0031337\", {uid}"));
        assert_eq!(approved["fingerprint"], new.fingerprint.hex());
        let accepted = history.iter().find(|it| it["what"] == "accepted").unwrap();
        let detail = accepted["detail"].as_str().unwrap();
        assert!(detail.contains("evidence: approval"), "{detail}");
        desk.close().await;
    }
}

#[tokio::test]
async fn a_word_may_come_before_the_certificate() {
    for has_daemon in [true, false] {
        let (good, bad) = (valid("good"), valid("bad"));
        let desk = Desk::with(APPROVAL, &[], has_daemon).await;
        desk.done("approve", &good, &[], "It was never seen").await;
        desk.done("deny", &bad, &[], "It is not uploaded").await;
        desk.stage.home.put("okta", "good.pem", &good.pem);
        desk.stage.home.put("okta", "bad.pem", &bad.pem);
        desk.ask(&["sync"]).await;
        desk.stage.assert_one_row(&good);
        assert_eq!(desk.writes().len(), 1);
        // Nor does the key of a denied one come in another wrapper.
        desk.stage
            .home
            .put("okta", "renewed.pem", &bad.renewed().pem);
        desk.ask(&["sync"]).await;
        assert_eq!(desk.writes().len(), 1);
        let refused = desk.decide("approve", &bad, &[]).await;
        assert_eq!(refused.exit, 1, "{refused:?}");
        let help = format!("help: sso-certd forget {}", bad.short());
        assert!(refused.out.contains(&help), "{refused:?}");
        desk.close().await;
    }
}

#[tokio::test]
async fn what_was_denied_is_forgotten_and_then_the_configuration_decides() {
    for has_daemon in [true, false] {
        let new = valid("new");
        let desk = Desk::with(APPROVAL, &[("new.pem", &new)], has_daemon).await;
        desk.done("deny", &new, &[], "Denied by").await;
        let told = desk.synced().await;
        assert!(
            told.contains("All well") || told.contains("denied"),
            "{told}"
        );
        desk.done("deny", &new, &[], "Denied before; nothing new")
            .await;
        desk.done("forget", &new, &[], "Now it is held: waits for approval")
            .await;
        let again = desk.decide("forget", &new, &[]).await;
        assert_eq!(again.exit, 1, "{again:?}");
        desk.done("approve", &new, &[], "SendGrid trusts it").await;
        let words: Vec<Value> = desk
            .history()
            .await
            .into_iter()
            .map(|it| it["what"].clone())
            .collect();
        for word in ["denied", "forgotten", "approved", "trusted"] {
            assert!(words.contains(&word.into()), "{word}: {words:?}");
        }
        desk.close().await;
    }
}

#[tokio::test]
async fn what_somebody_removed_comes_back_when_a_person_restores_it() {
    for has_daemon in [true, false] {
        let (ours, other) = (valid("ours"), valid("other"));
        let files = [("ours.pem", &ours), ("other.pem", &other)];
        let desk = Desk::with("", &files, has_daemon).await;
        let id = desk.stage.sendgrid.rows_with(ours.fingerprint)[0].id;
        desk.stage.sendgrid.remove_row(id);
        desk.comes_to(&ours, "removed").await;
        assert_eq!(desk.writes().len(), 2);
        desk.done("restore", &ours, &[], "Uploaded and read back after")
            .await;
        desk.stage.assert_one_row(&ours);
        desk.comes_to(&ours, "trusted").await;
        assert_eq!(desk.writes().len(), 3);
        desk.close().await;
    }
}

#[tokio::test]
async fn a_removed_one_that_is_denied_stays_away() {
    for has_daemon in [true, false] {
        let (ours, other) = (valid("ours"), valid("other"));
        let files = [("ours.pem", &ours), ("other.pem", &other)];
        let desk = Desk::with("", &files, has_daemon).await;
        let id = desk.stage.sendgrid.rows_with(ours.fingerprint)[0].id;
        desk.stage.sendgrid.remove_row(id);
        desk.comes_to(&ours, "removed").await;
        desk.done("deny", &ours, &[], "It is not uploaded").await;
        desk.ask(&["sync"]).await;
        let refused = desk.decide("restore", &ours, &[]).await;
        assert_eq!(refused.exit, 1, "{refused:?}");
        assert_eq!(desk.writes().len(), 2);
        desk.close().await;
    }
}

#[tokio::test]
async fn what_is_found_becomes_ours_by_one_patch() {
    for has_daemon in [true, false] {
        let found = valid("found");
        let stage = Stage::new(&[("okta", OKTA)]).await;
        stage.sendgrid.add_row(OKTA, &found.der, false);
        stage.home.put("okta", "found.pem", &found.pem);
        let desk = Desk::open(stage, has_daemon).await;
        desk.comes_to(&found, "found").await;
        let not_ours = desk.decide("retire", &found, &[]).await;
        assert_eq!(not_ours.exit, 1, "{not_ours:?}");
        assert!(not_ours.out.contains("it is not ours"), "{not_ours:?}");
        assert_eq!(desk.writes().len(), 0);

        desk.done("adopt", &found, &[], "Enabled after").await;
        desk.comes_to(&found, "trusted").await;
        let writes = desk.writes();
        assert_eq!(writes.len(), 1, "{writes:?}");
        assert_eq!(writes[0].operation, Operation::Update);
        assert_eq!(writes[0].fields, ["enabled"]);
        assert_eq!(writes[0].enabled, Some(true));
        assert_eq!(desk.enabled(&found), [true]);
        let again = desk.decide("adopt", &found, &[]).await;
        assert!(again.out.contains("it is ours already"), "{again:?}");
        desk.close().await;
    }
}

#[tokio::test]
async fn strangers_are_acknowledged_and_heard_of_no_more() {
    for has_daemon in [true, false] {
        let (before, after, ours) = (valid("before"), valid("after"), valid("ours"));
        let stage = Stage::new(&[("okta", OKTA)]).await;
        stage.sendgrid.add_row(OKTA, &before.der, true);
        stage.home.put("okta", "ours.pem", &ours.pem);
        let desk = Desk::open(stage, has_daemon).await;
        desk.comes_to(&before, "inherited").await;
        desk.stage.sendgrid.add_row(OKTA, &after.der, true);
        desk.comes_to(&after, "unmanaged").await;
        for stranger in [&before, &after] {
            desk.done("acknowledge", stranger, &[], "no more is said of it")
                .await;
            desk.comes_to(stranger, "acknowledged").await;
        }
        let told = desk.synced().await;
        assert!(told.contains("All well"), "{told}");
        let no_stranger = desk.decide("acknowledge", &ours, &[]).await;
        assert_eq!(no_stranger.exit, 1, "{no_stranger:?}");
        desk.done("forget", &after, &[], "Now it is unmanaged")
            .await;
        desk.done("deny", &after, &[], "until somebody deletes it")
            .await;
        assert_eq!(desk.writes().len(), 1);
        desk.close().await;
    }
}

#[tokio::test]
async fn nothing_is_written_while_paused_and_all_of_it_after() {
    for has_daemon in [true, false] {
        let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
        let desk = Desk::open(stage, has_daemon).await;
        let paused = desk.ask(&["pause", "--yes", "--reason", "window 7"]).await;
        assert_eq!(paused.exit, 0, "{paused:?}");
        assert!(paused.out.contains(": adfs, okta."), "{paused:?}");
        let again = desk.ask(&["pause", "okta", "--yes"]).await;
        assert!(again.out.contains("Paused before: okta"), "{again:?}");
        let (okta, adfs) = (valid("okta"), valid("adfs"));
        desk.stage.home.put("okta", "okta.pem", &okta.pem);
        desk.stage.home.put("adfs", "adfs.pem", &adfs.pem);
        let told = desk.synced().await;
        assert!(told.contains("held"), "{told}");
        assert_eq!(desk.writes().len(), 0);

        let resumed = desk.ask(&["resume", "okta", "--yes"]).await;
        assert_eq!(resumed.exit, 0, "{resumed:?}");
        let uploaded = format!("okta: {} uploaded after", okta.short());
        assert!(resumed.out.contains(&uploaded), "{resumed:?}");
        desk.stage.assert_one_row(&okta);
        assert!(desk.enabled(&adfs).is_empty());
        let resumed = desk.ask(&["resume", "--yes"]).await;
        assert!(resumed.out.contains("Not paused: okta"), "{resumed:?}");
        desk.stage.assert_one_row(&adfs);
        let details: Vec<String> = desk
            .history()
            .await
            .iter()
            .map(|it| format!("{} {}", it["what"], it["detail"]))
            .collect();
        let paused = details
            .iter()
            .filter(|it| it.contains("paused") && it.contains("window 7"));
        assert_eq!(paused.count(), 2, "{details:?}");
        desk.close().await;
    }
}

#[tokio::test]
async fn the_last_valid_one_is_not_retired_and_another_one_is_and_comes_back() {
    for has_daemon in [true, false] {
        let (old, new) = (ending("old", 2047), ending("new", 2048));
        let desk = Desk::with("", &[("old.pem", &old)], has_daemon).await;
        for how in [&[][..], &["--disable"], &["--delete"]] {
            let last = desk.decide("retire", &old, how).await;
            assert_eq!(last.exit, 1, "{last:?}");
            let told = format!(
                "Not retired: {} is the last valid certificate of okta",
                old.short()
            );
            assert!(last.out.contains(&told), "{last:?}");
        }
        desk.ask(&["sync"]).await;
        assert_eq!(desk.writes().len(), 1, "and nothing of it was kept");

        desk.stage.home.put("okta", "new.pem", &new.pem);
        desk.comes_to(&new, "trusted").await;
        desk.done("retire", &old, &[], "Disabled at SendGrid after")
            .await;
        assert_eq!(desk.enabled(&old), [false]);
        desk.comes_to(&old, "disabled").await;
        assert_eq!(desk.writes().len(), 3, "though its file is still there");
        let again = desk.decide("retire", &old, &[]).await;
        assert_eq!(again.exit, 1, "{again:?}");
        desk.done("restore", &old, &[], "Enabled after").await;
        assert_eq!(desk.enabled(&old), [true]);
        let writes = desk.writes();
        assert_eq!(writes[2].fields, ["enabled"], "{writes:?}");
        assert_eq!(writes[3].fields, ["enabled"], "{writes:?}");
        // Another one within a day waits, and says until when.
        desk.done(
            "retire",
            &old,
            &["--delete"],
            "It stays as long as this is so",
        )
        .await;
        assert_eq!(desk.writes().len(), 4);
        desk.close().await;
    }
}

#[tokio::test]
async fn a_retired_one_is_deleted_on_request_and_restored_from_the_ledger() {
    for has_daemon in [true, false] {
        let (old, new) = (ending("old", 2047), ending("new", 2048));
        let files = [("old.pem", &old), ("new.pem", &new)];
        let desk = Desk::with("", &files, has_daemon).await;
        desk.stage.home.take("okta", "old.pem");
        desk.done("retire", &old, &["--delete"], "Deleted at SendGrid")
            .await;
        assert!(desk.enabled(&old).is_empty());
        assert_eq!(desk.writes()[2].operation, Operation::Delete);
        desk.done("restore", &old, &[], "Uploaded and read back after")
            .await;
        desk.stage.assert_one_row(&old);
        desk.stage.assert_one_row(&new);
        desk.close().await;
    }
}

#[tokio::test]
async fn what_is_only_observed_is_not_retired_and_what_is_decided_waits() {
    for has_daemon in [true, false] {
        let new = valid("new");
        let observe = "[defaults]\nmode = \"observe\"\n[defaults.trust]\nrequire = \"approval\"\n";
        let desk = Desk::with(observe, &[("new.pem", &new)], has_daemon).await;
        desk.done(
            "approve",
            &new,
            &[],
            "mode is \"observe\": nothing is written",
        )
        .await;
        assert_eq!(desk.writes().len(), 0);
        desk.close().await;
    }
}

#[tokio::test]
async fn a_decision_is_recorded_though_sendgrid_is_away() {
    for has_daemon in [true, false] {
        let new = valid("new");
        let desk = Desk::with(APPROVAL, &[("new.pem", &new)], has_daemon).await;
        desk.stage.sendgrid.listen(Listening::Closed).await;
        desk.done(
            "approve",
            &new,
            &[],
            "Recorded; SendGrid could not be asked: ",
        )
        .await;
        desk.stage.sendgrid.listen(Listening::Open).await;
        desk.comes_to(&new, "trusted").await;
        desk.stage.assert_one_row(&new);
        desk.close().await;
    }
}

#[tokio::test]
async fn a_forbidden_patch_says_which_scope_is_missing() {
    for has_daemon in [true, false] {
        let (old, new) = (ending("old", 2047), ending("new", 2048));
        let files = [("old.pem", &old), ("new.pem", &new)];
        let desk = Desk::with("", &files, has_daemon).await;
        let scopes = ["sso.settings.read", "sso.settings.create"];
        desk.stage.sendgrid.set_scopes("default", 1, &scopes);
        let told = desk.decide("retire", &old, &[]).await;
        assert_eq!(told.exit, 0, "{told:?}");
        assert!(told.out.contains("sso.settings.update"), "{told:?}");
        assert_eq!(desk.enabled(&old), [true]);
        desk.close().await;
    }
}

#[tokio::test]
async fn a_shortened_fingerprint_is_enough_where_it_is_unique_and_harmless() {
    for has_daemon in [true, false] {
        let all: Vec<Made> = (0..20).map(|it| valid(&format!("number {it}"))).collect();
        let names: Vec<String> = (0..20).map(|it| format!("{it}.pem")).collect();
        let files: Vec<(&str, &Made)> = names.iter().map(String::as_str).zip(&all).collect();
        let desk = Desk::with(APPROVAL, &files, has_daemon).await;
        let hex: Vec<String> = all.iter().map(|it| it.fingerprint.hex()).collect();

        // Of twenty, two begin with the same digit.
        let digit = hex
            .iter()
            .map(|it| &it[..1])
            .find(|digit| hex.iter().filter(|it| it.starts_with(*digit)).count() > 1);
        let digit = digit.unwrap();
        let ambiguous = desk.ask(&["deny", digit, "--yes"]).await;
        assert_eq!(ambiguous.exit, 1, "{ambiguous:?}");
        assert!(
            ambiguous.err.contains(&format!("{digit} fits ")),
            "{ambiguous:?}"
        );
        for it in all
            .iter()
            .filter(|it| it.fingerprint.hex().starts_with(digit))
        {
            assert!(
                ambiguous.err.contains(&format!("{} (okta)", it.short())),
                "{ambiguous:?}"
            );
        }

        for verb in ["approve", "adopt", "restore"] {
            let short = desk.ask(&[verb, &hex[0][..16], "--yes"]).await;
            assert_eq!(short.exit, 64, "{short:?}");
            assert!(short.err.contains("all 64 digits"), "{short:?}");
        }
        let colons = format!("{}:{}", &hex[0][..8].to_uppercase(), &hex[0][8..12]);
        let denied = desk.ask(&["deny", &colons, "--yes"]).await;
        assert_eq!(denied.exit, 0, "{denied:?}");

        let mut unknown = hex[1][..12].to_owned();
        unknown.push(if hex[1].as_bytes()[12] == b'0' {
            '1'
        } else {
            '0'
        });
        let missed = desk.ask(&["deny", &unknown, "--yes"]).await;
        assert_eq!(missed.exit, 1, "{missed:?}");
        assert!(
            missed
                .err
                .contains(&format!("near: {} (okta)", all[1].short())),
            "{missed:?}"
        );
        assert_eq!(desk.writes().len(), 0);
        desk.close().await;
    }
}

#[tokio::test]
async fn what_is_in_two_integrations_wants_a_name() {
    for has_daemon in [true, false] {
        let (both, unseen) = (valid("both"), valid("unseen"));
        let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
        stage.home.set("settings", APPROVAL);
        stage.home.put("okta", "both.pem", &both.pem);
        stage.home.put("adfs", "both.pem", &both.pem);
        let desk = Desk::open(stage, has_daemon).await;
        for certificate in [&both, &unseen] {
            let which = desk.decide("approve", certificate, &[]).await;
            assert_eq!(which.exit, 64, "{which:?}");
            assert!(which.err.contains("adfs, okta"), "{which:?}");
        }
        desk.done("approve", &both, &["adfs"], "SendGrid trusts it")
            .await;
        let rows = desk.stage.sendgrid.rows();
        assert_eq!((rows.len(), rows[0].integration.as_str()), (1, ADFS));
        let wrong = desk.decide("approve", &both, &["okat"]).await;
        assert_eq!(wrong.exit, 64, "{wrong:?}");
        desk.done("deny", &unseen, &["okta"], "It is not uploaded")
            .await;
        desk.close().await;
    }
}

#[tokio::test]
async fn wrong_words_exit_with_64_and_change_nothing() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let hex = valid("any").fingerprint.hex();
    let long = "x".repeat(201);
    for (arguments, told) in [
        (
            &["approve", &hex[..]][..],
            "--yes decides without being asked",
        ),
        (&["pause"], "--yes"),
        (&["deny", &hex[..40], "--yes"], "SHA-1 thumbprint"),
        (&["deny", "xyz", "--yes"], "hexadecimal digits"),
        (&["deny", &hex, "--yes", "--reason", "a\nb"], "one line"),
        (&["deny", &hex, "--yes", "--reason", &long], "at most 200"),
        (
            &["retire", &hex, "--yes", "--disable", "--delete"],
            "--delete",
        ),
        (&["approve"], "FINGERPRINT"),
    ] {
        let ran = stage.home.ask(arguments).await;
        assert_eq!(ran.exit, 64, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(told), "{arguments:?}: {ran:?}");
    }
    assert!(!stage.home.state().exists());
}

#[tokio::test]
async fn a_terminal_asks_and_only_a_yes_decides() {
    for has_daemon in [true, false] {
        let new = valid("new");
        let desk = Desk::with(APPROVAL, &[("new.pem", &new)], has_daemon).await;
        let short = new.short();
        for answer in ["no", "", "y", "YES please"] {
            let ran = at_terminal(desk.stage.home.command(&["approve", &short]), answer).await;
            assert_eq!(ran.exit, 1, "{ran:?}");
            assert!(ran.out.ends_with("Nothing was decided.\n"), "{ran:?}");
        }
        let history = desk.history().await;
        assert!(history.iter().all(|it| it["what"] != "approved"));
        assert_eq!(desk.writes().len(), 0);

        let command = desk
            .stage
            .home
            .command(&["approve", &short, "--reason", "CHG1"]);
        let ran = at_terminal(command, "yes").await;
        assert_eq!(ran.exit, 0, "{ran:?}");
        let lines: Vec<&str> = ran.out.lines().collect();
        let grouped = new.fingerprint.grouped();
        assert_eq!(
            lines[..3],
            [
                "okta: trust this key to sign in as any user of SendGrid account default?",
                "  CN=new, 2024-01-01 to 2048-01-01",
                &format!("  SHA-256     {grouped}"),
            ]
        );
        assert!(lines[3].starts_with("  thumbprint  "), "{ran:?}");
        assert_eq!(
            lines[4],
            "Type \"yes\" if the identity provider shows the same: yes"
        );
        let (name, _) = me();
        let told = format!("✓ Approved by {name}. Uploaded and read back after ");
        assert!(lines[5].starts_with(&told), "{ran:?}");
        assert!(lines[5].ends_with(": SendGrid trusts it."), "{ran:?}");

        // Every other question says what will happen, and is left unanswered by a no.
        for (arguments, told) in [
            (&["retire", &short][..], "last valid certificate"),
            (&["deny", &short], "It is at SendGrid, and stays there"),
            (&["forget", &short], "It is approved. From then on"),
            (&["pause"], "Pause okta? Nothing is written"),
            (&["resume", "okta"], "Resume okta?"),
        ] {
            let ran = at_terminal(desk.stage.home.command(arguments), "no").await;
            assert_eq!(ran.exit, 1, "{ran:?}");
            assert!(ran.out.contains(told), "{arguments:?}: {ran:?}");
        }
        let paused = at_terminal(desk.stage.home.command(&["pause"]), "yes").await;
        assert_eq!(paused.exit, 0, "{paused:?}");
        desk.close().await;
    }
}

#[tokio::test]
async fn root_may_claim_who_they_were_and_nobody_else_may() {
    for has_daemon in [true, false] {
        let new = valid("new");
        let desk = Desk::with(APPROVAL, &[], has_daemon).await;
        let hex = new.fingerprint.hex();
        let mut command = desk.stage.home.command(&["deny", &hex, "--yes"]);
        command.env("SUDO_USER", "alice\u{1b}[31m");
        let ran = finish(command).await;
        assert_eq!(ran.exit, 0, "{ran:?}");
        let (name, uid) = me();
        let history = desk.history().await;
        let denied = history.iter().find(|it| it["what"] == "denied").unwrap();
        let by = if geteuid().is_root() {
            "alice\\u{1b}[31m (claimed)".to_owned()
        } else {
            name
        };
        assert_eq!(
            (denied["by"].as_str(), &denied["detail"]),
            (
                Some(by.as_str()),
                &format!("before it was seen, {uid}").into()
            )
        );
        desk.close().await;
    }
}

#[tokio::test]
async fn an_orphan_is_dropped_from_the_books() {
    for has_daemon in [true, false] {
        let (orphan, stays) = (valid("orphan"), valid("stays"));
        let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
        stage.home.put("adfs", "orphan.pem", &orphan.pem);
        stage.home.put("okta", "stays.pem", &stays.pem);
        let daemon = stage.start().await;
        daemon.shows_state("adfs", &orphan, "trusted").await;
        assert_eq!(daemon.stop().await, 0);
        std::fs::remove_file(stage.home.path("conf.d/integration-adfs.toml")).unwrap();
        let desk = Desk::open(stage, has_daemon).await;

        let wrong = desk.decide("retire", &orphan, &[]).await;
        assert_eq!(wrong.exit, 1, "{wrong:?}");
        assert!(
            wrong.err.contains("which is no longer configured"),
            "{wrong:?}"
        );
        let command = desk.stage.home.command(&["forget", &orphan.short()]);
        let ran = at_terminal(command, "yes").await;
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert!(
            ran.out.contains("The books of adfs know it no more"),
            "{ran:?}"
        );
        let again = desk.decide("forget", &orphan, &[]).await;
        assert_eq!(again.exit, 1, "{again:?}");
        desk.stage.assert_one_row(&orphan);
        desk.close().await;
    }
}

#[tokio::test]
async fn the_listener_takes_no_decision() {
    let new = valid("new");
    let desk = Desk::with(APPROVAL, &[("new.pem", &new)], true).await;
    let daemon = desk.daemon.as_ref().unwrap();
    let address = daemon.address();
    let word = r#"{"reason":null,"sudo_user":null,"is_confirmed":true}"#;
    let about = format!(
        r#"{{"decide":{{"decision":"approve","fingerprint":"{}","integration":null,"word":{word}}}}}"#,
        new.fingerprint.hex()
    );
    let pause = format!(r#"{{"pause":{{"is_paused":true,"word":{word}}}}}"#);
    for verb in [about, pause] {
        let body = format!(
            r#"{{"verb":{verb},"names":[],"json":false,"width":80,"color":false,"utf8":true}}"#
        );
        let request = format!(
            "POST /ask HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        let (code, answer) = exchange(address, &request).await.unwrap();
        assert_eq!(code, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["exit"], 77, "{answer}");
        assert!(
            answer["notes"]
                .as_str()
                .unwrap()
                .contains("only the control socket")
        );
    }
    let history = desk.history().await;
    assert!(
        history
            .iter()
            .all(|it| it["what"] != "approved" && it["what"] != "paused")
    );
    assert_eq!(desk.writes().len(), 0);
    desk.close().await;
}

#[tokio::test]
async fn who_holds_the_ledger_and_does_not_answer_keeps_decisions_out() {
    let new = valid("new");
    let desk = Desk::with(APPROVAL, &[("new.pem", &new)], true).await;
    let daemon = desk.daemon.as_ref().unwrap();
    // It would make its socket anew.
    daemon.signal(rustix::process::Signal::STOP);
    std::fs::remove_file(desk.stage.home.state().join("control.sock")).unwrap();
    let held = desk.decide("approve", &new, &[]).await;
    assert_eq!(held.exit, 75, "{held:?}");
    assert_eq!(desk.writes().len(), 0);
    daemon.signal(rustix::process::Signal::CONT);
    assert_eq!(desk.daemon.unwrap().stop().await, 0);
}

#[tokio::test]
async fn root_decides_under_its_own_name_and_leaves_no_file_of_its_own() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    if !geteuid().is_root() {
        return; // only root can become somebody else
    }
    let new = valid("new");
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set("settings", APPROVAL);
    stage.home.put("okta", "new.pem", &new.pem);
    stage.home.open_to_all();
    std::fs::create_dir(stage.home.state()).unwrap();
    chown(stage.home.state(), Some(65_534), Some(65_534)).unwrap();
    // The key is root's alone, and is still at hand when the question has been answered.
    let hex = new.fingerprint.hex();
    let ran = at_terminal(stage.home.command(&["approve", &hex]), "yes").await;
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.out.contains("SendGrid trusts it"), "{ran:?}");
    stage.assert_one_row(&new);
    for entry in std::fs::read_dir(stage.home.state()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().uid(), 65_534, "{entry:?}");
    }
    let told = stage.home.ask(&["history", "--json"]).await;
    let approved = told
        .out
        .lines()
        .find(|it| it.contains("\"approved\""))
        .unwrap();
    assert!(approved.contains("\"by\":\"root\""), "{approved}");
    assert!(approved.contains("uid 0"), "{approved}");
}
