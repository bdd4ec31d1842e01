//! The one sentence: what matters most, as a pure function of the snapshot and the time.
//!
//! It is the first line of `status`, systemd's `STATUS=`, `summary` in JSON, the head of the page, and the log line
//! after a change. The first alarm that is more than a note is said, and the others are counted; without one, what goes
//! on by itself: the first comparison, what waits, what an operator has paused.

use crate::domain::Timestamp;
use crate::domain::text::count;

use super::alarms::{Alarm, Scope, Words, alarms};
use super::snapshot::Snapshot;
use super::standing::{Progress, Standing, latest_end, standings};
use super::telling_wait::{Teller, is_one_pause};
use super::terminal::Mark;
use super::when::{ago, roughly};

/// The one sentence with its mark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sentence {
    /// How bad it is.
    pub mark: Mark,
    /// One line, with its full stop.
    pub text: String,
}

/// What is said of a daemon that has nothing to do.
pub(super) const NOTHING_CONFIGURED: &str =
    "No integration is configured; `sso-certd integrations` lists those of SendGrid.";

/// What matters most about the daemon.
pub fn sentence(snapshot: &Snapshot, now: Timestamp) -> Sentence {
    let alarms = alarms(snapshot, now);
    sentence_of(snapshot, &alarms, &standings(snapshot, &alarms), now)
}

/// The same of what was judged before.
pub(crate) fn sentence_of(
    snapshot: &Snapshot,
    alarms: &[Alarm],
    standings: &[Standing<'_>],
    now: Timestamp,
) -> Sentence {
    if !snapshot.is_live {
        return Sentence {
            mark: Mark::Broken,
            text: format!(
                "sso-certd does not run. This is what its ledger knew at {} UTC ({}), with the files of now.",
                snapshot.at.minute(),
                ago(snapshot.at, now)
            ),
        };
    }
    if let Some(alarm) = alarms.iter().find(|it| it.needs_somebody()) {
        let mark = alarm.severity.mark();
        let text = with_others(&alarm.sentence, mark, standings, &|it| says_it(alarm, it));
        return Sentence { mark, text };
    }
    let first = standings
        .iter()
        .filter_map(|it| Some((it.progress?, it)))
        .min_by_key(|(progress, it)| (*progress, latest_end(it.it)));
    let Some((progress, standing)) = first else {
        return all_well(snapshot, now);
    };
    let teller = Teller {
        snapshot,
        it: standing.it,
        now,
    };
    let words = teller.tell(progress);
    let text = match progress {
        Progress::Starting => words.to_string(),
        Progress::Waits | Progress::Paused => with_others(&words, Mark::Waits, standings, &|it| {
            let is_same = it.it.name == standing.it.name;
            is_same || (progress == Progress::Paused && is_one_pause(standing.it, it.it))
        }),
    };
    Sentence {
        mark: Mark::Waits,
        text,
    }
}

/// Whether the sentence of an alarm says all there is to say first about an integration.
fn says_it(alarm: &Alarm, standing: &Standing<'_>) -> bool {
    match &alarm.scope {
        Scope::Integration(name) => standing.it.name == *name,
        Scope::Daemon | Scope::Account(_) => {
            let worst = standing.worst();
            worst.is_some_and(|it| it.reason == alarm.reason && it.scope == alarm.scope)
        }
    }
}

/// What is the matter with each integration, whatever the words for it: other than the sentence it does not change with
/// time alone.
pub fn topic(snapshot: &Snapshot, now: Timestamp) -> String {
    let alarms = alarms(snapshot, now);
    let topics: Vec<String> = standings(snapshot, &alarms)
        .iter()
        .map(|it| {
            let worst = it.worst().map(|it| (it.severity, it.reason));
            format!("{}: {worst:?} {:?}", it.it.name, it.progress)
        })
        .collect();
    topics.join(", ")
}

fn all_well(snapshot: &Snapshot, now: Timestamp) -> Sentence {
    let compared = || {
        snapshot
            .integrations
            .values()
            .filter_map(|it| it.compared_at)
    };
    let (Some(oldest), Some(newest)) = (compared().min(), compared().max()) else {
        return Sentence {
            mark: Mark::Waits,
            text: NOTHING_CONFIGURED.to_owned(),
        };
    };
    let when = if newest.since(oldest).as_secs() < 60 {
        ago(oldest, now)
    } else {
        format!("within {}", roughly(now.since(oldest)))
    };
    let number = count(snapshot.integrations.len(), "integration", "integrations");
    Sentence {
        mark: Mark::Fine,
        text: format!(
            "All well. {number} in step with SendGrid, compared {when}. Nothing needs you."
        ),
    }
}

/// A sentence with the number of those that it does not say.
fn with_others(
    words: &Words,
    mark: Mark,
    standings: &[Standing<'_>],
    is_said: &dyn Fn(&Standing<'_>) -> bool,
) -> String {
    let Words { main, rest } = words;
    let others = || standings.iter().filter(|it| !is_said(it));
    let needing = others().filter(|it| it.mark().needs_person()).count();
    let waiting = others().filter(|it| it.mark() == Mark::Waits).count();
    let more = match (needing, waiting) {
        (0, 0) => String::new(),
        (0, _) if mark.needs_person() => String::new(),
        (0, 1) => ", and 1 more waits".to_owned(),
        (0, _) => format!(", and {waiting} more wait"),
        (1, _) => ", and 1 more needs you".to_owned(),
        _ => format!(", and {needing} more need you"),
    };
    let well = others().filter(|it| it.mark() == Mark::Fine).count();
    let praise = if needing == 0 && well > 0 && mark.needs_person() {
        match well {
            1 => " 1 other integration is well.".to_owned(),
            _ => format!(" {well} other integrations are well."),
        }
    } else {
        String::new()
    };
    format!("{main}{more}.{rest}{praise}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::domain::{AccountName, Look, PassedOver, Reason, Refusal, SourceError};
    use crate::plan::policy::Mode;
    use crate::plan::state::State;
    use crate::plan::trust::Evidence;
    use crate::plan::why::Why;
    use crate::view::alarms::{AlarmReason, attention};
    use crate::view::snapshot::{Backoff, FailureKind, IntegrationSnapshot, PassFailure, Unusable};
    use crate::view::status_notes::account_note;
    use crate::view::testing::{
        account, account_failure, adfs, adfs_next, at, because, certificate, integration, item,
        now, okta, once_trusted, paused, refused_file, snapshot, with_look,
    };

    fn well(name: &str) -> IntegrationSnapshot {
        integration(name, vec![item(State::Trusted, &okta())])
    }

    #[track_caller]
    fn check(snapshot: &Snapshot, mark: Mark, text: &str) {
        let expected = Sentence {
            mark,
            text: text.to_owned(),
        };
        assert_eq!(sentence(snapshot, now()), expected);
    }

    #[track_caller]
    fn check_one(it: IntegrationSnapshot, mark: Mark, text: &str) {
        check(&snapshot(vec![it]), mark, text);
    }

    #[test]
    fn nothing_trusted_means_that_logins_fail() {
        let over = certificate("CN=x", "2025-11-24", "2026-11-24");
        let it = integration("okta", vec![item(State::Expired, &over)]);
        let it = once_trusted(it, None);
        check_one(
            it.clone(),
            Mark::Broken,
            "Logins through okta fail: SendGrid trusts no valid certificate for it since 00:00 UTC.",
        );
        let it = once_trusted(it, Some(at("2026-11-24 06:03:00")));
        check_one(
            it,
            Mark::Broken,
            "Logins through okta fail: SendGrid trusts no valid certificate for it since 06:03 UTC.",
        );
        check_one(
            once_trusted(integration("okta", Vec::new()), None),
            Mark::Broken,
            "Logins through okta fail: SendGrid trusts no valid certificate for it.",
        );
    }

    #[test]
    fn trust_that_ended_since_the_plan_is_over() {
        let it = integration("adfs", vec![item(State::Trusted, &adfs())]);
        let later = at("2026-12-14 06:00:00");
        let mut snapshot = snapshot(vec![it]);
        for it in snapshot.integrations.values_mut() {
            it.compared_at = Some(later);
        }
        assert_eq!(
            sentence(&snapshot, later).text,
            "Logins through adfs fail: SendGrid trusts no valid certificate for it since 00:00 UTC."
        );
    }

    #[test]
    fn what_did_not_come_from_here_may_still_let_people_in() {
        let inherited = |it: &_| integration("okta", vec![item(State::Inherited, it)]);
        check_one(
            inherited(&okta()),
            Mark::Fine,
            "All well. 1 integration in step with SendGrid, compared 4 minutes ago. Nothing needs you.",
        );
        check_one(
            inherited(&adfs()),
            Mark::NeedsYou,
            "okta: 19 d left and no successor in the directory yet.",
        );
        check_one(
            once_trusted(inherited(&okta()), None),
            Mark::Broken,
            "okta: no certificate in the directory is trusted at SendGrid; it lists 1 that did not come from here (38d03ade).",
        );
        let brief = okta().fingerprint().brief();
        check_one(
            integration("okta", vec![item(State::Unmanaged, &okta())]),
            Mark::Broken,
            &format!(
                "Somebody else's certificate: SendGrid lists {brief} for okta, which did not come from here, \
                 and nothing of ours."
            ),
        );
    }

    #[test]
    fn foreign_rows_are_named() {
        let ours = item(State::Trusted, &okta());
        let brief = adfs().fingerprint().brief();
        check_one(
            integration("okta", vec![ours.clone(), item(State::Unmanaged, &adfs())]),
            Mark::Broken,
            &format!(
                "Somebody else's certificate: SendGrid lists {brief} for okta, which did not come from here."
            ),
        );
        let mut replaced = item(State::Replaced, &adfs());
        replaced.why = Why::Carries(Some(adfs_next().fingerprint()));
        check_one(
            integration("okta", vec![ours.clone(), replaced]),
            Mark::Broken,
            &format!(
                "Somebody else's certificate: SendGrid's row of our {brief} for okta now carries {}.",
                adfs_next().fingerprint().brief()
            ),
        );
        check_one(
            integration("okta", vec![ours.clone(), item(State::Replaced, &adfs())]),
            Mark::Broken,
            &format!(
                "okta: SendGrid's row of our {brief} now carries something that cannot be read."
            ),
        );
        let mut unread = item(State::Undecodable, &adfs());
        (unread.certificate, unread.fingerprint) = (None, None);
        check_one(
            integration("okta", vec![ours, unread.clone()]),
            Mark::NeedsYou,
            "okta: SendGrid lists something that cannot be read.",
        );
        check_one(
            once_trusted(integration("okta", vec![unread]), None),
            Mark::Broken,
            "okta: no certificate in the directory is trusted at SendGrid; it lists 1 that cannot be read.",
        );
    }

    #[test]
    fn an_end_within_critical_stops_logins() {
        let soon = certificate("CN=x", "2025-11-24", "2026-11-30");
        check_one(
            integration("adfs", vec![item(State::Trusted, &soon)]),
            Mark::Broken,
            "Logins through adfs stop in 5 d 14 h, on 2026-11-30: no successor is trusted.",
        );
    }

    #[test]
    fn a_removal_is_told_and_nothing_promised() {
        let brief = adfs().fingerprint().brief();
        let trusted = item(State::Trusted, &okta());
        check_one(
            integration("okta", vec![trusted.clone(), item(State::Removed, &adfs())]),
            Mark::NeedsYou,
            &format!("okta: {brief} was deleted at SendGrid, not by us; restore or deny it."),
        );
        let mut held = item(State::Held, &adfs_next());
        held.why = Why::RemovedKey(adfs().fingerprint());
        check_one(
            integration("okta", vec![trusted, held]),
            Mark::NeedsYou,
            &format!(
                "okta: {} is held, because its key is that of {brief}, which somebody deleted at SendGrid.",
                adfs_next().fingerprint().brief()
            ),
        );
    }

    #[test]
    fn what_waits_for_a_person_says_for_what() {
        let trusted = item(State::Trusted, &okta());
        let brief = adfs().fingerprint().brief();
        let with = |state, why| {
            let mut other = item(state, &adfs());
            other.why = why;
            integration("okta", vec![trusted.clone(), other])
        };
        let until = at("2026-11-25 09:00:00");
        let cases = [
            (
                State::Held,
                Why::NeedsApproval,
                "a new key waits for approval since 09:12 UTC".to_owned(),
            ),
            (
                State::Held,
                Why::NeedsPin,
                "a new key waits for a pin or approval since 09:12 UTC".to_owned(),
            ),
            (
                State::Held,
                Why::KeyBudget { limit: 5 },
                format!("more than 5 new keys in 24 h; {brief} is held"),
            ),
            (
                State::Held,
                Why::TooMany { limit: 200 },
                format!("its directory holds more than 200 certificates; {brief} is held"),
            ),
            (
                State::Rejected,
                Why::Rejected { until },
                format!("SendGrid refuses {brief} (400)"),
            ),
        ];
        for (state, why, need) in cases {
            check_one(
                with(state, why),
                Mark::NeedsYou,
                &format!("okta needs you: {need}."),
            );
        }
        let two = [adfs(), adfs_next()].map(|it| because(State::Held, &it, Why::NeedsApproval));
        let two = two.into_iter().chain([trusted]).collect();
        check_one(
            integration("okta", two),
            Mark::NeedsYou,
            "okta needs you: 2 new keys wait for approval since 09:12 UTC.",
        );
    }

    #[test]
    fn refused_files_are_named() {
        let refused = |name, reason| refused_file(name, Refusal::new(reason, "found"));
        let with = |files| {
            let look = Look {
                files,
                ..Look::default()
            };
            with_look("okta", vec![item(State::Trusted, &okta())], look)
        };
        check_one(
            with(vec![
                refused("a.pem", Reason::KeyUsage),
                refused("key.pem", Reason::PrivateKey),
            ]),
            Mark::NeedsYou,
            "okta needs you: a private key lies in key.pem; nothing of it was kept or sent.",
        );
        check_one(
            with(vec![refused("a.pem", Reason::KeyUsage)]),
            Mark::NeedsYou,
            "okta needs you: a.pem is refused (key_usage).",
        );
        check_one(
            with(vec![
                refused("a.pem", Reason::KeyUsage),
                refused("b\n.pem", Reason::Empty),
            ]),
            Mark::NeedsYou,
            "okta needs you: 2 files are refused, first of all a.pem (key_usage).",
        );
        let look = Look {
            surplus: PassedOver {
                count: 1,
                first: vec!["/x/z.pem".into()],
            },
            ..Look::default()
        };
        check_one(
            with_look("okta", vec![item(State::Trusted, &okta())], look),
            Mark::NeedsYou,
            "okta needs you: its directory holds more files than are looked at.",
        );
    }

    #[test]
    fn a_missing_successor_is_told_when_it_is_due() {
        check_one(
            integration("adfs", vec![item(State::Trusted, &adfs())]),
            Mark::NeedsYou,
            "adfs: 19 d left and no successor in the directory yet.",
        );
    }

    #[test]
    fn an_account_that_does_not_let_us_in_is_told_once() {
        let mut both = snapshot(vec![well("okta"), well("adfs")]);
        let account = both.accounts.get_mut(&AccountName::default()).unwrap();
        account.key_valid = Some(false);
        check(
            &both,
            Mark::NeedsYou,
            "SendGrid does not accept the API key of account default: nothing of it is compared or uploaded.",
        );
        let account = both.accounts.get_mut(&AccountName::default()).unwrap();
        account.key_valid = None;
        account.unusable = Some(Unusable {
            lacks_key: true,
            text: "the key file /etc/key is missing".to_owned(),
            help: Vec::new(),
        });
        check(
            &both,
            Mark::NeedsYou,
            "There is no usable API key for account default: nothing of it is compared or uploaded.",
        );
        let mut it = well("okta");
        it.failure = Some(PassFailure {
            since: now(),
            text: "404".to_owned(),
            is_missing: true,
        });
        check_one(
            it,
            Mark::NeedsYou,
            "okta: SendGrid says that this integration is not there (a wrong account or id?).",
        );
    }

    #[test]
    fn what_the_connection_lacks_is_no_matter_of_the_key() {
        let mut both = snapshot(vec![well("okta"), well("adfs")]);
        let account = both.accounts.get_mut(&AccountName::default()).unwrap();
        account.unusable = Some(Unusable {
            lacks_key: false,
            text: "this system has no CA bundle".to_owned(),
            help: Vec::new(),
        });
        check(
            &both,
            Mark::NeedsYou,
            "Nothing of account default is compared or uploaded: this system has no CA bundle.",
        );
        for it in both.integrations.values() {
            let reasons = attention(&alarms(&both, now()), it);
            assert_eq!(reasons, BTreeSet::from([AlarmReason::Tls]));
        }
    }

    fn failing(it: &mut IntegrationSnapshot, compared_at: Option<Timestamp>) {
        it.compared_at = compared_at;
        it.failure = Some(PassFailure {
            since: at("2026-11-24 06:30:00"),
            text: "time-out after 30 s".to_owned(),
            is_missing: false,
        });
    }

    #[test]
    fn silence_longer_than_a_round_is_not_certainty() {
        let mut silent = snapshot(vec![well("okta"), well("adfs")]);
        for it in silent.integrations.values_mut() {
            failing(it, Some(at("2026-11-24 06:02:02")));
        }
        let account = silent.accounts.get_mut(&AccountName::default()).unwrap();
        account.failure = Some(account_failure(
            "time-out after 30 s",
            FailureKind::NoAnswer,
        ));
        account.failures = 10;
        account.answered_at = Some(at("2026-11-24 06:02:02"));
        account.backoff = Some(Backoff {
            until: at("2026-11-24 09:28:02"),
            why: "it does not answer".to_owned(),
        });
        let note = account_note(account, now()).unwrap();
        check(
            &silent,
            Mark::NeedsYou,
            "Not sure: SendGrid has not answered for 3 h 12 min. This was true at 06:02 UTC.",
        );
        assert_eq!(
            note,
            "account default: time-out after 30 s, next try in 14 min (try 11). What SendGrid trusts stays as it is."
        );
        let account = silent.accounts.get_mut(&AccountName::default()).unwrap();
        account.answered_at = Some(at("2026-11-24 09:00:00"));
        silent.integrations.retain(|it, _| it.as_str() == "okta");
        check(
            &silent,
            Mark::NeedsYou,
            "Not sure: okta could not be compared for 3 h 12 min: time-out after 30 s. This was true at 06:02 UTC.",
        );
    }

    #[test]
    fn a_failure_within_the_round_is_not_told_yet() {
        let mut it = well("okta");
        failing(&mut it, Some(at("2026-11-24 09:00:00")));
        check_one(
            it,
            Mark::Fine,
            "All well. 1 integration in step with SendGrid, compared 14 minutes ago. Nothing needs you.",
        );
    }

    #[test]
    fn what_was_never_compared_is_not_called_well() {
        let mut it = well("okta");
        it.plan = None;
        failing(&mut it, None);
        check_one(
            it.clone(),
            Mark::NeedsYou,
            "Not sure: okta could not be compared yet: time-out after 30 s. What SendGrid trusts is not known.",
        );
        let mut silent = snapshot(vec![it]);
        let mut account = account("default");
        account.failure = Some(account_failure("time-out", FailureKind::NoAnswer));
        account.answered_at = None;
        silent.accounts.insert(account.name.clone(), account);
        let started = now().minus(Duration::from_secs(16 * 60));
        for it in silent.integrations.values_mut() {
            it.configured_at = started;
        }
        check(
            &silent,
            Mark::NeedsYou,
            "Not sure: SendGrid has not answered since sso-certd started 16 minutes ago. What SendGrid trusts is not known.",
        );
    }

    #[test]
    fn an_old_list_is_dated() {
        let mut it = once_trusted(integration("okta", Vec::new()), None);
        failing(&mut it, Some(at("2026-11-24 06:00:00")));
        check_one(
            it,
            Mark::Broken,
            "Logins through okta fail: SendGrid trusts no valid certificate for it; last compared 06:00 UTC.",
        );
    }

    #[test]
    fn ledger_and_directory_are_needed() {
        let mut full = snapshot(vec![well("okta"), well("adfs")]);
        full.ledger_failure = Some("the disk is full".to_owned());
        check(
            &full,
            Mark::NeedsYou,
            "The ledger cannot be written: the disk is full; nothing is uploaded until it can.",
        );
        let mut it = well("okta");
        it.source.look = Some(Err(SourceError::Missing(
            "/etc/sso-certd/certificates/okta".to_owned(),
        )));
        check_one(
            it,
            Mark::NeedsYou,
            "okta: the directory /etc/sso-certd/certificates/okta is missing; nothing new is seen.",
        );
    }

    #[test]
    fn the_first_pass_is_counted() {
        let mut starting = snapshot(vec![well("okta"), well("adfs"), well("entra-eu")]);
        let names: Vec<_> = starting.integrations.keys().cloned().collect();
        for name in names.iter().skip(1) {
            starting.integrations.get_mut(name).unwrap().has_passed = false;
        }
        check(
            &starting,
            Mark::Waits,
            "Starting: 1 of 3 integrations compared with SendGrid so far.",
        );
    }

    #[test]
    fn what_goes_by_itself_says_when() {
        let brief = adfs_next().fingerprint().brief();
        let with = |state| {
            integration(
                "adfs",
                vec![item(State::Trusted, &okta()), item(state, &adfs_next())],
            )
        };
        check_one(
            with(State::Waiting),
            Mark::Waits,
            &format!(
                "All well. adfs waits: {brief} goes to SendGrid today 21:40 UTC (it was refused before its start)."
            ),
        );
        check_one(
            with(State::Settling),
            Mark::Waits,
            &format!(
                "All well. adfs waits: whether {brief} arrived is asked again today 21:40 UTC."
            ),
        );
        check_one(
            with(State::Planned),
            Mark::Waits,
            &format!("All well. adfs waits: {brief} goes to SendGrid with the next pass."),
        );
        let mut observed = with(State::Planned);
        observed.mode = Mode::Observe;
        check_one(
            observed,
            Mark::Waits,
            "All well. adfs is only observed: 1 certificate would go to SendGrid.",
        );
        check_one(
            once_trusted(
                integration("adfs", vec![item(State::Planned, &adfs_next())]),
                None,
            ),
            Mark::Broken,
            "Logins through adfs fail: SendGrid trusts no valid certificate for it.",
        );
        let mut kept = snapshot(vec![with(State::Planned), with(State::Waiting)]);
        let account = kept.accounts.get_mut(&AccountName::default()).unwrap();
        account.backoff = Some(Backoff {
            until: at("2026-11-24 09:20:00"),
            why: "rate limited".to_owned(),
        });
        kept.integrations.values_mut().for_each(|it| {
            it.plan = with(State::Planned).plan;
        });
        check(
            &kept,
            Mark::Waits,
            &format!(
                "All well. adfs waits: {brief} goes to SendGrid today 09:20 UTC (rate limited)."
            ),
        );
    }

    #[test]
    fn a_hold_down_says_when_it_ends() {
        let until = at("2026-11-24 21:40:00");
        let wait = because(State::Waiting, &adfs_next(), Why::HoldDown { until });
        let brief = adfs_next().fingerprint().brief();
        check_one(
            integration("adfs", vec![item(State::Trusted, &okta()), wait]),
            Mark::Waits,
            &format!(
                "All well. adfs waits: its new certificate {brief} goes to SendGrid today 21:40 UTC (hold-down)."
            ),
        );
        let mut back = because(
            State::Planned,
            &adfs_next(),
            Why::Enough {
                evidence: Evidence::Order,
                is_new_key: false,
            },
        );
        back.is_listed = true;
        check_one(
            integration("adfs", vec![item(State::Trusted, &okta()), back]),
            Mark::Waits,
            &format!("All well. adfs waits: {brief} is enabled with the next pass."),
        );
    }

    #[test]
    fn a_pause_names_who_and_what() {
        check_one(
            paused(well("okta"), "bob"),
            Mark::Waits,
            "Paused by bob since 08:05 UTC: okta. New certificates are not uploaded.",
        );
        check(
            &snapshot(vec![
                paused(well("okta"), "bob"),
                paused(well("adfs"), "bob"),
                paused(well("entra-eu"), "alice"),
                well("keycloak"),
            ]),
            Mark::Waits,
            "Paused by bob since 08:05 UTC: adfs, okta, and 1 more waits. New certificates are not uploaded.",
        );
        let held = because(State::Held, &adfs_next(), Why::Paused);
        let it = integration("okta", vec![item(State::Trusted, &okta()), held]);
        check_one(
            paused(it, "bob"),
            Mark::Waits,
            "Paused by bob since 08:05 UTC: okta. 1 certificate is not uploaded.",
        );
        let many: Vec<_> = (0..7)
            .map(|it| paused(well(&format!("c{it}")), "bob"))
            .collect();
        check(
            &snapshot(many),
            Mark::Waits,
            "Paused by bob since 08:05 UTC: c0, c1, c2, c3, c4 and 2 more. New certificates are not uploaded.",
        );
    }

    #[test]
    fn a_pause_hides_no_need() {
        let it = integration("adfs", vec![item(State::Trusted, &adfs())]);
        check(
            &snapshot(vec![paused(it, "bob"), paused(well("okta"), "bob")]),
            Mark::NeedsYou,
            "adfs: 19 d left and no successor in the directory yet.",
        );
    }

    #[test]
    fn what_a_person_took_away_was_not_deleted_by_somebody() {
        let brief = adfs().fingerprint().brief();
        let away = because(State::Removed, &adfs(), Why::RetiredByPerson);
        check_one(
            integration("okta", vec![item(State::Trusted, &okta()), away]),
            Mark::NeedsYou,
            &format!("okta: {brief} was taken away by a person, and its file still asks for it."),
        );
    }

    #[test]
    fn all_well_says_how_old_that_is() {
        let three = || vec![well("okta"), well("adfs"), well("entra-eu")];
        check(
            &snapshot(three()),
            Mark::Fine,
            "All well. 3 integrations in step with SendGrid, compared 4 minutes ago. Nothing needs you.",
        );
        let mut spread = snapshot(three());
        for it in spread.integrations.values_mut().take(1) {
            it.compared_at = Some(at("2026-11-24 08:16:00"));
        }
        check(
            &spread,
            Mark::Fine,
            "All well. 3 integrations in step with SendGrid, compared within 58 minutes. Nothing needs you.",
        );
        check(
            &snapshot(Vec::new()),
            Mark::Waits,
            "No integration is configured; `sso-certd integrations` lists those of SendGrid.",
        );
    }

    #[test]
    fn the_worst_is_named_and_the_others_are_counted() {
        let due = || integration("adfs", vec![item(State::Trusted, &adfs())]);
        let out = || once_trusted(integration("okta", Vec::new()), None);
        check(
            &snapshot(vec![due(), out(), well("entra-eu")]),
            Mark::Broken,
            "Logins through okta fail: SendGrid trusts no valid certificate for it, and 1 more needs you.",
        );
        let mut second = due();
        second.name = crate::domain::IntegrationName::parse("adfs-eu").unwrap();
        check(
            &snapshot(vec![due(), second, out()]),
            Mark::Broken,
            "Logins through okta fail: SendGrid trusts no valid certificate for it, and 2 more need you.",
        );
        check(
            &snapshot(vec![due(), well("okta"), well("entra-eu")]),
            Mark::NeedsYou,
            "adfs: 19 d left and no successor in the directory yet. 2 other integrations are well.",
        );
    }

    #[test]
    fn only_the_ledger_speaks_without_a_daemon() {
        let mut dead = snapshot(vec![integration("okta", Vec::new())]);
        dead.is_live = false;
        dead.at = at("2026-11-24 08:51:00");
        check(
            &dead,
            Mark::Broken,
            "sso-certd does not run. This is what its ledger knew at 2026-11-24 08:51 UTC (23 minutes ago), with the files of now.",
        );
    }
}
