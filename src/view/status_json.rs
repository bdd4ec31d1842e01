//! `status --json` and `/status.json`: one object, stable. Times are RFC 3339, durations seconds.

use std::time::Duration;

use crate::domain::text::printable_path;
use crate::domain::{FileVerdict, Look, SourceError, Timestamp};
use crate::plan::retire::{How, Retirement};
use crate::plan::rollover::Item;
use crate::plan::state::State;

use super::alarms::{Alarm, AlarmReason, Scope, alarms, attention, deadline};
use super::next::Next;
use super::plan_json::paths;
use super::refusal_text::help_lines;
use super::remarks::{Noted, remarks_on};
use super::sentence::sentence_of;
use super::snapshot::{
    AccountSnapshot, IntegrationSnapshot, Orphan, OrphanCertificate, Snapshot, SourceSnapshot,
};
use super::standing::{Standing, items, pause, standings};
use super::status_schema::{
    AccountJson, AdviceJson, AdviceNoteJson, AlarmJson, CertificateJson, ChangeJson, FailureJson,
    IntegrationJson, IssuerJson, LedgerJson, OrphanCertificateJson, OrphanJson, PauseJson,
    RefusedJson, ReloadJson, RemarkJson, RetirementJson, ScheduleJson, SourceJson, StatusJson,
};
use super::why_word::why_word;

/// `status --json` as a value.
pub fn status_json(snapshot: &Snapshot, now: Timestamp) -> StatusJson {
    let alarms = alarms(snapshot, now);
    let standings = standings(snapshot, &alarms);
    let sentence = sentence_of(snapshot, &alarms, &standings, now);
    StatusJson {
        schema: 1,
        mark: sentence.mark.word(),
        needs_person: sentence.mark.needs_person(),
        summary: sentence.text,
        live: snapshot.is_live,
        at: snapshot.at.to_string(),
        started_at: snapshot.is_live.then(|| snapshot.started.to_string()),
        host: snapshot.host.clone(),
        version: env!("CARGO_PKG_VERSION"),
        alarms: alarms.iter().map(alarm).collect(),
        integrations: standings
            .iter()
            .map(|it| integration(it, &alarms, now))
            .collect(),
        orphans: snapshot.orphans.iter().map(orphan).collect(),
        accounts: snapshot.accounts.values().map(account).collect(),
        ledger: LedgerJson {
            writable: snapshot.ledger_failure.is_none(),
            failure: snapshot.ledger_failure.clone(),
        },
        schedule: ScheduleJson {
            next_run: text(snapshot.schedule.next_run),
            last_due: text(snapshot.schedule.last_due),
        },
        reload: ReloadJson {
            successful: snapshot.reload.is_ok,
            succeeded_at: snapshot.reload.succeeded_at.to_string(),
        },
    }
}

fn integration(standing: &Standing<'_>, alarms: &[Alarm], now: Timestamp) -> IntegrationJson {
    let it = standing.it;
    let outlook = it.plan.as_ref().map(|it| &it.outlook);
    let latest_expiry = outlook.and_then(|it| it.latest_expiry);
    IntegrationJson {
        name: it.name.to_string(),
        account: it.account.to_string(),
        integration_id: it.integration_id.to_string(),
        mode: it.mode.word(),
        mark: standing.mark().word(),
        attention: attention(alarms, it)
            .into_iter()
            .map(AlarmReason::word)
            .collect(),
        in_step: outlook.map(|it| it.in_step),
        trusted: outlook.map(|it| it.trusted),
        latest_expiry: text(latest_expiry),
        left_seconds: latest_expiry.map(|it| it.since(now).as_secs()),
        successor_known: outlook.map(|it| it.successor_known),
        successor_due: text(outlook.and_then(|it| it.successor_due)),
        deadline: text(deadline(alarms, it)),
        valid: outlook.map(|it| it.valid),
        valid_until: text(outlook.and_then(|it| it.trust.valid_until)),
        withheld: outlook.map_or(0, |it| it.withheld),
        approvals_pending: outlook.map_or(0, |it| it.approvals_pending),
        paused: pause(it).map(|it| PauseJson {
            since: it.at.to_string(),
            by: it.by.clone(),
        }),
        open_intents: outlook.map_or(0, |it| it.open_intents),
        compared_at: text(it.compared_at),
        passed: it.has_passed,
        failure: it.failure.as_ref().map(|it| FailureJson {
            since: it.since.to_string(),
            text: it.text.clone(),
        }),
        last_change: it.last_change.as_ref().map(|it| ChangeJson {
            at: it.at.to_string(),
            what: it.what.clone(),
            fingerprint: it.fingerprint.hex(),
            took_seconds: it.took.as_secs_f64(),
        }),
        source: source(it, &it.source),
        certificates: certificates(it, now),
    }
}

fn alarm(it: &Alarm) -> AlarmJson {
    let (integration, account) = match &it.scope {
        Scope::Daemon => (None, None),
        Scope::Account(name) => (None, Some(name.to_string())),
        Scope::Integration(name) => (Some(name.to_string()), None),
    };
    AlarmJson {
        reason: it.reason.word(),
        severity: it.severity.word(),
        integration,
        account,
        since: text(it.since),
        deadline: text(it.deadline),
        sentence: it.sentence.to_string(),
        advice: it
            .advice
            .iter()
            .map(|it| AdviceJson {
                what: it.what.clone(),
                notes: it
                    .notes
                    .iter()
                    .map(|(label, text)| AdviceNoteJson {
                        label: (*label).to_owned(),
                        text: text.clone(),
                    })
                    .collect(),
            })
            .collect(),
    }
}

fn source(it: &IntegrationSnapshot, source: &SourceSnapshot) -> SourceJson {
    let (look, error) = match &source.look {
        Some(Ok(look)) => (Some(look), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let files = |wanted: fn(&FileVerdict) -> bool| {
        look.map_or(0, |it| {
            it.files.iter().filter(|it| wanted(&it.verdict)).count()
        })
    };
    SourceJson {
        directory: printable_path(&it.directory),
        up: source.look.as_ref().map(Result::is_ok),
        failure: error.map(SourceError::to_string),
        down_since: text(source.down_since),
        looked_at: text(source.looked_at),
        watched: source.is_watched,
        accepted: files(FileVerdict::is_accepted),
        waiting: files(|it| matches!(it, FileVerdict::Waiting { .. })),
        refused: look.map_or_else(Vec::new, |it| refused(it)),
        ignored: look.map_or(0, |it| it.ignored.count) + files(FileVerdict::is_ignored),
        issuers: look.map_or_else(Vec::new, |it| issuers(it)),
        surplus: look.map_or(0, |it| it.surplus.count),
    }
}

fn refused(look: &Look) -> Vec<RefusedJson> {
    look.refusals()
        .map(|(file, refusal)| RefusedJson {
            path: printable_path(&file.path),
            reason: refusal.reason.code(),
            found: refusal.found.clone(),
            help: help_lines(refusal, &file.path),
        })
        .collect()
}

fn issuers(look: &Look) -> Vec<IssuerJson> {
    look.issuers_ignored()
        .map(|(file, issuer)| IssuerJson {
            path: printable_path(&file.path),
            fingerprint: issuer.certificate.fingerprint().hex(),
            subject: issuer.certificate.subject().to_owned(),
            issued: issuer.issued.hex(),
        })
        .collect()
}

fn certificates(it: &IntegrationSnapshot, now: Timestamp) -> Vec<CertificateJson> {
    let Some(plan) = &it.plan else {
        return Vec::new();
    };
    let next = Next {
        items: items(it),
        outlook: &plan.outlook,
        mode: it.mode,
        now,
    };
    items(it)
        .iter()
        .map(|item| certificate(item, &next, it.expiry.warn, now))
        .collect()
}

fn certificate(item: &Item, next: &Next<'_>, warn: Duration, now: Timestamp) -> CertificateJson {
    let certificate = item.certificate.as_ref();
    let validity = certificate.map(crate::domain::Certificate::validity);
    let clocks = next.outlook.skew.at(now);
    CertificateJson {
        fingerprint: item.fingerprint.map(|it| it.hex()),
        thumbprint: certificate.map(|it| it.thumbprint().to_string()),
        certificate_id: item.id.as_ref().map(ToString::to_string),
        state: item.state.word(),
        reason: why_word(&item.why),
        why: item.why.to_string(),
        next: Some(next.of(item)).filter(|it| it != "–"),
        until: text(item.why.until()),
        retirement: item.retirement.as_ref().map(|it| retirement(it, now)),
        subject: certificate.map(|it| it.subject().to_owned()),
        issuer: certificate.map(|it| it.issuer().to_owned()),
        serial: certificate.map(|it| it.serial().to_owned()),
        key: certificate.map(|it| it.key().to_string()),
        not_before: validity.map(|it| it.not_before.to_string()),
        not_after: validity.map(|it| it.not_after.to_string()),
        left_seconds: validity.map(|it| it.left(clocks).as_secs()),
        listed: item.is_listed,
        remarks: remarks_on(item, warn, clocks)
            .into_iter()
            .map(|Noted { code, text }| RemarkJson { code, text })
            .collect(),
        paths: paths(item),
        since: text(item.since),
    }
}

fn retirement(it: &Retirement, now: Timestamp) -> RetirementJson {
    RetirementJson {
        action: it.how.map(How::word),
        ordered: it.ordered,
        date: text(it.how.and_then(|_| it.date(now))),
        blocks: it.blocks.iter().map(ToString::to_string).collect(),
    }
}

fn orphan(it: &Orphan) -> OrphanJson {
    let certificate = |it: &OrphanCertificate| OrphanCertificateJson {
        fingerprint: it.fingerprint.hex(),
        state: State::Orphaned.word(),
        certificate_id: it.id.as_ref().map(ToString::to_string),
        subject: it.certificate.as_ref().map(|it| it.subject().to_owned()),
        not_after: text(it.certificate.as_ref().map(|it| it.validity().not_after)),
    };
    OrphanJson {
        integration_id: it.integration_id.to_string(),
        name: it.name.as_ref().map(ToString::to_string),
        account: it.account.as_ref().map(ToString::to_string),
        certificates: it.certificates.iter().map(certificate).collect(),
    }
}

fn account(it: &AccountSnapshot) -> AccountJson {
    AccountJson {
        name: it.name.to_string(),
        key_from: it.key_from.clone(),
        key_valid: it.key_valid,
        requests_per_minute: it.requests_per_minute,
        answered_at: text(it.answered_at),
        failures: it.failures,
        failure: it.failure.as_ref().map(|it| it.text.clone()),
        backoff_until: text(it.backoff.as_ref().map(|it| it.until)),
        backoff_reason: it.backoff.as_ref().map(|it| it.why.clone()),
        rate_limit: it.rate_limit,
        rate_remaining: it.rate_remaining,
        rate_reset: text(it.rate_reset),
        clock_skew_seconds: it.clock_skew,
    }
}

fn text(at: Option<Timestamp>) -> Option<String> {
    at.as_ref().map(Timestamp::to_string)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::domain::{Reason, Refusal};
    use crate::plan::retire::Block;
    use crate::view::testing::{
        adfs, adfs_next, day, item, now, okta, orphan, paused, refused_file, retiring, snapshot,
        with_look,
    };

    #[test]
    fn the_field_names_are_stable() {
        let refusal = Refusal::new(Reason::Encoding, "UTF-16 text").help("iconv FILE");
        let look = Look {
            files: vec![refused_file("okta/a.pem", refusal)],
            ..Look::default()
        };
        let items = vec![
            item(State::Trusted, &okta()),
            item(State::Held, &adfs_next()),
            retiring(
                State::Superseded,
                &adfs(),
                Some(How::Disable),
                vec![Block::Overlap {
                    until: day("2026-12-31"),
                }],
            ),
        ];
        let mut snapshot = snapshot(vec![paused(with_look("okta", items, look), "bob")]);
        snapshot.orphans = vec![orphan("old-idp", &[okta()])];
        let json = status_json(&snapshot, now());
        let mut text = serde_json::to_string_pretty(&json).unwrap();
        text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        expect![[r#"
            {
              "schema": 1,
              "summary": "okta needs you: more than 5 new keys in 24 h; d49e9ef2 is held.",
              "mark": "needs_you",
              "needs_person": true,
              "live": true,
              "at": "2026-11-24T09:14:02Z",
              "started_at": "2026-10-14T07:20:11Z",
              "host": "sts-proxy-1",
              "version": "VERSION",
              "alarms": [
                {
                  "reason": "key_budget",
                  "severity": "warning",
                  "integration": "okta",
                  "since": "2026-11-24T09:12:00Z",
                  "deadline": "2026-11-29T09:12:00Z",
                  "sentence": "okta needs you: more than 5 new keys in 24 h; d49e9ef2 is held.",
                  "advice": [
                    {
                      "what": "okta: d49e9ef2931aaea1 is held: more than 5 new keys in 24 h; compare it with the identity provider's own page",
                      "notes": [
                        {
                          "label": "subject",
                          "text": "CN=ADFS Signing - sts.example.com"
                        },
                        {
                          "label": "SHA-256",
                          "text": "d49e9ef2931aaea1 5e84713c54471ef9 16a0b71babf3e5a0 3a1dfb90f4cae181"
                        },
                        {
                          "label": "thumbprint",
                          "text": "081E 3180 A226 15CB 9B06 D027 91BD 8300 5987 8AD0   (SHA-1, Entra and AD FS)"
                        },
                        {
                          "label": "from",
                          "text": "/etc/sso-certd/certificates/x/d49e9ef2.pem, first seen today 09:12 UTC"
                        },
                        {
                          "label": "the same",
                          "text": "sso-certd approve d49e9ef2931aaea1"
                        },
                        {
                          "label": "not it",
                          "text": "sso-certd deny d49e9ef2931aaea1"
                        },
                        {
                          "label": "by",
                          "text": "2026-11-29, five days after it appeared: AD FS then signs with it; trust ends on 2036-02-28"
                        }
                      ]
                    }
                  ]
                },
                {
                  "reason": "refused",
                  "severity": "warning",
                  "integration": "okta",
                  "sentence": "okta needs you: a.pem is refused (encoding).",
                  "advice": [
                    {
                      "what": "okta: /etc/sso-certd/certificates/okta/a.pem: refused (encoding): UTF-16 text",
                      "notes": [
                        {
                          "label": "help",
                          "text": "iconv /etc/sso-certd/certificates/okta/a.pem"
                        }
                      ]
                    }
                  ]
                }
              ],
              "integrations": [
                {
                  "name": "okta",
                  "account": "default",
                  "integration_id": "b0b98502-9408-4b24-9e3d-31ed7cb15312",
                  "mode": "manage",
                  "mark": "needs_you",
                  "attention": [
                    "key_budget",
                    "refused"
                  ],
                  "in_step": true,
                  "trusted": 1,
                  "latest_expiry": "2036-02-28T00:00:00Z",
                  "left_seconds": 292257958,
                  "successor_known": false,
                  "successor_due": "2036-01-14T00:00:00Z",
                  "deadline": "2026-11-29T09:12:00Z",
                  "valid": 2,
                  "valid_until": "2036-02-28T00:00:00Z",
                  "withheld": 0,
                  "approvals_pending": 1,
                  "paused": {
                    "since": "2026-11-24T08:05:00Z",
                    "by": "bob"
                  },
                  "open_intents": 0,
                  "compared_at": "2026-11-24T09:10:00Z",
                  "passed": true,
                  "source": {
                    "directory": "/etc/sso-certd/certificates/okta",
                    "up": true,
                    "looked_at": "2026-11-24T09:13:50Z",
                    "watched": true,
                    "accepted": 0,
                    "waiting": 0,
                    "refused": [
                      {
                        "path": "/etc/sso-certd/certificates/okta/a.pem",
                        "reason": "encoding",
                        "found": "UTF-16 text",
                        "help": [
                          "iconv /etc/sso-certd/certificates/okta/a.pem"
                        ]
                      }
                    ],
                    "ignored": 0,
                    "surplus": 0
                  },
                  "certificates": [
                    {
                      "fingerprint": "38d03ade2be3704f56546e590af1034e827e1362defbf9cbe064ff4600640f24",
                      "thumbprint": "F4C8 AD4E 9250 FA32 0391 073D 9639 47FF FCA8 BD4D",
                      "certificate_id": "66138975",
                      "state": "trusted",
                      "reason": "ours",
                      "why": "uploaded by us and read back",
                      "subject": "CN=example, O=Okta",
                      "issuer": "CN=example, O=Okta",
                      "serial": "01:95:56",
                      "key": "RSA 2048",
                      "not_before": "2026-03-02T00:00:00Z",
                      "not_after": "2036-02-28T00:00:00Z",
                      "left_seconds": 292257958,
                      "listed": true,
                      "remarks": [],
                      "paths": [
                        "/etc/sso-certd/certificates/x/38d03ade.pem"
                      ],
                      "since": "2026-11-24T09:12:00Z"
                    },
                    {
                      "fingerprint": "d49e9ef2931aaea15e84713c54471ef916a0b71babf3e5a03a1dfb90f4cae181",
                      "thumbprint": "081E 3180 A226 15CB 9B06 D027 91BD 8300 5987 8AD0",
                      "state": "held",
                      "reason": "key_budget",
                      "why": "more than 5 new keys in 24 h; goes when a person approves it",
                      "next": "approve or deny, by 2026-11-29",
                      "subject": "CN=ADFS Signing - sts.example.com",
                      "issuer": "CN=ADFS Signing - sts.example.com",
                      "serial": "01:95:56",
                      "key": "RSA 2048",
                      "not_before": "2026-11-24T00:00:00Z",
                      "not_after": "2027-11-24T00:00:00Z",
                      "left_seconds": 31502758,
                      "listed": false,
                      "remarks": [],
                      "paths": [
                        "/etc/sso-certd/certificates/x/d49e9ef2.pem"
                      ],
                      "since": "2026-11-24T09:12:00Z"
                    },
                    {
                      "fingerprint": "faee618c2cd6e62bc410badc7d2c0701b07a86c40c323c370ca2e77d0a73dcba",
                      "thumbprint": "92FE B483 3EB1 3477 2787 2FD1 A4D0 F304 BAE4 892A",
                      "certificate_id": "66138975",
                      "state": "superseded",
                      "reason": "successor",
                      "why": "its file is gone and faee618c goes on",
                      "next": "to be disabled on 2026-12-31",
                      "retirement": {
                        "action": "disable",
                        "ordered": false,
                        "date": "2026-12-31T00:00:00Z",
                        "blocks": [
                          "its successor has been trusted for long enough from 2026-12-31"
                        ]
                      },
                      "subject": "CN=ADFS Signing - sts.example.com",
                      "issuer": "CN=ADFS Signing - sts.example.com",
                      "serial": "01:95:56",
                      "key": "RSA 2048",
                      "not_before": "2025-11-24T00:00:00Z",
                      "not_after": "2026-12-14T00:00:00Z",
                      "left_seconds": 1694758,
                      "listed": true,
                      "remarks": [],
                      "paths": []
                    }
                  ]
                }
              ],
              "orphans": [
                {
                  "integration_id": "7c2e9d14-0a5b-4f63-8e21-9b4d6a7f1c05",
                  "name": "old-idp",
                  "account": "default",
                  "certificates": [
                    {
                      "fingerprint": "38d03ade2be3704f56546e590af1034e827e1362defbf9cbe064ff4600640f24",
                      "state": "orphaned",
                      "certificate_id": "66138975",
                      "subject": "CN=example, O=Okta",
                      "not_after": "2036-02-28T00:00:00Z"
                    }
                  ]
                }
              ],
              "accounts": [
                {
                  "name": "default",
                  "key_from": "the credential sendgrid-api-key",
                  "key_valid": true,
                  "requests_per_minute": 120,
                  "answered_at": "2026-11-24T09:10:00Z",
                  "failures": 0,
                  "rate_limit": 600,
                  "rate_remaining": 597,
                  "rate_reset": "2026-11-24T09:15:00Z",
                  "clock_skew_seconds": 0.25
                }
              ],
              "ledger": {
                "writable": true
              },
              "schedule": {
                "next_run": "2026-11-24T10:00:00Z",
                "last_due": "2026-11-24T09:00:00Z"
              },
              "reload": {
                "successful": true,
                "succeeded_at": "2026-10-14T07:20:11Z"
              }
            }"#]].assert_eq(&text);
    }

    #[test]
    fn what_is_unknown_is_absent() {
        let mut unknown = with_look("okta", Vec::new(), Look::default());
        unknown.plan = None;
        unknown.compared_at = None;
        unknown.source.look = None;
        let json = status_json(&snapshot(vec![unknown]), now());
        let json = serde_json::to_value(&json).unwrap();
        let it = &json["integrations"][0];
        for field in [
            "in_step",
            "trusted",
            "latest_expiry",
            "compared_at",
            "failure",
        ] {
            assert!(it.get(field).is_none(), "{field}");
        }
        assert!(it["source"].get("up").is_none());
    }
}
