//! What there is to say about one integration, worst first.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::{Clocks, Refusal, Timestamp};
use crate::plan::attention::Attention;
use crate::plan::book::Pause;
use crate::plan::rollover::Item;
use crate::plan::state::State;

use super::snapshot::{IntegrationSnapshot, Snapshot};
use super::terminal::Mark;

/// Something worth saying about an integration. The order is that of the one sentence: the first that applies is said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Concern {
    /// SendGrid's clock and ours disagree, so that nothing else about time is certain.
    Clock,
    /// SendGrid lists nothing that could let anybody in.
    NoTrust,
    /// SendGrid lists something that nobody here knows, or a row of ours carries something else.
    Foreign,
    /// What is trusted ends within `expiry.critical`.
    TrustEnds,
    /// Nothing that counts is trusted, but SendGrid lists what did not come from here.
    OnlyOthers,
    /// A certificate that is wanted was deleted at SendGrid.
    Removed,
    /// A private key lies in the source.
    PrivateKey,
    /// A new key waits for a person.
    Approval,
    /// Too many new keys, or too many certificates.
    KeyBudget,
    /// SendGrid answered 400.
    Rejected,
    /// A file is refused.
    Refused,
    /// The next certificate should be known by now.
    NoSuccessor,
    /// SendGrid does not accept the API key.
    ApiKey,
    /// There is nothing to reach SendGrid with: no roots, no credentials for the proxy.
    Tls,
    /// SendGrid says that the integration is not there.
    Missing,
    /// Not compared for longer than one round.
    Stale,
    /// The ledger cannot be written.
    Ledger,
    /// The source cannot be read.
    SourceDown,
    /// Not compared yet since the daemon started.
    Starting,
    /// Something goes by itself.
    Waits,
    /// A person has paused it.
    Paused,
}

impl Concern {
    pub(crate) const fn mark(self) -> Mark {
        match self {
            Self::NoTrust | Self::Foreign | Self::TrustEnds => Mark::Broken,
            Self::Starting | Self::Waits | Self::Paused => Mark::Waits,
            _ => Mark::NeedsYou,
        }
    }
}

/// One integration with everything there is to say about it.
pub(crate) struct Standing<'a> {
    pub(crate) it: &'a IntegrationSnapshot,
    pub(crate) concerns: BTreeSet<Concern>,
}

impl Standing<'_> {
    pub(crate) fn worst(&self) -> Option<Concern> {
        self.concerns.first().copied()
    }

    pub(crate) fn mark(&self) -> Mark {
        self.worst().map_or(Mark::Fine, Concern::mark)
    }
}

/// Every integration: what needs a person first, then by how soon its trust ends.
pub(crate) fn standings(snapshot: &Snapshot, now: Timestamp) -> Vec<Standing<'_>> {
    let mut standings: Vec<Standing<'_>> = snapshot
        .integrations
        .values()
        .map(|it| Standing {
            it,
            concerns: concerns(it, snapshot, now),
        })
        .collect();
    standings.sort_by_key(|standing| {
        let end = latest_expiry(standing.it).map_or(i64::MAX, Timestamp::as_millis);
        (standing.worst().map_or(u8::MAX, rank), end)
    });
    standings
}

/// Its certificates and rows, as last planned.
pub(crate) fn items(integration: &IntegrationSnapshot) -> &[Item] {
    integration
        .plan
        .as_ref()
        .map(|it| it.items.as_slice())
        .unwrap_or_default()
}

/// When the last of what is trusted ends.
pub(crate) fn latest_expiry(integration: &IntegrationSnapshot) -> Option<Timestamp> {
    integration
        .plan
        .as_ref()
        .and_then(|it| it.outlook.latest_expiry)
}

/// Since when a person has paused it, and who; none while nobody has.
pub(crate) fn pause(integration: &IntegrationSnapshot) -> Option<&Pause> {
    integration
        .plan
        .as_ref()
        .and_then(|it| it.outlook.pause.as_ref())
}

/// Whether a certificate that counts is trusted at this instant.
pub(crate) fn is_trusting(items: &[Item], now: impl Into<Clocks> + Copy) -> bool {
    items
        .iter()
        .filter(|it| it.state.is_trust() || it.state == State::Ahead)
        .any(|it| is_valid(it, now))
}

/// What SendGrid lists that does not count as trust and may let somebody in all the same.
pub(crate) fn others(items: &[Item], now: impl Into<Clocks> + Copy) -> Vec<&Item> {
    let may_work = |item: &&Item| match item.state {
        State::Inherited | State::Acknowledged | State::Unmanaged | State::Superseded => {
            is_valid(item, now)
        }
        State::Undecodable => true,
        _ => false,
    };
    items.iter().filter(may_work).collect()
}

/// The refusals of its source, each with its file.
pub(crate) fn refusals(
    integration: &IntegrationSnapshot,
) -> Vec<(&crate::domain::LookedFile, &Refusal)> {
    match &integration.source.look {
        Some(Ok(look)) => look.refusals().collect(),
        _ => Vec::new(),
    }
}

pub(crate) fn is_valid(item: &Item, now: impl Into<Clocks>) -> bool {
    item.certificate
        .as_ref()
        .is_some_and(|it| it.validity().is_valid(now))
}

fn concerns(
    integration: &IntegrationSnapshot,
    snapshot: &Snapshot,
    now: Timestamp,
) -> BTreeSet<Concern> {
    let reasons = integration.attention(snapshot);
    let of_reason = |reason: &Attention| match reason {
        Attention::Approval => Some(Concern::Approval),
        Attention::KeyBudget => Some(Concern::KeyBudget),
        Attention::Rejected => Some(Concern::Rejected),
        Attention::Refused => Some(Concern::Refused),
        Attention::PrivateKey => Some(Concern::PrivateKey),
        Attention::Removed => Some(Concern::Removed),
        Attention::Replaced | Attention::Unmanaged => Some(Concern::Foreign),
        Attention::SourceDown => Some(Concern::SourceDown),
        Attention::IntegrationMissing => Some(Concern::Missing),
        Attention::NoSuccessor => Some(Concern::NoSuccessor),
        Attention::Ledger => Some(Concern::Ledger),
        Attention::ApiKey => Some(Concern::ApiKey),
        Attention::Tls => Some(Concern::Tls),
        Attention::Clock => Some(Concern::Clock),
        Attention::NoTrust | Attention::TrustEnds => None, // these two move with time, see below
    };
    let mut concerns: BTreeSet<Concern> = reasons.iter().filter_map(of_reason).collect();
    concerns.extend(of_trust(integration, &reasons, now));
    if concerns.contains(&Concern::NoTrust) || concerns.contains(&Concern::OnlyOthers) {
        concerns.remove(&Concern::NoSuccessor);
    }
    if snapshot.is_live {
        if !integration.has_passed {
            concerns.insert(Concern::Starting);
        } else if is_stale(integration, snapshot, now) {
            concerns.insert(Concern::Stale);
        }
    }
    let goes_by_itself =
        |it: &Item| matches!(it.state, State::Planned | State::Settling | State::Waiting);
    if items(integration).iter().any(goes_by_itself) {
        concerns.insert(Concern::Waits);
    }
    if pause(integration).is_some() {
        concerns.insert(Concern::Paused);
    }
    concerns
}

/// What is trusted changes with time alone, so a plan of an hour ago is judged again.
fn of_trust(
    integration: &IntegrationSnapshot,
    reasons: &BTreeSet<Attention>,
    now: Timestamp,
) -> Option<Concern> {
    let plan = integration.plan.as_ref()?;
    let ended_since = plan.outlook.trusted > 0;
    let now = integration.clocks(now);
    if !is_trusting(&plan.items, now) {
        let is_known = ended_since || reasons.contains(&Attention::NoTrust);
        let concern = if others(&plan.items, now).is_empty() {
            Concern::NoTrust
        } else {
            Concern::OnlyOthers
        };
        return is_known.then_some(concern);
    }
    let end = plan.outlook.latest_expiry?;
    (now.left_until(end) <= integration.expiry.critical).then_some(Concern::TrustEnds)
}

/// Without a schedule, an hour without an answer is long.
const ROUND: Duration = Duration::from_secs(3600);

fn is_stale(integration: &IntegrationSnapshot, snapshot: &Snapshot, now: Timestamp) -> bool {
    let Some(compared) = integration.compared_at else {
        return true;
    };
    let round = snapshot.schedule.round.unwrap_or(ROUND);
    let patience = if integration.failure.is_some() {
        round
    } else {
        round.saturating_mul(2)
    };
    now.since(compared) > patience
}

/// What needs a person first, whatever it is; then what waits.
const fn rank(concern: Concern) -> u8 {
    match concern.mark() {
        Mark::Broken => 0,
        Mark::NeedsYou => 1,
        _ => 2,
    }
}
