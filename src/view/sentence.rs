//! The one sentence: what matters most, as a pure function of the snapshot and the time.
//!
//! It is the first line of `status`, systemd's `STATUS=`, `summary` in JSON, the head of the page, and the log line
//! after a change. The first row that applies to any integration is said; further needs are counted.
//!
//! | when | mark |
//! |---|---|
//! | only the ledger speaks | broken |
//! | SendGrid's clock and ours disagree | needs you |
//! | nothing that could let anybody in is listed | broken |
//! | SendGrid lists what nobody here knows, or a row of ours carries something else | broken |
//! | trust ends within `expiry.critical` | broken |
//! | nothing of the directory is trusted, and SendGrid lists others | needs you |
//! | something of ours was deleted | needs you |
//! | private key, approval, key budget, 400, refused file | needs you |
//! | no successor though due | needs you |
//! | key not accepted, integration not there, not reached for longer than one round | needs you |
//! | ledger or directory down | needs you |
//! | first pass under way | waits |
//! | something goes by itself | waits |
//! | a person has paused something | waits |
//! | else | fine |

use crate::domain::Timestamp;
use crate::domain::text::count;

use super::concern::{Concern, Standing, latest_expiry, standings};
use super::snapshot::Snapshot;
use super::telling::{Teller, Told, account_is_silent};
use super::telling_wait::is_one_pause;
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
    let standings = standings(snapshot, now);
    let worst = standings
        .iter()
        .filter_map(|it| Some((it.worst()?, it)))
        .min_by_key(|(concern, it)| (*concern, latest_expiry(it.it)));
    let Some((concern, standing)) = worst else {
        return all_well(snapshot, now);
    };
    let told = Teller {
        snapshot,
        standing,
        now,
    }
    .tell(concern);
    Sentence {
        mark: concern.mark(),
        text: with_others(&told, concern, standing, &standings, snapshot),
    }
}

/// What is the matter with each integration, whatever the words for it: other than the sentence it does not change with
/// time alone.
pub fn topic(snapshot: &Snapshot, now: Timestamp) -> String {
    let topics = standings(snapshot, now);
    let topics = topics
        .iter()
        .map(|it| format!("{}: {:?}", it.it.name, it.worst()));
    topics.collect::<Vec<_>>().join(", ")
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
            mark: Mark::NeedsYou,
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

fn with_others(
    told: &Told,
    concern: Concern,
    named: &Standing<'_>,
    standings: &[Standing<'_>],
    snapshot: &Snapshot,
) -> String {
    let Told { main, rest } = told;
    if concern == Concern::Starting {
        return format!("{main}.{rest}");
    }
    let is_other = |it: &&Standing<'_>| {
        it.it.name != named.it.name && !is_same_cause(concern, named, it, snapshot)
    };
    let others = || standings.iter().filter(is_other);
    let needing = others().filter(|it| it.mark().needs_person()).count();
    let waiting = others().filter(|it| it.mark() == Mark::Waits).count();
    let more = match (needing, waiting) {
        (0, 0) => String::new(),
        (0, _) if concern.mark().needs_person() => String::new(),
        (0, 1) => ", and 1 more waits".to_owned(),
        (0, _) => format!(", and {waiting} more wait"),
        (1, _) => ", and 1 more needs you".to_owned(),
        _ => format!(", and {needing} more need you"),
    };
    let well = others().filter(|it| it.mark() == Mark::Fine).count();
    let praise = if needing == 0 && well > 0 && concern.mark().needs_person() {
        match well {
            1 => " 1 other integration is well.".to_owned(),
            _ => format!(" {well} other integrations are well."),
        }
    } else {
        String::new()
    };
    format!("{main}{more}.{rest}{praise}")
}

/// Whether the sentence about one integration already says what the other one's is: one key, one ledger, one silence.
fn is_same_cause(
    concern: Concern,
    named: &Standing<'_>,
    other: &Standing<'_>,
    snapshot: &Snapshot,
) -> bool {
    let same_account = named.it.account == other.it.account;
    let is_account = |it: &Standing<'_>| account_is_silent(it, snapshot);
    other.worst() == Some(concern)
        && match concern {
            Concern::Ledger => true,
            Concern::Clock | Concern::ApiKey | Concern::Tls => same_account,
            Concern::Stale => same_account && is_account(named) && is_account(other),
            Concern::SourceDown => named.it.directory == other.it.directory,
            Concern::Paused => is_one_pause(named.it, other.it),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{AccountName, Look, PassedOver, Reason, Refusal, SourceError};
    use crate::plan::policy::Mode;
    use crate::plan::state::State;
    use crate::plan::trust::Evidence;
    use crate::plan::why::Why;
    use crate::view::snapshot::{Backoff, IntegrationSnapshot, PassFailure, Unusable};
    use crate::view::status_notes::account_note;
    use crate::view::testing::{
        account, adfs, adfs_next, at, because, certificate, integration, item, now, okta, paused,
        refused_file, snapshot, with_look,
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
        let mut it = integration("okta", vec![item(State::Expired, &over)]);
        check_one(
            it.clone(),
            Mark::Broken,
            "Logins through okta fail: SendGrid trusts no valid certificate for it since 00:00 UTC.",
        );
        it.untrusted_since = Some(at("2026-11-24 06:03:00"));
        check_one(
            it,
            Mark::Broken,
            "Logins through okta fail: SendGrid trusts no valid certificate for it since 06:03 UTC.",
        );
        check_one(
            integration("okta", Vec::new()),
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
        check_one(
            integration("okta", vec![item(State::Inherited, &okta())]),
            Mark::NeedsYou,
            "okta: no certificate in the directory is trusted at SendGrid; it lists 1 that did not come from here.",
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
            Mark::Broken,
            "okta: SendGrid lists something that cannot be read.",
        );
        check_one(
            integration("okta", vec![unread]),
            Mark::Broken,
            "okta: SendGrid lists something that cannot be read, and nothing of ours.",
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
            let reasons: Vec<_> = it.attention(&both).iter().map(|it| it.word()).collect();
            assert_eq!(reasons, ["tls"]);
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
        account.failure = Some("time-out after 30 s".to_owned());
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
        account.failure = Some("time-out".to_owned());
        account.answered_at = None;
        silent.accounts.insert(account.name.clone(), account);
        silent.started = now().minus(Duration::from_secs(200));
        check(
            &silent,
            Mark::NeedsYou,
            "Not sure: SendGrid has not answered since sso-certd started 3 minutes ago. What SendGrid trusts is not known.",
        );
    }

    #[test]
    fn an_old_list_is_dated() {
        let mut it = integration("okta", Vec::new());
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
            integration("adfs", vec![item(State::Planned, &adfs_next())]),
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
            "Paused by bob since 08:05 UTC: okta. New certificates are not uploaded.",
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
            Mark::NeedsYou,
            "No integration is configured; `sso-certd integrations` lists those of SendGrid.",
        );
    }

    #[test]
    fn the_worst_is_named_and_the_others_are_counted() {
        let due = || integration("adfs", vec![item(State::Trusted, &adfs())]);
        let out = || integration("okta", Vec::new());
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
