//! Taking old certificates away: each thing that stands in the way, on both sides of its limit, and what comes of a
//! request whose outcome nobody knows.

use super::*;
use crate::domain::{RowContent, Skew, Timestamp};
use crate::plan::book::Standing;
use crate::plan::decision::Decision;
use crate::plan::policy::{Mode, Require, RetireAction, RetireWhen};
use crate::plan::retire::{Block, How};
use crate::plan::rollover::Action;
use crate::plan::testing::Fate;

const SECOND: Duration = Duration::from_secs(1);

/// A rollover: an old certificate that ends in a hundred days, and its successor, both ours.
fn rollover(action: RetireAction, when: RetireWhen) -> (World, Certificate, Certificate) {
    let mut world = World::new();
    world.policy.retire.action = action;
    world.policy.retire.when = when;
    let (old, new) = (certificate("old", "k1", 100), certificate("new", "k2", 400));
    world.file("old.pem", &[&old]);
    world.file("new.pem", &[&new]);
    world.pass();
    (world, old, new)
}

/// The same, with the old one gone from the source and its successor trusted for long enough: it may go.
fn ready(action: RetireAction) -> (World, Certificate, Certificate) {
    let (mut world, old, new) = rollover(action, RetireWhen::Absent);
    world.files.remove("old.pem");
    world.pass();
    for _ in 0..31 {
        world.sleep(DAY);
        world.observe().unwrap();
    }
    assert!(blocks(&world, &old).iter().all(|it| *it == Block::Keep));
    (world, old, new)
}

fn blocks(world: &World, certificate: &Certificate) -> Vec<Block> {
    world
        .retirement(certificate)
        .map_or_else(Vec::new, |it| it.blocks)
}

fn hourly(world: &mut World, hours: u32) {
    for _ in 0..hours {
        world.sleep(HOUR);
        world.pass();
    }
}

#[test]
fn by_default_nothing_is_taken_away_and_it_is_said() {
    let (mut world, old, _) = rollover(RetireAction::Keep, RetireWhen::Expired);
    world.sleep(200 * DAY);
    world.pass();
    assert_eq!(world.state(&old), "expired");
    assert_eq!(blocks(&world, &old), [Block::Keep]);
    assert_eq!(world.rows.len(), 2);
}

#[test]
fn what_is_over_goes_after_a_week_and_not_a_second_before() {
    let (mut world, old, _) = rollover(RetireAction::Delete, RetireWhen::Expired);
    assert_eq!(
        world.retirement(&old),
        None,
        "nobody speaks of one that is in use"
    );
    world.sleep(just_before(107 * DAY));
    assert!(world.pass().actions.is_empty());
    let until = old.validity().not_after.plus(7 * DAY);
    assert_eq!(blocks(&world, &old), [Block::TooYoung { until }]);
    world.sleep(SECOND);
    world.pass();
    assert_eq!(world.writes_of(&old), ["delete"]);
    assert_eq!(world.rows_of(&old), 0);
    assert_eq!(
        world.words()[world.words().len() - 2..],
        ["deleted", "settled"]
    );
}

#[test]
fn an_old_file_that_still_lies_there_brings_nothing_back() {
    let (mut world, old, new) = rollover(RetireAction::Delete, RetireWhen::Expired);
    world.sleep(108 * DAY);
    for _ in 0..5 {
        world.pass();
        world.sleep(DAY);
    }
    assert_eq!((world.rows_of(&old), world.rows_of(&new)), (0, 1));
    assert_eq!(world.posts.len(), 2);
}

#[test]
fn a_valid_one_stays_while_only_the_expired_go() {
    let (mut world, old, _) = rollover(RetireAction::Delete, RetireWhen::Expired);
    world.files.remove("old.pem");
    hourly(&mut world, 24 * 60);
    assert_eq!(world.state(&old), "superseded");
    let until = old.validity().not_after.plus(7 * DAY);
    assert_eq!(blocks(&world, &old), [Block::TooYoung { until }]);
    assert!(world.writes.is_empty());
}

#[test]
fn absence_and_overlap_count_to_the_second() {
    let (mut world, old, _) = rollover(RetireAction::Delete, RetireWhen::Absent);
    world.policy.retire.min_absence = 2 * HOUR;
    world.policy.retire.min_overlap = 3 * HOUR;
    world.files.remove("old.pem");
    world.pass();
    let gone = world.now.wall;
    hourly(&mut world, 1);
    let has = |it: fn(&Block) -> bool, blocks: &[Block]| blocks.iter().any(it);
    let is_absence = |it: &Block| matches!(it, Block::Absence { .. });
    let is_overlap = |it: &Block| matches!(it, Block::Overlap { .. });
    let told = blocks(&world, &old);
    assert!(has(is_absence, &told) && has(is_overlap, &told), "{told:?}");
    world.sleep(just_before(HOUR));
    world.pass();
    assert!(has(is_absence, &blocks(&world, &old)));
    world.sleep(SECOND);
    world.pass();
    assert_eq!(
        blocks(&world, &old),
        [Block::Overlap {
            until: gone.plus(3 * HOUR)
        }]
    );
    world.sleep(just_before(HOUR));
    world.pass();
    assert!(world.writes.is_empty());
    world.sleep(SECOND);
    world.pass();
    assert_eq!(world.writes_of(&old), ["delete"]);
}

#[test]
fn two_looks_a_month_apart_are_not_enough_absence() {
    let (mut world, old, _) = rollover(RetireAction::Delete, RetireWhen::Absent);
    world.files.remove("old.pem");
    world.pass();
    world.sleep(40 * DAY);
    world.pass();
    assert!(world.writes.is_empty());
    assert!(matches!(blocks(&world, &old)[..], [Block::Absence { .. }]));
    for _ in 0..2 {
        world.sleep(2 * SECOND);
        world.pass();
    }
    assert_eq!(world.writes_of(&old), ["delete"], "four looks are");
}

#[test]
fn a_file_that_comes_back_starts_the_absence_again() {
    let (mut world, old, _) = ready(RetireAction::Delete);
    world.file("old.pem", &[&old]);
    world.pass();
    assert_eq!(world.state(&old), "trusted");
    world.files.remove("old.pem");
    hourly(&mut world, 24 * 13);
    assert!(world.writes.is_empty());
    hourly(&mut world, 25);
    assert_eq!(world.writes_of(&old), ["delete"]);
}

#[test]
fn an_unhealthy_source_says_nothing_about_absence() {
    let (mut world, old, _) = ready(RetireAction::Delete);
    world.refuse("odd.pem");
    world.pass();
    assert_eq!(blocks(&world, &old), [Block::SourceUnhealthy]);
    world.files.remove("odd.pem");
    world.source_up = false;
    world.pass();
    assert!(blocks(&world, &old).contains(&Block::SourceDown));
    assert!(world.writes.is_empty());
    world.source_up = true;
    world.pass();
    assert_eq!(world.writes_of(&old), ["delete"]);
}

#[test]
fn a_clock_in_doubt_takes_nothing_away() {
    let (mut world, old, _) = ready(RetireAction::Delete);
    world.doubt_the_clock();
    world.pass();
    assert_eq!(blocks(&world, &old), [Block::ClockInDoubt]);
    assert!(world.writes.is_empty());
}

#[test]
fn observe_and_pause_take_nothing_away() {
    let (mut world, old, _) = ready(RetireAction::Delete);
    world.policy.mode = Mode::Observe;
    world.pass();
    assert_eq!(blocks(&world, &old), [Block::Observe]);
    world.policy.mode = Mode::Manage;
    world.pause(true);
    world.pass();
    assert_eq!(blocks(&world, &old), [Block::Paused]);
    assert!(world.writes.is_empty());
    world.pause(false);
    world.pass();
    assert_eq!(world.writes_of(&old), ["delete"]);
}

#[test]
fn the_last_one_stays_whoever_says_otherwise() {
    let mut world = World::new();
    world.policy.retire.action = RetireAction::Delete;
    let only = certificate("only", "k1", 100);
    world.file("only.pem", &[&only]);
    world.pass();
    world.decide(Decision::Retire(How::Delete), &only).unwrap();
    hourly(&mut world, 48);
    assert_eq!(blocks(&world, &only), [Block::Last]);
    world.sleep(200 * DAY);
    world.pass();
    assert_eq!(blocks(&world, &only), [Block::Last], "over or not");
    assert!(world.writes.is_empty());
}

#[test]
fn what_stays_is_ours_enabled_valid_now_and_for_a_week() {
    let old = certificate("old", "k1", 100);
    let seven = i64::try_from(DAY.as_secs() * 7).unwrap();
    let now = NOW.as_secs();
    let others = [
        (
            "a week and a second",
            Some(true),
            now - 9,
            now + seven,
            true,
        ),
        (
            "a week less a second",
            Some(true),
            now - 9,
            now + seven - 1,
            false,
        ),
        (
            "begins in ten minutes",
            Some(true),
            now + 600,
            now + 9 * seven,
            true,
        ),
        (
            "begins a second later",
            Some(true),
            now + 601,
            now + 9 * seven,
            false,
        ),
        ("not ours", Some(false), now - 9, now + 9 * seven, false),
        ("not there", None, now - 9, now + 9 * seven, false),
    ];
    for (name, ours, start, end, is_enough) in others {
        let mut world = World::new();
        world.file("old.pem", &[&old]);
        world.pass();
        let other = crate::plan::testing::certificate_valid("other", "k2", start, end);
        match ours {
            Some(true) => world.file("other.pem", &[&other]),
            Some(false) => drop(world.row(&other)),
            None => {}
        }
        world.pass();
        world.decide(Decision::Retire(How::Delete), &old).unwrap();
        world.pass();
        assert_eq!(
            world.writes_of(&old).len(),
            usize::from(is_enough),
            "{name}"
        );
    }
}

#[test]
fn one_that_was_disabled_or_is_missing_is_none_that_stays() {
    let (mut world, old, new) = ready(RetireAction::Delete);
    world.rows.retain(|it| it.certificate() != Some(&new));
    world.pass();
    assert_eq!(world.state(&old), "trusted", "it is what goes on");
    world.decide(Decision::Retire(How::Delete), &old).unwrap();
    world.pass();
    assert!(blocks(&world, &old).contains(&Block::Last));
    let (mut world, old, new) = ready(RetireAction::Keep);
    let third = certificate("third", "k3", 300);
    world.file("third.pem", &[&third]);
    world.pass();
    world.decide(Decision::Retire(How::Disable), &new).unwrap();
    world.pass();
    world.rows.retain(|it| it.certificate() != Some(&third));
    world.decide(Decision::Retire(How::Delete), &old).unwrap();
    world.sleep(DAY);
    world.pass();
    assert!(blocks(&world, &old).contains(&Block::Last));
    assert_eq!(world.cover(), 1);
}

#[test]
fn one_a_day_and_no_restart_or_jump_of_the_clock_makes_it_two() {
    let (mut world, old, new) = ready(RetireAction::Delete);
    let third = certificate("third", "k3", 300);
    world.file("third.pem", &[&third]);
    world.pass();
    world.pass();
    assert_eq!(world.writes_of(&old), ["delete"]);
    world.decide(Decision::Retire(How::Delete), &new).unwrap();
    world.restart();
    world.now.wall = world.now.wall.plus(3 * DAY);
    world.pass();
    assert!(matches!(blocks(&world, &new)[..], [Block::OneADay { .. }]));
    world.sleep(just_before(DAY));
    world.pass();
    assert!(world.writes_of(&new).is_empty());
    world.reboot(10 * DAY);
    world.pass();
    assert!(
        world.writes_of(&new).is_empty(),
        "nobody knows how long the machine was off"
    );
    world.sleep(DAY);
    world.pass();
    assert_eq!(world.writes_of(&new), ["delete"]);
}

#[test]
fn what_is_added_comes_first_and_the_old_one_goes_in_a_later_pass() {
    let (mut world, old, _) = ready(RetireAction::Delete);
    let third = certificate("third", "k3", 300);
    world.file("third.pem", &[&third]);
    let plan = world.pass();
    assert!(plan.actions.iter().all(|it| it.word() == "upload"));
    assert!(world.writes.is_empty());
    world.pass();
    assert_eq!(world.writes_of(&old), ["delete"]);
}

#[test]
fn an_addition_that_may_have_arrived_still_comes_first() {
    let (mut world, old, _) = ready(RetireAction::Delete);
    let third = certificate("third", "k3", 500);
    world.file("third.pem", &[&third]);
    world.fate = Fate::RequestLost;
    world.pass();
    world.pass();
    assert_eq!(world.state(&third), "settling");
    assert_eq!(blocks(&world, &old), [Block::AdditionsFirst]);
    assert!(world.writes.is_empty());
}

#[test]
fn a_stuck_upload_holds_no_retirement_that_an_operator_ordered() {
    for fate in [
        Fate::RequestLost,
        Fate::ServerError,
        Fate::Refused,
        Fate::NotDone,
    ] {
        let (mut world, old, _) = ready(RetireAction::Keep);
        world.decide(Decision::Retire(How::Delete), &old).unwrap();
        let third = certificate("third", "k3", 500);
        world.file("third.pem", &[&third]);
        world.fate = fate;
        let plan = world.pass();
        let first: Vec<_> = plan.actions.iter().map(Action::word).collect();
        assert_eq!(
            first,
            ["upload"],
            "{fate:?}: what was never tried goes first"
        );
        world.fate = Fate::Well;
        world.pass();
        assert_eq!(world.writes_of(&old), ["delete"], "{fate:?}");
    }
}

#[test]
fn a_403_holds_that_kind_of_write_for_a_day_and_names_the_scope() {
    let (mut world, old, _) = ready(RetireAction::Delete);
    world.fate = Fate::Refused;
    world.pass();
    assert_eq!(world.writes_of(&old), ["delete"]);
    assert_eq!(world.state(&old), "superseded", "it is there as before");
    let told: Vec<String> = blocks(&world, &old)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        told.iter().any(|it| it.contains("sso.settings.delete")),
        "{told:?}"
    );
    let okta = certificate("okta", "k5", 333);
    world.fate = Fate::Well;
    world.file("okta.pem", &[&okta]);
    world.pass();
    assert_eq!(world.state(&okta), "trusted", "uploads go on");
    world.sleep(just_before(DAY));
    world.pass();
    assert_eq!(world.writes.len(), 1);
    world.sleep(SECOND);
    world.pass();
    assert_eq!(world.writes.len(), 2);
}

#[test]
fn any_other_failure_holds_it_for_an_hour_and_counts_for_no_retirement() {
    let (mut world, old, _) = ready(RetireAction::Disable);
    world.fate = Fate::NotDone;
    world.pass();
    world.fate = Fate::Well;
    assert_eq!(world.state(&old), "superseded");
    let until = world.now.wall.plus(HOUR);
    assert!(blocks(&world, &old).iter().any(|it| matches!(it,
        Block::Refused { is_forbidden: false, until: it, .. } if *it == until)));
    world.sleep(just_before(HOUR));
    world.pass();
    assert_eq!(world.writes_of(&old), ["disable"]);
    world.sleep(SECOND);
    world.pass();
    assert_eq!(world.writes_of(&old), ["disable", "disable"]);
    assert_eq!(world.state(&old), "disabled");
}

#[test]
fn disabling_leaves_it_listed_and_it_can_be_restored() {
    let (mut world, old, _) = ready(RetireAction::Disable);
    world.pass();
    assert_eq!(
        (world.state(&old), world.rows_of(&old), world.cover()),
        ("disabled", 1, 1)
    );
    hourly(&mut world, 24 * 20);
    assert_eq!(world.writes_of(&old), ["disable"], "once");
    world.decide(Decision::Restore, &old).unwrap();
    world.pass();
    assert_eq!((world.state(&old), world.cover()), ("superseded", 2));
    assert_eq!(world.writes_of(&old), ["disable", "enable"]);
    // Its earlier absence is no reason to take it away again.
    hourly(&mut world, 24 * 5);
    assert_eq!((world.state(&old), world.cover()), ("superseded", 2));
    assert_eq!(world.writes_of(&old), ["disable", "enable"]);
}

#[test]
fn a_successor_is_one_that_goes_on_and_is_not_withdrawn_itself() {
    let (mut world, old, _) = rollover(RetireAction::Delete, RetireWhen::Absent);
    // Trusted for long, ends last, and withdrawn.
    let withdrawn = certificate("withdrawn", "k9", 900);
    world.file("withdrawn.pem", &[&withdrawn]);
    world.pass();
    hourly(&mut world, 24 * 40);
    world.files.remove("withdrawn.pem");
    world.files.remove("new.pem");
    let next = certificate("next", "k3", 500);
    world.file("old.pem", &[&next]);
    world.pass();
    hourly(&mut world, 24 * 20);
    assert_eq!(world.rows_of(&old), 1, "{:?}", blocks(&world, &old));
    let is_overlap = |it: &Block| matches!(it, Block::Overlap { .. });
    assert!(blocks(&world, &old).iter().any(is_overlap));
    hourly(&mut world, 24 * 20);
    assert_eq!(world.rows_of(&old), 0);
}

#[test]
fn what_returns_needs_what_a_new_one_would() {
    for (require, state) in [
        (Require::Source, "trusted"),
        (Require::Approval, "disabled"),
        (Require::Pin, "disabled"),
    ] {
        let (mut world, old, _) = ready(RetireAction::Disable);
        world.pass();
        assert_eq!(world.state(&old), "disabled");
        world.policy.trust.require = require;
        world.file("old.pem", &[&old]);
        hourly(&mut world, 48);
        assert_eq!(world.state(&old), state, "{require:?}");
        if state == "disabled" {
            world.decide(Decision::Restore, &old).unwrap();
            world.pass();
            assert_eq!(world.state(&old), "trusted", "{require:?}");
        }
    }
}

#[test]
fn a_deny_takes_no_retirement_back() {
    let (mut world, old, _) = rollover(RetireAction::Keep, RetireWhen::Expired);
    world.decide(Decision::Retire(How::Delete), &old).unwrap();
    world.decide(Decision::Deny, &old).unwrap();
    world.pass();
    assert_eq!(world.rows_of(&old), 0);
}

#[test]
fn the_key_of_what_a_person_took_away_comes_not_back_in_a_new_wrapper() {
    let (mut world, old, _) = rollover(RetireAction::Keep, RetireWhen::Expired);
    world.decide(Decision::Retire(How::Delete), &old).unwrap();
    world.pass();
    assert_eq!(world.state(&old), "removed", "its file still asks for it");
    let again = certificate("again", "k1", 700);
    world.file("again.pem", &[&again]);
    hourly(&mut world, 48);
    assert_eq!((world.state(&again), world.rows_of(&again)), ("held", 0));
}

#[test]
fn what_was_disabled_for_its_absence_is_enabled_when_its_file_is_back() {
    let (mut world, old, _) = ready(RetireAction::Disable);
    world.pass();
    world.file("old.pem", &[&old]);
    world.pass();
    assert_eq!((world.state(&old), world.cover()), ("trusted", 2));
}

#[test]
fn what_a_person_had_disabled_stays_so_whatever_file_asks_for_it() {
    let (mut world, old, _) = rollover(RetireAction::Keep, RetireWhen::Expired);
    world.decide(Decision::Retire(How::Disable), &old).unwrap();
    world.pass();
    hourly(&mut world, 48);
    assert_eq!((world.state(&old), world.cover()), ("disabled", 1));
    world.rows.retain(|it| it.certificate() != Some(&old));
    hourly(&mut world, 48);
    assert_eq!(world.rows_of(&old), 0, "nor when somebody deletes its row");
    assert_eq!(world.state(&old), "removed");
}

#[test]
fn what_was_disabled_and_is_back_in_the_source_is_removed_if_somebody_deletes_it() {
    let (mut world, old, _) = ready(RetireAction::Disable);
    world.pass();
    world.fate = Fate::Refused; // so it is not enabled at once
    world.file("old.pem", &[&old]);
    world.pass();
    world.fate = Fate::Well;
    world.rows.retain(|it| it.certificate() != Some(&old));
    for _ in 0..3 {
        world.pass();
        world.sleep(4 * MINUTE);
    }
    assert_eq!((world.state(&old), world.rows_of(&old)), ("removed", 0));
}

#[test]
fn a_patch_of_unknown_outcome_is_sent_again_and_counts_for_nothing_meanwhile() {
    for fate in [Fate::AnswerLost, Fate::RequestLost] {
        let (mut world, old, _) = ready(RetireAction::Disable);
        world.fate = fate;
        world.pass();
        world.fate = Fate::Well;
        let is_unsure = |it: &World| it.book.beliefs[&old.fingerprint()].is_unsure();
        assert!(is_unsure(&world));
        assert_eq!(world.plan().outlook.trusted, 1);
        world.sleep(just_before(3 * MINUTE));
        world.pass();
        assert_eq!(
            world.writes_of(&old).len(),
            1,
            "it may still be carried out"
        );
        world.sleep(SECOND);
        world.pass();
        assert_eq!(world.writes_of(&old), ["disable", "disable"]);
        assert!(!is_unsure(&world));
        assert_eq!(world.cover(), 1);
    }
}

#[test]
fn one_that_may_be_disabled_is_enabled_again_if_it_is_the_last_valid_one() {
    let (mut world, old, new) = ready(RetireAction::Disable);
    world.fate = Fate::AnswerLost;
    world.pass();
    world.fate = Fate::Well;
    assert_eq!(world.cover(), 1);
    world.rows.retain(|it| it.certificate() != Some(&new)); // somebody removes the other
    world.pass();
    assert_eq!(
        world.writes_of(&old).len(),
        1,
        "the PATCH may still be carried out"
    );
    world.sleep(3 * MINUTE);
    world.pass();
    assert_eq!(world.writes_of(&old), ["disable", "enable"]);
    assert_eq!((world.cover(), world.state(&old)), (1, "trusted"));
}

#[test]
fn a_denied_one_that_may_be_disabled_is_not_enabled_though_it_is_the_last() {
    let (mut world, old, new) = ready(RetireAction::Disable);
    world.fate = Fate::AnswerLost;
    world.pass();
    world.fate = Fate::Well;
    world.decide(Decision::Deny, &old).unwrap();
    world.rows.retain(|it| it.certificate() != Some(&new));
    hourly(&mut world, 12);
    assert_eq!(world.writes_of(&old), ["disable"]);
}

#[test]
fn enabling_of_unknown_outcome_is_not_taken_for_disabled() {
    let (mut world, old, _) = ready(RetireAction::Disable);
    world.pass();
    world.file("old.pem", &[&old]);
    world.fate = Fate::AnswerLost;
    world.pass();
    world.fate = Fate::Well;
    assert_eq!(world.cover(), 2, "it is enabled, and nobody knows");
    world.files.remove("old.pem");
    hourly(&mut world, 1);
    assert_eq!((world.state(&old), world.cover()), ("disabled", 1));
    assert_eq!(world.writes_of(&old), ["disable", "enable", "disable"]);
}

#[test]
fn enabling_that_certainly_came_to_nothing_leaves_it_disabled_for_certain() {
    let (mut world, old, _) = ready(RetireAction::Disable);
    world.pass();
    world.file("old.pem", &[&old]);
    world.fate = Fate::Refused;
    world.pass();
    assert!(!world.book.beliefs[&old.fingerprint()].is_unsure());
    assert_eq!(world.state(&old), "waiting");
}

#[test]
fn a_delete_of_unknown_outcome_is_settled_by_a_get() {
    for (fate, state) in [(Fate::AnswerLost, "-"), (Fate::RequestLost, "superseded")] {
        let (mut world, old, _) = ready(RetireAction::Delete);
        world.fate = fate;
        world.pass();
        world.fate = Fate::Well;
        if fate == Fate::RequestLost {
            assert_eq!(world.state(&old), "settling");
            world.sleep(just_before(3 * MINUTE));
            world.pass();
            assert_eq!(world.state(&old), "settling");
            world.sleep(SECOND);
            world.pass();
        }
        assert_eq!(world.state(&old), state);
        hourly(&mut world, 24);
        assert_eq!((world.rows_of(&old), world.cover()), (0, 1));
    }
}

#[test]
fn a_delete_that_a_dead_process_made_last_may_still_be_carried_out() {
    let (mut world, old, _) = ready(RetireAction::Delete);
    world
        .book
        .begin_retirement(old.fingerprint(), How::Delete, false, &world.now);
    world.sleep(30 * DAY); // the machine sleeps, sends it and dies
    world.restart();
    world.pass();
    assert_eq!(world.state(&old), "settling");
    assert!(world.writes.is_empty());
    world.sleep(3 * MINUTE);
    world.pass();
    assert_eq!(world.state(&old), "superseded");
    let told = blocks(&world, &old);
    assert!(matches!(told[..], [.., Block::OneADay { .. }]), "{told:?}");
}

#[test]
fn an_unreadable_row_may_be_what_was_to_be_deleted() {
    let (mut world, old, _) = ready(RetireAction::Delete);
    world.fate = Fate::RequestLost;
    world.pass();
    let row = world
        .rows
        .iter_mut()
        .find(|it| it.certificate() == Some(&old));
    row.unwrap().content = RowContent::Undecodable;
    for _ in 0..3 {
        world.sleep(HOUR);
        world.pass();
    }
    assert_eq!(world.state(&old), "settling");
}

#[test]
fn a_list_older_than_the_delete_makes_no_stranger_of_what_is_gone() {
    let (mut world, old, _) = rollover(RetireAction::Keep, RetireWhen::Expired);
    world.decide(Decision::Retire(How::Delete), &old).unwrap();
    let then = world.rows.clone();
    world.pass();
    assert_eq!(world.state(&old), "removed", "its file is still there");
    let now = std::mem::replace(&mut world.rows, then);
    world.sleep(MINUTE);
    world.pass();
    assert_eq!(world.state(&old), "removed");
    world.rows = now;
    for _ in 0..5 {
        world.sleep(4 * MINUTE);
        world.pass();
    }
    assert_eq!((world.state(&old), world.rows_of(&old)), ("removed", 0));
    assert_eq!(
        world.why(&old),
        "a person took it away, and its file still asks for it"
    );
    world.row(&old); // and somebody else may put it there
    world.sleep(DAY);
    world.pass();
    assert_eq!(world.state(&old), "found");
}

#[test]
fn an_order_about_a_row_that_is_not_as_ours_waits_and_says_why() {
    let spoil: [fn(&mut World, &Certificate); 2] = [
        |world, it| world.rows.retain(|row| row.certificate() != Some(it)),
        |world, it| {
            let row = world
                .rows
                .iter_mut()
                .find(|row| row.certificate() == Some(it));
            row.unwrap().content = RowContent::Undecodable;
        },
    ];
    for spoil in spoil {
        let (mut world, old, _) = rollover(RetireAction::Keep, RetireWhen::Expired);
        world.decide(Decision::Retire(How::Delete), &old).unwrap();
        spoil(&mut world, &old);
        world.pass();
        assert!(
            blocks(&world, &old).contains(&Block::NotAsOurs),
            "{}",
            world.state(&old)
        );
        assert!(world.writes_of(&old).is_empty());
    }
}

#[test]
fn what_only_an_old_list_still_shows_is_not_enabled() {
    let (mut world, old, _) = rollover(RetireAction::Keep, RetireWhen::Expired);
    world.decide(Decision::Retire(How::Delete), &old).unwrap();
    let then = world.rows.clone();
    world.pass();
    world.decide(Decision::Restore, &old).unwrap();
    let now = std::mem::replace(&mut world.rows, then);
    world.sleep(MINUTE);
    world.pass();
    assert_eq!(world.writes_of(&old), ["delete"]);
    world.rows = now;
    world.sleep(4 * MINUTE);
    world.pass();
    assert_eq!(world.writes_of(&old), ["delete"]);
    assert_eq!((world.state(&old), world.rows_of(&old)), ("trusted", 1));
}

#[test]
fn a_disabled_one_of_unknown_state_that_a_delete_left_there_is_not_taken_for_disabled() {
    let (mut world, old, _) = ready(RetireAction::Disable);
    world.fate = Fate::RequestLost;
    world.pass();
    world.decide(Decision::Retire(How::Delete), &old).unwrap();
    world.sleep(DAY);
    world.pass();
    assert!(matches!(
        world.book.beliefs[&old.fingerprint()].standing,
        Standing::Deleting(_)
    ));
    world.sleep(HOUR);
    world.observe().unwrap();
    assert!(world.book.beliefs[&old.fingerprint()].is_unsure());
}

#[test]
fn a_person_may_have_what_is_in_use_taken_away_if_another_one_stays() {
    for how in [How::Disable, How::Delete] {
        let (mut world, old, new) = rollover(RetireAction::Keep, RetireWhen::Expired);
        world.decide(Decision::Retire(how), &new).unwrap();
        world.pass();
        assert_eq!(world.writes_of(&new), [how.word()]);
        hourly(&mut world, 72);
        let state = if how == How::Delete {
            "removed"
        } else {
            "disabled"
        };
        assert_eq!((world.state(&new), world.state(&old)), (state, "trusted"));
        assert_eq!(
            (world.cover(), world.posts.len()),
            (1, 2),
            "its file brings nothing back"
        );
        world.decide(Decision::Restore, &new).unwrap();
        world.pass();
        assert_eq!((world.state(&new), world.cover()), ("trusted", 2));
    }
}

#[test]
fn a_row_that_carries_something_else_is_not_touched() {
    let (mut world, old, _) = ready(RetireAction::Delete);
    let other = certificate("other", "k9", 300);
    let row = world
        .rows
        .iter_mut()
        .find(|it| it.certificate() == Some(&old));
    row.unwrap().content = RowContent::Certificate(Box::new(other));
    hourly(&mut world, 48);
    assert!(world.writes.is_empty());
    assert_eq!(world.state(&old), "replaced");
}

#[test]
fn of_one_listed_twice_only_our_own_row_goes_whatever_the_order() {
    for is_reversed in [false, true] {
        let (mut world, old, _) = ready(RetireAction::Delete);
        let twin = world.row(&old);
        if is_reversed {
            world.rows.reverse();
        }
        world.pass();
        assert_eq!(world.writes_of(&old), ["delete"]);
        let left: Vec<_> = world
            .rows
            .iter()
            .filter(|it| it.certificate() == Some(&old))
            .collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].id, Some(twin));
        world.pass();
        assert!(
            ["unmanaged", "inherited"].contains(&world.state(&old)),
            "{}",
            world.state(&old)
        );
    }
}

#[test]
fn shrinking_the_configuration_takes_nothing_away() {
    let (mut world, old, _) = ready(RetireAction::Delete);
    world.policy.retire.action = RetireAction::Keep;
    hourly(&mut world, 48);
    assert!(world.writes.is_empty());
    assert_eq!(blocks(&world, &old), [Block::Keep]);
}

#[test]
fn the_date_is_announced_from_the_first_day() {
    let (mut world, old, _) = rollover(RetireAction::Delete, RetireWhen::Absent);
    world.files.remove("old.pem");
    world.pass();
    let date = world.retirement(&old).unwrap().date(world.now.wall);
    assert_eq!(
        date,
        Some(Timestamp::from_secs(NOW.as_secs()).plus(30 * DAY))
    );
    for _ in 0..30 {
        world.sleep(DAY);
        world.pass();
    }
    assert_eq!(world.writes.len(), 1);
    assert_eq!(Some(world.writes[0].2.wall), date);
}

#[test]
fn what_an_operator_took_away_is_remembered_whatever_the_clock_says() {
    for is_skewed in [true, false] {
        let (mut world, old, _) = ready(RetireAction::Keep);
        world.decide(Decision::Retire(How::Delete), &old).unwrap();
        world.pass();
        world.pass();
        assert_eq!(world.rows_of(&old), 0);
        let wall = world.now.wall;
        world.now.wall = wall.plus(4_000 * DAY);
        if is_skewed {
            world.skew = Skew::Secs(-4_000 * 86_400);
        }
        world.pass();
        world.now.wall = wall;
        world.skew = Skew::None;
        world.file("old.pem", &[&old]);
        world.pass();
        assert_eq!(world.rows_of(&old), 0, "skewed: {is_skewed}");
    }
}
