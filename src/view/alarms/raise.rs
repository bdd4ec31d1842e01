//! What stands, and since when: the facts of the snapshot against the conditions of the list.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::{Reason, Timestamp};
use crate::plan::book::TrustRecord;
use crate::plan::outlook::{Outlook, SHORTEST_NOTICE};
use crate::plan::policy::{ExpiryPolicy, Mode};
use crate::plan::rollover::{Item, Plan};
use crate::plan::state::State;
use crate::plan::why::Why;

use super::{AlarmReason, Severity};
use crate::view::snapshot::{AccountSnapshot, FailureKind, IntegrationSnapshot, Snapshot};
use crate::view::standing::{is_trusting, refusals};

/// For how long what an operator does in steps is a note.
const DAY: Duration = Duration::from_secs(86_400);

/// What no source holds is a note until this long before its end.
const NOT_IN_SOURCE: Duration = Duration::from_secs(45 * 86_400);

/// After the start SendGrid may take this long to be compared with.
const FIRST_COMPARISON: Duration = Duration::from_secs(15 * 60);

/// Without a schedule, a round is this long.
const ROUND: Duration = Duration::from_secs(3600);

/// Something that stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raised<'a> {
    pub(super) reason: AlarmReason,
    pub(super) about: About<'a>,
    pub(super) since: Option<Timestamp>,
    pub(super) deadline: Option<Timestamp>,
    /// Whether what began as a note is a warning by now.
    pub(super) presses: bool,
}

/// What it is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum About<'a> {
    Daemon,
    Account(&'a AccountSnapshot),
    Integration(&'a IntegrationSnapshot),
}

impl<'a> Raised<'a> {
    const fn new(reason: AlarmReason, about: About<'a>, since: Option<Timestamp>) -> Self {
        Self {
            reason,
            about,
            since,
            deadline: None,
            presses: false,
        }
    }

    pub(super) const fn integration(&self) -> Option<&'a IntegrationSnapshot> {
        match self.about {
            About::Integration(it) => Some(it),
            About::Daemon | About::Account(_) => None,
        }
    }
}

/// Everything that stands, in no order.
pub(super) fn raised(snapshot: &Snapshot, now: Timestamp) -> Vec<Raised<'_>> {
    let mut raised = Vec::new();
    if snapshot.ledger_failure.is_some() {
        raised.push(Raised::new(AlarmReason::Ledger, About::Daemon, None));
    }
    for it in snapshot.integrations.values() {
        of_integration(&mut raised, it, now);
    }
    for account in snapshot.accounts.values() {
        let integrations: Vec<&IntegrationSnapshot> = snapshot
            .integrations
            .values()
            .filter(|it| it.account == account.name)
            .collect();
        if !integrations.is_empty() {
            of_account(&mut raised, account);
            not_compared(&mut raised, account, &integrations, snapshot, now);
        }
    }
    raised
}

fn of_integration<'a>(raised: &mut Vec<Raised<'a>>, it: &'a IntegrationSnapshot, now: Timestamp) {
    let about = About::Integration(it);
    if let Some(plan) = &it.plan {
        let found = of_plan(plan, it.mode, &it.expiry, now);
        raised.extend(found.into_iter().map(|found| Raised {
            reason: found.reason,
            about,
            since: found.since,
            deadline: found.deadline,
            presses: found.presses,
        }));
    }
    let mut raise = |reason, since| raised.push(Raised::new(reason, about, since));
    let (keys, others): (Vec<_>, Vec<_>) = refusals(it)
        .into_iter()
        .partition(|(_, refusal)| refusal.reason == Reason::PrivateKey);
    if !keys.is_empty() {
        raise(AlarmReason::PrivateKey, None);
    }
    let has_surplus = matches!(&it.source.look, Some(Ok(look)) if !look.surplus.is_empty());
    if !others.is_empty() || has_surplus {
        raise(AlarmReason::Refused, None);
    }
    if matches!(it.source.look, Some(Err(_))) {
        raise(AlarmReason::SourceDown, it.source.down_since);
    }
    if let Some(failure) = it.failure.as_ref().filter(|it| it.is_missing) {
        raise(AlarmReason::IntegrationMissing, Some(failure.since));
    }
}

fn of_account<'a>(raised: &mut Vec<Raised<'a>>, account: &'a AccountSnapshot) {
    let about = About::Account(account);
    let mut raise = |reason, since| raised.push(Raised::new(reason, about, since));
    if account.needs_key() {
        raise(AlarmReason::ApiKey, None);
    }
    let kind = account.failure.as_ref().map(|it| it.kind);
    if account.lacks_client() || kind == Some(FailureKind::Tls) {
        raise(AlarmReason::Tls, None);
    }
    if let Some(fault) = account.clock {
        raise(AlarmReason::Clock, Some(fault.since));
    }
}

/// What has not been compared for too long: one alarm for the account if all of it fails alike.
fn not_compared<'a>(
    raised: &mut Vec<Raised<'a>>,
    account: &'a AccountSnapshot,
    integrations: &[&'a IntegrationSnapshot],
    snapshot: &Snapshot,
    now: Timestamp,
) {
    if !snapshot.is_live {
        return;
    }
    let overdue: Vec<&IntegrationSnapshot> = integrations
        .iter()
        .copied()
        .filter(|it| is_overdue(it, account, snapshot, now))
        .collect();
    // An integration without a cause waits for the account, and so for what the others met.
    let causes: BTreeSet<&str> = overdue.iter().filter_map(|it| cause(it)).collect();
    let is_alike = overdue.len() == integrations.len() && causes.len() <= 1;
    let since = |it: &IntegrationSnapshot| it.compared_at.unwrap_or(it.configured_at);
    if is_alike && !overdue.is_empty() && (overdue.len() > 1 || is_silent(account, &overdue)) {
        let since = overdue.iter().map(|it| since(it)).min();
        let about = About::Account(account);
        raised.push(Raised::new(AlarmReason::NotCompared, about, since));
    } else {
        raised.extend(overdue.into_iter().map(|it| {
            let about = About::Integration(it);
            Raised::new(AlarmReason::NotCompared, about, Some(since(it)))
        }));
    }
}

/// Why it was not compared, without what was being done to which integration.
pub(super) fn cause(it: &IntegrationSnapshot) -> Option<&str> {
    let text = it.failure.as_ref()?.text.as_str();
    Some(text.split_once(": ").map_or(text, |(_, why)| why))
}

/// Whether SendGrid has given an account no answer that helps since any of these was compared.
pub(super) fn is_silent(account: &AccountSnapshot, integrations: &[&IntegrationSnapshot]) -> bool {
    let compared = integrations.iter().map(|it| it.compared_at).min();
    account.failure.is_some() && account.answered_at <= compared.flatten()
}

/// Whether it has not been compared for longer than two rounds; after the start, for longer than one may take.
fn is_overdue(
    it: &IntegrationSnapshot,
    account: &AccountSnapshot,
    snapshot: &Snapshot,
    now: Timestamp,
) -> bool {
    // One list an integration, at the account's own pace.
    let number = u32::try_from(account.integrations).unwrap_or(u32::MAX);
    let minutes = f64::from(number) / f64::from(account.requests_per_minute.max(1));
    let pace = Duration::from_secs_f64(60.0 * minutes);
    let round = snapshot.schedule.round.unwrap_or(ROUND);
    let begun = it.configured_at;
    match it.compared_at.filter(|compared| *compared >= begun) {
        None => now.since(begun) > FIRST_COMPARISON.max(pace),
        Some(compared) => now.since(compared) > round.saturating_mul(2).max(pace),
    }
}

/// What stands by a plan alone.
struct Found {
    reason: AlarmReason,
    since: Option<Timestamp>,
    deadline: Option<Timestamp>,
    presses: bool,
}

/// What is trusted changes with time alone, so a plan of an hour ago is judged again.
fn of_plan(plan: &Plan, mode: Mode, expiry: &ExpiryPolicy, now: Timestamp) -> Vec<Found> {
    let mut found = of_trust(plan, expiry, now);
    let mut by_reason: BTreeMap<AlarmReason, Vec<&Item>> = BTreeMap::new();
    for item in &plan.items {
        if let Some(reason) = reason_of(item, mode, now) {
            by_reason.entry(reason).or_default().push(item);
        }
    }
    let outlook = &plan.outlook;
    if outlook.moved_from.is_some() {
        found.push(Found {
            reason: AlarmReason::IdChanged,
            since: None,
            deadline: None,
            presses: true,
        });
    }
    for (reason, items) in by_reason {
        let since = items
            .iter()
            .filter_map(|it| stands_since(it, outlook))
            .min();
        let deadline = items.iter().filter_map(|it| decide_by(it, outlook)).min();
        let is_near = outlook
            .ends
            .is_some_and(|it| outlook.skew.at(now).left_until(it) <= expiry.critical);
        found.push(Found {
            reason,
            since,
            deadline,
            presses: is_near || since.is_some_and(|it| now.since(it) >= DAY),
        });
    }
    found
}

/// Whether people can sign in, for how long, and what that rests on.
fn of_trust(plan: &Plan, expiry: &ExpiryPolicy, now: Timestamp) -> Vec<Found> {
    let (outlook, trust) = (&plan.outlook, &plan.outlook.trust);
    let clocks = outlook.skew.at(now);
    let listed = plan.items.iter().filter(|it| it.may_let_in(clocks));
    let valid = listed.clone().count();
    let trusted = usize::from(is_trusting(&plan.items, clocks));
    let mut found = Vec::new();
    if outlook.has_lost(trust, trusted, valid) {
        let ends = plan.items.iter().filter(|it| it.is_listed);
        let ends = ends.filter_map(|it| Some(it.certificate.as_ref()?.validity().not_after));
        let since = trust.lost_at.or_else(|| ends.filter(|it| *it < now).max());
        found.push(Found {
            reason: AlarmReason::NoTrust,
            since,
            deadline: since.or(Some(now)),
            presses: true,
        });
    }
    if outlook.first_list.is_some() && *trust == TrustRecord::default() {
        found.push(Found {
            reason: AlarmReason::NotSetUp,
            since: outlook.first_list,
            deadline: None,
            presses: outlook.first_list.is_some_and(|it| now.since(it) >= DAY),
        });
    }
    let unheld = listed
        .filter(|it| it.paths.is_empty() && it.state != State::Acknowledged)
        .filter_map(|it| Some(it.certificate.as_ref()?.validity().not_after));
    if let Some(end) = unheld.max().filter(|_| !trust.has_counted) {
        found.push(Found {
            reason: AlarmReason::NotInSource,
            since: outlook.first_list,
            deadline: Some(end),
            presses: clocks.left_until(end) <= NOT_IN_SOURCE,
        });
    }
    if let Some(end) = outlook.ends.filter(|_| trusted + valid > 0) {
        let critical = end.minus(expiry.critical);
        let mut ends = |reason, since: Timestamp| {
            found.push(Found {
                reason,
                since: Some(since),
                deadline: Some(end),
                presses: true,
            });
        };
        if clocks.left_until(end) <= expiry.critical {
            ends(AlarmReason::TrustEnds, critical);
        }
        if clocks.left_until(end) <= expiry.successor && !outlook.successor_known {
            ends(AlarmReason::NoSuccessor, end.minus(expiry.successor));
        }
    }
    found
}

/// Why a certificate or row needs somebody, if it does.
pub(super) fn reason_of(item: &Item, mode: Mode, now: Timestamp) -> Option<AlarmReason> {
    if item.is_withheld(mode) {
        return Some(AlarmReason::Withheld);
    }
    match item.state {
        State::Held => match item.why {
            Why::Paused | Why::IdChanged => None,
            Why::RemovedKey(_) => Some(AlarmReason::Removed),
            Why::KeyBudget { .. } | Why::TooMany { .. } => Some(AlarmReason::KeyBudget),
            _ => Some(AlarmReason::Approval),
        },
        State::Planned | State::Settling | State::Waiting => {
            let is_late = item.undelivered_from.is_some_and(|it| it <= now);
            is_late.then_some(AlarmReason::Undelivered)
        }
        State::Rejected => Some(AlarmReason::Rejected),
        State::Removed => Some(AlarmReason::Removed),
        State::Replaced => Some(AlarmReason::Replaced),
        State::Unmanaged => Some(AlarmReason::Unmanaged),
        State::Undecodable => Some(AlarmReason::Undecodable),
        State::Duplicate => Some(AlarmReason::Duplicate),
        State::Trusted
        | State::Ahead
        | State::Found
        | State::Denied
        | State::Expired
        | State::Superseded
        | State::Disabled
        | State::Inherited
        | State::Acknowledged
        | State::Orphaned => None,
    }
}

/// Since when a certificate stands as it does: what is paused, at the earliest since the pause.
fn stands_since(item: &Item, outlook: &Outlook) -> Option<Timestamp> {
    let pause = outlook.pause.as_ref().filter(|_| item.why == Why::Paused);
    item.since.max(pause.map(|it| it.at))
}

/// By when an operator must have let a certificate in: AD FS signs with it five days after it appeared, and what is
/// trusted ends.
pub(crate) fn decide_by(item: &Item, outlook: &Outlook) -> Option<Timestamp> {
    let waits = match (item.state, item.why) {
        (State::Held, Why::RemovedKey(_)) => false,
        (State::Held | State::Rejected | State::Planned, _) => true,
        _ => false,
    };
    let notice = item.since.map(|it| it.plus(SHORTEST_NOTICE));
    notice
        .into_iter()
        .chain(outlook.ends)
        .min()
        .filter(|_| waits)
}

/// By when an operator must act, as far as a plan alone tells.
pub(crate) fn deadline_of_plan(
    plan: &Plan,
    mode: Mode,
    expiry: &ExpiryPolicy,
    now: Timestamp,
) -> Option<Timestamp> {
    of_plan(plan, mode, expiry, now)
        .into_iter()
        .filter(|it| it.reason.severity(it.presses) < Severity::Note)
        .filter_map(|it| it.deadline)
        .min()
}
