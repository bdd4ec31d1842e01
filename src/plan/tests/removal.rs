//! What left SendGrid and not by policy: neither it nor its key comes back by itself. And what an operator denied.

use super::*;
use crate::plan::decision::{Decision, Refusal};
use crate::plan::policy::RetireAction;
use crate::plan::retire::{Block, How};

/// An integration with one certificate that stays, and one whose key was stolen.
fn two() -> (World, Certificate) {
    let mut world = World::new();
    let (stays, stolen) = (
        certificate("stays", "k0", 400),
        certificate("a", "stolen", 300),
    );
    world.file("stays.pem", &[&stays]);
    world.file("a.pem", &[&stolen]);
    world.pass();
    (world, stolen)
}

/// Its file goes, then its row: the order of an incident.
fn file_then_row(world: &mut World, certificate: &Certificate) {
    world.files.remove("a.pem");
    world.pass();
    world.lose(certificate);
    assert_eq!(world.state(certificate), "-", "a matter of history");
}

#[test]
fn what_went_with_its_file_is_removed_when_the_file_comes_back() {
    let (mut world, stolen) = two();
    file_then_row(&mut world, &stolen);
    let posts = world.posts.len();
    world.file("a.pem", &[&stolen]);
    for _ in 0..3 {
        world.pass();
        world.sleep(DAY);
    }
    assert_eq!(world.state(&stolen), "removed");
    assert_eq!(world.posts.len(), posts);
    world.decide(Decision::Restore, &stolen).unwrap();
    world.pass();
    assert_eq!(world.state(&stolen), "trusted");
    assert!(world.book.gone.is_empty(), "it is listed again");
}

#[test]
fn a_renewal_with_the_key_of_what_went_is_held_until_one_of_two_commands() {
    let renewal = certificate("renewal", "stolen", 900);
    let held = || {
        let (mut world, stolen) = two();
        file_then_row(&mut world, &stolen);
        world.file("renewal.pem", &[&renewal]);
        world.pass();
        assert_eq!(world.state(&renewal), "held");
        (world, stolen)
    };
    let (mut world, stolen) = held();
    world.decide(Decision::Restore, &stolen).unwrap();
    world.pass();
    assert_eq!(world.state(&renewal), "trusted");

    let (mut world, stolen) = held();
    let refusal = world.decide(Decision::Approve, &renewal);
    assert_eq!(refusal, Err(Refusal::RemovedKey(stolen.fingerprint())));
    let help = refusal.unwrap_err().help(renewal.fingerprint()).unwrap();
    assert!(help.contains(&renewal.fingerprint().hex()), "{help}");
    world.decide(Decision::ApproveKey, &renewal).unwrap();
    world.pass();
    assert_eq!(world.state(&renewal), "trusted");
}

#[test]
fn the_approval_by_all_digits_works_when_the_old_one_has_expired() {
    for takes_file_away in [true, false] {
        let (mut world, stolen) = two();
        if takes_file_away {
            file_then_row(&mut world, &stolen);
        } else {
            world.lose(&stolen);
            assert_eq!(world.state(&stolen), "removed");
        }
        world.sleep(310 * DAY);
        world.pass();
        world.restart();
        let renewal = certificate("renewal", "stolen", 900);
        world.file("renewal.pem", &[&renewal]);
        world.pass();
        assert_eq!(world.state(&renewal), "held", "{takes_file_away}");
        assert_eq!(attention(&world), ["removed"]);
        let fingerprint = stolen.fingerprint();
        let restore = world.decide(Decision::Restore, &stolen);
        assert!(
            matches!(restore, Err(Refusal::Over | Refusal::Unknown)),
            "{fingerprint} {restore:?}"
        );
        world.decide(Decision::ApproveKey, &renewal).unwrap();
        world.pass();
        assert_eq!(world.state(&renewal), "trusted", "{takes_file_away}");
    }
}

#[test]
fn an_approval_from_before_the_removal_lets_no_key_in_again() {
    let (mut world, stolen) = two();
    let renewal = certificate("renewal", "stolen", 900);
    world.policy.trust.require = crate::plan::policy::Require::Approval;
    world.file("renewal.pem", &[&renewal]);
    world.pause(true);
    world.pass();
    world.decide(Decision::ApproveKey, &renewal).unwrap();
    world.lose(&stolen);
    world.pause(false);
    world.pass();
    assert_eq!(world.state(&renewal), "held");
}

#[test]
fn a_yearly_renewal_with_one_key_goes_on_after_the_first_ones_are_cleaned_up() {
    let (mut world, first) = two();
    let second = certificate("second", "stolen", 600);
    world.file("second.pem", &[&second]);
    world.pass();
    file_then_row(&mut world, &first); // somebody tidies SendGrid's pages
    let third = certificate("third", "stolen", 900);
    world.file("third.pem", &[&third]);
    world.pass();
    assert_eq!(world.state(&third), "trusted");
    world.file("a.pem", &[&first]);
    world.pass();
    assert_eq!(world.state(&first), "removed", "it is not another one");
}

#[test]
fn what_policy_took_away_or_was_over_is_not_remembered() {
    let (mut world, old) = two();
    world.policy.retire.action = RetireAction::Delete;
    world.sleep(310 * DAY); // over, and more than seven days ago
    world.pass();
    world.sleep(DAY);
    world.pass();
    assert_eq!(world.writes_of(&old), ["delete"]);
    assert!(world.book.gone.is_empty());

    let (mut world, old) = two();
    world.sleep(301 * DAY);
    world.pass();
    world.lose(&old);
    assert!(world.book.gone.is_empty(), "it was over");
}

#[test]
fn what_an_operator_had_deleted_does_not_come_back_with_its_file() {
    let (mut world, stolen) = two();
    world
        .decide(Decision::Retire(How::Delete), &stolen)
        .unwrap();
    world.pass();
    world.files.remove("a.pem");
    for _ in 0..3 {
        world.sleep(DAY);
        world.pass();
    }
    world.file("a.pem", &[&stolen]);
    world.file("renewal.pem", &[&certificate("renewal", "stolen", 900)]);
    world.pass();
    assert_eq!(world.state(&stolen), "removed");
    let renewal = certificate("renewal", "stolen", 900);
    assert_eq!(world.state(&renewal), "held");
}

#[test]
fn a_stranger_that_goes_is_only_history() {
    let (mut world, _) = two();
    let stranger = certificate("stranger", "k7", 500);
    world.row(&stranger);
    world.pass();
    world.lose(&stranger);
    assert!(world.book.gone.is_empty());
}

#[test]
fn the_newest_thousand_are_remembered() {
    let mut world = World::new();
    for number in 0..1_100 {
        let one = certificate(&format!("c{number}"), &format!("k{number}"), 300);
        world.sleep(Duration::from_secs(1));
        let now = world.now.clone();
        world
            .book
            .remember_gone(one.fingerprint(), one.key_id(), &now);
    }
    assert_eq!(world.book.gone.len(), 1_000);
    let oldest = certificate("c100", "k100", 300).fingerprint();
    assert!(world.book.gone.contains_key(&oldest));
}

#[test]
fn what_is_denied_and_listed_is_an_alarm_though_its_file_lies_there() {
    for is_ours in [true, false] {
        let mut world = World::new();
        let (stays, stolen) = (
            certificate("stays", "k0", 400),
            certificate("a", "stolen", 300),
        );
        world.file("stays.pem", &[&stays]);
        if !is_ours {
            world.row(&stolen);
        }
        world.file("a.pem", &[&stolen]);
        world.pass();
        world.decide(Decision::Deny, &stolen).unwrap();
        world.pass();
        assert_eq!(world.state(&stolen), "unmanaged", "{is_ours}");
        assert!(attention(&world).contains(&"unmanaged"));
        // Also another one with its key.
        let sibling = certificate("sibling", "stolen", 500);
        world.row(&sibling);
        world.file("sibling.pem", &[&sibling]);
        world.pass();
        assert_eq!(world.state(&sibling), "unmanaged");
        if is_ours {
            world
                .decide(Decision::Retire(How::Delete), &stolen)
                .unwrap();
            world.pass();
            assert_eq!(world.writes_of(&stolen), ["delete"]);
            assert_eq!(world.state(&stolen), "denied");
        }
    }
}

#[test]
fn what_is_denied_is_never_the_one_that_stays() {
    let (mut world, denied) = two();
    let stays = certificate("stays", "k0", 400);
    world.decide(Decision::Deny, &denied).unwrap();
    world.decide(Decision::Retire(How::Delete), &stays).unwrap();
    world.pass();
    assert!(world.writes.is_empty());
    let retirement = world.retirement(&stays).unwrap();
    assert!(retirement.blocks.contains(&Block::Last));
}

#[test]
fn a_denial_spares_the_key_that_another_certificate_in_use_has_unless_it_is_meant() {
    let (mut world, first) = two();
    let second = certificate("second", "stolen", 600);
    world.file("second.pem", &[&second]);
    world.pass();
    world.decide(Decision::Deny, &first).unwrap();
    world.pass();
    assert_eq!(
        (world.state(&first), world.state(&second)),
        ("unmanaged", "trusted")
    );
    let third = certificate("third", "stolen", 900);
    world.file("third.pem", &[&third]);
    world.pass();
    assert_eq!(world.state(&third), "trusted", "its key was not denied");
    world.decide(Decision::DenyKey, &first).unwrap();
    world.pass();
    for one in [&first, &second, &third] {
        assert_eq!(world.state(one), "unmanaged");
    }
}
