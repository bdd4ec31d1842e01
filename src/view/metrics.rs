//! The metrics that are a function of the snapshot, as plain values.
//!
//! Label sets are closed. A series of what is gone is gone with the next snapshot; what is unknown has none. Counters
//! and histograms are kept where things happen, not here.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::text::printable;
use crate::domain::{FileVerdict, Look, Timestamp};
use crate::plan::outlook::Outlook;
use crate::plan::state::State;

use super::alarms::{Alarm, alarms, attention, deadline};
use super::metric_family::{Family, Labels, Sheet};
use super::snapshot::{AccountSnapshot, IntegrationSnapshot, Snapshot};
use super::standing::{items, pause};

/// Characters kept of a subject or an issuer in a label.
const LABEL_LENGTH: usize = 120;

/// Every family that is a function of the snapshot. Families without a series are left out.
pub fn metrics(snapshot: &Snapshot, now: Timestamp) -> Vec<Family> {
    let alarms = alarms(snapshot, now);
    let mut sheet = Sheet::default();
    daemon(&mut sheet, snapshot);
    for it in snapshot.integrations.values() {
        integration(&mut sheet, it, &alarms);
        certificates(&mut sheet, it);
        source(&mut sheet, it);
    }
    for it in snapshot.accounts.values() {
        account(&mut sheet, it);
    }
    sheet.families()
}

fn daemon(sheet: &mut Sheet, snapshot: &Snapshot) {
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    sheet.set("sso_certd_build_info", version, 1.0);
    sheet.flag(
        "sso_certd_config_last_reload_successful",
        Vec::new(),
        snapshot.reload.is_ok,
    );
    sheet.time(
        "sso_certd_config_last_reload_success_timestamp_seconds",
        Vec::new(),
        Some(snapshot.reload.succeeded_at),
    );
    sheet.time(
        "sso_certd_schedule_next_run_timestamp_seconds",
        Vec::new(),
        snapshot.schedule.next_run,
    );
    sheet.time(
        "sso_certd_schedule_last_due_timestamp_seconds",
        Vec::new(),
        snapshot.schedule.last_due,
    );
    sheet.flag(
        "sso_certd_ledger_writable",
        Vec::new(),
        snapshot.ledger_failure.is_none(),
    );
}

fn integration(sheet: &mut Sheet, it: &IntegrationSnapshot, alarms: &[Alarm]) {
    let labels = || labels(it);
    let info = with(
        labels(),
        [
            ("integration_id", it.integration_id.to_string()),
            ("mode", it.mode.word().to_owned()),
        ],
    );
    sheet.set("sso_certd_integration_info", info, 1.0);
    sheet.time(
        "sso_certd_integration_deadline_timestamp_seconds",
        labels(),
        deadline(alarms, it),
    );
    for reason in attention(alarms, it) {
        let labels = with(labels(), [("reason", reason.word().to_owned())]);
        sheet.set("sso_certd_integration_attention", labels, 1.0);
    }
    sheet.flag(
        "sso_certd_integration_paused",
        labels(),
        pause(it).is_some(),
    );
    sheet.time(
        "sso_certd_integration_reconcile_last_success_timestamp_seconds",
        labels(),
        it.compared_at,
    );
    if let Some(plan) = &it.plan {
        outlook(sheet, it, &plan.outlook);
    }
}

fn outlook(sheet: &mut Sheet, it: &IntegrationSnapshot, outlook: &Outlook) {
    let labels = || labels(it);
    sheet.flag("sso_certd_integration_in_step", labels(), outlook.in_step);
    sheet.count(
        "sso_certd_integration_trusted_certificates",
        labels(),
        outlook.trusted,
    );
    sheet.time(
        "sso_certd_integration_latest_expiry_timestamp_seconds",
        labels(),
        outlook.latest_expiry,
    );
    sheet.flag(
        "sso_certd_integration_successor_known",
        labels(),
        outlook.successor_known,
    );
    sheet.time(
        "sso_certd_integration_successor_due_timestamp_seconds",
        labels(),
        outlook.successor_due,
    );
    sheet.count(
        "sso_certd_integration_valid_certificates",
        labels(),
        outlook.valid,
    );
    sheet.time(
        "sso_certd_integration_valid_until_timestamp_seconds",
        labels(),
        outlook.trust.valid_until,
    );
    sheet.count(
        "sso_certd_integration_certificates_withheld",
        labels(),
        outlook.withheld,
    );
    sheet.count(
        "sso_certd_integration_open_intents",
        labels(),
        outlook.open_intents,
    );
    sheet.count(
        "sso_certd_approvals_pending",
        labels(),
        outlook.approvals_pending,
    );
    sheet.time(
        "sso_certd_approval_oldest_pending_timestamp_seconds",
        labels(),
        outlook.oldest_pending,
    );
}

fn certificates(sheet: &mut Sheet, it: &IntegrationSnapshot) {
    let mut states: BTreeMap<State, usize> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for item in items(it).iter().filter(|it| it.state != State::Orphaned) {
        *states.entry(item.state).or_default() += 1;
        let Some(certificate) = &item.certificate else {
            continue;
        };
        if !told.insert(certificate.fingerprint()) {
            continue; // a surplus row of the same certificate
        }
        let fingerprint = ("fingerprint", certificate.fingerprint().short());
        let labels = with(labels(it), [fingerprint]);
        sheet.time(
            "sso_certd_certificate_not_after_timestamp_seconds",
            labels.clone(),
            Some(certificate.validity().not_after),
        );
        sheet.time(
            "sso_certd_certificate_not_before_timestamp_seconds",
            labels.clone(),
            Some(certificate.validity().not_before),
        );
        let info = with(
            labels,
            [
                ("subject", printable(certificate.subject(), LABEL_LENGTH)),
                ("issuer", printable(certificate.issuer(), LABEL_LENGTH)),
                ("serial", certificate.serial().to_owned()),
            ],
        );
        sheet.set("sso_certd_certificate_info", info, 1.0);
    }
    for (state, number) in states {
        let labels = with(labels(it), [("state", state.word().to_owned())]);
        sheet.count("sso_certd_certificates", labels, number);
    }
}

fn source(sheet: &mut Sheet, it: &IntegrationSnapshot) {
    let source = &it.source;
    sheet.flag("sso_certd_watch_active", labels(it), source.is_watched);
    sheet.time(
        "sso_certd_source_last_scan_timestamp_seconds",
        labels(it),
        source.looked_at,
    );
    if let Some(look) = &source.look {
        sheet.flag("sso_certd_source_up", labels(it), look.is_ok());
    }
    if let Some(Ok(look)) = &source.look {
        files(sheet, it, look);
    }
}

fn files(sheet: &mut Sheet, it: &IntegrationSnapshot, look: &Look) {
    let refused = |it: &FileVerdict| matches!(it, FileVerdict::Refused { .. });
    let number = |wanted: fn(&FileVerdict) -> bool| {
        look.files.iter().filter(|it| wanted(&it.verdict)).count()
    };
    let by_status = [
        ("accepted", number(FileVerdict::is_accepted)),
        ("refused", number(refused) + look.surplus.count),
        (
            "ignored",
            number(FileVerdict::is_ignored) + look.ignored.count,
        ),
    ];
    for (status, number) in by_status {
        let labels = with(labels(it), [("status", status.to_owned())]);
        sheet.count("sso_certd_source_files", labels, number);
    }
    let mut reasons: BTreeMap<_, usize> = BTreeMap::new();
    for (_, refusal) in look.refusals() {
        *reasons.entry(refusal.reason).or_default() += 1;
    }
    for (reason, number) in reasons {
        let labels = with(labels(it), [("reason", reason.code().to_owned())]);
        sheet.count("sso_certd_source_refused_files", labels, number);
    }
}

fn account(sheet: &mut Sheet, it: &AccountSnapshot) {
    let labels = || vec![("account", it.name.to_string())];
    let whole = |it: u64| f64::from(u32::try_from(it).unwrap_or(u32::MAX));
    if let Some(limit) = it.rate_limit {
        sheet.set("sso_certd_api_rate_limit_requests", labels(), whole(limit));
    }
    if let Some(remaining) = it.rate_remaining {
        sheet.set(
            "sso_certd_api_rate_limit_remaining_requests",
            labels(),
            whole(remaining),
        );
    }
    sheet.time(
        "sso_certd_api_rate_limit_reset_timestamp_seconds",
        labels(),
        it.rate_reset,
    );
    sheet.time(
        "sso_certd_api_backoff_until_timestamp_seconds",
        labels(),
        it.backoff.as_ref().map(|it| it.until),
    );
    if let Some(skew) = it.clock_skew {
        sheet.set("sso_certd_api_clock_skew_seconds", labels(), skew);
    }
    if let Some(is_valid) = it.key_valid {
        sheet.flag("sso_certd_api_key_valid", labels(), is_valid);
    }
}

fn labels(it: &IntegrationSnapshot) -> Labels {
    vec![
        ("integration", it.name.to_string()),
        ("account", it.account.to_string()),
    ]
}

fn with<const N: usize>(mut labels: Labels, more: [(&'static str, String); N]) -> Labels {
    labels.extend(more);
    labels
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::expect;

    use super::*;
    use crate::domain::{Reason, Refusal, SourceError};
    use crate::plan::why::Why;
    use crate::view::snapshot::Snapshot;
    use crate::view::testing::{
        adfs, adfs_next, at, certificate, integration, item, now, okta, orphan, paused,
        refused_file, snapshot, with_look,
    };

    fn text(snapshot: &Snapshot) -> String {
        let mut out = String::new();
        for family in metrics(snapshot, now()) {
            for sample in family.samples {
                let labels: Vec<String> = sample
                    .labels
                    .iter()
                    .map(|(name, value)| format!("{name}={value:?}"))
                    .collect();
                writeln!(
                    out,
                    "{}{{{}}} {}",
                    family.name,
                    labels.join(","),
                    sample.value
                )
                .unwrap();
            }
        }
        out.replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn a_healthy_integration_has_these_series() {
        let it = integration(
            "adfs",
            vec![
                item(State::Trusted, &adfs_next()),
                item(State::Trusted, &adfs()),
            ],
        );
        expect![[r#"
            sso_certd_build_info{version="VERSION"} 1
            sso_certd_config_last_reload_successful{} 1
            sso_certd_config_last_reload_success_timestamp_seconds{} 1791962411
            sso_certd_integration_info{integration="adfs",account="default",integration_id="b0b98502-9408-4b24-9e3d-31ed7cb15312",mode="manage"} 1
            sso_certd_integration_in_step{integration="adfs",account="default"} 1
            sso_certd_integration_trusted_certificates{integration="adfs",account="default"} 2
            sso_certd_integration_latest_expiry_timestamp_seconds{integration="adfs",account="default"} 1827014400
            sso_certd_integration_valid_certificates{integration="adfs",account="default"} 2
            sso_certd_integration_valid_until_timestamp_seconds{integration="adfs",account="default"} 1827014400
            sso_certd_integration_certificates_withheld{integration="adfs",account="default"} 0
            sso_certd_integration_successor_known{integration="adfs",account="default"} 1
            sso_certd_integration_successor_due_timestamp_seconds{integration="adfs",account="default"} 1823126400
            sso_certd_integration_paused{integration="adfs",account="default"} 0
            sso_certd_integration_open_intents{integration="adfs",account="default"} 0
            sso_certd_integration_reconcile_last_success_timestamp_seconds{integration="adfs",account="default"} 1795511400
            sso_certd_approvals_pending{integration="adfs",account="default"} 0
            sso_certd_certificates{integration="adfs",account="default",state="trusted"} 2
            sso_certd_certificate_not_after_timestamp_seconds{integration="adfs",account="default",fingerprint="d49e9ef2931aaea1"} 1827014400
            sso_certd_certificate_not_after_timestamp_seconds{integration="adfs",account="default",fingerprint="faee618c2cd6e62b"} 1797206400
            sso_certd_certificate_not_before_timestamp_seconds{integration="adfs",account="default",fingerprint="d49e9ef2931aaea1"} 1795478400
            sso_certd_certificate_not_before_timestamp_seconds{integration="adfs",account="default",fingerprint="faee618c2cd6e62b"} 1763942400
            sso_certd_certificate_info{integration="adfs",account="default",fingerprint="d49e9ef2931aaea1",subject="CN=ADFS Signing - sts.example.com",issuer="CN=ADFS Signing - sts.example.com",serial="01:95:56"} 1
            sso_certd_certificate_info{integration="adfs",account="default",fingerprint="faee618c2cd6e62b",subject="CN=ADFS Signing - sts.example.com",issuer="CN=ADFS Signing - sts.example.com",serial="01:95:56"} 1
            sso_certd_source_up{integration="adfs",account="default"} 1
            sso_certd_source_last_scan_timestamp_seconds{integration="adfs",account="default"} 1795511630
            sso_certd_source_files{integration="adfs",account="default",status="accepted"} 0
            sso_certd_source_files{integration="adfs",account="default",status="refused"} 0
            sso_certd_source_files{integration="adfs",account="default",status="ignored"} 0
            sso_certd_watch_active{integration="adfs",account="default"} 1
            sso_certd_api_rate_limit_requests{account="default"} 600
            sso_certd_api_rate_limit_remaining_requests{account="default"} 597
            sso_certd_api_rate_limit_reset_timestamp_seconds{account="default"} 1795511700
            sso_certd_api_clock_skew_seconds{account="default"} 0.25
            sso_certd_api_key_valid{account="default"} 1
            sso_certd_schedule_next_run_timestamp_seconds{} 1795514400
            sso_certd_schedule_last_due_timestamp_seconds{} 1795510800
            sso_certd_ledger_writable{} 1
        "#]].assert_eq(&text(&snapshot(vec![it])));
    }

    #[test]
    fn two_certificates_never_make_more_than_45_series() {
        let refused = |name, reason| refused_file(name, Refusal::new(reason, "found"));
        let look = Look {
            files: vec![
                refused("a.pem", Reason::KeyUsage),
                refused("b.pem", Reason::PrivateKey),
                refused("c.pem", Reason::Empty),
            ],
            ..Look::default()
        };
        let items = vec![
            item(State::Rejected, &adfs_next()),
            item(State::Held, &adfs()),
        ];
        let mut worst = snapshot(vec![with_look("adfs", items, look)]);
        worst.ledger_failure = Some("full".to_owned());
        for it in worst.accounts.values_mut() {
            it.key_valid = Some(false);
        }
        let of_daemon = 1; // reconcile_failures_total
        let series = text(&worst)
            .lines()
            .filter(|it| it.contains("integration=\"adfs\""))
            .count();
        assert!(series + of_daemon <= 45, "{series}");
        assert!(series > 35, "the case is not the worst one: {series}");
    }

    #[test]
    fn what_is_unknown_has_no_series() {
        let mut unknown = integration("okta", Vec::new());
        unknown.plan = None;
        unknown.compared_at = None;
        unknown.source.look = None;
        unknown.source.looked_at = None;
        let mut snapshot = snapshot(vec![unknown]);
        for it in snapshot.accounts.values_mut() {
            (it.key_valid, it.rate_limit, it.clock_skew) = (None, None, None);
        }
        let text = text(&snapshot);
        for name in [
            "in_step",
            "trusted_certificates",
            "latest_expiry",
            "reconcile_last_success",
            "source_up",
            "source_files",
            "api_key_valid",
            "rate_limit_requests",
            "clock_skew",
            "approvals_pending",
        ] {
            assert!(!text.contains(name), "{name}:\n{text}");
        }
    }

    #[test]
    fn an_unreadable_source_is_down_and_counts_nothing() {
        let mut it = integration("okta", vec![item(State::Trusted, &okta())]);
        it.source.look = Some(Err(SourceError::Missing("/x".to_owned())));
        let text = text(&snapshot(vec![it]));
        assert!(text.contains("sso_certd_source_up{integration=\"okta\",account=\"default\"} 0\n"));
        assert!(text.contains("reason=\"source_down\"} 1\n"));
        assert!(!text.contains("source_files"));
    }

    #[test]
    fn surplus_rows_and_long_names_add_no_series_and_no_length() {
        let long = certificate(&"x".repeat(250), "2026-01-01", "2027-11-24");
        let it = integration(
            "okta",
            vec![item(State::Trusted, &long), item(State::Duplicate, &long)],
        );
        let text = text(&snapshot(vec![it]));
        let info: Vec<&str> = text
            .lines()
            .filter(|it| it.starts_with("sso_certd_certificate_info"))
            .collect();
        assert_eq!(info.len(), 1);
        assert!(info[0].contains(&format!("subject=\"{}…\"", "x".repeat(LABEL_LENGTH))));
        assert!(text.contains("state=\"duplicate\"} 1\n"));
    }

    #[test]
    fn pending_approvals_know_the_oldest() {
        let mut old = item(State::Held, &adfs());
        old.since = Some(at("2026-11-20 00:00:00"));
        let mut removed_key = item(State::Held, &okta());
        removed_key.why = Why::RemovedKey(adfs().fingerprint());
        let it = integration("x", vec![item(State::Held, &adfs_next()), old, removed_key]);
        let text = text(&snapshot(vec![paused(it, "bob")]));
        assert!(text.contains("integration_paused{integration=\"x\",account=\"default\"} 1\n"));
        assert!(text.contains("approvals_pending{integration=\"x\",account=\"default\"} 2\n"));
        let since = day_secs();
        assert!(text.contains(&format!(
            "oldest_pending_timestamp_seconds{{integration=\"x\",account=\"default\"}} {since}\n"
        )));
    }

    #[test]
    fn nothing_pending_has_no_oldest_and_an_orphan_no_series() {
        let mut snapshot = snapshot(vec![integration("x", vec![item(State::Trusted, &okta())])]);
        let without = text(&snapshot);
        assert!(without.contains("approvals_pending{integration=\"x\",account=\"default\"} 0\n"));
        assert!(!without.contains("oldest_pending"));
        snapshot.orphans = vec![orphan("old-idp", &[adfs()])];
        assert_eq!(text(&snapshot), without);
    }

    fn day_secs() -> i64 {
        at("2026-11-20 00:00:00").as_secs()
    }

    #[test]
    fn every_family_is_described_once() {
        let it = integration("adfs", vec![item(State::Trusted, &adfs())]);
        let families = metrics(&snapshot(vec![it]), now());
        let names: BTreeSet<&str> = families.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), families.len());
        assert!(families.iter().all(|it| it.help.ends_with('.')));
        assert_eq!(now().as_secs(), 1_795_511_642);
    }
}
