//! What goes up, what is read back, and what is concluded when something is missing.

use super::*;
use crate::domain::{RowContent, Skew, Timestamp};
use crate::plan::policy::Mode;
use crate::plan::settle::{Unreachable, resume};
use crate::plan::testing::{Fate, certificate_valid, no_answer};

#[test]
fn a_new_file_is_uploaded_once_and_read_back() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    let plan = world.pass();
    assert_eq!(plan.actions.len(), 1);
    assert_eq!(world.state(&okta), "trusted");
    assert!(world.pass().actions.is_empty(), "planning again is a no-op");
    assert_eq!(world.posts.len(), 1);
    assert_eq!(world.words(), ["seen", "uploaded", "trusted"]);
    let outlook = world.plan().outlook;
    assert!(outlook.in_step);
    assert_eq!((outlook.trusted, outlook.open_intents), (1, 0));
}

#[test]
fn what_is_listed_already_is_found_and_not_sent() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    world.row(&okta);
    assert!(world.pass().actions.is_empty());
    assert_eq!(world.state(&okta), "found");
    assert_eq!(world.plan().outlook.trusted, 1);
}

#[test]
fn strangers_of_the_first_list_are_inherited_and_later_ones_unmanaged() {
    let mut world = World::new();
    let (old, rogue) = (
        certificate("old", "k0", 100),
        certificate("rogue", "k9", 900),
    );
    world.row(&old);
    world.pass();
    assert_eq!(world.state(&old), "inherited");
    world.row(&rogue);
    world.pass();
    assert_eq!(world.state(&old), "inherited");
    assert_eq!(world.state(&rogue), "unmanaged");
    assert!(attention(&world).contains(&"unmanaged"));
}

#[test]
fn a_lost_answer_is_found_by_fingerprint() {
    let mut world = World::new();
    world.fate = Fate::AnswerLost;
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    world.pass();
    assert_eq!(world.rows_of(&okta), 1);
    assert_eq!(world.state(&okta), "trusted");
    assert_eq!(world.words(), ["seen", "uploaded", "settled"]);
}

/// The waits between the POSTs of a certificate that is never listed, in so many hours, in multiples of `settle`.
fn waits(fate: Fate, hours: u64) -> Vec<u64> {
    let mut world = World::new();
    world.fate = fate;
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    let (mut sent_at, mut due) = (Vec::new(), NOW);
    for second in 0..(hours * 3600) {
        if due <= world.now.wall {
            let before = world.posts.len();
            world.pass();
            let plan = world.plan();
            let hourly = NOW.plus(Duration::from_secs((second / 3600 + 1) * 3600));
            due = plan.due.map_or(hourly, |it| it.min(hourly));
            if world.posts.len() > before {
                sent_at.push(second);
            }
        }
        world.sleep(Duration::from_secs(1));
    }
    assert_eq!(world.state(&okta), "settling");
    assert!(!world.plan().outlook.in_step);
    sent_at.windows(2).map(|it| (it[1] - it[0]) / 180).collect()
}

#[test]
fn a_lost_request_is_repeated_only_after_its_window_which_grows_to_an_hour() {
    assert_eq!(waits(Fate::RequestLost, 5), [1, 5, 10, 20, 20, 20, 20]);
}

#[test]
fn an_outage_of_any_length_is_made_good_within_five_times_settle() {
    let waits = waits(Fate::ServerError, 40);
    assert_eq!(waits[..5], [1, 2, 4, 5, 5]);
    assert!(waits.len() > 150, "for ever: {}", waits.len());
    assert_eq!(waits.last(), Some(&5));
}

#[test]
fn what_is_accepted_and_never_listed_three_times_is_sent_again_only_by_sync() {
    assert_eq!(waits(Fate::Forgotten, 48), [1, 5], "three in all");
    let mut world = World::new();
    world.fate = Fate::Forgotten;
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    for _ in 0..60 {
        world.pass();
        world.sleep(4 * MINUTE);
    }
    assert_eq!(world.posts.len(), 3);
    assert!(world.why(&okta).contains("`sync` sends it once more"));
    for _ in 0..3 {
        world.book.lift_holds();
        world.pass();
        world.sleep(4 * MINUTE);
    }
    assert_eq!(world.posts.len(), 6, "one each time");
    world.fate = Fate::Well;
    world.book.lift_holds();
    world.pass();
    assert_eq!((world.posts.len(), world.state(&okta)), (7, "trusted"));
}

#[test]
fn a_hundred_posts_that_nobody_answers_are_enough() {
    assert_eq!(waits(Fate::RequestLost, 120).len(), 99);
}

#[test]
fn sync_shortens_a_later_window_to_the_first_one_and_never_below_it() {
    let mut world = World::new();
    world.fate = Fate::RequestLost;
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    for posts in 1..=5 {
        // Typed each second, it makes no POST before three minutes and two lists.
        for second in 0..180 {
            world.book.lift_holds();
            world.pass();
            assert_eq!(world.posts.len(), posts, "{second} s after POST {posts}");
            world.sleep(Duration::from_secs(1));
        }
    }
}

/// Whether a certificate counts as undelivered now.
fn is_undelivered(world: &World, certificate: &Certificate) -> bool {
    let fingerprint = Some(certificate.fingerprint());
    let plan = world.plan();
    let item = plan.items.iter().find(|it| it.fingerprint == fingerprint);
    let from = item.unwrap().undelivered_from;
    from.is_some_and(|it| it <= world.now.wall)
}

#[test]
fn an_upload_that_fails_twice_or_for_a_quarter_of_an_hour_is_undelivered() {
    let okta = certificate("okta", "k1", 300);
    for (fate, seconds) in [
        (Fate::ServerError, 180),
        (Fate::RequestLost, 180),
        (Fate::Forgotten, 180),
        (Fate::NotDone, 900),
    ] {
        let mut world = World::new();
        world.fate = fate;
        world.file("okta.pem", &[&okta]);
        let mut from = None;
        for second in (0..1_000).step_by(10) {
            world.pass();
            if is_undelivered(&world, &okta) {
                from.get_or_insert(second);
            } else {
                assert_eq!(from, None, "{fate:?}: once it is, it stays so");
            }
            world.sleep(Duration::from_secs(10));
        }
        assert_eq!(from, Some(seconds), "{fate:?}");
        world.fate = Fate::Well;
        world.sleep(HOUR);
        world.pass();
        world.pass();
        assert!(!is_undelivered(&world, &okta), "{fate:?}: it is there");
    }
}

#[test]
fn what_failed_before_its_file_went_is_forgotten_when_it_comes_back() {
    let mut world = World::new();
    world.fate = Fate::NotDone;
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    world.pass();
    world.files.clear();
    world.file("other.pem", &[&certificate("other", "k2", 300)]);
    world.sleep(DAY);
    world.pass();
    world.file("okta.pem", &[&okta]);
    world.pass();
    assert!(!is_undelivered(&world, &okta));
}

#[test]
fn a_400_may_lie() {
    let mut world = World::new();
    world.fate = Fate::RefusedInVain;
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    world.pass();
    assert_eq!((world.state(&okta), world.posts.len()), ("found", 1));

    let mut world = World::new();
    world.fate = Fate::Refused;
    world.file("okta.pem", &[&okta]);
    world.pass();
    for _ in 0..3 {
        world.book.lift_holds();
        world.pass();
        assert_eq!(world.state(&okta), "settling");
        world.sleep(Duration::from_secs(50));
    }
    assert_eq!(world.posts.len(), 1, "sync sends it again after the window");
    world.row(&okta); // it arrives late
    world.sleep(3 * MINUTE);
    world.book.lift_holds();
    world.pass();
    assert_eq!((world.state(&okta), world.posts.len()), ("found", 1));
}

#[test]
fn a_late_row_inside_the_window_is_the_only_one() {
    let mut world = World::new();
    world.fate = Fate::RequestLost;
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    world.pass();
    world.sleep(MINUTE);
    world.pass();
    world.row(&okta); // the server stores it a minute later
    world.sleep(10 * MINUTE);
    world.pass();
    assert_eq!((world.posts.len(), world.rows_of(&okta)), (1, 1));
    assert_eq!(world.state(&okta), "trusted");
}

/// A book with an intent of now, and a world to settle it in.
fn intended() -> (World, Certificate) {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    world.observe().unwrap();
    world.book.intend(&okta, true, &world.now);
    (world, okta)
}

#[test]
fn a_machine_that_slept_before_the_request_ends_no_window() {
    let (mut world, okta) = intended();
    world.sleep(DAY);
    world
        .book
        .record(okta.fingerprint(), &no_answer(), &world.now);
    for _ in 0..2 {
        world.sleep(MINUTE);
        world.observe().unwrap();
        assert_eq!(world.state(&okta), "settling");
    }
    world.sleep(MINUTE);
    world.observe().unwrap();
    assert_eq!(world.state(&okta), "planned");
}

#[test]
fn an_old_intent_of_a_process_that_died_has_its_window_before_it() {
    let (mut world, okta) = intended();
    world.sleep(DAY);
    resume(&mut world.book, &world.policy.delivery, &world.now);
    for _ in 0..2 {
        world.sleep(MINUTE);
        world.observe().unwrap();
        assert_eq!(world.state(&okta), "settling");
    }
    world.sleep(MINUTE);
    world.observe().unwrap();
    assert_eq!(world.state(&okta), "planned");
}

#[test]
fn processes_that_each_make_one_pass_settle_a_lost_post_between_them() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.pass();
    world.file("okta.pem", &[&okta]);
    world.fate = Fate::RequestLost;
    world.pass();
    world.fate = Fate::Well;
    for _ in 0..2 {
        world.sleep(60 * MINUTE);
        world.restart();
        world.pass();
    }
    assert_eq!((world.state(&okta), world.posts.len()), ("trusted", 2));
}

#[test]
fn a_process_that_died_in_its_request_is_waited_for_once() {
    let (mut world, okta) = intended();
    let mut states = Vec::new();
    for _ in 0..3 {
        world.sleep(60 * MINUTE);
        world.restart();
        world.observe().unwrap();
        states.push(world.state(&okta));
    }
    assert_eq!(states, ["settling", "planned", "planned"]);
}

#[test]
fn an_unreadable_new_row_may_be_the_lost_post() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.pass();
    world.file("okta.pem", &[&okta]);
    world.fate = Fate::RequestLost;
    world.pass();
    let id = world.row(&okta);
    world.rows.last_mut().unwrap().content = RowContent::Undecodable;
    for _ in 0..20 {
        world.sleep(60 * MINUTE);
        world.pass();
    }
    assert_eq!(world.posts.len(), 1, "row {id} may be it");
    assert_eq!(world.state(&okta), "settling");
}

#[test]
fn a_found_row_that_cannot_be_read_any_more_is_not_uploaded_beside_it() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    world.row(&okta);
    world.pass();
    assert_eq!(world.state(&okta), "found");
    world.rows[0].content = RowContent::Undecodable;
    for _ in 0..3 {
        world.pass();
        world.sleep(10 * MINUTE);
    }
    assert_eq!((world.state(&okta), world.posts.len()), ("undecodable", 0));
}

#[test]
fn an_unreadable_row_from_before_stops_no_upload() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.row(&certificate("garbage", "k0", 1));
    world.rows[0].content = RowContent::Undecodable;
    world.pass();
    world.file("okta.pem", &[&okta]);
    world.fate = Fate::RequestLost;
    world.pass();
    world.sleep(4 * MINUTE);
    world.fate = Fate::Well;
    world.pass();
    assert_eq!(world.state(&okta), "trusted");
    assert!(
        attention(&world).contains(&"undecodable"),
        "the unreadable row needs a person"
    );
}

#[test]
fn a_deleted_certificate_is_removed_only_after_two_lists_a_window_apart() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    world.file("a.pem", &[&a]);
    world.file("b.pem", &[&b]);
    world.pass();
    world.rows.retain(|it| it.certificate() != Some(&a));
    world.pass();
    assert_eq!(world.state(&a), "settling");
    assert!(!world.plan().outlook.in_step);
    world.sleep(MINUTE);
    world.pass();
    assert_eq!(world.state(&a), "settling");
    world.sleep(3 * MINUTE);
    world.pass();
    assert_eq!(world.state(&a), "removed");
    assert!(attention(&world).contains(&"removed"));
    for _ in 0..10 {
        world.sleep(DAY);
        world.pass();
    }
    assert_eq!(world.posts.len(), 2, "never uploaded again by itself");
}

/// The last that was told of a certificate, in a word.
fn last_word(world: &World, certificate: &Certificate) -> Option<&'static str> {
    let fingerprint = Some(certificate.fingerprint());
    let mut entries = world.history.iter().rev();
    let last = entries.find(|it| it.fingerprint == fingerprint);
    last.map(|it| it.what.word())
}

/// Somebody deletes it at SendGrid, and that is history and no alarm.
fn is_gone_once_lost(world: &mut World, certificate: &Certificate) {
    world.lose(certificate);
    assert_ne!(world.state(certificate), "removed");
    assert_eq!(last_word(world, certificate), Some("gone"));
    assert!(!attention(world).contains(&"removed"));
}

#[test]
fn a_superseded_one_that_goes_is_gone_and_nobody_removed_it() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    world.file("a.pem", &[&a]);
    world.file("b.pem", &[&b]);
    world.pass();
    world.files.remove("a.pem");
    world.pass();
    assert_eq!(world.state(&a), "superseded");
    is_gone_once_lost(&mut world, &a);
}

#[test]
fn an_expired_one_that_goes_is_gone_and_nobody_removed_it() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 1), certificate("b", "k2", 400));
    world.file("a.pem", &[&a]);
    world.file("b.pem", &[&b]);
    world.pass();
    world.sleep(2 * DAY);
    world.pass();
    assert_eq!(world.state(&a), "expired");
    is_gone_once_lost(&mut world, &a);
}

#[test]
fn the_only_trusted_one_that_goes_was_removed_although_no_file_has_it() {
    let mut world = World::new();
    let (a, over) = (certificate("a", "k1", 300), certificate("over", "k2", 1));
    world.file("a.pem", &[&a]);
    world.file("over.pem", &[&over]);
    world.pass();
    world.sleep(2 * DAY);
    world.files.clear();
    world.pass();
    assert_eq!(world.state(&a), "trusted");
    world.lose(&a);
    assert_eq!(world.state(&a), "removed");
    assert_eq!(last_word(&world, &a), Some("removed"));
    assert!(attention(&world).contains(&"removed"));
}

#[test]
fn the_key_of_a_removed_certificate_comes_not_back_in_a_new_wrapper() {
    let mut world = World::new();
    let (stolen, other) = (certificate("a", "stolen", 300), certificate("b", "k2", 400));
    world.file("a.pem", &[&stolen]);
    world.file("b.pem", &[&other]);
    world.pass();
    world.lose(&stolen);
    let wrapped = certificate("again", "stolen", 900);
    world.file("c.pem", &[&wrapped]);
    world.pass();
    assert_eq!(world.state(&wrapped), "held");
    assert_eq!(world.posts.len(), 2);
}

#[test]
fn a_clock_that_is_years_ahead_makes_no_removal_an_end() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 300));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    let right = world.now.wall;
    world.now.wall = right.plus(DAY * 4000);
    world.skew = Skew::Secs(-4_000 * 86_400);
    world.rows.retain(|it| it.certificate() != Some(&a));
    world.observe().unwrap();
    world.sleep(4 * MINUTE);
    world.observe().unwrap();
    world.now.wall = right.plus(4 * MINUTE);
    world.skew = Skew::None;
    world.pass();
    assert_eq!((world.state(&a), world.rows_of(&a)), ("removed", 0));
}

#[test]
fn a_removal_opens_no_budget() {
    let mut world = World::new();
    world.policy.trust.new_keys_per_day = 1;
    let a = certificate("a", "k1", 300);
    world.file("a.pem", &[&a]);
    world.pass();
    world.rows.clear();
    world.pass();
    world.sleep(4 * MINUTE);
    world.pass();
    assert_eq!(world.state(&a), "removed");
    let new: Vec<Certificate> = (2..5)
        .map(|it| certificate(&format!("new-{it}"), &format!("k{it}"), 400))
        .collect();
    world.file("new.pem", &new.iter().collect::<Vec<_>>());
    world.pass();
    let there = new.iter().filter(|it| world.rows_of(it) == 1).count();
    assert_eq!(there, 1);
}

#[test]
fn a_listing_beats_a_removal() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    let row = world
        .rows
        .iter()
        .find(|it| it.certificate() == Some(&a))
        .cloned()
        .unwrap();
    world.lose(&a);
    assert_eq!(world.state(&a), "removed");
    world.rows.push(row);
    world.pass();
    assert_eq!(world.state(&a), "trusted");
}

#[test]
fn an_empty_list_changes_no_state_when_everything_is_gone_at_once() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    let rows = std::mem::take(&mut world.rows);
    world.pass();
    world.sleep(4 * MINUTE);
    assert_eq!(world.observe().unwrap_err(), Unreachable);
    world.rows = rows;
    world.pass();
    assert_eq!((world.state(&a), world.state(&b)), ("trusted", "trusted"));
    assert_eq!(world.posts.len(), 2);
}

#[test]
fn an_empty_list_changes_no_state_though_one_was_missed_before_the_others() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    let rows = world.rows.clone();
    world.rows.retain(|it| it.certificate() != Some(&a)); // a replica that lags
    world.pass();
    world.rows.clear(); // another account
    for _ in 0..2 {
        world.sleep(2 * MINUTE);
        world.pass();
        let states = (world.state(&a), world.state(&b));
        assert_eq!(states, ("settling", "settling"), "not asked about both yet");
    }
    world.sleep(2 * MINUTE);
    assert_eq!(world.observe().unwrap_err(), Unreachable);
    world.rows = rows;
    world.pass();
    assert_eq!((world.state(&a), world.state(&b)), ("trusted", "trusted"));
}

#[test]
fn a_list_of_strangers_alone_is_another_integrations() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    let rows = std::mem::take(&mut world.rows);
    let stranger = certificate("stranger", "k9", 500);
    world.row(&stranger);
    let new = certificate("new", "k3", 500);
    world.file("new.pem", &[&new]);
    let plan = world.pass();
    assert!(plan.actions.is_empty(), "nothing goes to a wrong account");
    assert_eq!(world.state(&new), "waiting");
    assert_eq!(plan.due, Some(NOW.plus(3 * MINUTE)));
    let before = world.book.clone();
    for _ in 0..3 {
        world.sleep(4 * MINUTE);
        assert_eq!(world.observe().unwrap_err(), Unreachable);
    }
    assert_eq!(world.book.beliefs.len(), 3, "no stranger is met there");
    assert_eq!(world.book.last_list, before.last_list);
    world.rows = rows;
    world.pass();
    let states = [&a, &b, &new].map(|it| world.state(it));
    assert_eq!(states, ["trusted"; 3]);
    assert_eq!(world.posts.len(), 3);
    assert!(!world.words().contains(&"removed"), "{:?}", world.words());
}

#[test]
fn an_intent_is_not_settled_by_a_list_of_another_integration() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    let lost = certificate("lost", "k3", 500);
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    world.fate = Fate::AnswerLost;
    world.file("lost.pem", &[&lost]);
    world.observe().unwrap();
    let plan = world.plan();
    world.apply(&plan.actions[0]);
    world.fate = Fate::Well;
    let rows = std::mem::take(&mut world.rows);
    world.row(&certificate("stranger", "k9", 500));
    world.pass();
    world.sleep(4 * MINUTE);
    assert_eq!(world.observe().unwrap_err(), Unreachable);
    world.rows = rows;
    world.pass();
    assert_eq!((world.state(&lost), world.posts.len()), ("trusted", 3));
}

#[test]
fn where_nothing_is_known_nothing_is_due_at_once() {
    for known in [1, 2] {
        let mut world = World::new();
        let all = ["a", "b"].map(|it| certificate(it, it, 300));
        let known: Vec<_> = all.iter().take(known).collect();
        world.file("known.pem", &known);
        world.pass();
        world.rows.clear();
        world.file("new.pem", &[&certificate("new", "k3", 500)]);
        for _ in 0..4 {
            world.list_without_reads();
            let as_listed = world.book.as_listed();
            for plan in [world.plan(), world.plan_by(&as_listed)] {
                assert!(plan.due.is_none_or(|it| it > world.now.wall), "{plan:?}");
            }
            world.sleep(2 * MINUTE);
        }
        let plan = world.plan();
        assert!(attention(&world).contains(&"no_trust"), "{plan:?}");
    }
}

#[test]
fn a_list_that_lies_once_settles_no_intent_and_makes_no_row_new() {
    let mut world = World::new();
    let (known, lost) = (
        certificate("known", "k1", 300),
        certificate("lost", "k2", 400),
    );
    world.file("known.pem", &[&known]);
    world.row(&certificate("garbled", "k3", 400));
    world.rows[0].content = RowContent::Undecodable;
    world.pass();
    world.fate = Fate::AnswerLost;
    world.file("lost.pem", &[&lost]);
    let plan = world.observe().unwrap();
    world.apply(&plan.actions[0]);
    let rows = std::mem::take(&mut world.rows);
    for _ in 0..3 {
        world.sleep(MINUTE);
        world.list_without_reads();
    }
    world.rows = rows;
    world.pass();
    assert_eq!(world.state(&lost), "trusted", "and so ours");
    assert_eq!(world.posts.len(), 2);
}

#[test]
fn what_a_person_put_in_the_place_of_everything_is_no_other_integration_if_a_file_has_it() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    let by_hand = certificate("by hand", "k3", 500);
    world.rows.clear();
    world.row(&by_hand);
    world.file("by-hand.pem", &[&by_hand]);
    world.pass();
    world.sleep(4 * MINUTE);
    world.pass();
    let states = [&a, &b, &by_hand].map(|it| world.state(it));
    assert_eq!(states, ["removed", "removed", "found"]);
}

#[test]
fn a_row_of_ours_with_another_certificate_is_replaced_and_left_alone() {
    let mut world = World::new();
    let (ours, other) = (
        certificate("ours", "k1", 300),
        certificate("other", "k9", 400),
    );
    world.file("ours.pem", &[&ours]);
    world.pass();
    world.rows[0].content = RowContent::Certificate(Box::new(other.clone()));
    world.pass();
    world.sleep(DAY);
    world.pass();
    assert_eq!(
        (world.state(&ours), world.state(&other)),
        ("replaced", "unmanaged")
    );
    assert_eq!(world.posts.len(), 1);
    assert_eq!(
        world.words().iter().filter(|it| **it == "replaced").count(),
        1,
        "told once"
    );
}

#[test]
fn a_certificate_listed_twice_stays_trusted_and_its_surplus_row_is_named() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    world.pass();
    let twin = world.row(&okta);
    let plan = world.pass();
    assert!(plan.actions.is_empty());
    let states: Vec<_> = plan
        .items
        .iter()
        .map(|it| (it.state.word(), it.id.clone()))
        .collect();
    assert_eq!(states[0].0, "trusted");
    assert_eq!(states[1], ("duplicate", Some(twin)));
    assert!(plan.outlook.in_step);
}

#[test]
fn what_sendgrid_refuses_is_not_sent_again_before_a_day_whatever_its_file() {
    let mut world = World::new();
    world.fate = Fate::Refused;
    let (bad, good) = (
        certificate("bad", "k1", 300),
        certificate("good", "k2", 300),
    );
    world.file("bad.pem", &[&bad]);
    world.pass();
    assert_eq!(world.state(&bad), "rejected");
    world.sleep(23 * 60 * MINUTE);
    world.fate = Fate::Well;
    world.file("good.pem", &[&good]);
    world.pass();
    assert_eq!(
        (world.state(&bad), world.state(&good)),
        ("rejected", "trusted"),
        "others go on"
    );
    world.file("bad-2.pem", &[&bad]);
    world.pass();
    assert_eq!(world.state(&bad), "rejected", "a new file is no new word");
    world.sleep(60 * MINUTE);
    world.pass();
    assert_eq!(world.state(&bad), "trusted");
}

#[test]
fn a_certificate_refused_before_its_start_waits_for_it() {
    let mut world = World::new();
    world.fate = Fate::Refused;
    let start = NOW.as_secs() + 2 * 86_400;
    let next = certificate_valid("next", "k1", start, start + 86_400 * 365);
    world.file("next.pem", &[&next]);
    world.pass();
    assert_eq!(world.state(&next), "waiting");
    let window = NOW.plus(3 * MINUTE);
    assert_eq!(world.plan().due, Some(window), "the 400 may lie");
    world.sleep(3 * MINUTE);
    world.pass();
    assert_eq!(world.state(&next), "waiting");
    assert_eq!(world.plan().due.map(Timestamp::as_secs), Some(start));
    world.fate = Fate::Well;
    world.sleep(2 * DAY);
    world.pass();
    assert_eq!(world.state(&next), "trusted");
}

#[test]
fn an_ahead_certificate_is_uploaded_and_counts_from_its_start() {
    let mut world = World::new();
    let start = NOW.as_secs() + 86_400;
    let next = certificate_valid("next", "k1", start, start + 86_400 * 365);
    world.file("next.pem", &[&next]);
    world.pass();
    assert_eq!(
        (world.state(&next), world.plan().outlook.trusted),
        ("ahead", 0)
    );
    world.sleep(DAY);
    assert_eq!(
        (world.state(&next), world.plan().outlook.trusted),
        ("trusted", 1)
    );
}

#[test]
fn an_expired_file_is_never_uploaded() {
    let mut world = World::new();
    let old = certificate("old", "k1", -1);
    world.file("old.pem", &[&old]);
    assert!(world.pass().actions.is_empty());
    assert_eq!(world.state(&old), "expired");
    assert!(
        attention(&world).is_empty(),
        "nothing was ever trusted here: that is a note"
    );
}

#[test]
fn losing_files_removes_nothing_and_the_last_one_stays_trusted() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 20), certificate("b", "k2", 385));
    world.file("a.pem", &[&a]);
    world.file("b.pem", &[&b]);
    world.pass();
    world.files.clear();
    world.pass();
    assert_eq!(
        (world.state(&a), world.state(&b)),
        ("trusted", "trusted"),
        "an empty directory is not healthy"
    );
    world.file("b.pem", &[&b]);
    world.pass();
    assert_eq!(
        (world.state(&a), world.state(&b)),
        ("superseded", "trusted")
    );
    world.refuse("a.pem");
    world.file("b.pem", &[&b]);
    world.pass();
    assert_eq!(world.rows.len(), 2);
}

#[test]
fn an_unreadable_source_plans_nothing_and_concludes_nothing() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 20), certificate("b", "k2", 385));
    world.file("a.pem", &[&a]);
    world.file("b.pem", &[&b]);
    world.pass();
    world.source_up = false;
    let plan = world.pass();
    assert!(plan.actions.is_empty());
    assert_eq!((world.state(&a), world.state(&b)), ("trusted", "trusted"));
    assert!(attention(&world).contains(&"source_down"));
}

#[test]
fn observe_plans_and_never_acts() {
    let mut world = World::new();
    world.policy.mode = Mode::Observe;
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    assert!(world.pass().actions.is_empty());
    assert_eq!(world.state(&okta), "planned");
    assert!(world.posts.is_empty());
}

#[test]
fn the_sixth_new_key_of_a_day_waits_for_a_person() {
    let mut world = World::new();
    world.policy.trust.new_keys_per_day = 5;
    let first: Vec<Certificate> = (0..7)
        .map(|it| certificate("first", &format!("f{it}"), 300))
        .collect();
    world.file("first.pem", &first.iter().collect::<Vec<_>>());
    assert_eq!(
        world.pass().actions.len(),
        7,
        "no budget before the first trusted one"
    );
    let more: Vec<Certificate> = (0..7)
        .map(|it| certificate("more", &format!("m{it}"), 310))
        .collect();
    world.file("more.pem", &more.iter().collect::<Vec<_>>());
    world.sleep(DAY);
    assert_eq!(world.pass().actions.len(), 5);
    assert!(attention(&world).contains(&"key_budget"));
    assert_eq!(world.pass().actions.len(), 0);
    world
        .policy
        .trust
        .pins
        .extend(more.iter().map(Certificate::fingerprint));
    assert_eq!(world.pass().actions.len(), 2, "a pin is always enough");
}

#[test]
fn a_known_key_in_a_new_wrapper_is_no_new_key() {
    let mut world = World::new();
    world.policy.trust.new_keys_per_day = 1;
    world.file("a.pem", &[&certificate("a", "k1", 300)]);
    world.pass();
    world.sleep(2 * DAY);
    let wrapped: Vec<Certificate> = (0..3)
        .map(|it| certificate(&format!("w{it}"), "k1", 400 + it))
        .collect();
    world.file("w.pem", &wrapped.iter().collect::<Vec<_>>());
    assert_eq!(world.pass().actions.len(), 3);
}

#[test]
fn no_successor_is_said_when_it_is_due() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 40);
    world.file("okta.pem", &[&okta]);
    world.pass();
    assert_eq!(attention(&world), ["no_successor"]);
    world.file("next.pem", &[&certificate("next", "k2", 400)]);
    world.pass();
    assert!(attention(&world).is_empty());
    world.sleep(394 * DAY);
    assert!(attention(&world).contains(&"trust_ends"));
}

#[test]
fn a_lost_ledger_owns_nothing() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    world.files.clear();
    world.file("a.pem", &[&a]);
    world.book = crate::plan::book::Book::default();
    world.pass();
    assert_eq!((world.state(&a), world.state(&b)), ("found", "inherited"));
    assert_eq!(world.rows.len(), 2);
}
