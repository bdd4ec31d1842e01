//! What holds of every plan, whatever happened before it.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::{Fingerprint, RowContent, Skew};
use crate::plan::book::{Standing, Word};
use crate::plan::decision::Decision;
use crate::plan::policy::{Mode, Require, RetireAction, RetireWhen};
use crate::plan::retire::How;
use crate::plan::rollover::{Action, Plan};
use crate::plan::testing::{Fate, certificate_valid};

/// Certificates that a world is made of.
const POOL: usize = 8;

/// One thing that may happen to the world.
#[derive(Clone, Debug)]
enum Event {
    Write(usize),
    Remove(usize),
    Refuse(usize),
    SourceUp(bool),
    Fate(Fate),
    Stranger(usize),
    Delete(usize),
    Garble(usize),
    Decide(Decision, usize),
    Pause(bool),
    Require(Require),
    Retire(RetireAction, RetireWhen),
    Observe(bool),
    Budget(u32),
    Pin(usize),
    Skew(bool),
    Sleep(u64),
    Jump(i64),
    Restart,
    Reboot,
    Pass,
}

fn event() -> impl Strategy<Value = Event> {
    let some = || 0..POOL;
    let fates = [
        Fate::Well,
        Fate::Well,
        Fate::AnswerLost,
        Fate::RequestLost,
        Fate::Refused,
        Fate::NotDone,
    ];
    let decisions = [
        Decision::Approve,
        Decision::Deny,
        Decision::Acknowledge,
        Decision::Adopt,
        Decision::Restore,
        Decision::Forget,
        Decision::Retire(How::Disable),
        Decision::Retire(How::Delete),
    ];
    let requires = [
        Require::Source,
        Require::Pin,
        Require::HoldDown,
        Require::Approval,
    ];
    let actions = [
        RetireAction::Keep,
        RetireAction::Disable,
        RetireAction::Delete,
    ];
    let whens = [RetireWhen::Expired, RetireWhen::Absent];
    prop_oneof![
        8 => some().prop_map(Event::Write),
        3 => some().prop_map(Event::Remove),
        1 => some().prop_map(Event::Refuse),
        1 => any::<bool>().prop_map(Event::SourceUp),
        2 => select(fates).prop_map(Event::Fate),
        1 => some().prop_map(Event::Stranger),
        1 => some().prop_map(Event::Delete),
        1 => some().prop_map(Event::Garble),
        5 => (select(decisions), some()).prop_map(|(what, it)| Event::Decide(what, it)),
        1 => any::<bool>().prop_map(Event::Pause),
        1 => select(requires).prop_map(Event::Require),
        2 => (select(actions), select(whens)).prop_map(|(how, when)| Event::Retire(how, when)),
        1 => any::<bool>().prop_map(Event::Observe),
        1 => (0..3_u32).prop_map(Event::Budget),
        1 => some().prop_map(Event::Pin),
        1 => any::<bool>().prop_map(Event::Skew),
        6 => (1..2_000_000_u64).prop_map(Event::Sleep),
        1 => (-400..400_i64).prop_map(Event::Jump),
        1 => Just(Event::Restart),
        1 => Just(Event::Reboot),
        18 => Just(Event::Pass),
    ]
}

fn select<T: Clone + std::fmt::Debug + 'static, const N: usize>(
    all: [T; N],
) -> impl Strategy<Value = T> {
    proptest::sample::select(Vec::from(all))
}

/// Two certificates a key; some end soon, one begins later, one is over.
fn pool(number: usize) -> Certificate {
    let (name, key) = (format!("c{number}"), format!("k{}", number / 2));
    let day = |days: i64| NOW.as_secs() + days * 86_400;
    match number {
        0 => certificate_valid(&name, &key, day(-300), day(-9)),
        1 => certificate_valid(&name, &key, day(-300), day(20)),
        2 => certificate_valid(&name, &key, day(30), day(500)),
        _ => certificate(&name, &key, 30 * i64::try_from(number).unwrap()),
    }
}

fn small_world() -> World {
    let mut world = World::new();
    world.policy.retire.min_absence = 2 * DAY;
    world.policy.retire.min_overlap = 3 * DAY;
    world
}

/// A source, a list and a book as they come to be, and a policy.
fn world_of(events: &[Event]) -> World {
    let mut world = small_world();
    for event in events {
        happen(&mut world, event);
    }
    world
}

fn happen(world: &mut World, event: &Event) {
    match event {
        Event::Write(it) => world.file(&format!("{it}.pem"), &[&pool(*it)]),
        Event::Remove(it) => drop(world.files.remove(&format!("{it}.pem"))),
        Event::Refuse(it) => world.refuse(&format!("{it}.pem")),
        Event::SourceUp(up) => world.source_up = *up,
        Event::Fate(fate) => world.fate = *fate,
        Event::Stranger(it) => {
            // Somebody else uploads what is not there; a second row of one that is there is their duplicate, not ours.
            if world.rows_of(&pool(*it)) == 0 {
                world.row(&pool(*it));
            }
        }
        Event::Delete(it) => world
            .rows
            .retain(|row| row.certificate() != Some(&pool(*it))),
        Event::Garble(it) => {
            if let Some(row) = world.rows.get_mut(*it) {
                row.content = RowContent::Undecodable;
            }
        }
        Event::Decide(decision, it) => drop(world.decide(*decision, &pool(*it))),
        Event::Pause(is_paused) => world.pause(*is_paused),
        Event::Require(require) => world.policy.trust.require = *require,
        Event::Retire(action, when) => {
            world.policy.retire.action = *action;
            world.policy.retire.when = *when;
        }
        Event::Observe(true) => world.policy.mode = Mode::Observe,
        Event::Observe(false) => world.policy.mode = Mode::Manage,
        Event::Budget(limit) => world.policy.trust.new_keys_per_day = *limit,
        Event::Pin(it) => drop(world.policy.trust.pins.insert(pool(*it).fingerprint())),
        Event::Skew(false) => world.skew = Skew::None,
        Event::Skew(true) => world.doubt_the_clock(),
        Event::Sleep(secs) => world.sleep(Duration::from_secs(*secs)),
        Event::Jump(days) => {
            let wall = world.now.wall.as_millis() + days * 86_400_000;
            world.now.wall = crate::domain::Timestamp::from_millis(wall);
        }
        Event::Restart => world.restart(),
        Event::Reboot => world.reboot(HOUR),
        Event::Pass => drop(pass(world)),
    }
}

/// A pass, unless everything we know is gone at once.
fn pass(world: &mut World) -> Option<Plan> {
    world.observe().ok()?;
    Some(world.pass())
}

/// Certificates of ours that are enabled by our last confirmed write, listed and valid for so long.
fn of_ours(world: &World, valid_for: Duration) -> BTreeSet<Fingerprint> {
    let now = world.now.wall;
    let is_ours = |(fingerprint, it): &(&Fingerprint, &crate::plan::book::Belief)| {
        let Standing::Confirmed(id) = &it.standing else {
            return false;
        };
        let validity = it.certificate.as_ref().map(Certificate::validity);
        let row = world.rows.iter().find(|it| it.id.as_ref() == Some(id));
        let holds = row
            .and_then(|it| it.certificate())
            .map(Certificate::fingerprint);
        holds == Some(**fingerprint)
            && validity.is_some_and(|it| it.is_valid(now) && it.not_after >= now.plus(valid_for))
    };
    let beliefs = world.book.beliefs.iter().filter(is_ours);
    beliefs.map(|(fingerprint, _)| *fingerprint).collect()
}

fn is_retirement(action: &Action) -> bool {
    matches!(action, Action::Retire { .. })
}

fn retired(plan: &Plan) -> Vec<&Action> {
    plan.actions.iter().filter(|it| is_retirement(it)).collect()
}

/// What a person did or the policy allows, so that something may be taken away at all.
const NO_WISH_TO_RETIRE: fn(&Event) -> bool = |event| {
    !matches!(
        event,
        Event::Decide(Decision::Retire(_), _)
            | Event::Retire(RetireAction::Disable | RetireAction::Delete, _)
    )
};

fn events(most: usize) -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(), 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// A second POST is made only when the first is known not to have arrived, so no row of ours is ever doubled.
    #[test]
    fn one_row_a_fingerprint(events in events(60)) {
        let mut world = small_world();
        for event in &events {
            happen(&mut world, event);
            for it in 0..POOL {
                prop_assert!(world.rows_of(&pool(it)) <= 1, "{event:?}");
            }
        }
    }

    /// Whatever happened before: once requests fare well, passes come to rest, and the plan of one is nothing to do.
    #[test]
    fn planning_after_applying_converges(events in events(60)) {
        let mut world = world_of(&events);
        world.fate = Fate::Well;
        for _ in 0..40 {
            if pass(&mut world).is_none() {
                return Ok(()); // unreachable: a person is told
            }
            world.sleep(6 * HOUR);
        }
        world.pass();
        let plan = world.pass();
        prop_assert!(plan.actions.is_empty(), "{:?}", plan.actions);
        prop_assert!(plan.due.is_none_or(|it| it > world.now.wall), "{:?}", plan.due);
    }

    /// After any number of a plan's actions, as many certificates of ours go on as must.
    #[test]
    fn no_prefix_of_a_plan_uncovers_the_integration(events in events(60)) {
        let mut world = world_of(&events);
        for _ in 0..4 {
            let Ok(plan) = world.observe() else { return Ok(()) };
            for action in &plan.actions {
                let before = of_ours(&world, Duration::ZERO);
                let cover = world.cover();
                world.apply(action);
                let after = of_ours(&world, Duration::ZERO);
                prop_assert!(after.len() >= before.len().min(1), "{action:?}");
                prop_assert!(world.cover() >= cover.min(1), "{action:?}");
                if is_retirement(action) {
                    prop_assert!(!of_ours(&world, 7 * DAY).is_empty(), "{action:?}");
                }
            }
            world.sleep(DAY);
        }
    }

    /// At most one is taken away in a pass and in a day, and none in a pass that adds.
    #[test]
    fn one_removal_a_pass_and_a_day_and_additions_come_first(events in events(80)) {
        let mut world = small_world();
        for event in &events {
            if !matches!(event, Event::Pass) {
                happen(&mut world, event);
                continue;
            }
            let writes_before = world.writes.len();
            let Some(plan) = pass(&mut world) else { continue };
            if matches!(world.fate, Fate::Refused | Fate::NotDone) {
                world.writes.truncate(writes_before); // what certainly did nothing counts for no day
            }
            let gone = retired(&plan).len();
            prop_assert!(gone <= 1);
            prop_assert!(gone == 0 || plan.actions.len() == 1, "{:?}", plan.actions);
        }
        let taken: Vec<_> = world.writes.iter().filter(|it| it.0 != "enable").collect();
        for (first, second) in taken.iter().zip(taken.iter().skip(1)) {
            let apart = second.2.elapsed_since(&first.2);
            let is_same = first.1 == second.1; // the same request again
            prop_assert!(is_same || apart >= DAY, "{first:?} {second:?}");
        }
    }

    /// Whatever is lost in the source or the configuration: nothing is taken away but on an order, or where the policy
    /// says so.
    #[test]
    fn absence_alone_takes_nothing_away(events in events(60)) {
        let events: Vec<_> = events.into_iter().filter(NO_WISH_TO_RETIRE).collect();
        let world = world_of(&events);
        let taken = world.writes.iter().filter(|it| it.0 != "enable").count();
        prop_assert_eq!(taken, 0);
    }

    /// To take lines out of the configuration takes nothing away at SendGrid.
    #[test]
    fn shrinking_the_configuration_takes_nothing_away_by_itself(events in events(60)) {
        let mut world = world_of(&events);
        world.policy = small_world().policy;
        let is_ordered = world.book.beliefs.values().any(|it| it.order.is_some() || it.is_unsure());
        for _ in 0..10 {
            let Some(plan) = pass(&mut world) else { break };
            prop_assert!(is_ordered || retired(&plan).is_empty());
            world.sleep(DAY);
        }
    }

    /// What is not ours by the ledger is not taken away, nor is what was read back as something else.
    #[test]
    fn only_what_is_ours_is_taken_away(events in events(60)) {
        let mut world = world_of(&events);
        let Ok(plan) = world.observe() else { return Ok(()) };
        for action in retired(&plan) {
            let Action::Retire { certificate, id, .. } = action else { continue };
            let belief = &world.book.beliefs[&certificate.fingerprint()];
            let is_ours = matches!(&belief.standing,
                Standing::Confirmed(it) | Standing::Disabled { id: it, .. } if it == id);
            prop_assert!(is_ours);
            let row = world.rows.iter().find(|it| it.id.as_ref() == Some(id));
            prop_assert_eq!(row.and_then(|it| it.certificate()), Some(certificate));
        }
    }

    /// A denied key is let in by nothing, a removed one only by a person.
    #[test]
    fn no_denied_or_removed_key_is_let_in(events in events(60)) {
        let mut world = world_of(&events);
        let Ok(plan) = world.observe() else { return Ok(()) };
        for action in plan.actions.iter().filter(|it| !is_retirement(it)) {
            let key = Some(action.certificate().key_id());
            let restored = world.book.beliefs[&action.certificate().fingerprint()].order.is_some();
            for belief in world.book.beliefs.values().filter(|it| it.key_id() == key) {
                prop_assert_ne!(belief.word, Some(Word::Denied));
                let is_removed = matches!(belief.standing, Standing::Removed { .. });
                prop_assert!(!is_removed || belief.order.is_some() || restored, "{action:?}");
            }
        }
    }

    /// Nothing is sent in observe or under a pause, nor by an unreadable source but to mend what we did.
    #[test]
    fn nothing_is_sent_in_observe_or_under_a_pause(events in events(60), is_paused in any::<bool>()) {
        let mut world = world_of(&events);
        if is_paused {
            world.pause(true);
        } else {
            world.policy.mode = Mode::Observe;
        }
        for _ in 0..3 {
            let Some(plan) = pass(&mut world) else { break };
            prop_assert!(plan.actions.is_empty(), "{:?}", plan.actions);
            world.sleep(DAY);
        }
    }

    /// Under "approval" no new key goes up without a person's word or a pin.
    #[test]
    fn approval_lets_no_new_key_in_by_itself(events in events(60)) {
        let mut world = world_of(&events);
        world.policy.trust.require = Require::Approval;
        let Ok(plan) = world.observe() else { return Ok(()) };
        for action in &plan.actions {
            if let Action::Upload { certificate, is_new_key: true, .. } = action {
                let belief = &world.book.beliefs[&certificate.fingerprint()];
                let is_pinned = world.policy.trust.pins.contains(&certificate.fingerprint());
                let is_spoken_for = belief.word == Some(Word::Approved) || belief.order.is_some();
                prop_assert!(is_pinned || is_spoken_for, "{action:?}");
            }
        }
    }

    /// The order of files and rows does not matter.
    #[test]
    fn the_order_of_what_comes_in_does_not_matter(events in events(40), twins in proptest::collection::vec(0..POOL, 0..3)) {
        let mut world = world_of(&events);
        for it in twins {
            world.row(&pool(it));
        }
        if world.observe().is_ok() {
            let plan = world.plan();
            let mut look = world.look();
            world.rows.reverse();
            if let Some(look) = &mut look {
                look.files.reverse();
            }
            let mut other = world.plan_with(look.as_ref());
            for item in &mut other.items {
                item.paths.sort();
            }
            let stamps = |plan: &Plan| plan.actions.iter().map(|it| (it.word(), it.certificate().fingerprint())).collect::<Vec<_>>();
            prop_assert_eq!(&plan.items, &other.items);
            prop_assert_eq!(stamps(&plan), stamps(&other));
            prop_assert_eq!((&plan.due, &plan.outlook), (&other.due, &other.outlook));
        }
    }
}
