//! What a certificate needs before it is uploaded: each rule on both sides of its limit.

use super::*;
use crate::plan::decision::{Decision, Refusal};
use crate::plan::policy::Require;
use crate::plan::testing::Fate;

/// A world with one trusted certificate of key `k1`, in which newer ones need more than to be there.
fn careful(require: Require) -> World {
    let mut world = World::new();
    world.file("first.pem", &[&certificate("first", "k1", 200)]);
    world.pass();
    world.policy.trust.require = require;
    world
}

fn last_evidence(world: &World) -> String {
    let plan = world.plan();
    format!("{:?}", plan.actions.first())
}

#[test]
fn in_source_mode_to_be_there_is_enough() {
    let mut world = careful(Require::Source);
    let next = certificate("next", "k2", 400);
    world.file("next.pem", &[&next]);
    world.observe().unwrap();
    assert!(last_evidence(&world).contains("evidence: Source, is_new_key: true"));
}

#[test]
fn in_pin_mode_only_a_pin_or_a_person_lets_a_new_key_in() {
    for by_person in [false, true] {
        let mut world = careful(Require::Pin);
        let next = certificate("next", "k2", 400);
        world.file("next.pem", &[&next]);
        for _ in 0..3 {
            world.pass();
            world.sleep(30 * DAY);
        }
        assert_eq!(world.state(&next), "held");
        assert_eq!(
            world.why(&next),
            "waits for a pin in trust.pins, or for approval"
        );
        assert!(attention(&world).contains(&"approval"));
        if by_person {
            world.decide(Decision::Approve, &next).unwrap();
        } else {
            world.policy.trust.pins.insert(next.fingerprint());
        }
        world.pass();
        assert_eq!(world.state(&next), "trusted");
    }
}

#[test]
fn an_approval_is_waited_for_and_the_wait_is_dated() {
    let mut world = careful(Require::Approval);
    let next = certificate("next", "k2", 400);
    world.file("next.pem", &[&next]);
    world.pass();
    let since = world.now.wall;
    world.sleep(3 * DAY);
    world.pass();
    let outlook = world.plan().outlook;
    assert_eq!(
        (outlook.approvals_pending, outlook.oldest_pending),
        (1, Some(since))
    );
    assert_eq!(
        world.words().iter().filter(|it| **it == "held").count(),
        1,
        "told once"
    );
    world.decide(Decision::Approve, &next).unwrap();
    world.pass();
    assert_eq!(world.state(&next), "trusted");
    assert_eq!(world.plan().outlook.approvals_pending, 0);
    let belief = &world.book.beliefs[&next.fingerprint()];
    assert_eq!(belief.hold, None);
}

#[test]
fn what_was_approved_before_it_was_seen_goes_up_when_it_is() {
    let mut world = careful(Require::Approval);
    let next = certificate("next", "k2", 400);
    world.decide(Decision::Approve, &next).unwrap();
    world.pass();
    assert_eq!(world.state(&next), "-");
    world.file("next.pem", &[&next]);
    world.pass();
    assert_eq!(world.state(&next), "trusted");
}

#[test]
fn a_hold_down_ends_with_its_last_second_and_not_before() {
    let mut world = careful(Require::HoldDown);
    let next = certificate("next", "k2", 400);
    world.file("next.pem", &[&next]);
    world.pass();
    assert_eq!(world.state(&next), "waiting");
    assert_eq!(world.plan().due, Some(world.now.wall.plus(DAY)));
    world.sleep(just_before(DAY));
    world.pass();
    assert_eq!(world.state(&next), "waiting");
    world.sleep(Duration::from_secs(1));
    world.observe().unwrap();
    assert!(last_evidence(&world).contains("evidence: HoldDown"));
    world.pass();
    assert_eq!(world.state(&next), "trusted");
}

#[test]
fn a_hold_down_of_nothing_needs_two_looks() {
    let mut world = careful(Require::HoldDown);
    world.policy.trust.hold_down = Duration::ZERO;
    let next = certificate("next", "k2", 400);
    world.file("next.pem", &[&next]);
    assert!(world.pass().actions.is_empty());
    assert_eq!(world.pass().actions.len(), 1);
}

#[test]
fn a_hold_down_that_one_late_look_ends_was_seen_twice() {
    let mut world = careful(Require::HoldDown);
    let next = certificate("next", "k2", 400);
    world.file("next.pem", &[&next]);
    world.pass();
    world.sleep(40 * DAY);
    world.pass();
    assert_eq!(
        world.state(&next),
        "trusted",
        "two looks, and a day in between"
    );
}

#[test]
fn a_restart_keeps_what_was_counted_and_a_reboot_adds_nothing() {
    let mut world = careful(Require::HoldDown);
    let next = certificate("next", "k2", 400);
    world.file("next.pem", &[&next]);
    world.pass();
    world.sleep(20 * HOUR);
    world.pass();
    world.restart();
    world.reboot(30 * DAY);
    world.pass();
    assert_eq!(
        world.state(&next),
        "waiting",
        "the gap of the reboot adds nothing"
    );
    world.sleep(just_before(4 * HOUR));
    world.pass();
    assert_eq!(world.state(&next), "waiting");
    world.sleep(Duration::from_secs(1));
    world.pass();
    assert_eq!(world.state(&next), "trusted");
}

#[test]
fn a_wall_clock_that_is_set_ends_no_hold_down() {
    let mut world = careful(Require::HoldDown);
    let next = certificate("next", "k2", 400);
    world.file("next.pem", &[&next]);
    world.pass();
    world.now.wall = world.now.wall.plus(100 * DAY);
    world.pass();
    assert_eq!(world.state(&next), "waiting");
}

#[test]
fn to_be_gone_in_between_starts_again_and_a_failed_look_changes_nothing() {
    let mut world = careful(Require::HoldDown);
    let next = certificate("next", "k2", 400);
    world.file("next.pem", &[&next]);
    world.pass();
    world.sleep(12 * HOUR);
    world.pass();
    world.source_up = false;
    world.pass();
    world.source_up = true;
    world.pass();
    world.sleep(just_before(12 * HOUR));
    world.files.remove("next.pem");
    world.pass();
    world.file("next.pem", &[&next]);
    world.pass();
    world.sleep(just_before(DAY));
    world.pass();
    assert_eq!(world.state(&next), "waiting", "it starts again");
    world.sleep(Duration::from_secs(1));
    world.pass();
    assert_eq!(world.state(&next), "trusted");
}

#[test]
fn the_time_around_a_failed_look_is_not_counted_and_what_was_is_kept() {
    let mut world = careful(Require::HoldDown);
    let next = certificate("next", "k2", 400);
    world.file("next.pem", &[&next]);
    world.pass();
    world.sleep(12 * HOUR);
    world.pass();
    world.source_up = false;
    world.sleep(DAY);
    world.pass();
    world.source_up = true;
    world.sleep(DAY);
    world.pass();
    assert_eq!(world.state(&next), "waiting");
    world.sleep(12 * HOUR);
    world.pass();
    assert_eq!(world.state(&next), "trusted");
}

#[test]
fn a_pin_or_an_approval_ends_a_hold_down() {
    for by_person in [false, true] {
        let mut world = careful(Require::HoldDown);
        let next = certificate("next", "k2", 400);
        world.file("next.pem", &[&next]);
        world.pass();
        if by_person {
            world.decide(Decision::Approve, &next).unwrap();
        } else {
            world.policy.trust.pins.insert(next.fingerprint());
        }
        world.pass();
        assert_eq!(world.state(&next), "trusted");
    }
}

#[test]
fn what_was_taken_away_and_returns_is_held_down_once_and_not_for_ever() {
    let mut world = careful(Require::HoldDown);
    let next = certificate("next", "k2", 400);
    world.policy.trust.pins.insert(next.fingerprint());
    world.file("next.pem", &[&next]);
    world.pass();
    world.policy.trust.pins.clear();
    world.files.remove("next.pem");
    world.pass();
    world.rows.retain(|it| it.certificate() != Some(&next)); // somebody cleans up
    world.pass();
    world.sleep(4 * MINUTE);
    world.pass();
    world.book.gone.clear(); // as if policy had taken it away
    world.file("next.pem", &[&next]);
    world.pass();
    assert_eq!(world.state(&next), "waiting");
    for _ in 0..24 {
        world.sleep(HOUR);
        world.pass();
    }
    assert_eq!(world.state(&next), "trusted");
}

#[test]
fn a_known_key_is_no_new_trust() {
    for require in [Require::Pin, Require::HoldDown, Require::Approval] {
        let mut world = careful(require);
        let wrapped = certificate("wrapped", "k1", 400);
        world.file("wrapped.pem", &[&wrapped]);
        world.observe().unwrap();
        assert!(last_evidence(&world).contains("evidence: KnownKey, is_new_key: false"));
        world.pass();
        assert_eq!(world.state(&wrapped), "trusted", "{require:?}");
    }
}

#[test]
fn a_key_is_known_only_while_a_certificate_with_it_is_trusted_in_this_list() {
    type Story = (&'static str, fn(&mut World));
    let stories: [Story; 4] = [
        ("superseded", |world| {
            world.policy.trust.require = Require::Source;
            world.file("new.pem", &[&certificate("new", "k7", 380)]);
            world.pass();
            world.policy.trust.require = Require::Approval;
            world.files.remove("first.pem");
        }),
        ("over", |world| world.sleep(201 * DAY)),
        ("missing from this list", |world| world.rows.clear()),
        ("unreadable", |world| {
            world.rows[0].content = crate::domain::RowContent::Undecodable;
        }),
    ];
    for (name, story) in stories {
        let mut world = careful(Require::Approval);
        story(&mut world);
        let wrapped = certificate("wrapped", "k1", 400);
        world.file("wrapped.pem", &[&wrapped]);
        world.pass();
        assert_eq!(world.state(&wrapped), "held", "{name}");
    }
}

#[test]
fn what_is_found_makes_no_key_known() {
    let mut world = World::new();
    world.policy.trust.require = Require::Approval;
    let found = certificate("found", "k1", 200);
    world.row(&found);
    let wrapped = certificate("wrapped", "k1", 400);
    world.file("both.pem", &[&found, &wrapped]);
    world.pass();
    assert_eq!(
        (world.state(&found), world.state(&wrapped)),
        ("found", "held")
    );
}

/// A world whose budget of one new key a day is overrun by two.
fn overrun() -> (World, [Certificate; 3]) {
    let mut world = World::new();
    world.policy.trust.new_keys_per_day = 1;
    world.file("first.pem", &[&certificate("first", "k0", 200)]);
    world.pass();
    let keys = ["k1", "k2", "k3"].map(|it| certificate(it, it, 300));
    world.file("flood.pem", &keys.iter().collect::<Vec<_>>());
    world.pass();
    (world, keys)
}

fn states(world: &World, certificates: &[Certificate]) -> Vec<&'static str> {
    let mut states: Vec<_> = certificates.iter().map(|it| world.state(it)).collect();
    states.sort_unstable();
    states
}

#[test]
fn an_overrun_budget_stays_overrun_until_a_person_approves_whatever_the_clock_says() {
    let (mut world, keys) = overrun();
    assert_eq!(states(&world, &keys), ["held", "held", "trusted"]);
    for _ in 0..3 {
        world.sleep(2 * DAY);
        world.restart();
        world.pass();
        world.reboot(DAY);
        world.pass();
    }
    assert_eq!(states(&world, &keys), ["held", "held", "trusted"]);
    assert!(attention(&world).contains(&"key_budget"));
    let held: Vec<_> = keys.iter().filter(|it| world.state(it) == "held").collect();
    world.decide(Decision::Approve, held[0]).unwrap();
    world.pass();
    assert_eq!(world.state(held[0]), "trusted");
    assert_eq!(world.state(held[1]), "held", "each needs its own word");
    world.decide(Decision::Deny, held[1]).unwrap();
    world.pass();
    let later = certificate("later", "k9", 350);
    world.sleep(2 * DAY);
    world.file("later.pem", &[&later]);
    world.pass();
    assert_eq!(world.state(&later), "trusted", "the budget is open again");
}

#[test]
fn a_pause_does_not_make_an_overrun_budget_forget() {
    let (mut world, keys) = overrun();
    world.pause(true);
    world.pass();
    world.sleep(2 * DAY);
    world.pass();
    world.pause(false);
    world.pass();
    assert_eq!(states(&world, &keys), ["held", "held", "trusted"]);
}

#[test]
fn a_budget_is_open_again_after_a_day_if_it_was_not_overrun() {
    let mut world = World::new();
    world.policy.trust.new_keys_per_day = 1;
    world.file("a.pem", &[&certificate("a", "k0", 200)]);
    world.pass();
    world.file("b.pem", &[&certificate("b", "k1", 300)]);
    world.pass();
    world.sleep(DAY);
    let c = certificate("c", "k2", 310);
    world.file("c.pem", &[&c]);
    world.pass();
    assert_eq!(world.state(&c), "trusted");
}

#[test]
fn a_denied_key_never_goes_up_in_whatever_it_is_wrapped() {
    let mut world = World::new();
    let stolen = certificate("stolen", "bad", 300);
    world.decide(Decision::Deny, &stolen).unwrap();
    world.file("stolen.pem", &[&stolen]);
    let again = certificate("again", "bad", 400);
    world.file("again.pem", &[&again]);
    world.policy.trust.pins.insert(again.fingerprint());
    for _ in 0..3 {
        world.pass();
        world.sleep(DAY);
    }
    assert_eq!(
        (world.state(&stolen), world.state(&again)),
        ("denied", "denied")
    );
    assert!(world.posts.is_empty());
    let refusal = world.decide(Decision::Approve, &again).unwrap_err();
    assert_eq!(refusal, Refusal::DeniedKey(stolen.fingerprint()));
    world.decide(Decision::Forget, &stolen).unwrap();
    world.pass();
    assert_eq!(
        (world.state(&stolen), world.state(&again)),
        ("trusted", "trusted")
    );
}

#[test]
fn nothing_goes_up_under_a_pause_and_all_of_it_after() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.pause(true);
    world.file("okta.pem", &[&okta]);
    for _ in 0..3 {
        assert!(world.pass().actions.is_empty());
        world.sleep(DAY);
    }
    assert_eq!(
        (world.state(&okta), world.why(&okta)),
        ("held", "paused; nothing is written".to_owned())
    );
    assert!(
        !attention(&world).contains(&"approval"),
        "a pause is no alarm"
    );
    world.pause(false);
    world.pass();
    assert_eq!(world.state(&okta), "trusted");
}

#[test]
fn a_lost_post_of_a_new_key_counts_once_against_the_budget() {
    let mut world = World::new();
    world.policy.trust.new_keys_per_day = 2;
    world.file("a.pem", &[&certificate("a", "k0", 200)]);
    world.pass();
    let b = certificate("b", "k1", 300);
    world.file("b.pem", &[&b]);
    world.fate = Fate::RequestLost;
    world.pass();
    for _ in 0..3 {
        world.sleep(4 * MINUTE);
        world.pass();
    }
    world.fate = Fate::Well;
    world.sleep(HOUR);
    world.pass();
    let c = certificate("c", "k2", 310);
    world.file("c.pem", &[&c]);
    world.pass();
    assert_eq!((world.state(&b), world.state(&c)), ("trusted", "trusted"));
}
