//! Our clock and SendGrid's disagree, and nobody can tell which is right: nothing is over, or has not begun, by one alone.

use crate::domain::{Certificate, Skew};
use crate::plan::policy::{RetireAction, RetireWhen};
use crate::plan::testing::{DAY, NOW, World, certificate, certificate_valid};
use crate::plan::tests::HOUR;

/// The days of 1970, as a host without a battery has it.
const AT_1970: i64 = -20_700;

/// Sets our clock so many days off the right one, and SendGrid's.
fn set_clocks(world: &mut World, ours: i64, theirs: i64) {
    let secs = |days: i64| days * 86_400;
    let ahead = secs(ours) * 1_000;
    let wall = NOW.as_millis() + ahead;
    world.now.wall = crate::domain::Timestamp::from_millis(wall);
    world.skew = match secs(theirs - ours) {
        0 => Skew::None,
        skew => Skew::Secs(skew),
    };
}

/// A trusted certificate that was valid for a day and lasts for so many more, seen by two clocks.
fn trusted(days: i64, ours: i64, theirs: i64) -> (World, Certificate) {
    let mut world = World::new();
    let it = certificate_valid(
        "a",
        "k1",
        NOW.as_secs() - 86_400,
        NOW.as_secs() + days * 86_400,
    );
    world.file("a.pem", &[&it]);
    world.pass();
    set_clocks(&mut world, ours, theirs);
    world.observe().unwrap();
    (world, it)
}

#[test]
fn what_is_listed_counts_unless_both_clocks_are_against_it() {
    for (days, ours, theirs, state, counts) in [
        // They agree.
        (30, 0, 0, "trusted", 1),
        (30, 31, 31, "expired", 0),
        (30, -2, -2, "ahead", 0),
        // A host in 1970, or one that is 400 or 40 days off; SendGrid is right.
        (30, AT_1970, 0, "trusted", 1),
        (30, 400, 0, "trusted", 1),
        (30, -40, 0, "trusted", 1),
        // The same, of what has ended: it counts no more, but only clocks that agree call it expired.
        (30, AT_1970, 31, "trusted", 0),
        (30, 400, 31, "trusted", 0),
        (30, 5, 31, "trusted", 1),
        // The same, of what has not begun.
        (30, AT_1970, -2, "ahead", 0),
        (30, 400, -2, "trusted", 0),
        (30, 5, -2, "trusted", 1),
        // The other way round: SendGrid is wrong.
        (30, 0, AT_1970, "trusted", 1),
        (30, 0, 400, "trusted", 1),
        (30, 31, 400, "trusted", 0),
        (30, -2, AT_1970, "ahead", 0),
    ] {
        let (world, it) = trusted(days, ours, theirs);
        let case = format!("{days} d, ours {ours}, theirs {theirs}");
        assert_eq!(world.state(&it), state, "{case}");
        assert_eq!(world.plan().outlook.trusted, counts, "{case}");
    }
}

#[test]
fn a_clock_that_nobody_knows_ends_nothing() {
    for ours in [AT_1970, 0, 400] {
        let (mut world, it) = trusted(30, ours, ours);
        world.skew = Skew::Unknown;
        assert_eq!(world.state(&it), "trusted", "{ours}");
        assert_eq!(world.plan().outlook.trusted, 1, "{ours}");
    }
}

#[test]
fn what_is_over_by_one_clock_goes_up_and_by_both_waits_until_they_agree() {
    for (ours, theirs, state, posts) in [
        (0, 0, "trusted", 1),
        (AT_1970, 0, "trusted", 1),
        (400, 0, "trusted", 1),
        (0, 400, "trusted", 1),
        (31, 31, "expired", 0),
        (400, 31, "waiting", 0),
    ] {
        let mut world = World::new();
        set_clocks(&mut world, ours, theirs);
        let it = certificate("a", "k1", 30);
        world.file("a.pem", &[&it]);
        world.pass();
        assert_eq!(world.state(&it), state, "ours {ours}, theirs {theirs}");
        assert_eq!(world.posts.len(), posts, "ours {ours}, theirs {theirs}");
    }
}

#[test]
fn nothing_is_taken_away_while_they_disagree_even_if_it_is_over_by_both() {
    for (theirs, deletes) in [(400, 0), (500, 1)] {
        let mut world = World::new();
        world.policy.retire.action = RetireAction::Delete;
        world.policy.retire.when = RetireWhen::Expired;
        let (old, new) = (certificate("a", "k1", 30), certificate("b", "k2", 900));
        world.file("a.pem", &[&old]);
        world.file("b.pem", &[&new]);
        world.pass();
        set_clocks(&mut world, 500, theirs);
        for _ in 0..4 {
            world.pass();
            world.sleep(HOUR);
        }
        assert_eq!(world.state(&new), "trusted", "theirs {theirs}");
        assert_eq!(world.writes_of(&old).len(), deletes, "theirs {theirs}");
    }
}

#[test]
fn a_400_waits_for_a_beginning_that_both_clocks_await() {
    let begins = NOW.plus(2 * DAY).as_secs();
    for (ours, theirs, state) in [
        (0, 0, "waiting"),
        (AT_1970, 0, "waiting"),
        (0, 5, "rejected"),
        (AT_1970, 5, "rejected"),
    ] {
        let mut world = World::new();
        set_clocks(&mut world, ours, theirs);
        let it = certificate_valid("a", "k1", begins, begins + 300 * 86_400);
        world.file("a.pem", &[&it]);
        world.fate = crate::plan::testing::Fate::Refused;
        world.pass();
        assert_eq!(world.state(&it), state, "ours {ours}, theirs {theirs}");
    }
}
