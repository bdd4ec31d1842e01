//! What must be true before a certificate of ours is taken away: what is, what waits, what blocks it.

use std::time::Duration;

use crate::domain::Timestamp;
use crate::domain::text::{file_name, span};
use crate::plan::book::{Belief, InSource, Standing};
use crate::plan::policy::{Mode, Policy, RetireAction, RetireWhen};
use crate::plan::retire::{Block, STAYS_VALID, successor};
use crate::plan::rollover::Item;
use crate::plan::state::State;

use super::explain_text::Explained;
use super::terminal::Mark;
use super::when::clock;

/// One thing that must be true.
pub(super) struct Condition {
    /// Whether it is, or time makes it so, or something else must happen.
    pub(super) mark: Mark,
    /// What.
    pub(super) what: String,
    /// From when on it is true, or what is the matter.
    pub(super) note: String,
}

/// Everything that must be true before this one is taken away; none of what is not ours, or is away already.
pub(super) fn conditions(
    it: &Explained,
    item: &Item,
    policy: &Policy,
    now: Timestamp,
) -> Vec<Condition> {
    let is_ours = it
        .belief()
        .is_some_and(|it| matches!(it.standing, Standing::Confirmed(_)));
    let is_asked = item.retirement.as_ref().is_some_and(|it| it.how.is_some());
    if !item.is_listed || !(is_ours || is_asked) {
        return Vec::new();
    }
    let judged = item.retirement.as_ref();
    let blocks = judged.map_or_else(|| expected(it, item, policy, now), |it| it.blocks.clone());
    let judge = Judge {
        it,
        item,
        policy,
        blocks,
        now,
    };
    let mut conditions = match judged {
        Some(retirement) if retirement.ordered => {
            vec![fine("a person orders it", "a person did")]
        }
        Some(retirement) if retirement.again => {
            vec![fine("the last request for it may have been lost", "it may")]
        }
        _ => judge.policy(),
    };
    conditions.extend(judge.always());
    conditions
}

fn confirmed<'a>(it: &'a Explained, item: &Item) -> Option<&'a Belief> {
    let belief = it.book.beliefs.get(&item.fingerprint?)?;
    matches!(belief.standing, Standing::Confirmed(_)).then_some(belief)
}

/// What would stand in the way of one that is not old yet.
fn expected(it: &Explained, item: &Item, policy: &Policy, now: Timestamp) -> Vec<Block> {
    let retire = &policy.retire;
    let mut blocks = Vec::new();
    if retire.action == RetireAction::Keep {
        blocks.push(Block::Keep);
    }
    match retire.when {
        RetireWhen::Expired => {
            let until = end(item).map(|it| it.plus(retire.expired_after));
            blocks.extend(until.map(|until| Block::TooYoung { until }));
        }
        RetireWhen::Absent => {
            match it.belief().map(|it| &it.source) {
                Some(InSource::Gone { credit, .. }) if item.paths.is_empty() => {
                    let missing = credit.missing(retire.min_absence);
                    blocks.extend(
                        lifted(missing, now).map(|until| Block::Absence { until, next: until }),
                    );
                }
                _ => blocks.push(Block::FileThere),
            }
            match successor(it.items(), &it.book, item) {
                None => blocks.push(Block::NoSuccessor),
                Some((_, belief)) => {
                    let trusted = belief.trusted_for.as_ref().map(|it| it.total);
                    let missing = retire
                        .min_overlap
                        .saturating_sub(trusted.unwrap_or_default());
                    blocks.extend(lifted(missing, now).map(|until| Block::Overlap { until }));
                }
            }
        }
    }
    if policy.mode == Mode::Observe {
        blocks.push(Block::Observe);
    }
    if it.book.pause.is_some() {
        blocks.push(Block::Paused);
    }
    let stays = |other: &&Item| {
        other.fingerprint != item.fingerprint
            && matches!(other.state, State::Trusted | State::Superseded)
            && confirmed(it, other).is_some()
            && end(other) >= Some(now.plus(STAYS_VALID))
    };
    if !it.items().iter().any(|other| stays(&other)) {
        blocks.push(Block::Last);
    }
    blocks
}

fn end(item: &Item) -> Option<Timestamp> {
    item.certificate.as_ref().map(|it| it.validity().not_after)
}

fn lifted(missing: Duration, now: Timestamp) -> Option<Timestamp> {
    (missing > Duration::ZERO).then(|| now.plus(missing))
}

struct Judge<'a> {
    it: &'a Explained,
    item: &'a Item,
    policy: &'a Policy,
    blocks: Vec<Block>,
    now: Timestamp,
}

impl Judge<'_> {
    /// What `retire` asks for in the configuration.
    fn policy(&self) -> Vec<Condition> {
        let retire = &self.policy.retire;
        let over = || {
            self.condition(
                format!("it has been over for {}", span(retire.expired_after)),
                |it| matches!(it, Block::TooYoung { .. }),
            )
        };
        let mut conditions = match retire.when {
            RetireWhen::Absent if self.item.state != State::Expired => {
                vec![self.overlap(), self.absence()]
            }
            _ => vec![over()],
        };
        let action = format!("it is \"{}\"", retire.action.word());
        let is_kept = self.blocks.contains(&Block::Keep);
        conditions.push(if is_kept {
            Condition {
                mark: Mark::Broken,
                what: "retire.action allows it".to_owned(),
                note: format!("{action}: only reported"),
            }
        } else {
            fine("retire.action allows it", &action)
        });
        conditions
    }

    fn overlap(&self) -> Condition {
        let what = format!(
            "a successor has been trusted for {}",
            span(self.policy.retire.min_overlap)
        );
        let mut condition = self.condition(what, |it| {
            matches!(it, Block::NoSuccessor | Block::Overlap { .. })
        });
        if self.blocks.contains(&Block::NoSuccessor) {
            "none is trusted".clone_into(&mut condition.note);
        } else if condition.mark == Mark::Fine
            && let Some((successor, _)) = successor(self.it.items(), &self.it.book, self.item)
        {
            condition.note = successor.brief();
        }
        condition
    }

    fn absence(&self) -> Condition {
        let what = format!(
            "its file has been gone for {}",
            span(self.policy.retire.min_absence)
        );
        let mut condition = self.condition(what, |it| {
            matches!(
                it,
                Block::FileThere | Block::SourceUnhealthy | Block::Absence { .. }
            )
        });
        if self.blocks.contains(&Block::FileThere) {
            let files: Vec<String> = self.item.paths.iter().map(|it| file_name(it)).collect();
            if !files.is_empty() {
                let are = if files.len() == 1 { "is" } else { "are" };
                condition.note = format!("{} {are} still there", files.join(", "));
            }
        } else if condition.mark == Mark::Fine
            && let Some(InSource::Gone { since, .. }) = self.it.belief().map(|it| &it.source)
        {
            condition.note = format!("since {}", since.wall.date());
        }
        condition
    }

    /// What must always be true.
    fn always(&self) -> Vec<Condition> {
        let what = format!(
            "another one of ours is trusted for {} more",
            span(STAYS_VALID)
        );
        let mut last = self.condition(what, |it| *it == Block::Last);
        if last.mark == Mark::Broken {
            "there is none".clone_into(&mut last.note);
        }
        let others = self.blocks.iter().filter_map(|block| {
            let (what, mark) = match block {
                Block::Observe => ("mode is \"manage\"", Mark::Broken),
                Block::Paused => ("nobody has paused it", Mark::Broken),
                Block::IdChanged => ("its integration_id is accepted", Mark::Broken),
                Block::NotAsOurs => ("it is listed, once and as ours", Mark::Broken),
                Block::SourceDown => ("its directory can be read", Mark::Broken),
                Block::ClockInDoubt => ("this machine's clock is SendGrid's", Mark::Broken),
                Block::OneADay { .. } => ("no other one has gone for a day", Mark::Waits),
                Block::AdditionsFirst => ("everything that is to be added is there", Mark::Waits),
                Block::Refused { .. } => ("SendGrid carries it out", Mark::Waits),
                _ => return None,
            };
            Some(Condition {
                mark,
                what: what.to_owned(),
                note: self.note(block),
            })
        });
        let others: Vec<Condition> = others.collect();
        std::iter::once(last).chain(others).collect()
    }

    /// A condition that one of these blocks says is not met.
    fn condition(&self, what: String, is_block: impl Fn(&Block) -> bool) -> Condition {
        let Some(block) = self.blocks.iter().find(|it| is_block(it)) else {
            return fine(&what, "");
        };
        let mark = match block.until() {
            Some(_) => Mark::Waits,
            None => Mark::Broken,
        };
        Condition {
            mark,
            what,
            note: self.note(block),
        }
    }

    fn note(&self, block: &Block) -> String {
        match block {
            Block::Refused { .. } => block.to_string(),
            _ => match block.until() {
                Some(until) if until.date() == self.now.date() => {
                    format!("from {} on", clock(until, self.now))
                }
                Some(until) => format!("from {}", until.date()),
                None => block.to_string(),
            },
        }
    }
}

fn fine(what: &str, note: &str) -> Condition {
    Condition {
        mark: Mark::Fine,
        what: what.to_owned(),
        note: note.to_owned(),
    }
}
