//! The plan of one integration: every certificate of either side in exactly one state, and what is to be done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{
    Certificate, CertificateId, FileVerdict, Fingerprint, Look, Moment, PublicKeyId, Row, Timestamp,
};
use crate::plan::book::{Belief, Book, InSource, Standing, Word};
use crate::plan::outlook::Outlook;
use crate::plan::policy::{Mode, Policy};
use crate::plan::settle::{Listing, settle_window};
use crate::plan::state::{Believed, InFile, Listed, State, cell};
use crate::plan::trust::{Evidence, Trust, trust};
use crate::plan::why::Why;

/// Most certificates that one integration may want.
pub const MOST_WANTED: usize = 200;

/// Everything a plan is made from. `book` has been settled by `look` and `rows` before.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The source; none if it could not be read: then nothing is planned and nothing concluded from absence.
    pub look: Option<&'a Look>,
    /// SendGrid's list.
    pub rows: &'a [Row],
    /// What the ledger believes.
    pub book: &'a Book,
    /// What the configuration demands.
    pub policy: &'a Policy,
    /// Whether SendGrid's clock and ours disagree too much for an end to be believed.
    pub is_skewed: bool,
    /// Now.
    pub now: &'a Moment,
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
        /// The version of the files that ask for it.
        stamp: String,
    },
}

impl Action {
    /// The word in plans, logs and metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Upload { .. } => "upload",
        }
    }

    /// The certificate concerned.
    pub const fn certificate(&self) -> &Certificate {
        match self {
            Self::Upload { certificate, .. } => certificate,
        }
    }
}

/// Plans one integration. Planning again after the actions were applied is a no-op.
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let planner = Planner::new(inputs);
    let mut items: Vec<Item> = planner
        .fingerprints()
        .into_iter()
        .filter_map(|it| planner.item(it))
        .collect();
    items.extend(planner.odd_rows());
    planner.hold_surplus(&mut items);
    planner.spend_key_budget(&mut items);
    demote_superseded(&mut items, inputs);
    drop_quiet_tombstones(&mut items, inputs.now.wall);
    items.sort_by_key(|it| {
        let end = it
            .certificate
            .as_ref()
            .map_or(i64::MIN, |it| it.validity().not_after.as_millis());
        (
            it.state,
            std::cmp::Reverse(end),
            it.fingerprint,
            it.id.clone(),
        )
    });
    let actions = if inputs.policy.mode == Mode::Observe {
        Vec::new()
    } else {
        planner.actions(&items)
    };
    let outlook = Outlook::of(&items, inputs);
    let due = items
        .iter()
        .filter_map(|it| it.why.until())
        .chain(inputs.look.and_then(Look::again_at))
        .min();
    Plan {
        items,
        actions,
        due,
        outlook,
    }
}

/// What an accepted file says of a certificate.
struct Wanted<'a> {
    certificate: &'a Certificate,
    paths: Vec<PathBuf>,
    stamp: String,
}

struct Planner<'a> {
    inputs: &'a Inputs<'a>,
    listing: Listing<'a>,
    wanted: BTreeMap<Fingerprint, Wanted<'a>>,
    denied_keys: BTreeSet<PublicKeyId>,
    removed_keys: BTreeMap<PublicKeyId, Fingerprint>,
    trusted_keys: BTreeSet<PublicKeyId>,
}

impl<'a> Planner<'a> {
    fn new(inputs: &'a Inputs<'a>) -> Self {
        let listing = Listing::new(inputs.rows);
        let beliefs = || inputs.book.beliefs.iter();
        let denied_keys = beliefs()
            .filter(|(_, it)| it.word == Some(Word::Denied))
            .filter_map(|(_, it)| it.key_id());
        let removed = beliefs().filter(|(_, it)| matches!(it.standing, Standing::Removed { .. }));
        let is_over = |it: &Belief| {
            it.certificate
                .as_ref()
                .is_none_or(|it| it.validity().is_over(inputs.now.wall))
        };
        let trusted = beliefs().filter(|(fingerprint, it)| {
            matches!(it.standing, Standing::Confirmed(_))
                && !listing.ids(**fingerprint).is_empty()
                && !is_over(it)
        });
        Self {
            denied_keys: denied_keys.collect(),
            removed_keys: removed
                .filter_map(|(fingerprint, it)| Some((it.key_id()?, *fingerprint)))
                .collect(),
            trusted_keys: trusted.filter_map(|(_, it)| it.key_id()).collect(),
            wanted: wanted(inputs.look),
            listing,
            inputs,
        }
    }

    /// Everything that any of the three sides knows.
    fn fingerprints(&self) -> BTreeSet<Fingerprint> {
        let listed = self
            .inputs
            .rows
            .iter()
            .filter_map(|it| it.certificate())
            .map(Certificate::fingerprint);
        self.inputs
            .book
            .beliefs
            .keys()
            .copied()
            .chain(self.wanted.keys().copied())
            .chain(listed)
            .collect()
    }

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
            .is_some_and(|it| it.validity().is_over(self.inputs.now.wall));
        if is_over && ids.is_empty() && wanted.is_none() {
            return None; // over, and in neither place: a matter of history
        }
        let file = match (wanted, belief.map(|it| &it.source)) {
            _ if is_over && !self.inputs.is_skewed => InFile::Over,
            (Some(_), _) => InFile::Accepted,
            (None, Some(InSource::Present { .. })) => InFile::Refused,
            (None, _) => InFile::None,
        };
        let listed = self.listed(belief, &ids);
        let believed = belief.map_or(Believed::Unknown, believed);
        let state = cell(file, listed, believed).state?;
        let id = ids
            .iter()
            .find_map(|it| *it)
            .or_else(|| belief.and_then(Belief::id))
            .cloned();
        let since = belief.and_then(|it| match &it.source {
            InSource::Present { since, .. } => Some(since.wall),
            _ => None,
        });
        let (state, why) = self.refine(
            state,
            fingerprint,
            certificate.as_ref(),
            belief,
            wanted,
            is_over,
        );
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
        })
    }

    fn listed(&self, belief: Option<&Belief>, ids: &[Option<&CertificateId>]) -> Listed {
        let known = belief.and_then(Belief::id);
        match (ids, known) {
            ([], None) => match belief.map(|it| &it.standing) {
                Some(Standing::Intent(intent))
                    if self.listing.may_hide(intent, &self.inputs.book.unreadable) =>
                {
                    Listed::Undecodable
                }
                _ => Listed::No,
            },
            ([], Some(id)) => match self.listing.row(id) {
                None => Listed::No,
                Some(crate::domain::RowContent::Certificate(_)) => Listed::Other,
                Some(crate::domain::RowContent::Undecodable) => Listed::Undecodable,
            },
            ([Some(id)], Some(known)) if *id == known && !is_foreign(belief) => Listed::Ours,
            ([_], _) => Listed::Found,
            ([_, _, ..], _) => Listed::Twice,
        }
    }

    /// What policy, time and the rest of the book make of a cell of the table.
    fn refine(
        &self,
        state: State,
        fingerprint: Fingerprint,
        certificate: Option<&Certificate>,
        belief: Option<&Belief>,
        wanted: Option<&Wanted<'_>>,
        is_over: bool,
    ) -> (State, Why) {
        let now = self.inputs.now;
        let delivery = &self.inputs.policy.delivery;
        match state {
            State::Planned => match (certificate, wanted) {
                (Some(_), Some(_)) if is_over => (State::Waiting, Why::ClockInDoubt),
                (Some(certificate), Some(wanted)) => self.decide(certificate, belief, wanted),
                _ => (State::Held, Why::Unseen),
            },
            State::Trusted if certificate.is_some_and(|it| it.validity().is_ahead(now.wall)) => {
                (State::Ahead, Why::Ours)
            }
            State::Found => (state, Why::ByOthers),
            State::Settling => {
                let why = match belief {
                    Some(Belief {
                        standing: Standing::Intent(intent),
                        posts,
                        ..
                    }) => {
                        let window = settle_window(*posts, delivery);
                        let end = now.when_elapsed(&intent.at, window);
                        Why::Unsettled {
                            sent: intent.at.wall,
                            until: end.max(now.wall.plus(LOOK_AGAIN)),
                        }
                    }
                    Some(Belief {
                        missing: Some(first),
                        ..
                    }) => {
                        let end = now.when_elapsed(first, delivery.settle);
                        Why::Missing {
                            since: first.wall,
                            until: end.max(now.wall.plus(LOOK_AGAIN)),
                        }
                    }
                    _ => Why::Missing {
                        since: now.wall,
                        until: now.wall.plus(delivery.settle),
                    },
                };
                (state, why)
            }
            State::Removed => (state, Why::RemovedByOthers),
            State::Replaced => {
                let other = belief
                    .and_then(Belief::id)
                    .and_then(|it| self.listing.row(it));
                let other = match other {
                    Some(crate::domain::RowContent::Certificate(other)) => {
                        Some(other.fingerprint())
                    }
                    _ => None,
                };
                (state, Why::Carries(other))
            }
            State::Unmanaged => match belief {
                Some(Belief {
                    word: Some(Word::Acknowledged),
                    ..
                }) => (State::Acknowledged, Why::Known),
                Some(Belief {
                    standing:
                        Standing::Foreign {
                            inherited: true, ..
                        },
                    ..
                }) => (State::Inherited, Why::SinceFirstList),
                _ => (state, Why::AppearedSince),
            },
            State::Denied => (state, Why::DeniedByPerson(fingerprint)),
            State::Expired => (state, Why::Over),
            State::Disabled => (state, Why::DisabledByUs),
            State::Undecodable => (state, Why::Unreadable),
            State::Trusted
            | State::Ahead
            | State::Waiting
            | State::Held
            | State::Rejected
            | State::Superseded
            | State::Duplicate
            | State::Inherited
            | State::Acknowledged
            | State::Orphaned => (state, Why::Ours),
        }
    }

    /// Whether a certificate that could go up may.
    fn decide(
        &self,
        certificate: &Certificate,
        belief: Option<&Belief>,
        wanted: &Wanted<'_>,
    ) -> (State, Why) {
        let policy = self.inputs.policy;
        let now = self.inputs.now;
        let key = certificate.key_id();
        if self.denied_keys.contains(&key) {
            return (State::Denied, Why::DeniedKey);
        }
        if let Some(removed) = self.removed_keys.get(&key) {
            return (State::Held, Why::RemovedKey(*removed));
        }
        if let Some(rejection) = belief.and_then(|it| it.rejection.as_ref()) {
            if certificate.validity().is_ahead(now.wall) {
                return (
                    State::Waiting,
                    Why::NotBefore(certificate.validity().not_before),
                );
            }
            let rest = policy
                .delivery
                .refused_hold
                .saturating_sub(now.elapsed_since(&rejection.at));
            if rejection.stamp == wanted.stamp && rest > Duration::ZERO {
                return (
                    State::Rejected,
                    Why::Rejected {
                        until: now.wall.plus(rest),
                    },
                );
            }
        }
        let is_new_key = !self.trusted_keys.contains(&key);
        match trust(certificate, belief, &policy.trust) {
            Trust::Enough(evidence) => (
                State::Planned,
                Why::Enough {
                    evidence,
                    is_new_key,
                },
            ),
        }
    }

    /// Holds what is wanted beyond the limit of an integration, by fingerprint order.
    fn hold_surplus(&self, items: &mut [Item]) {
        if self.wanted.len() <= MOST_WANTED {
            return;
        }
        let surplus: BTreeSet<Fingerprint> =
            self.wanted.keys().skip(MOST_WANTED).copied().collect();
        for item in items.iter_mut().filter(|it| it.state == State::Planned) {
            if item.fingerprint.is_some_and(|it| surplus.contains(&it)) {
                item.state = State::Held;
                item.why = Why::TooMany { limit: MOST_WANTED };
            }
        }
    }

    /// Holds new keys beyond the day's budget. Before the integration's first trusted certificate there is no budget.
    fn spend_key_budget(&self, items: &mut [Item]) {
        let limit = self.inputs.policy.trust.new_keys_per_day;
        let ever_trusted = self
            .inputs
            .book
            .beliefs
            .values()
            .any(|it| it.trusted_since.is_some());
        if limit == 0 || !ever_trusted {
            return;
        }
        let mut spent: BTreeSet<PublicKeyId> = self
            .inputs
            .book
            .beliefs
            .values()
            .filter(|it| {
                let recent =
                    |at| self.inputs.now.elapsed_since(at) < super::book::KEY_BUDGET_PERIOD;
                it.new_key.as_ref().is_some_and(recent)
            })
            .filter_map(Belief::key_id)
            .collect();
        items.sort_by_key(upload_order);
        for item in items.iter_mut().filter(|it| it.state == State::Planned) {
            let Why::Enough {
                evidence: Evidence::Source,
                is_new_key: true,
            } = item.why
            else {
                continue;
            };
            let Some(key) = item.certificate.as_ref().map(Certificate::key_id) else {
                continue;
            };
            if spent.contains(&key) {
                continue;
            }
            if spent.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                item.state = State::Held;
                item.why = Why::KeyBudget { limit };
            } else {
                spent.insert(key);
            }
        }
    }

    /// Rows that are things of their own: unreadable ones, and the surplus of certificates listed more than once.
    fn odd_rows(&self) -> Vec<Item> {
        let item = |row: &Row, state, why| Item {
            certificate: row.certificate().cloned(),
            fingerprint: row.certificate().map(Certificate::fingerprint),
            id: row.id.clone(),
            state,
            why,
            paths: Vec::new(),
            since: None,
            is_listed: true,
        };
        let mut kept = BTreeSet::new();
        let known: BTreeSet<&CertificateId> = self
            .inputs
            .book
            .beliefs
            .values()
            .filter_map(Belief::id)
            .collect();
        let is_known = |row: &Row| row.id.as_ref().is_some_and(|it| known.contains(it));
        let mut items = Vec::new();
        for row in self.inputs.rows {
            match row.certificate() {
                None if !is_known(row) => {
                    items.push(item(row, State::Undecodable, Why::Unreadable))
                }
                None => {}
                Some(certificate) => {
                    let fingerprint = certificate.fingerprint();
                    let keeps = self.keeper(fingerprint) == row.id.as_ref();
                    if !keeps || !kept.insert(fingerprint) {
                        items.push(item(row, State::Duplicate, Why::ListedTwice));
                    }
                }
            }
        }
        items
    }

    /// The id of the row that stands for a certificate: ours, else the first.
    fn keeper(&self, fingerprint: Fingerprint) -> Option<&CertificateId> {
        let ids = self.listing.ids(fingerprint);
        let ours = self
            .inputs
            .book
            .beliefs
            .get(&fingerprint)
            .and_then(Belief::id);
        ids.iter()
            .copied()
            .find(|it| it.is_some() && *it == ours)
            .or_else(|| ids.first().copied())
            .flatten()
    }

    /// Uploads: what is valid now first, then what ends last.
    fn actions(&self, items: &[Item]) -> Vec<Action> {
        let mut planned: Vec<&Item> = items
            .iter()
            .filter(|it| it.state == State::Planned)
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
            let stamp = self.wanted.get(&certificate.fingerprint())?.stamp.clone();
            Some(Action::Upload {
                certificate,
                evidence,
                is_new_key,
                stamp,
            })
        };
        planned.into_iter().filter_map(action).collect()
    }
}

/// How long to wait, at least, before asking again about something that is not settled.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

fn upload_order(item: &Item) -> (Timestamp, Option<Fingerprint>) {
    let start = item
        .certificate
        .as_ref()
        .map_or(Timestamp::from_secs(0), |it| it.validity().not_before);
    (start, item.fingerprint)
}

fn is_foreign(belief: Option<&Belief>) -> bool {
    matches!(
        belief,
        Some(Belief {
            standing: Standing::Foreign { .. },
            ..
        })
    )
}

/// The ledger's side of the table. A person's deny speaks where nothing was sent, and answers a removal.
fn believed(belief: &Belief) -> Believed {
    match (&belief.standing, belief.word) {
        (Standing::Intent(_), _) => Believed::Intent,
        (Standing::Confirmed(_), _) => Believed::Confirmed,
        (Standing::Disabled(_), _) => Believed::Disabled,
        (_, Some(Word::Denied)) => Believed::Denied,
        (Standing::Removed { .. }, _) => Believed::Removed,
        (Standing::Foreign { .. }, _) if belief.missing.is_some() => Believed::Confirmed,
        (Standing::Seen | Standing::Foreign { .. }, _) => Believed::Unknown,
    }
}

fn wanted(look: Option<&Look>) -> BTreeMap<Fingerprint, Wanted<'_>> {
    let mut wanted: BTreeMap<Fingerprint, Wanted<'_>> = BTreeMap::new();
    for file in look.map(|it| it.files.as_slice()).unwrap_or_default() {
        let FileVerdict::Accepted { certificates, .. } = &file.verdict else {
            continue;
        };
        for certificate in certificates {
            let entry = wanted
                .entry(certificate.fingerprint())
                .or_insert_with(|| Wanted {
                    certificate,
                    paths: Vec::new(),
                    stamp: String::new(),
                });
            entry.paths.push(file.path.clone());
            entry.stamp.push_str(&file.stamp);
            entry.stamp.push(' ');
        }
    }
    wanted
}

/// A trusted certificate whose file is gone, while one that ends later is trusted, counts no more.
fn demote_superseded(items: &mut [Item], inputs: &Inputs<'_>) {
    let now = inputs.now.wall;
    let is_gone = |it: &Item| {
        let belief = it.fingerprint.and_then(|it| inputs.book.beliefs.get(&it));
        it.paths.is_empty() && belief.is_some_and(|it| matches!(it.source, InSource::Gone { .. }))
    };
    let newest = items
        .iter()
        .filter(|it| it.state.is_trust() && !is_gone(it))
        .filter_map(|it| it.certificate.as_ref())
        .filter(|it| it.validity().is_valid(now))
        .max_by_key(|it| it.validity().not_after)
        .cloned();
    let Some(newest) = newest else { return };
    for item in items.iter_mut() {
        let older = item
            .certificate
            .as_ref()
            .is_some_and(|it| it.validity().not_after <= newest.validity().not_after);
        if !older || !is_gone(item) {
            continue;
        }
        match item.state {
            State::Trusted => {
                item.state = State::Superseded;
                item.why = Why::Successor(newest.fingerprint());
            }
            State::Found => {
                item.state = State::Inherited;
                item.why = Why::Successor(newest.fingerprint());
            }
            _ => {}
        }
    }
}

/// A removed certificate that no file asks for is a person's business only while nothing else is trusted.
fn drop_quiet_tombstones(items: &mut Vec<Item>, now: Timestamp) {
    let valid = |it: &Item| {
        it.certificate
            .as_ref()
            .is_some_and(|it| it.validity().is_valid(now))
    };
    let is_covered = items.iter().any(|it| it.state.is_trust() && valid(it));
    items.retain(|it| it.state != State::Removed || !it.paths.is_empty() || !is_covered);
}
