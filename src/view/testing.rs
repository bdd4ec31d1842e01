//! Snapshots for tests, built in a few words.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDateTime;

use crate::domain::{
    AccountName, BootId, Certificate, CertificateId, CertificateParts, FileVerdict, IntegrationId,
    IntegrationName, KeyAlgorithm, Look, LookedFile, Moment, Refusal, Remark, SignatureHash, Skew,
    SourceError, Timestamp, Validity,
};
use crate::plan::admission::Admission;
use crate::plan::book::{Book, Pause};
use crate::plan::outlook::Outlook;
use crate::plan::policy::{
    DeliveryPolicy, ExpiryPolicy, Mode, Policy, Require, RetireAction, RetirePolicy, RetireWhen,
    TrustPolicy,
};
use crate::plan::retire::{Block, How, Retirement};
use crate::plan::rollover::{Inputs, Item, Plan};
use crate::plan::state::State;
use crate::plan::trust::Evidence;
use crate::plan::why::Why;

use super::alarms::{AlarmReason, alarms, attention};
use super::snapshot::{
    AccountFailure, AccountSnapshot, FailureKind, IntegrationSnapshot, Orphan, OrphanCertificate,
    ReloadSnapshot, ScheduleSnapshot, Snapshot, SourceSnapshot,
};
use super::terminal::Terminal;

pub(crate) const WIDE: Terminal = Terminal {
    width: 100,
    color: false,
    utf8: true,
};

pub(crate) const NARROW_ASCII: Terminal = Terminal {
    width: 72,
    color: false,
    utf8: false,
};

/// `2026-11-24 09:14:02` in UTC.
pub(crate) fn at(text: &str) -> Timestamp {
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
    Timestamp::from_millis(time.and_utc().timestamp_millis())
}

pub(crate) fn now() -> Timestamp {
    at("2026-11-24 09:14:02")
}

/// Midnight of a date.
pub(crate) fn day(text: &str) -> Timestamp {
    at(&format!("{text} 00:00:00"))
}

pub(crate) fn certificate(subject: &str, from: &str, to: &str) -> Certificate {
    remarked(subject, from, to, &[])
}

/// A certificate of which its reader has something to say.
pub(crate) fn remarked(subject: &str, from: &str, to: &str, remarks: &[Remark]) -> Certificate {
    let seed = format!("{subject} {from} {to}");
    Certificate::new(CertificateParts {
        der: seed.as_bytes(),
        subject_public_key_info: seed.as_bytes(),
        validity: Validity {
            not_before: day(from),
            not_after: day(to),
        },
        subject: subject.to_owned(),
        issuer: subject.to_owned(),
        self_signed: true,
        may_issue: false,
        serial: &[1, 0x95, 0x56],
        key: KeyAlgorithm::Rsa(2048),
        signature: SignatureHash::Sha256,
        remarks: remarks.to_vec(),
    })
}

/// A listed certificate in the source, or what else its state makes of it.
pub(crate) fn item(state: State, certificate: &Certificate) -> Item {
    let until = at("2026-11-24 21:40:00");
    let (why, in_source, is_listed) = match state {
        State::Trusted | State::Ahead => (Why::Ours, true, true),
        State::Found => (Why::ByOthers, true, true),
        State::Planned => (
            Why::Enough {
                evidence: Evidence::Source,
                is_new_key: true,
            },
            true,
            false,
        ),
        State::Settling => (Why::Unsettled { sent: now(), until }, true, false),
        State::Waiting => (Why::NotBefore(until), true, false),
        State::Held => (Why::KeyBudget { limit: 5 }, true, false),
        State::Rejected => (Why::Rejected { until }, true, false),
        State::Denied => (Why::DeniedByPerson(certificate.fingerprint()), true, false),
        State::Expired => (Why::Over, false, true),
        State::Superseded => (Why::Successor(certificate.fingerprint()), false, true),
        State::Disabled => (Why::DisabledByUs, false, true),
        State::Removed => (Why::RemovedByOthers, true, false),
        State::Replaced => (Why::Carries(None), false, false),
        State::Duplicate => (Why::ListedTwice, false, true),
        State::Undecodable => (Why::Unreadable, false, true),
        State::Inherited => (Why::SinceFirstList, false, true),
        State::Acknowledged => (Why::Known, false, true),
        State::Unmanaged => (Why::AppearedSince, false, true),
        State::Orphaned => (Why::Ours, false, false),
    };
    Item {
        certificate: Some(certificate.clone()),
        fingerprint: Some(certificate.fingerprint()),
        id: is_listed.then(|| CertificateId::parse("66138975").unwrap()),
        state,
        why,
        paths: if in_source {
            vec![PathBuf::from(format!(
                "/etc/sso-certd/certificates/x/{}.pem",
                certificate.fingerprint().brief()
            ))]
        } else {
            Vec::new()
        },
        since: in_source.then(|| at("2026-11-24 09:12:00")),
        is_listed,
        undelivered_from: None,
        retirement: None,
    }
}

pub(crate) fn expiry() -> ExpiryPolicy {
    let days = |it: u64| Duration::from_secs(it * 86_400);
    ExpiryPolicy {
        successor: days(45),
        warn: days(30),
        critical: days(7),
    }
}

/// A plan of these items, with the outlook that the planner gives them.
pub(crate) fn plan(items: Vec<Item>, look: &Look, when: Timestamp) -> Plan {
    let (policy, now) = (policy(), moment(when));
    let book = Book {
        first_list: Some(at("2026-10-14 07:20:11")),
        ..Book::default()
    };
    let outlook = Outlook::of(
        &items,
        &Inputs {
            look: Some(look),
            rows: &[],
            book: &book,
            policy: &policy,
            skew: Skew::None,
            now: &now,
        },
    );
    Plan {
        items,
        actions: Vec::new(),
        due: None,
        outlook,
    }
}

/// The defaults of the configuration.
pub(crate) fn policy() -> Policy {
    Policy {
        mode: Mode::Manage,
        trust: TrustPolicy {
            require: Require::Source,
            hold_down: Duration::from_secs(86_400),
            pins: std::collections::BTreeSet::new(),
            new_keys_per_day: 5,
        },
        retire: RetirePolicy {
            action: RetireAction::Keep,
            when: RetireWhen::Expired,
            min_overlap: Duration::from_secs(30 * 86_400),
            min_absence: Duration::from_secs(14 * 86_400),
            expired_after: Duration::from_secs(7 * 86_400),
        },
        expiry: expiry(),
        delivery: DeliveryPolicy {
            settle: Duration::from_secs(180),
            refused_hold: Duration::from_secs(86_400),
        },
    }
}

pub(crate) fn moment(wall: Timestamp) -> Moment {
    Moment {
        wall,
        boot: BootId::new("boot"),
        since_boot: Duration::from_secs(1_000),
    }
}

/// The same certificate in the same state, for another reason.
pub(crate) fn because(state: State, certificate: &Certificate, why: Why) -> Item {
    Item {
        why,
        ..item(state, certificate)
    }
}

/// An old certificate of ours, and what is to become of it.
pub(crate) fn retiring(
    state: State,
    certificate: &Certificate,
    how: Option<How>,
    blocks: Vec<Block>,
) -> Item {
    let retirement = Retirement {
        how,
        ordered: false,
        again: false,
        blocks,
    };
    Item {
        retirement: Some(retirement),
        ..item(state, certificate)
    }
}

/// The same integration, where logins once worked; trust is lost since then, if that is known.
pub(crate) fn once_trusted(
    mut it: IntegrationSnapshot,
    lost_at: Option<Timestamp>,
) -> IntegrationSnapshot {
    let mut plan = it.plan.as_deref().cloned().unwrap();
    plan.outlook.trust.has_counted = true;
    plan.outlook.trust.lost_at = lost_at;
    it.plan = Some(Arc::new(plan));
    it
}

/// A failure of an account.
pub(crate) fn account_failure(text: &str, kind: FailureKind) -> AccountFailure {
    AccountFailure {
        text: text.to_owned(),
        kind,
    }
}

/// The same integration, paused by a person since 08:05.
pub(crate) fn paused(mut it: IntegrationSnapshot, by: &str) -> IntegrationSnapshot {
    let mut plan = it.plan.as_deref().cloned().unwrap();
    plan.outlook.pause = Some(pause(by));
    it.plan = Some(Arc::new(plan));
    it
}

/// What the ledger still has of an integration that is no longer configured.
pub(crate) fn orphan(name: &str, certificates: &[Certificate]) -> Orphan {
    let certificate = |it: &Certificate| OrphanCertificate {
        fingerprint: it.fingerprint(),
        certificate: Some(it.clone()),
        id: Some(CertificateId::parse("66138975").unwrap()),
    };
    Orphan {
        integration_id: IntegrationId::parse("7c2e9d14-0a5b-4f63-8e21-9b4d6a7f1c05").unwrap(),
        name: Some(IntegrationName::parse(name).unwrap()),
        account: Some(AccountName::default()),
        certificates: certificates.iter().map(certificate).collect(),
    }
}

pub(crate) fn pause(by: &str) -> Pause {
    Pause {
        at: at("2026-11-24 08:05:00"),
        by: by.to_owned(),
    }
}

pub(crate) fn refused_file(name: &str, refusal: Refusal) -> LookedFile {
    LookedFile {
        path: PathBuf::from(format!("/etc/sso-certd/certificates/{name}")),
        owner: "root 0644".to_owned(),
        stamp: String::new(),
        changed: now(),
        content: None,
        verdict: FileVerdict::refused(refusal),
    }
}

/// An integration compared four minutes ago, with these certificates.
pub(crate) fn integration(name: &str, items: Vec<Item>) -> IntegrationSnapshot {
    with_look(name, items, Look::default())
}

pub(crate) fn with_look(name: &str, items: Vec<Item>, look: Look) -> IntegrationSnapshot {
    IntegrationSnapshot {
        name: IntegrationName::parse(name).unwrap(),
        account: AccountName::default(),
        integration_id: IntegrationId::parse("b0b98502-9408-4b24-9e3d-31ed7cb15312").unwrap(),
        mode: Mode::Manage,
        directory: PathBuf::from(format!("/etc/sso-certd/certificates/{name}")),
        expiry: expiry(),
        plan: Some(Arc::new(plan(items, &look, now()))),
        source: SourceSnapshot {
            scan: None,
            admission: Admission::default(),
            look: Some(Ok(Arc::new(look))),
            looked_at: Some(at("2026-11-24 09:13:50")),
            down_since: None,
            is_watched: true,
        },
        configured_at: at("2026-10-14 07:20:11"),
        compared_at: Some(at("2026-11-24 09:10:00")),
        has_passed: true,
        failure: None,
        last_change: None,
    }
}

/// The reasons for which an integration with this plan needs somebody.
pub(crate) fn attention_of(
    plan: Plan,
    look: Option<Look>,
    policy: &Policy,
    now: Timestamp,
) -> Vec<&'static str> {
    let mut it = integration("okta", Vec::new());
    it.plan = Some(Arc::new(plan));
    it.mode = policy.mode;
    it.expiry = policy.expiry;
    it.compared_at = Some(now);
    it.source.look = Some(match look {
        Some(look) => Ok(Arc::new(look)),
        None => Err(SourceError::Missing("/certificates".to_owned())),
    });
    let snapshot = snapshot(vec![it.clone()]);
    let reasons = attention(&alarms(&snapshot, now), &it);
    reasons.into_iter().map(AlarmReason::word).collect()
}

pub(crate) fn account(name: &str) -> AccountSnapshot {
    AccountSnapshot {
        name: AccountName::parse(name).unwrap(),
        requests_per_minute: 120,
        key_from: "the credential sendgrid-api-key".to_owned(),
        key_needs_restart: true,
        unusable: None,
        uploads_forbidden: false,
        key_valid: Some(true),
        backoff: None,
        answered_at: Some(at("2026-11-24 09:10:00")),
        failures: 0,
        failure: None,
        rate_limit: Some(600),
        rate_remaining: Some(597),
        rate_reset: Some(at("2026-11-24 09:15:00")),
        clock_skew: Some(0.25),
        clock: None,
        integrations: 1,
    }
}

pub(crate) fn snapshot(integrations: Vec<IntegrationSnapshot>) -> Snapshot {
    let accounts = BTreeMap::from([(AccountName::default(), account("default"))]);
    Snapshot {
        at: now(),
        started: at("2026-10-14 07:20:11"),
        host: "sts-proxy-1".to_owned(),
        is_live: true,
        integrations: integrations
            .into_iter()
            .map(|it| (it.name.clone(), it))
            .collect(),
        orphans: Vec::new(),
        accounts,
        ledger_failure: None,
        schedule: ScheduleSnapshot {
            next_run: Some(at("2026-11-24 10:00:00")),
            last_due: Some(at("2026-11-24 09:00:00")),
            round: Some(Duration::from_secs(3600)),
        },
        reload: ReloadSnapshot {
            is_ok: true,
            succeeded_at: at("2026-10-14 07:20:11"),
        },
    }
}

/// A signing certificate of AD FS that ends on 14 December.
pub(crate) fn adfs() -> Certificate {
    certificate(
        "CN=ADFS Signing - sts.example.com",
        "2025-11-24",
        "2026-12-14",
    )
}

/// Its successor.
pub(crate) fn adfs_next() -> Certificate {
    certificate(
        "CN=ADFS Signing - sts.example.com",
        "2026-11-24",
        "2027-11-24",
    )
}

/// A certificate of Okta's that lasts.
pub(crate) fn okta() -> Certificate {
    certificate("CN=example, O=Okta", "2026-03-02", "2036-02-28")
}
