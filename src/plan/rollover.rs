//! The plan of one integration: every certificate of either side in exactly one state, and what is to be done.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{
    Certificate, CertificateId, Clocks, Fingerprint, Look, Moment, Row, Skew, Timestamp,
};
use crate::plan::admission::Admission;
use crate::plan::book::{Belief, Book, InSource, Order, Standing};
use crate::plan::decide::decide_wanted;
pub use crate::plan::holds::note_holds;
use crate::plan::holds::{
    demote_superseded, drop_quiet_tombstones, hold_surplus, spend_key_budget,
};
use crate::plan::outlook::Outlook;
use crate::plan::policy::{Mode, Policy};
use crate::plan::retire::{Block, Grounds, How, Retirement, judge_old, next_to_go};
use crate::plan::sides::{Sides, believed};
use crate::plan::state::{Believed, InFile, State, cell};
use crate::plan::trust::Evidence;
use crate::plan::why::Why;

/// Most certificates that one integration may want.
pub const MOST_WANTED: usize = 200;

/// Everything a plan is made from. `book` has been settled by `look` and `rows` before.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The source as it was scanned; none if it could not be read: then nothing is planned and nothing concluded from
    /// absence.
    pub look: Option<&'a Look>,
    /// SendGrid's list.
    pub rows: &'a [Row],
    /// What the ledger believes.
    pub book: &'a Book,
    /// What the configuration demands.
    pub policy: &'a Policy,
    /// How far SendGrid's clock and ours disagree.
    pub skew: Skew,
    /// Now.
    pub now: &'a Moment,
}

impl Inputs<'_> {
    /// What the clocks say now.
    pub(super) const fn clocks(&self) -> Clocks {
        self.skew.at(self.now.wall)
    }
}

/// What to do, and how everything stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Every certificate, and every row that is a thing of its own; what counts most first.
    pub items: Vec<Item>,
    /// What to do, in order. Empty in `observe`.
    pub actions: Vec<Action>,
    /// When something is to be done or asked without a new event; none: not before the schedule.
    pub due: Option<Timestamp>,
    /// The integration as a whole.
    pub outlook: Outlook,
}

/// One certificate or row, in one state, with a reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// The certificate; none for a row that cannot be read and for a fingerprint never seen.
    pub certificate: Option<Certificate>,
    /// Its fingerprint, if it has one.
    pub fingerprint: Option<Fingerprint>,
    /// SendGrid's id, if it is or was listed.
    pub id: Option<CertificateId>,
    /// The state.
    pub state: State,
    /// Why it is in this state.
    pub why: Why,
    /// The accepted files that hold it.
    pub paths: Vec<PathBuf>,
    /// Since when the source has it.
    pub since: Option<Timestamp>,
    /// Whether it is listed in this pass.
    pub is_listed: bool,
    /// What is to become of it, if it is an old one of ours.
    pub retirement: Option<Retirement>,
    /// From when on it counts as undelivered, if it was sent and is not listed yet.
    pub undelivered_from: Option<Timestamp>,
}

/// One change at SendGrid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Upload this certificate, enabled.
    Upload {
        /// Which.
        certificate: Certificate,
        /// Why that is allowed.
        evidence: Evidence,
        /// Whether its key is new to the integration.
        is_new_key: bool,
    },
    /// Enable the row of this certificate.
    Enable {
        /// Which.
        certificate: Certificate,
        /// Its row.
        id: CertificateId,
        /// Why that is allowed.
        evidence: Evidence,
    },
    /// Take this certificate of ours away.
    Retire {
        /// Which.
        certificate: Certificate,
        /// Its row.
        id: CertificateId,
        /// How.
        how: How,
        /// A person ordered it.
        ordered: bool,
        /// The request was made before, and nobody knows what came of it.
        again: bool,
        /// Why that is allowed.
        grounds: Grounds,
        /// The one that stays, and its row, which is read back by its id last.
        stays: (Fingerprint, CertificateId),
    },
}

impl Action {
    /// The word in plans, logs and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Upload { .. } => "upload",
            Self::Enable { .. } => "enable",
            Self::Retire { how, .. } => how.word(),
        }
    }

    /// The certificate concerned.
    pub const fn certificate(&self) -> &Certificate {
        match self {
            Self::Upload { certificate, .. }
            | Self::Enable { certificate, .. }
            | Self::Retire { certificate, .. } => certificate,
        }
    }
}

/// Plans one integration. Planning again after the actions were applied is a no-op.
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let admission = Admission::of(inputs.book, inputs.policy);
    let look = inputs.look.map(|it| admission.apply(it));
    let inputs = &Inputs {
        look: look.as_deref(),
        ..*inputs
    };
    let sides = Sides::new(inputs);
    let mut items: Vec<Item> = sides
        .fingerprints()
        .into_iter()
        .filter_map(|it| sides.item(it))
        .collect();
    items.extend(sides.odd_rows());
    demote_superseded(&mut items, inputs);
    decide_wanted(&mut items, &sides);
    hold_surplus(&mut items, &sides);
    spend_key_budget(&mut items, inputs);
    drop_quiet_tombstones(&mut items, inputs.clocks());
    judge_old(&mut items, inputs);
    items.sort_by_key(|it| {
        let end = it
            .certificate
            .as_ref()
            .map_or(i64::MIN, |it| it.validity().not_after.as_millis());
        (it.state, Reverse(end), it.fingerprint, it.id.clone())
    });
    let actions = if inputs.policy.mode == Mode::Observe {
        Vec::new()
    } else {
        sides.actions(&items)
    };
    let outlook = Outlook::of(&items, inputs);
    let waits = items.iter().filter_map(|it| it.why.until());
    let windows = inputs.book.beliefs.values();
    let windows = windows.filter_map(|it| it.window_ends(&inputs.policy.delivery, inputs.now));
    let turns = items.iter().filter_map(|it| next_turn(it, inputs.now.wall));
    let retirements = items.iter().filter_map(|it| it.retirement.as_ref());
    let retirements = retirements.filter_map(|it| it.next_look(inputs.now.wall));
    let due = waits
        .chain(windows)
        .chain(turns)
        .chain(retirements)
        .chain(outlook.next_turn(inputs))
        .min();
    Plan {
        items,
        actions,
        due,
        outlook,
    }
}

impl Sides<'_> {
    fn item(&self, fingerprint: Fingerprint) -> Option<Item> {
        let belief = self.inputs.book.beliefs.get(&fingerprint);
        let wanted = self.wanted.get(&fingerprint);
        let ids = self.listing.ids(fingerprint);
        let certificate = wanted
            .map(|it| it.certificate)
            .or_else(|| belief.and_then(|it| it.certificate.as_ref()))
            .or_else(|| {
                self.inputs
                    .rows
                    .iter()
                    .filter_map(Row::certificate)
                    .find(|it| it.fingerprint() == fingerprint)
            })
            .cloned();
        let is_over = certificate
            .as_ref()
            .is_some_and(|it| it.validity().is_over(self.inputs.clocks()));
        if is_over && ids.is_empty() && wanted.is_none() {
            return None; // over, and in neither place: a matter of history
        }
        let file = match (wanted, belief.map(|it| &it.source)) {
            _ if is_over && !self.inputs.skew.is_there() => InFile::Over,
            (Some(_), _) => InFile::Accepted,
            (None, Some(InSource::Present { .. })) => InFile::Refused,
            (None, _) => InFile::None,
        };
        let listed = self.listed(belief, &ids);
        let book = self.inputs.book;
        let believed = belief.map_or(Believed::Unknown, |it| {
            believed(fingerprint, it, listed, book)
        });
        let state = cell(file, listed, believed).state?;
        let id = self
            .keeper(fingerprint)
            .or_else(|| belief.and_then(Belief::id))
            .cloned();
        let since = belief.and_then(|it| match &it.source {
            InSource::Present { since, .. } => Some(since.wall),
            _ => None,
        });
        let refined = self.refine(state, fingerprint, certificate.as_ref(), belief);
        let (state, why) = self.unless_denied(refined, certificate.as_ref());
        let paths = wanted.map(|it| it.paths.clone()).unwrap_or_default();
        let is_listed = !ids.is_empty();
        Some(Item {
            certificate,
            fingerprint: Some(fingerprint),
            id,
            state,
            why,
            paths,
            since,
            is_listed,
            retirement: None,
            undelivered_from: belief.and_then(|it| it.undelivered_from(self.inputs.now)),
        })
    }

    /// What is done in this pass: one retirement that nothing stands in the way of, or everything that adds.
    fn actions(&self, items: &[Item]) -> Vec<Action> {
        let enablings = self.enablings(items);
        if enablings.is_empty()
            && let Some(retirement) = next_to_go(items, self.inputs)
        {
            return vec![retirement];
        }
        let mut actions = uploads(items);
        actions.extend(enablings);
        actions
    }

    /// What a person makes ours, what comes back, and what may have been disabled and must not be.
    fn enablings(&self, items: &[Item]) -> Vec<Action> {
        let inputs = self.inputs;
        let is_stopped = inputs.book.pause.is_some() || inputs.book.moved_from.is_some();
        if is_stopped || self.no_patch_before().is_some() {
            return Vec::new();
        }
        let action = |item: &Item| {
            let fingerprint = item.fingerprint?;
            let belief = inputs.book.beliefs.get(&fingerprint)?;
            if !belief.is_listed() {
                return None; // the list shows what was there before our DELETE
            }
            let is_adopted = belief.order == Some(Order::Adopt)
                && matches!(belief.standing, Standing::Foreign { .. });
            let evidence = match (&item.why, &item.retirement) {
                (Why::Enough { evidence, .. }, _) if item.state == State::Planned => *evidence,
                _ if is_adopted => Evidence::Order,
                (_, Some(it)) if it.again && it.blocks.contains(&Block::Last) => {
                    // What a person ordered is undone only if nobody could log in otherwise.
                    if it.ordered && inputs.book.has_valid_beside(fingerprint, inputs.clocks()) {
                        return None;
                    }
                    Evidence::Last
                }
                _ => return None,
            };
            let certificate = item.certificate.as_ref()?;
            let is_removed = self.removed_keys.contains_key(&certificate.key_id());
            if self.is_denied(certificate) || (is_removed && evidence != Evidence::Order) {
                return None;
            }
            Some(Action::Enable {
                certificate: item.certificate.clone()?,
                id: item.id.clone()?,
                evidence,
            })
        };
        let listed = items.iter().filter(|it| it.is_listed);
        listed
            .filter(|it| it.state != State::Duplicate)
            .filter_map(action)
            .collect()
    }
}

/// What is valid now first, then what begins first.
fn uploads(items: &[Item]) -> Vec<Action> {
    let mut planned: Vec<&Item> = items
        .iter()
        .filter(|it| it.state == State::Planned && !it.is_listed)
        .collect();
    planned.sort_by_key(|it| upload_order(it));
    let action = |item: &Item| {
        let certificate = item.certificate.clone()?;
        let Why::Enough {
            evidence,
            is_new_key,
        } = item.why
        else {
            return None;
        };
        Some(Action::Upload {
            certificate,
            evidence,
            is_new_key,
        })
    };
    planned.into_iter().filter_map(action).collect()
}

/// When time alone changes the state of what is listed: at its first second, or after its last.
fn next_turn(item: &Item, now: Timestamp) -> Option<Timestamp> {
    let validity = item
        .certificate
        .as_ref()
        .filter(|_| item.is_listed)?
        .validity();
    let over = validity.not_after.plus(Duration::from_secs(1));
    [validity.not_before, over]
        .into_iter()
        .filter(|it| *it > now)
        .min()
}

pub(super) fn upload_order(item: &Item) -> (Timestamp, Option<Fingerprint>) {
    let start = item
        .certificate
        .as_ref()
        .map_or(Timestamp::from_secs(0), |it| it.validity().not_before);
    (start, item.fingerprint)
}
