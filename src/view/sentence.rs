//! The one sentence: what matters most, as a pure function of the snapshot and the time.
//!
//! It is the first line of `status`, systemd's `STATUS=`, `summary` in JSON, the head of the page, and the log line
//! after a change. The first row that applies to any integration is said; further needs are counted.
//!
//! | when | mark |
//! |---|---|
//! | only the ledger speaks | broken |
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
//! | else | fine |

use std::collections::BTreeSet;

use crate::domain::text::{count, printable, span};
use crate::domain::{Fingerprint, Reason, Timestamp};
use crate::plan::attention::Attention;
use crate::plan::policy::Mode;
use crate::plan::rollover::Item;
use crate::plan::state::State;
use crate::plan::why::Why;

use super::concern::{
    Concern, Standing, is_trusting, items, latest_expiry, others, refusals, standings,
};
use super::refusal_text::file_name;
use super::snapshot::{AccountSnapshot, Snapshot};
use super::terminal::Mark;
use super::when::{ago, clock, day_and_clock, roughly};

/// The one sentence with its mark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sentence {
    /// How bad it is.
    pub mark: Mark,
    /// One line, with its full stop.
    pub text: String,
}

/// What matters most about the daemon.
pub fn sentence(snapshot: &Snapshot, now: Timestamp) -> Sentence {
    if !snapshot.is_live {
        return Sentence {
            mark: Mark::Broken,
            text: format!(
                "sso-certd does not run. This is what its ledger knew at {} UTC ({}).",
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

/// A sentence before the others are counted: what comes before the count, and what comes after it.
struct Told {
    main: String,
    rest: String,
}

impl From<String> for Told {
    fn from(main: String) -> Self {
        Self {
            main,
            rest: String::new(),
        }
    }
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
            text: "No integration is configured; `sso-certd integrations` lists those of SendGrid."
                .to_owned(),
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
    let well = others().filter(|it| !it.mark().needs_person()).count();
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
            Concern::ApiKey => same_account,
            Concern::Stale => same_account && is_account(named) && is_account(other),
            Concern::SourceDown => named.it.directory == other.it.directory,
            _ => false,
        }
}

/// Whether the account has not answered at all since the integration was last compared.
fn account_is_silent(standing: &Standing<'_>, snapshot: &Snapshot) -> bool {
    snapshot
        .accounts
        .get(&standing.it.account)
        .is_some_and(|it| it.failure.is_some() && it.answered_at <= standing.it.compared_at)
}

struct Teller<'a> {
    snapshot: &'a Snapshot,
    standing: &'a Standing<'a>,
    now: Timestamp,
}

impl Teller<'_> {
    fn tell(&self, concern: Concern) -> Told {
        let name = &self.standing.it.name;
        match concern {
            Concern::NoTrust => self.no_trust(),
            Concern::Foreign => self.foreign(),
            Concern::TrustEnds => self.trust_ends(),
            Concern::OnlyOthers => self.only_others(),
            Concern::Removed => self.removed(),
            Concern::NoSuccessor => self.no_successor(),
            Concern::ApiKey => Told::from(format!(
                "SendGrid does not accept the API key of account {}: nothing of it is compared or uploaded",
                self.standing.it.account
            )),
            Concern::Missing => Told::from(format!(
                "{name}: SendGrid says that this integration is not there; is the account or the id a wrong one?"
            )),
            Concern::Stale => self.stale(),
            Concern::Ledger => {
                let why = self.snapshot.ledger_failure.as_deref().unwrap_or_default();
                let why = printable(why, LONGEST);
                Told::from(format!(
                    "The ledger cannot be written: {why}; nothing is uploaded until it can"
                ))
            }
            Concern::SourceDown => self.source_down(),
            Concern::Starting => self.starting(),
            Concern::Waits => self.waits(),
            Concern::PrivateKey
            | Concern::Approval
            | Concern::KeyBudget
            | Concern::Rejected
            | Concern::Refused => {
                let need = self.need(concern);
                Told::from(format!("{name} needs you: {need}"))
            }
        }
    }

    fn no_trust(&self) -> Told {
        let it = self.standing.it;
        let ended = items(it)
            .iter()
            .filter(|it| it.state == State::Expired || it.state.is_trust())
            .filter_map(|it| it.certificate.as_ref())
            .map(|it| it.validity().not_after)
            .filter(|it| *it < self.now)
            .max();
        let since = it.untrusted_since.or(ended);
        let since = since.map_or(String::new(), |it| {
            format!(" since {}", clock(it, self.now))
        });
        Told::from(format!(
            "Logins through {} fail: SendGrid trusts no valid certificate for it{since}{}",
            it.name,
            self.as_of()
        ))
    }

    fn foreign(&self) -> Told {
        let it = self.standing.it;
        let (name, as_of) = (&it.name, self.as_of());
        let replaced = items(it).iter().find_map(|item| match item.why {
            Why::Carries(other) => Some((brief(item), other)),
            _ => None,
        });
        let unmanaged = items(it).iter().find(|it| it.state == State::Unmanaged);
        let alone = if is_trusting(items(it), self.now) {
            ""
        } else {
            ", and nothing of ours"
        };
        Told::from(match (unmanaged, replaced) {
            (Some(item), _) => format!(
                "Somebody else's certificate: SendGrid lists {} for {name}, which did not come from here{alone}{as_of}",
                brief(item)
            ),
            (None, Some((ours, Some(other)))) => format!(
                "Somebody else's certificate: SendGrid's row of our {ours} for {name} now carries {}{as_of}",
                other.brief()
            ),
            (None, Some((ours, None))) => format!(
                "{name}: SendGrid's row of our {ours} now carries something that cannot be read{as_of}"
            ),
            (None, None) => {
                format!("{name}: SendGrid lists something that cannot be read{alone}{as_of}")
            }
        })
    }

    fn trust_ends(&self) -> Told {
        let end = latest_expiry(self.standing.it).unwrap_or(self.now);
        Told::from(format!(
            "Logins through {} stop in {}, on {}: no successor is trusted{}",
            self.standing.it.name,
            span(end.since(self.now)),
            end.date(),
            self.as_of()
        ))
    }

    fn only_others(&self) -> Told {
        let it = self.standing.it;
        let others = others(items(it), self.now);
        let unreadable = others.iter().all(|it| it.state == State::Undecodable);
        let others = match (others.len(), unreadable) {
            (number, true) => format!("{number} that cannot be read"),
            (number, false) => format!("{number} that did not come from here"),
        };
        Told::from(format!(
            "{}: no certificate in the directory is trusted at SendGrid; it lists {others}{}",
            it.name,
            self.as_of()
        ))
    }

    fn removed(&self) -> Told {
        let it = self.standing.it;
        let gone = items(it).iter().find(|it| it.state == State::Removed);
        let held = items(it).iter().find_map(|item| match item.why {
            Why::RemovedKey(other) => Some((brief(item), other)),
            _ => None,
        });
        Told::from(match (gone, held) {
            (None, Some((held, other))) => format!(
                "{}: {held} is held, because its key is that of {}, which somebody deleted at SendGrid",
                it.name,
                other.brief()
            ),
            (gone, _) => format!(
                "{}: {} was deleted at SendGrid, not by us, and does not come back by itself{}",
                it.name,
                gone.map_or_else(|| "a certificate".to_owned(), brief),
                self.as_of()
            ),
        })
    }

    fn need(&self, concern: Concern) -> String {
        let it = self.standing.it;
        let of = |attention| {
            items(it)
                .iter()
                .find(move |it| it.attention() == Some(attention))
        };
        let named = |attention| of(attention).map_or_else(|| "a certificate".to_owned(), brief);
        let refused: BTreeSet<_> = refusals(it)
            .into_iter()
            .filter(|(_, it)| (it.reason == Reason::PrivateKey) == (concern == Concern::PrivateKey))
            .map(|(file, refusal)| (file_name(&file.path), refusal.reason))
            .collect();
        let first = refused.first();
        match concern {
            Concern::PrivateKey => match first {
                Some((file, _)) => {
                    format!("a private key lies in {file}; nothing of it was kept or sent")
                }
                None => "a private key lies in its directory".to_owned(),
            },
            Concern::Approval => {
                let since = of(Attention::Approval).and_then(|it| it.since);
                let since = since.map_or(String::new(), |it| {
                    format!(" since {}", clock(it, self.now))
                });
                format!("a new key waits for approval{since}")
            }
            Concern::KeyBudget => match of(Attention::KeyBudget).map(|it| it.why) {
                Some(Why::TooMany { limit }) => format!(
                    "its directory holds more than {limit} certificates; {} is held",
                    named(Attention::KeyBudget)
                ),
                Some(Why::KeyBudget { limit }) => format!(
                    "more than {} in 24 h; {} is held",
                    count(
                        limit.try_into().unwrap_or(usize::MAX),
                        "new key",
                        "new keys"
                    ),
                    named(Attention::KeyBudget)
                ),
                _ => "too many new keys in 24 h".to_owned(),
            },
            Concern::Rejected => format!("SendGrid refuses {} (400)", named(Attention::Rejected)),
            _ => match (first, refused.len()) {
                (Some((file, reason)), 1) => format!("{file} is refused ({reason})"),
                (Some((file, reason)), number) => {
                    format!("{number} files are refused, first of all {file} ({reason})")
                }
                (None, _) => "its directory holds more files than are looked at".to_owned(),
            },
        }
    }

    fn no_successor(&self) -> Told {
        let it = self.standing.it;
        let left = latest_expiry(it).map_or_else(
            || "the end is near".to_owned(),
            |end| format!("{} left", crate::domain::text::left(end.since(self.now))),
        );
        Told::from(format!(
            "{}: {left} and no successor in the directory yet",
            it.name
        ))
    }

    fn stale(&self) -> Told {
        let it = self.standing.it;
        let account = self.snapshot.accounts.get(&it.account);
        let main = if account_is_silent(self.standing, self.snapshot) {
            let since = account.and_then(|it| it.answered_at).map_or_else(
                || {
                    format!(
                        "since sso-certd started {}",
                        ago(self.snapshot.started, self.now)
                    )
                },
                |it| format!("for {}", span(self.now.since(it))),
            );
            format!("Not sure: SendGrid has not answered {since}")
        } else {
            let why = it.failure.as_ref().map_or(String::new(), |it| {
                format!(": {}", printable(&it.text, LONGEST))
            });
            let since = it.compared_at.map_or_else(
                || "yet".to_owned(),
                |at| format!("for {}", span(self.now.since(at))),
            );
            format!("Not sure: {} could not be compared {since}{why}", it.name)
        };
        let rest = it.compared_at.map_or_else(
            || " What SendGrid trusts is not known.".to_owned(),
            |it| format!(" This was true at {}.", clock(it, self.now)),
        );
        Told { main, rest }
    }

    fn source_down(&self) -> Told {
        let it = self.standing.it;
        let why = match &it.source.look {
            Some(Err(error)) => printable(&error.to_string(), LONGEST),
            _ => "its directory cannot be read".to_owned(),
        };
        Told::from(format!("{}: {why}; nothing new is seen", it.name))
    }

    fn starting(&self) -> Told {
        let all = self.snapshot.integrations.values();
        let done = all
            .clone()
            .filter(|it| it.has_passed && it.failure.is_none())
            .count();
        let number = count(all.len(), "integration", "integrations");
        Told::from(format!(
            "Starting: {done} of {number} compared with SendGrid so far"
        ))
    }

    fn waits(&self) -> Told {
        let it = self.standing.it;
        let goes =
            |it: &&Item| matches!(it.state, State::Settling | State::Waiting | State::Planned);
        let soonest = items(it)
            .iter()
            .filter(goes)
            .min_by_key(|it| it.why.until().map_or(i64::MAX, Timestamp::as_millis));
        let wait = soonest.map_or_else(String::new, |item| self.wait(item));
        let well = if is_trusting(items(it), self.now) {
            "All well. "
        } else {
            ""
        };
        Told::from(format!("{well}{} {wait}", it.name))
    }

    fn wait(&self, item: &Item) -> String {
        let which = brief(item);
        let when = |at| day_and_clock(at, self.now);
        let account = self.snapshot.accounts.get(&self.standing.it.account);
        match item.why {
            Why::Unsettled { until, .. } => {
                format!(
                    "waits: whether {which} arrived is asked again {}",
                    when(until)
                )
            }
            Why::Missing { until, .. } => format!(
                "waits: one list lacked {which}; SendGrid is asked again {}",
                when(until)
            ),
            Why::NotBefore(start) => format!(
                "waits: {which} goes to SendGrid {} (it was refused before its start)",
                when(start)
            ),
            Why::Enough { .. } if self.standing.it.mode == Mode::Observe => {
                let number = items(self.standing.it)
                    .iter()
                    .filter(|it| it.state == State::Planned)
                    .count();
                let number = count(number, "certificate", "certificates");
                format!("is only observed: {number} would go to SendGrid")
            }
            Why::Enough { .. } => match account.and_then(|it| it.backoff.as_ref()) {
                Some(backoff) if backoff.until > self.now => format!(
                    "waits: {which} goes to SendGrid {} ({})",
                    when(backoff.until),
                    printable(&backoff.why, LONGEST)
                ),
                _ => format!("waits: {which} goes to SendGrid with the next pass"),
            },
            Why::Backoff { until } => {
                format!("waits: {which} goes to SendGrid {}", when(until))
            }
            _ => format!("waits with {which}: {}", item.why),
        }
    }

    /// A sentence about SendGrid's list is as old as the list.
    fn as_of(&self) -> String {
        match self.standing.it.compared_at {
            Some(at) if self.standing.concerns.contains(&Concern::Stale) => {
                format!("; last compared {}", clock(at, self.now))
            }
            _ => String::new(),
        }
    }
}

/// Words of others in a sentence are cut here.
const LONGEST: usize = 200;

fn brief(item: &Item) -> String {
    item.fingerprint
        .as_ref()
        .map_or_else(|| "a row".to_owned(), Fingerprint::brief)
}

/// Why an account is not asked now, in one line; none while it answers.
pub(crate) fn account_note(account: &AccountSnapshot, now: Timestamp) -> Option<String> {
    let failure = account.failure.as_ref()?;
    let next = account
        .backoff
        .as_ref()
        .filter(|it| it.until > now)
        .map_or(String::new(), |it| {
            format!(", next try in {}", span(it.until.since(now)))
        });
    Some(format!(
        "account {}: {}{next} (try {}). What SendGrid trusts stays as it is.",
        account.name,
        printable(failure, LONGEST),
        account.failures.saturating_add(1)
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{AccountName, Look, Refusal, SourceError};
    use crate::view::snapshot::{Backoff, IntegrationSnapshot, PassFailure};
    use crate::view::testing::{
        account, adfs, adfs_next, at, certificate, integration, item, now, okta, refused_file,
        snapshot, with_look,
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
            &format!(
                "okta: {brief} was deleted at SendGrid, not by us, and does not come back by itself."
            ),
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
                Why::Unseen,
                "a new key waits for approval since 09:12 UTC".to_owned(),
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
            surplus: vec!["/x/z.pem".into()],
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
        let mut it = well("okta");
        it.failure = Some(PassFailure {
            since: now(),
            text: "404".to_owned(),
            is_missing: true,
        });
        check_one(
            it,
            Mark::NeedsYou,
            "okta: SendGrid says that this integration is not there; is the account or the id a wrong one?",
        );
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
            Mark::Waits,
            &format!("adfs waits: {brief} goes to SendGrid with the next pass."),
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
            "sso-certd does not run. This is what its ledger knew at 2026-11-24 08:51 UTC (23 minutes ago).",
        );
    }
}
