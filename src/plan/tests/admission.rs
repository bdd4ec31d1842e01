//! How an integration reads its source: issuers that are ignored, and refused certificates that a pin admits.

use super::*;
use crate::domain::{FileVerdict, Fingerprint, Reason, Refusal, RefusedCertificate, Remark};
use crate::plan::admission::issuers;
use crate::plan::decision::Decision;
use crate::plan::policy::{RetireAction, RetireWhen};
use crate::plan::testing::{Fate, authority, issued, signed_by};

const ROOT: (&str, &str) = ("root", "k-root");

fn root() -> Certificate {
    authority(ROOT.0, ROOT.1)
}

fn leaf() -> Certificate {
    issued("leaf", "k-leaf", ROOT)
}

/// A file whose only certificate is refused as a matter of judgement.
fn refused(certificate: &Certificate, reason: Reason) -> FileVerdict {
    let one = RefusedCertificate {
        refusal: Refusal::new(reason, "so it is"),
        certificate: Some(certificate.clone()),
        pin_passes: true,
    };
    FileVerdict::of(Vec::new(), vec![one], Vec::new(), Vec::new())
}

fn mark(world: &World, certificate: &Certificate) -> Option<Fingerprint> {
    let belief = world.book.beliefs.get(&certificate.fingerprint());
    belief.and_then(|it| it.issued)
}

#[test]
fn a_leaf_goes_up_and_its_root_never_does_whichever_comes_first() {
    for root_first in [true, false] {
        let mut world = World::new();
        world.policy.trust.require = crate::plan::policy::Require::Source;
        if root_first {
            // Both are copied at once; the leaf's file is not finished yet.
            world.file("root.pem", &[&root()]);
            world.unfinished("leaf.pem");
            world.pass();
            assert_eq!(world.state(&root()), "waiting");
            assert!(world.why(&root()).contains("still being written"));
        }
        world.file("leaf.pem", &[&leaf()]);
        if !root_first {
            world.pass();
        }
        world.file("root.pem", &[&root()]);
        world.pass();
        world.pass();
        assert_eq!(world.state(&leaf()), "trusted");
        assert_eq!(world.state(&root()), "-");
        assert_eq!(mark(&world, &root()), Some(leaf().fingerprint()));
        assert_eq!(attention(&world), Vec::<&str>::new());

        world.files.remove("leaf.pem");
        for _ in 0..3 {
            world.sleep(30 * DAY);
            world.pass();
        }
        // Its file leaves and comes back alone.
        world.files.remove("root.pem");
        world.pass();
        world.restart();
        world.file("root.pem", &[&root()]);
        world.pass();
        world.pass();
        assert_eq!(world.posts, [leaf().fingerprint()], "{root_first}");
    }
}

#[test]
fn what_is_ignored_is_neither_absent_nor_makes_the_source_unhealthy() {
    let mut world = World::new();
    world.file("leaf.pem", &[&leaf()]);
    let verdict = refused(&root(), Reason::CaCertificate);
    world.files.insert("root.pem".to_owned(), verdict);
    let other = certificate("other", "k2", 100);
    world.file("other.pem", &[&other]);
    world.pass();
    assert_eq!(attention(&world), Vec::<&str>::new());
    world.files.remove("other.pem");
    world.pass();
    assert_eq!(world.state(&other), "superseded", "its absence counts");
    let words: Vec<&str> = world.words();
    assert_eq!(words.iter().filter(|it| **it == "ignored").count(), 1);
}

#[test]
fn a_root_that_is_refused_by_itself_stays_ignored_once_its_leaf_is_gone() {
    let mut world = World::new();
    world.file("leaf.pem", &[&leaf()]);
    let verdict = || refused(&root(), Reason::CaCertificate);
    world.files.insert("root.pem".to_owned(), verdict());
    world.pass();
    world.files.remove("leaf.pem");
    world.pass();
    assert_eq!(attention(&world), Vec::<&str>::new());
    let mut alone = World::new();
    alone.files.insert("root.pem".to_owned(), verdict());
    alone.pass();
    assert_eq!(alone.posts, []);
    assert!(
        attention(&alone).contains(&"refused"),
        "it was never ignored"
    );
}

#[test]
fn a_name_alone_makes_nothing_an_issuer() {
    let mut world = World::new();
    let own = authority("idp", "k1");
    world.file("idp.pem", &[&own]);
    let alike = issued("mallory", "k2", ("idp", "k-mallory"));
    world.file("alike.pem", &[&alike]);
    world.pass();
    assert_eq!(mark(&world, &own), None);
    assert_eq!(world.state(&own), "trusted");
}

#[test]
fn what_is_trusted_stays_so_whatever_its_key_signs() {
    let old = authority("idp", "k1");
    // A successor that the old key signed, under the same name or another one.
    for successor in [
        issued("idp", "k2", ("idp", "k1")),
        issued("new", "k2", ("idp", "k1")),
    ] {
        let mut world = World::new();
        world.policy.retire.action = RetireAction::Delete;
        world.policy.retire.when = RetireWhen::Absent;
        world.file("old.pem", &[&old]);
        world.pass();
        world.file("new.pem", &[&successor]);
        for _ in 0..80 {
            world.sleep(DAY);
            world.pass();
        }
        assert_eq!(world.state(&old), "trusted");
        assert_eq!(world.state(&successor), "trusted");
        assert!(world.writes.is_empty());
        let plan = world.plan();
        let mut items = plan.items.iter();
        let item = items.find(|it| it.fingerprint == Some(old.fingerprint()));
        let remarks = item.unwrap().certificate.as_ref().unwrap().remarks();
        assert_eq!(remarks, [Remark::AlsoIssued(successor.fingerprint())]);
    }
}

#[test]
fn what_was_ever_at_sendgrid_is_no_mere_issuer() {
    // Uploaded by hand before the first look.
    let mut world = World::new();
    world.row(&root());
    world.file("leaf.pem", &[&leaf()]);
    world.file("root.pem", &[&root()]);
    world.pass();
    world.pass();
    assert_eq!(world.state(&root()), "found");
    assert_eq!(mark(&world, &root()), None);
    // Sent, and nobody knows whether it arrived.
    let mut world = World::new();
    world.fate = Fate::AnswerLost;
    world.file("root.pem", &[&root()]);
    world.pass();
    world.file("leaf.pem", &[&leaf()]);
    world.fate = Fate::Well;
    world.pass();
    assert_eq!(world.state(&root()), "trusted");
    // Removed at SendGrid while it was wanted.
    world.lose(&root());
    assert_eq!(world.state(&root()), "removed");
}

#[test]
fn an_approval_or_a_pin_lets_an_issuer_in() {
    for by_pin in [true, false] {
        let mut world = World::new();
        world.file("both.pem", &[&leaf(), &root()]);
        world.pass();
        assert_eq!(world.state(&root()), "-");
        if by_pin {
            world.policy.trust.pins.insert(root().fingerprint());
        } else {
            world.decide(Decision::Approve, &root()).unwrap();
        }
        world.pass();
        assert_eq!(world.state(&root()), "trusted");
        assert_eq!(mark(&world, &root()), None);
    }
}

#[test]
fn two_self_signed_certificates_of_one_key_are_both_the_providers_own() {
    let (first, second) = (authority("idp", "k1"), authority("idp again", "k1"));
    let look = [&first, &second];
    assert!(issuers(look.into_iter(), signed_by).is_empty());
    let mut world = World::new();
    world.file("a.pem", &[&first]);
    world.file("b.pem", &[&second]);
    world.pass();
    assert_eq!(world.state(&first), "trusted");
    assert_eq!(world.state(&second), "trusted");
}

#[test]
fn a_chain_is_ignored_but_for_its_end() {
    let middle = {
        // It may issue, and the root signed it.
        let plain = issued("middle", "k-middle", ROOT);
        assert!(!plain.may_issue());
        plain
    };
    let end = issued("end", "k-end", ("middle", "k-middle"));
    let all = [&root(), &middle, &end];
    let found = issuers(all.into_iter(), signed_by);
    assert_eq!(found.len(), 1, "who may not issue is no issuer");
    assert_eq!(
        found.get(&root().fingerprint()),
        Some(&middle.fingerprint())
    );
}

#[test]
fn an_unfinished_file_holds_back_only_what_may_have_issued_what_is_in_it() {
    let mut world = World::new();
    world.unfinished("next.pem");
    let plain = certificate("plain", "k2", 400);
    world.file("plain.pem", &[&plain]);
    world.file("root.pem", &[&root()]);
    world.pass();
    assert_eq!(world.state(&plain), "trusted");
    assert_eq!(world.state(&root()), "waiting");
    let mut patient = World::new();
    patient.file("root.pem", &[&root()]);
    for (secs, state) in [(0, "waiting"), (59, "waiting"), (1, "trusted")] {
        patient.sleep(Duration::from_secs(secs));
        patient.unfinished("grows.pem");
        patient.pass();
        assert_eq!(patient.state(&root()), state, "no file holds it for ever");
    }
    world.decide(Decision::Approve, &root()).unwrap();
    world.pass();
    assert_eq!(world.state(&root()), "trusted", "the operator lets it in");
}

#[test]
fn a_pin_admits_what_was_refused_and_its_end_makes_nothing_absent() {
    let weak = certificate("weak", "k1", 300);
    let mut world = World::new();
    let verdict = refused(&weak, Reason::WeakKey);
    world.files.insert("weak.pem".to_owned(), verdict);
    world.pass();
    assert!(attention(&world).contains(&"refused"));
    assert_eq!(world.posts, []);

    world.policy.trust.pins.insert(weak.fingerprint());
    world.pass();
    assert_eq!(world.state(&weak), "trusted");
    assert_eq!(attention(&world), Vec::<&str>::new());
    let plan = world.plan();
    let remarks = plan.items[0].certificate.as_ref().unwrap().remarks();
    assert_eq!(remarks, [Remark::Pinned(Reason::WeakKey)]);

    world.policy.trust.pins.clear();
    world.pass();
    assert_eq!(world.state(&weak), "trusted");
    assert_eq!(attention(&world), ["refused"]);
}

#[test]
fn a_pin_passes_no_refusal_that_is_not_a_matter_of_judgement() {
    let broken = certificate("broken", "k1", 300);
    let mut world = World::new();
    let one = RefusedCertificate {
        pin_passes: false,
        refusal: Refusal::new(Reason::WeakKey, "close primes"),
        certificate: Some(broken.clone()),
    };
    let verdict = FileVerdict::of(Vec::new(), vec![one], Vec::new(), Vec::new());
    world.files.insert("broken.pem".to_owned(), verdict);
    world.policy.trust.pins.insert(broken.fingerprint());
    world.pass();
    assert_eq!(world.posts, []);
    assert!(attention(&world).contains(&"refused"));
}
