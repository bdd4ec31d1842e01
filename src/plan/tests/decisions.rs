//! A person's decisions: every one in every standing, and what comes of it.

use expect_test::expect;

use super::*;
use crate::domain::{CertificateId, Skew};
use crate::plan::book::{Deleting, InSource, Intent, Order, Standing, Word};
use crate::plan::decision::{Decision, Refusal};
use crate::plan::policy::Require;
use crate::plan::retire::How;

const DECISIONS: [Decision; 8] = [
    Decision::Approve,
    Decision::Deny,
    Decision::Acknowledge,
    Decision::Adopt,
    Decision::Restore,
    Decision::Forget,
    Decision::Retire(How::Disable),
    Decision::Retire(How::Delete),
];

fn standings(world: &World) -> Vec<(&'static str, Standing)> {
    let id = || CertificateId::parse("7").unwrap();
    let at = || world.now.clone();
    let disabled = |ordered, unsure| Standing::Disabled {
        id: id(),
        ordered,
        unsure,
    };
    let foreign = |id, inherited| Standing::Foreign { id, inherited };
    vec![
        ("seen", Standing::Seen),
        ("intent", Standing::Intent(Intent::new(at()))),
        ("confirmed", Standing::Confirmed(id())),
        ("disabled", disabled(false, false)),
        ("disabled by order", disabled(true, false)),
        ("disabled, unsure", disabled(false, true)),
        (
            "deleting",
            Standing::Deleting(Deleting {
                id: id(),
                ordered: false,
                was_disabled: false,
                was_unsure: false,
                at: at(),
            }),
        ),
        ("retired", Standing::Retired { ordered: false }),
        ("retired by order", Standing::Retired { ordered: true }),
        ("foreign", foreign(Some(id()), true)),
        ("foreign without id", foreign(None, false)),
        ("removed", Standing::Removed { id: Some(id()) }),
    ]
}

/// What is said of a decision: what it changes, or why it is not taken.
fn table(certificate: &Certificate, prepare: impl Fn(&mut crate::plan::book::Belief)) -> String {
    let mut lines = Vec::new();
    for (name, standing) in standings(&World::new()) {
        lines.push(format!("{name}:"));
        for decision in DECISIONS {
            let mut world = World::new();
            let belief = world.book.belief(certificate);
            belief.standing = standing.clone();
            prepare(belief);
            let before = world.book.clone();
            let told = match world.decide(decision, certificate) {
                Err(refusal) => {
                    assert_eq!(world.book, before, "a refusal changes nothing");
                    format!("no, {refusal}")
                }
                Ok(()) if world.book == before => "nothing new".to_owned(),
                Ok(()) => {
                    let belief = &world.book.beliefs[&certificate.fingerprint()];
                    assert_eq!(world.history.len(), 1, "one entry");
                    format!("word {:?}, order {:?}", belief.word, belief.order)
                }
            };
            let verb = match decision {
                Decision::Retire(how) => format!("retire, {}", how.word()),
                other => other.word().to_owned(),
            };
            lines.push(format!("  {verb:15} {told}"));
        }
    }
    lines.join("\n")
}

#[test]
fn every_decision_in_every_standing() {
    let table = table(&certificate("okta", "k1", 300), |_| {});
    expect![[r#"
        seen:
          approve         word Some(Approved), order None
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         no, it is not at SendGrid
          forget          no, nobody has decided anything about it
          retire, disable no, it is not at SendGrid
          retire, delete  no, it is not at SendGrid
        intent:
          approve         no, what became of an earlier request for it is not known yet
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         no, what became of an earlier request for it is not known yet
          forget          no, nobody has decided anything about it
          retire, disable no, what became of an earlier request for it is not known yet
          retire, delete  no, what became of an earlier request for it is not known yet
        confirmed:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is ours already
          restore         no, it is at SendGrid already
          forget          no, nobody has decided anything about it
          retire, disable word None, order Some(Disable)
          retire, delete  word None, order Some(Delete)
        disabled:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is ours already
          restore         word None, order Some(Restore)
          forget          no, nobody has decided anything about it
          retire, disable no, it was taken away from SendGrid
          retire, delete  word None, order Some(Delete)
        disabled by order:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is ours already
          restore         word None, order Some(Restore)
          forget          no, nobody has decided anything about it
          retire, disable no, it was taken away from SendGrid
          retire, delete  word None, order Some(Delete)
        disabled, unsure:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is ours already
          restore         word None, order Some(Restore)
          forget          no, nobody has decided anything about it
          retire, disable no, it was taken away from SendGrid
          retire, delete  word None, order Some(Delete)
        deleting:
          approve         no, what became of an earlier request for it is not known yet
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         no, what became of an earlier request for it is not known yet
          forget          no, nobody has decided anything about it
          retire, disable no, what became of an earlier request for it is not known yet
          retire, delete  no, what became of an earlier request for it is not known yet
        retired:
          approve         word Some(Approved), order None
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         word None, order Some(Restore)
          forget          no, nobody has decided anything about it
          retire, disable no, it was taken away from SendGrid
          retire, delete  no, it was taken away from SendGrid
        retired by order:
          approve         no, it was taken away from SendGrid
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         word None, order Some(Restore)
          forget          no, it was taken away from SendGrid
          retire, disable no, it was taken away from SendGrid
          retire, delete  no, it was taken away from SendGrid
        foreign:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     word Some(Acknowledged), order None
          adopt           word None, order Some(Adopt)
          restore         no, it is at SendGrid already
          forget          no, nobody has decided anything about it
          retire, disable no, it is not ours
          retire, delete  no, it is not ours
        foreign without id:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     word Some(Acknowledged), order None
          adopt           no, its row at SendGrid has no id that could be written to
          restore         no, it is at SendGrid already
          forget          no, nobody has decided anything about it
          retire, disable no, it is not ours
          retire, delete  no, it is not ours
        removed:
          approve         no, it was taken away from SendGrid
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         word None, order Some(Restore)
          forget          no, it was taken away from SendGrid
          retire, disable no, it was taken away from SendGrid
          retire, delete  no, it was taken away from SendGrid"#]].assert_eq(&table);
}

#[test]
fn every_decision_about_what_is_over() {
    let table = table(&certificate("okta", "k1", -10), |_| {});
    expect![[r#"
        seen:
          approve         no, its last second has passed
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         no, its last second has passed
          forget          no, nobody has decided anything about it
          retire, disable no, it is not at SendGrid
          retire, delete  no, it is not at SendGrid
        intent:
          approve         no, what became of an earlier request for it is not known yet
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         no, its last second has passed
          forget          no, nobody has decided anything about it
          retire, disable no, what became of an earlier request for it is not known yet
          retire, delete  no, what became of an earlier request for it is not known yet
        confirmed:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is ours already
          restore         no, its last second has passed
          forget          no, nobody has decided anything about it
          retire, disable word None, order Some(Disable)
          retire, delete  word None, order Some(Delete)
        disabled:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is ours already
          restore         no, its last second has passed
          forget          no, nobody has decided anything about it
          retire, disable no, it was taken away from SendGrid
          retire, delete  word None, order Some(Delete)
        disabled by order:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is ours already
          restore         no, its last second has passed
          forget          no, nobody has decided anything about it
          retire, disable no, it was taken away from SendGrid
          retire, delete  word None, order Some(Delete)
        disabled, unsure:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is ours already
          restore         no, its last second has passed
          forget          no, nobody has decided anything about it
          retire, disable no, it was taken away from SendGrid
          retire, delete  word None, order Some(Delete)
        deleting:
          approve         no, what became of an earlier request for it is not known yet
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         no, its last second has passed
          forget          no, nobody has decided anything about it
          retire, disable no, what became of an earlier request for it is not known yet
          retire, delete  no, what became of an earlier request for it is not known yet
        retired:
          approve         no, its last second has passed
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         no, its last second has passed
          forget          no, nobody has decided anything about it
          retire, disable no, it was taken away from SendGrid
          retire, delete  no, it was taken away from SendGrid
        retired by order:
          approve         no, it was taken away from SendGrid
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         no, its last second has passed
          forget          no, it was taken away from SendGrid
          retire, disable no, it was taken away from SendGrid
          retire, delete  no, it was taken away from SendGrid
        foreign:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     word Some(Acknowledged), order None
          adopt           word None, order Some(Adopt)
          restore         no, its last second has passed
          forget          no, nobody has decided anything about it
          retire, disable no, it is not ours
          retire, delete  no, it is not ours
        foreign without id:
          approve         no, it is at SendGrid already
          deny            word Some(Denied), order None
          acknowledge     word Some(Acknowledged), order None
          adopt           no, its row at SendGrid has no id that could be written to
          restore         no, its last second has passed
          forget          no, nobody has decided anything about it
          retire, disable no, it is not ours
          retire, delete  no, it is not ours
        removed:
          approve         no, it was taken away from SendGrid
          deny            word Some(Denied), order None
          acknowledge     no, it is no stranger: only an inherited or unmanaged certificate is acknowledged
          adopt           no, it is not at SendGrid
          restore         no, its last second has passed
          forget          no, it was taken away from SendGrid
          retire, disable no, it was taken away from SendGrid
          retire, delete  no, it was taken away from SendGrid"#]].assert_eq(&table);
}

#[test]
fn a_certificate_of_ours_or_of_a_file_is_no_stranger() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    world.row(&okta);
    world.pass();
    assert_eq!(world.state(&okta), "found");
    assert_eq!(
        world.decide(Decision::Acknowledge, &okta),
        Err(Refusal::NoStranger)
    );
}

#[test]
fn what_nobody_knows_can_only_be_approved_or_denied() {
    for decision in DECISIONS {
        let mut world = World::new();
        let unseen = certificate("unseen", "k1", 300);
        let expected = decision.is_for_unseen();
        assert_eq!(
            world.decide(decision, &unseen).is_ok(),
            expected,
            "{decision:?}"
        );
        if expected {
            assert_eq!(world.decide(decision, &unseen), Ok(()), "and again");
            assert_eq!(world.history.len(), 1, "which is nothing new");
        }
    }
}

#[test]
fn a_deny_before_the_first_sight_is_of_the_key_as_well() {
    let mut world = World::new();
    let stranger = certificate("stranger", "k1", 300);
    world.decide(Decision::Deny, &stranger).unwrap();
    world.row(&stranger);
    world.pass();
    for decision in [Decision::Adopt, Decision::Acknowledge] {
        assert_eq!(world.decide(decision, &stranger), Err(Refusal::Denied));
    }
    let wrapped = certificate("wrapped", "k1", 400);
    world.file("wrapped.pem", &[&wrapped]);
    world.pass();
    assert_eq!(
        (world.state(&wrapped), world.rows_of(&wrapped)),
        ("denied", 0)
    );
}

#[test]
fn a_deny_and_its_end_do_not_bring_back_what_was_removed() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 300));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    world.lose(&a);
    world.decide(Decision::Restore, &a).unwrap();
    world.fate = crate::plan::testing::Fate::NotDone;
    world.pass();
    world.fate = crate::plan::testing::Fate::Well;
    world.decide(Decision::Deny, &a).unwrap();
    world.decide(Decision::Forget, &a).unwrap();
    world.pass();
    assert_eq!((world.state(&a), world.rows_of(&a)), ("removed", 0));
}

#[test]
fn acknowledged_strangers_are_no_alarm() {
    let mut world = World::new();
    world.pass();
    let rogue = certificate("rogue", "k9", 900);
    world.row(&rogue);
    world.pass();
    assert!(attention(&world).contains(&"unmanaged"));
    world.decide(Decision::Acknowledge, &rogue).unwrap();
    world.pass();
    assert_eq!(world.state(&rogue), "acknowledged");
    assert!(!attention(&world).contains(&"unmanaged"));
    world.decide(Decision::Forget, &rogue).unwrap();
    assert_eq!(world.state(&rogue), "unmanaged");
}

#[test]
fn adopting_enables_it_once_and_makes_it_ours() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    let id = world.row(&okta);
    world.disabled.insert(id.clone()); // which no list tells
    world.pass();
    assert_eq!((world.state(&okta), world.cover()), ("found", 0));
    world.decide(Decision::Adopt, &okta).unwrap();
    world.pass();
    assert_eq!((world.state(&okta), world.cover()), ("trusted", 1));
    for _ in 0..5 {
        world.sleep(HOUR);
        world.pass();
    }
    assert_eq!(world.writes_of(&okta), ["enable"]);
    let standing = &world.book.beliefs[&okta.fingerprint()].standing;
    assert_eq!(*standing, Standing::Confirmed(id));
}

#[test]
fn adopting_waits_out_a_pause_and_a_lost_answer() {
    let mut world = World::new();
    let okta = certificate("okta", "k1", 300);
    world.row(&okta);
    world.pass();
    world.decide(Decision::Adopt, &okta).unwrap();
    world.pause(true);
    world.pass();
    assert!(world.writes.is_empty());
    world.pause(false);
    world.fate = crate::plan::testing::Fate::AnswerLost;
    world.pass();
    world.fate = crate::plan::testing::Fate::Well;
    assert_eq!(world.state(&okta), "inherited", "it is not ours yet");
    world.sleep(HOUR);
    world.pass();
    assert_eq!(world.state(&okta), "trusted");
}

#[test]
fn a_removed_certificate_is_restored_without_a_file() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    world.lose(&a);
    assert_eq!(world.state(&a), "removed");
    world.files.clear();
    world.file("b.pem", &[&b]);
    world.decide(Decision::Restore, &a).unwrap();
    world.pass();
    assert_eq!(world.rows_of(&a), 1);
    assert_eq!(world.book.beliefs[&a.fingerprint()].order, None);
}

#[test]
fn a_restore_that_is_taken_back_in_time_changes_nothing() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    world.lose(&a);
    world.pause(true);
    world.decide(Decision::Restore, &a).unwrap();
    world.pass();
    assert_eq!(world.state(&a), "held");
    world.decide(Decision::Forget, &a).unwrap();
    world.pause(false);
    world.pass();
    assert_eq!((world.state(&a), world.rows_of(&a)), ("removed", 0));
}

#[test]
fn by_a_clock_in_doubt_nothing_is_over_for_an_operator() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 30), certificate("b", "k2", 400));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    world.lose(&a);
    assert_eq!(world.decide(Decision::Forget, &a), Err(Refusal::Away));
    world.sleep(31 * DAY);
    assert_eq!(world.decide(Decision::Restore, &a), Err(Refusal::Over));
    world.skew = Skew::Secs(-2 * 86_400); // by SendGrid's clock it has a day left
    world.decide(Decision::Restore, &a).unwrap();
}

#[test]
fn an_order_can_be_taken_back_before_it_is_carried_out() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k2", 400));
    world.file("ab.pem", &[&a, &b]);
    world.pass();
    world.pause(true);
    world.decide(Decision::Retire(How::Delete), &a).unwrap();
    world.pass();
    world.decide(Decision::Forget, &a).unwrap();
    world.pause(false);
    world.pass();
    assert!(world.writes.is_empty());
    assert_eq!(world.state(&a), "trusted");
}

#[test]
fn a_denied_certificate_that_is_listed_is_retired_and_never_comes_back() {
    let mut world = World::new();
    let (stolen, other) = (
        certificate("stolen", "bad", 300),
        certificate("b", "k2", 400),
    );
    world.file("both.pem", &[&stolen, &other]);
    world.pass();
    world.decide(Decision::Deny, &stolen).unwrap();
    world.pass();
    assert_eq!(world.state(&stolen), "unmanaged");
    world
        .decide(Decision::Retire(How::Delete), &stolen)
        .unwrap();
    world.pass();
    assert_eq!(
        (world.state(&stolen), world.rows_of(&stolen)),
        ("denied", 0)
    );
    for _ in 0..3 {
        world.sleep(2 * DAY);
        world.pass();
    }
    assert_eq!(world.posts.len(), 2);
    assert_eq!(
        world.decide(Decision::Restore, &stolen),
        Err(Refusal::Denied)
    );
}

#[test]
fn a_found_one_with_a_denied_key_is_not_adopted() {
    let mut world = World::new();
    let (denied, found) = (
        certificate("denied", "bad", 300),
        certificate("found", "bad", 400),
    );
    world.row(&found);
    world.file("denied.pem", &[&denied]);
    world.observe().unwrap();
    world.decide(Decision::Deny, &denied).unwrap();
    let refusal = world.decide(Decision::Adopt, &found);
    assert_eq!(refusal, Err(Refusal::DeniedKey(denied.fingerprint())));
}

#[test]
fn two_removed_certificates_of_one_key_do_not_stand_in_each_others_way() {
    let mut world = World::new();
    let (a, b) = (certificate("a", "k1", 300), certificate("b", "k1", 400));
    let other = certificate("other", "k2", 350);
    world.file("all.pem", &[&a, &b, &other]);
    world.pass();
    world.rows.retain(|it| it.certificate() == Some(&other));
    world.pass();
    world.sleep(4 * MINUTE);
    world.pass();
    assert_eq!((world.state(&a), world.state(&b)), ("removed", "removed"));
    world.decide(Decision::Restore, &a).unwrap();
    world.pass();
    assert_eq!((world.state(&a), world.state(&b)), ("trusted", "removed"));
}

#[test]
fn a_pause_is_said_once_and_lifted_once() {
    let mut world = World::new();
    for is_paused in [true, true, false, false] {
        world.pause(is_paused);
    }
    assert_eq!(world.words(), ["paused", "resumed"]);
}

#[test]
fn a_word_outlives_a_restart_and_what_it_was_said_of() {
    let mut world = World::new();
    world.policy.trust.require = Require::Approval;
    let okta = certificate("okta", "k1", 300);
    world.file("okta.pem", &[&okta]);
    world.pass();
    world.decide(Decision::Deny, &okta).unwrap();
    world.files.clear();
    world.file("b.pem", &[&certificate("b", "k2", 400)]);
    for _ in 0..3 {
        world.sleep(DAY);
        world.pass();
        world.restart();
    }
    let belief = &world.book.beliefs[&okta.fingerprint()];
    assert_eq!(
        (belief.word, belief.order),
        (Some(Word::Denied), None::<Order>)
    );
    assert!(matches!(belief.source, InSource::Gone { .. }));
}
