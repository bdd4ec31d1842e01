//! Taking old certificates away: which one, when, and what stands in the way.
//!
//! Nothing is taken away but what is ours by the ledger, while another one stays that is ours, enabled by our last
//! confirmed write, listed in this pass, and valid for seven more days; one a day and integration; in no pass that adds
//! anything. What stands in the way is a [`Block`] with, where time alone lifts it, its date.

use std::time::Duration;

use crate::domain::{Certificate, CertificateId, Fingerprint, Look, Timestamp};
use crate::plan::book::{Belief, InSource, Order, Standing, Write};
use crate::plan::decide::{refused, unsettled};
use crate::plan::policy::{Mode, RetireAction, RetireWhen};
use crate::plan::rollover::{Action, Inputs, Item};
use crate::plan::state::State;
use crate::plan::why::Why;

mod block;
mod grounds;
mod successor;

pub use block::Block;
pub use grounds::Grounds;
pub use successor::successor;

/// What stays must be valid for this long.
pub const STAYS_VALID: Duration = Duration::from_secs(7 * 86_400);

/// Retirements of one integration are at least this far apart.
pub const BETWEEN_RETIREMENTS: Duration = Duration::from_secs(86_400);

/// Healthy looks that must have lacked a certificate before its absence counts.
const LOOKS_OF_ABSENCE: u32 = 4;

/// Looks of which each is to count are at least this far apart.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// How a certificate is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// It stays listed, and allows no login.
    Disable,
    /// It goes.
    Delete,
}

impl How {
    /// The word in plans, logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Delete => "delete",
        }
    }

    /// The request it takes.
    pub const fn write(self) -> Write {
        match self {
            Self::Disable => Write::Update,
            Self::Delete => Write::Delete,
        }
    }
}

/// What is to become of an old certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retirement {
    /// How it is taken away; none while `retire.action` is "keep" and no person has said otherwise.
    pub how: Option<How>,
    /// A person ordered it.
    pub ordered: bool,
    /// The request was made, and nobody knows what came of it: it is made again.
    pub again: bool,
    /// What stands in the way; nothing: it may go now.
    pub blocks: Vec<Block>,
}

impl Retirement {
    /// When it goes, if only time stands in the way.
    pub fn date(&self, now: Timestamp) -> Option<Timestamp> {
        let lifted: Option<Vec<Timestamp>> = self.blocks.iter().map(Block::until).collect();
        Some(lifted?.into_iter().fold(now, Timestamp::max))
    }
}

impl Retirement {
    /// When to look again whether it may go.
    pub(super) fn next_look(&self, now: Timestamp) -> Option<Timestamp> {
        let asked_for = self.how.is_some();
        let dates = self.blocks.iter().filter_map(Block::next_look);
        dates.filter(|it| asked_for && *it > now).min()
    }
}

/// Says of every old certificate what is to become of it.
pub(super) fn judge_old(items: &mut [Item], inputs: &Inputs<'_>) {
    let judged: Vec<Option<Retirement>> = items
        .iter()
        .map(|it| Old::of(it, items, inputs).map(|it| it.judge()))
        .collect();
    for (item, retirement) in items.iter_mut().zip(judged) {
        item.retirement = retirement;
    }
}

/// Whether something is added in this pass, or may have been in an earlier one: policy takes nothing away before that.
fn is_addition(item: &Item) -> bool {
    match item.state {
        State::Planned => true,
        State::Settling => !matches!(item.why, Why::Vanishing { .. }),
        State::Waiting => matches!(item.why, Why::Backoff { .. } | Why::Elsewhere { .. }),
        _ => false,
    }
}

/// Whether something is to be added that was not tried before: a retirement that an operator ordered waits for that
/// alone, as what fails for ever must not stand in its way.
fn is_fresh_addition(item: &Item) -> bool {
    item.state == State::Planned && item.undelivered_from.is_none()
}

/// One certificate that may be old, with what its judgement needs.
struct Old<'a> {
    item: &'a Item,
    certificate: &'a Certificate,
    belief: &'a Belief,
    items: &'a [Item],
    inputs: &'a Inputs<'a>,
    is_whole: bool,
}

impl<'a> Old<'a> {
    fn of(item: &'a Item, items: &'a [Item], inputs: &'a Inputs<'a>) -> Option<Self> {
        let certificate = item.certificate.as_ref()?;
        let belief = inputs.book.beliefs.get(&item.fingerprint?)?;
        let is_ordered = matches!(belief.order, Some(Order::Disable | Order::Delete));
        let is_ours = match &belief.standing {
            Standing::Confirmed(_) => true,
            Standing::Disabled { unsure, .. } => *unsure || belief.order == Some(Order::Delete),
            _ => false,
        };
        let is_old = is_ordered
            || matches!(belief.standing, Standing::Disabled { .. })
            || matches!(item.state, State::Superseded | State::Expired);
        let is_whole =
            item.is_listed && item.id.as_ref() == belief.id() && item.state != State::Duplicate;
        // An order is answered for, whatever became of its row.
        (is_ours && is_old && (is_whole || is_ordered)).then_some(Self {
            item,
            certificate,
            belief,
            items,
            inputs,
            is_whole,
        })
    }

    fn judge(&self) -> Retirement {
        let policy = &self.inputs.policy.retire;
        let again = matches!(
            self.belief.standing,
            Standing::Disabled { unsure: true, .. }
        );
        let (how, ordered) = match (self.belief.order, policy.action) {
            (Some(Order::Delete), _) => (Some(How::Delete), true),
            (Some(Order::Disable), _) => (Some(How::Disable), true),
            _ if again => (Some(How::Disable), false),
            (_, RetireAction::Delete) => (Some(How::Delete), false),
            (_, RetireAction::Disable) => (Some(How::Disable), false),
            (_, RetireAction::Keep) => (None, false),
        };
        let mut blocks = Vec::new();
        if how.is_none() {
            blocks.push(Block::Keep);
        }
        if !ordered && !again {
            blocks.extend(self.too_early());
        }
        blocks.extend(self.always(how, ordered, again));
        Retirement {
            how,
            ordered,
            again,
            blocks,
        }
    }

    /// What `retire` asks for in the configuration.
    fn too_early(&self) -> Vec<Block> {
        let now = self.inputs.now;
        let policy = &self.inputs.policy.retire;
        let end = self.certificate.validity().not_after;
        let over = end.plus(policy.expired_after);
        if over <= now.wall {
            return Vec::new();
        }
        if policy.when == RetireWhen::Expired || self.item.state == State::Expired {
            return vec![Block::TooYoung { until: over }];
        }
        let mut blocks = Vec::new();
        match &self.belief.source {
            _ if !self.inputs.look.is_some_and(Look::is_healthy) => {
                blocks.push(Block::SourceUnhealthy);
            }
            InSource::Gone { credit, .. } => {
                let missing = credit.missing(policy.min_absence);
                let looks = LOOKS_OF_ABSENCE.saturating_sub(credit.looks);
                if missing > Duration::ZERO || looks > 0 {
                    let pace = (missing / looks.max(1)).max(BETWEEN_LOOKS);
                    let until = now.wall.plus(missing.max(BETWEEN_LOOKS * looks));
                    let next = now.wall.plus(pace);
                    blocks.push(Block::Absence { until, next });
                }
            }
            InSource::Present { .. } | InSource::Never => blocks.push(Block::FileThere),
        }
        match self.successor() {
            None => blocks.push(Block::NoSuccessor),
            Some((_, trusted)) => {
                let missing = policy.min_overlap.saturating_sub(trusted);
                if missing > Duration::ZERO {
                    let until = now.wall.plus(missing);
                    blocks.push(Block::Overlap { until });
                }
            }
        }
        blocks
    }

    /// What must always be true.
    fn always(&self, how: Option<How>, ordered: bool, again: bool) -> Vec<Block> {
        let (inputs, now) = (self.inputs, self.inputs.now);
        let mut blocks = Vec::new();
        if inputs.policy.mode == Mode::Observe {
            blocks.push(Block::Observe);
        }
        if inputs.book.pause.is_some() {
            blocks.push(Block::Paused);
        }
        if inputs.book.moved_from.is_some() {
            blocks.push(Block::IdChanged);
        }
        if !self.is_whole {
            blocks.push(Block::NotAsOurs);
        }
        if inputs.look.is_none() {
            blocks.push(Block::SourceDown);
        }
        if inputs.skew.is_there() {
            blocks.push(Block::ClockInDoubt);
        }
        if self.stays().is_none() {
            blocks.push(Block::Last);
        }
        let comes_first = if ordered {
            is_fresh_addition
        } else {
            is_addition
        };
        if self.items.iter().any(comes_first) {
            blocks.push(Block::AdditionsFirst);
        }
        let is_open = |it: &Belief| it.is_unsure() || matches!(it.standing, Standing::Deleting(_));
        if !again && inputs.book.beliefs.values().any(is_open) {
            blocks.push(Block::OneAtATime);
        }
        if let Some(last) = &inputs.book.retired_at
            && !again
            && now.elapsed_since(last) < BETWEEN_RETIREMENTS
        {
            let until = now.when_elapsed(last, BETWEEN_RETIREMENTS);
            blocks.push(Block::OneADay { until });
        }
        if let Some(write) = how.map(How::write)
            && let Some(until) = refused(inputs.book, write, now)
        {
            let refusal = inputs.book.refused_writes.get(&write);
            blocks.push(Block::Refused {
                write,
                is_forbidden: refusal.is_some_and(|it| it.is_forbidden),
                until,
            });
        }
        if how == Some(How::Disable)
            && let Some(until) = unsettled(inputs)
        {
            blocks.push(Block::Unsettled { until });
        }
        blocks
    }

    /// Another one that stays: ours, enabled by our last confirmed write, listed, valid now and for long enough; of
    /// several the one that ends last.
    fn stays(&self) -> Option<(Fingerprint, CertificateId)> {
        let now = self.inputs.now.wall;
        let others = self.items.iter().filter(|it| {
            it.fingerprint != self.item.fingerprint
                && self.is_confirmed(it)
                && it.certificate.as_ref().is_some_and(|it| {
                    let validity = it.validity();
                    validity.is_valid(now) && validity.not_after >= now.plus(STAYS_VALID)
                })
        });
        let end = |it: &&Item| it.certificate.as_ref().map(|it| it.validity().not_after);
        let last = others.max_by_key(end)?;
        last.fingerprint.zip(last.id.clone())
    }

    fn is_confirmed(&self, item: &Item) -> bool {
        let belief = item
            .fingerprint
            .and_then(|it| self.inputs.book.beliefs.get(&it));
        item.is_listed
            && matches!(item.state, State::Trusted | State::Superseded)
            && belief.is_some_and(|it| matches!(it.standing, Standing::Confirmed(_)))
    }

    fn successor(&self) -> Option<(Fingerprint, Duration)> {
        let (fingerprint, belief) = successor(self.items, self.inputs.book, self.item)?;
        let credit = belief.trusted_for.as_ref();
        Some((fingerprint, credit.map_or(Duration::ZERO, |it| it.total)))
    }

    /// Why it may go, now that nothing stands in the way.
    fn grounds(&self, retirement: &Retirement) -> Grounds {
        let since = self.certificate.validity().not_after;
        match (&self.belief.source, self.successor()) {
            _ if retirement.again => Grounds::Again,
            _ if retirement.ordered => Grounds::Order,
            (InSource::Gone { credit, .. }, Some((successor, trusted)))
                if self.item.state != State::Expired =>
            {
                Grounds::Absent {
                    gone: credit.total,
                    successor,
                    trusted,
                }
            }
            _ => Grounds::Over { since },
        }
    }
}

/// The one certificate that is taken away in this pass, if any: what was asked for before, then what ended first.
pub(super) fn next_to_go(items: &[Item], inputs: &Inputs<'_>) -> Option<Action> {
    let may_go = items.iter().filter_map(|it| {
        let retirement = it.retirement.as_ref()?;
        let how = retirement.how.filter(|_| retirement.blocks.is_empty())?;
        Some((it, how, retirement))
    });
    let (item, how, retirement) = may_go.min_by_key(|(it, _, retirement)| {
        let end = it.certificate.as_ref().map(|it| it.validity().not_after);
        (!retirement.again, !retirement.ordered, end, it.fingerprint)
    })?;
    let old = Old::of(item, items, inputs)?;
    Some(Action::Retire {
        certificate: old.certificate.clone(),
        id: item.id.clone()?,
        how,
        ordered: retirement.ordered,
        again: retirement.again,
        grounds: old.grounds(retirement),
        stays: old.stays()?,
    })
}
