//! Three years of every kind of identity provider, in virtual time, as stories that a person can read.
//!
//! A pass is made when something happens, when one is due, and once a day. The world knows with which key the identity
//! provider signs, so each story says from when to when logins work. What no story may show is a login that works before
//! one of our passes and not after it.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use super::*;
use crate::domain::Timestamp;
use crate::plan::decision::Decision;
use crate::plan::policy::{Require, RetireAction, RetireWhen};
use crate::plan::retire::How;
use crate::plan::rollover::{Action, Plan};
use crate::plan::testing::certificate_valid;

type Deed = Box<dyn FnOnce(&mut World)>;

struct Story {
    world: World,
    /// What happens on which day, in order.
    events: Vec<(i64, String, Deed)>,
    /// From which day on the identity provider signs with which certificate's key.
    signs: Vec<(i64, Certificate)>,
    told: Vec<String>,
    states: BTreeMap<String, &'static str>,
    called: String,
    works: bool,
    /// How often logins stopped that had worked.
    outages: usize,
}

fn day(number: i64) -> Timestamp {
    Timestamp::from_secs(NOW.as_secs() + number * 86_400)
}

/// A certificate that is valid from one day to another.
fn valid(name: &str, key: &str, from: i64, to: i64) -> Certificate {
    certificate_valid(name, key, day(from).as_secs(), day(to).as_secs())
}

fn name_of(certificate: &Certificate) -> String {
    certificate.subject().trim_start_matches("CN=").to_owned()
}

impl Story {
    /// Old certificates are deleted once they are over, or gone and succeeded for long enough.
    fn new() -> Self {
        let mut world = World::new();
        world.policy.retire.action = RetireAction::Delete;
        world.policy.retire.when = RetireWhen::Absent;
        world.policy.trust.new_keys_per_day = 5;
        Self {
            world,
            events: Vec::new(),
            signs: Vec::new(),
            told: Vec::new(),
            states: BTreeMap::new(),
            called: "nobody".to_owned(),
            works: false,
            outages: 0,
        }
    }

    fn on(&mut self, number: i64, what: &str, deed: impl FnOnce(&mut World) + 'static) {
        self.events.push((number, what.to_owned(), Box::new(deed)));
    }

    /// A file holds these from this day on.
    fn file(&mut self, number: i64, what: &str, name: &str, certificates: &[&Certificate]) {
        let certificates: Vec<Certificate> = certificates.iter().map(|it| (*it).clone()).collect();
        let name = name.to_owned();
        self.on(number, what, move |world| {
            world.file(&name, &certificates.iter().collect::<Vec<_>>());
        });
    }

    fn signs(&mut self, number: i64, certificate: &Certificate) {
        self.signs.push((number, certificate.clone()));
        let what = format!("the IdP signs with {} from now on", name_of(certificate));
        self.on(number, &what, |_| {});
    }

    fn decides(&mut self, number: i64, decision: Decision, certificate: &Certificate) {
        let what = format!("a person: {} {}", decision.word(), name_of(certificate));
        let certificate = certificate.clone();
        self.on(number, &what, move |world| {
            world.decide(decision, &certificate).unwrap();
        });
    }

    /// Somebody deletes its row at SendGrid.
    fn deleted(&mut self, number: i64, certificate: &Certificate) {
        let what = format!(
            "an administrator deletes {} at SendGrid",
            name_of(certificate)
        );
        let certificate = certificate.clone();
        self.on(number, &what, move |world| {
            world
                .rows
                .retain(|it| it.certificate() != Some(&certificate));
        });
    }

    fn run(mut self, days: i64) -> Self {
        self.events.sort_by_key(|it| it.0);
        let mut events = std::mem::take(&mut self.events).into_iter().peekable();
        let mut tick = 0;
        let mut due = None;
        while tick <= days {
            let next = [Some(day(tick)), events.peek().map(|it| day(it.0)), due];
            let next = next.into_iter().flatten().min().unwrap();
            self.world.sleep(next.since(self.world.now.wall));
            let now = self.world.now.wall;
            while let Some((_, what, deed)) = events.next_if(|it| day(it.0) <= now) {
                deed(&mut self.world);
                self.tell(&what);
            }
            if day(tick) <= now {
                tick += 1;
            }
            self.note_logins();
            let worked = self.does_work();
            let plan = self.world.pass();
            assert!(
                !worked || self.does_work(),
                "we locked everybody out:\n{}",
                self.told.join("\n")
            );
            self.note_pass(&plan);
            let soon = now.plus(Duration::from_secs(1));
            due = self.world.plan().due.map(|it| it.max(soon));
        }
        self
    }

    /// Whether SendGrid holds, enabled and valid, the key that the identity provider signs with.
    fn does_work(&self) -> bool {
        let now = self.world.now.wall;
        let signing = self.signs.iter().rev().find(|it| day(it.0) <= now);
        let Some((_, signing)) = signing else {
            return false;
        };
        self.world.rows.iter().any(|row| {
            let is_enabled = row
                .id
                .as_ref()
                .is_none_or(|it| !self.world.disabled.contains(it));
            is_enabled
                && row.certificate().is_some_and(|it| {
                    it.key_id() == signing.key_id() && it.validity().is_valid(now)
                })
        })
    }

    fn tell(&mut self, what: &str) {
        let date = self.world.now.wall.date();
        let is_same_day = self.told.iter().rev().find(|it| !it.starts_with(' '));
        if is_same_day.is_some_and(|it| it.starts_with(&date)) {
            self.told.push(format!("            {what}"));
        } else {
            self.told.push(format!("{date}  {what}"));
        }
    }

    fn note_logins(&mut self) {
        let works = self.does_work();
        if std::mem::replace(&mut self.works, works) == works {
            return;
        }
        if works {
            self.tell("* logins work");
        } else {
            self.outages += 1;
            self.tell("* NOBODY CAN LOG IN");
        }
    }

    fn note_pass(&mut self, plan: &Plan) {
        for action in &plan.actions {
            let why = match action {
                Action::Upload { evidence, .. } | Action::Enable { evidence, .. } => {
                    evidence.to_string()
                }
                Action::Retire { grounds, .. } => {
                    let mut why = grounds.to_string();
                    // Fingerprints say nothing here; which one goes on does.
                    for row in self.world.rows.iter().filter_map(|it| it.certificate()) {
                        why = why.replace(&row.fingerprint().brief(), &name_of(row));
                    }
                    why
                }
            };
            let name = name_of(action.certificate());
            self.tell(&format!("- {}s {name} ({why})", action.word()));
        }
        self.note_logins();
        let plan = self.world.plan();
        let states: BTreeMap<String, &'static str> = plan
            .items
            .iter()
            .filter_map(|it| Some((name_of(it.certificate.as_ref()?), it.state.word())))
            .collect();
        let changed = states
            .iter()
            .filter(|(name, state)| self.states.get(*name) != Some(*state));
        let mut changed: Vec<String> = changed
            .map(|(name, state)| format!("{name} is {state}"))
            .collect();
        let left = self.states.keys().filter(|it| !states.contains_key(*it));
        changed.extend(left.map(|it| format!("{it} is history")));
        if !changed.is_empty() {
            self.tell(&format!("  {}", changed.join(", ")));
            self.states = states;
        }
        let reasons = attention(&self.world);
        let called = if reasons.is_empty() {
            "nobody".to_owned()
        } else {
            reasons.join(", ")
        };
        if called != self.called {
            self.tell(&format!(
                "! calls {}",
                if reasons.is_empty() {
                    "nobody any more"
                } else {
                    &called
                }
            ));
            self.called = called;
        }
    }

    #[track_caller]
    fn reads(&self, expected: &Expect) {
        expected.assert_eq(&(self.told.join("\n") + "\n"));
    }

    /// On how many days a person was called for this reason for the first time or again.
    fn calls(&self, reason: &str) -> usize {
        self.told
            .iter()
            .filter(|it| it.contains("! calls") && it.contains(reason))
            .count()
    }
}

/// Published twenty days before the end, signed with five days later.
#[test]
fn ad_fs() {
    let mut story = Story::new();
    let years: Vec<Certificate> = (0..4)
        .map(|it| {
            valid(
                &format!("adfs-{}", 2026 + it),
                &format!("k{it}"),
                345 * it,
                345 * it + 365,
            )
        })
        .collect();
    story.world.policy.expiry.successor = 14 * DAY;
    story.signs(0, &years[0]);
    story.file(0, "metadata with adfs-2026", "adfs.xml", &[&years[0]]);
    for (number, pair) in (1..).zip(years.windows(2)) {
        let (old, new) = (&pair[0], &pair[1]);
        let published = 345 * number;
        let what = format!("metadata with {} and {}", name_of(old), name_of(new));
        story.file(published, &what, "adfs.xml", &[new, old]);
        story.signs(published + 5, new);
        let what = format!("metadata with {} alone", name_of(new));
        story.file(published + 20, &what, "adfs.xml", &[new]);
    }
    let story = story.run(3 * 365);
    assert_eq!((story.outages, story.calls("")), (0, 0));
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with adfs-2026 from now on
                    metadata with adfs-2026
                    - uploads adfs-2026 (source)
                    * logins work
                      adfs-2026 is trusted
        2027-11-04  metadata with adfs-2026 and adfs-2027
                    - uploads adfs-2027 (source)
                      adfs-2027 is trusted
        2027-11-09  the IdP signs with adfs-2027 from now on
        2027-11-24  metadata with adfs-2027 alone
                      adfs-2026 is superseded
                      adfs-2026 is expired
        2027-12-01  - deletes adfs-2026 (over since 2027-11-24)
                      adfs-2026 is history
        2028-10-14  metadata with adfs-2027 and adfs-2028
                    - uploads adfs-2028 (source)
                      adfs-2028 is trusted
        2028-10-19  the IdP signs with adfs-2028 from now on
        2028-11-03  metadata with adfs-2028 alone
                      adfs-2027 is superseded
                      adfs-2027 is expired
        2028-11-10  - deletes adfs-2027 (over since 2028-11-03)
                      adfs-2027 is history
        2029-09-24  metadata with adfs-2028 and adfs-2029
                    - uploads adfs-2029 (source)
                      adfs-2029 is trusted
        2029-09-29  the IdP signs with adfs-2029 from now on
        2029-10-14  metadata with adfs-2029 alone
                      adfs-2028 is superseded
                      adfs-2028 is expired
        2029-10-21  - deletes adfs-2028 (over since 2029-10-14)
                      adfs-2028 is history
    "#]]);
}

/// Nobody acts on three mails; Entra signs with the new one by itself as soon as the old one is over.
#[test]
fn entra_id_expired_then_new() {
    let mut story = Story::new();
    let (old, new) = (
        valid("entra-1", "k1", -30, 335),
        valid("entra-2", "k2", 336, 1431),
    );
    story.signs(0, &old);
    story.file(0, "entra-1.cer", "entra-1.cer", &[&old]);
    story.signs(336, &new);
    story.file(
        338,
        "an administrator brings entra-2.cer",
        "entra-2.cer",
        &[&new],
    );
    let story = story.run(3 * 365);
    assert_eq!(story.outages, 1, "until the file came, and no day longer");
    assert_eq!(story.calls("no_successor"), 2);
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with entra-1 from now on
                    entra-1.cer
                    - uploads entra-1 (source)
                    * logins work
                      entra-1 is trusted
        2027-09-10  ! calls no_successor
        2027-10-18  ! calls trust_ends, no_successor
        2027-10-25  * NOBODY CAN LOG IN
                      entra-1 is expired
                    ! calls no_trust
        2027-10-26  the IdP signs with entra-2 from now on
        2027-10-28  an administrator brings entra-2.cer
                    - uploads entra-2 (source)
                    * logins work
                      entra-2 is trusted
                    ! calls nobody any more
        2027-11-01  - deletes entra-1 (over since 2027-10-25)
    "#]]);
}

/// The administrator brings the file and switches in the same minute; the old file is overwritten.
#[test]
fn okta_hard_cut() {
    let mut story = Story::new();
    let (old, new) = (
        valid("okta-1", "k1", -1, 3649),
        valid("okta-2", "k2", 400, 4049),
    );
    story.signs(0, &old);
    story.file(0, "okta.cert", "okta.cert", &[&old]);
    story.file(400, "okta.cert is overwritten", "okta.cert", &[&new]);
    story.signs(400, &new);
    let story = story.run(3 * 365);
    assert_eq!(story.calls(""), 0);
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with okta-1 from now on
                    okta.cert
                    - uploads okta-1 (source)
                    * logins work
                      okta-1 is trusted
        2027-12-29  okta.cert is overwritten
                    the IdP signs with okta-2 from now on
                    * NOBODY CAN LOG IN
                    - uploads okta-2 (source)
                    * logins work
                      okta-1 is superseded, okta-2 is trusted
        2028-01-28  - deletes okta-1 (its file is gone for 30 d, okta-2 is trusted for 30 d)
                      okta-1 is history
    "#]]);
}

/// A new key every four months: active and passive in one file, the oldest dropped.
#[test]
fn keycloak_rotation() {
    let mut story = Story::new();
    let keys: Vec<Certificate> = (0..8)
        .map(|it| {
            valid(
                &format!("realm-{it}"),
                &format!("k{it}"),
                120 * it - 1,
                120 * it + 3650,
            )
        })
        .collect();
    story.signs(0, &keys[0]);
    story.file(0, "realm-0 alone", "realm.pem", &[&keys[0]]);
    for (number, pair) in (1..).zip(keys.windows(2)) {
        let what = format!(
            "{} active, {} passive",
            name_of(&pair[1]),
            name_of(&pair[0])
        );
        story.file(120 * number, &what, "realm.pem", &[&pair[1], &pair[0]]);
        story.signs(120 * number + 1, &pair[1]);
    }
    let story = story.run(3 * 365);
    assert_eq!((story.outages, story.calls("")), (0, 0));
    assert!(story.world.rows.len() <= 4, "old ones go in time");
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with realm-0 from now on
                    realm-0 alone
                    - uploads realm-0 (source)
                    * logins work
                      realm-0 is trusted
        2027-03-24  realm-1 active, realm-0 passive
                    - uploads realm-1 (source)
                      realm-1 is trusted
        2027-03-25  the IdP signs with realm-1 from now on
        2027-07-22  realm-2 active, realm-1 passive
                    - uploads realm-2 (source)
                      realm-0 is superseded, realm-2 is trusted
        2027-07-23  the IdP signs with realm-2 from now on
        2027-08-21  - deletes realm-0 (its file is gone for 30 d, realm-2 is trusted for 30 d)
                      realm-0 is history
        2027-11-19  realm-3 active, realm-2 passive
                    - uploads realm-3 (source)
                      realm-1 is superseded, realm-3 is trusted
        2027-11-20  the IdP signs with realm-3 from now on
        2027-12-19  - deletes realm-1 (its file is gone for 30 d, realm-3 is trusted for 30 d)
                      realm-1 is history
        2028-03-18  realm-4 active, realm-3 passive
                    - uploads realm-4 (source)
                      realm-2 is superseded, realm-4 is trusted
        2028-03-19  the IdP signs with realm-4 from now on
        2028-04-17  - deletes realm-2 (its file is gone for 30 d, realm-4 is trusted for 30 d)
                      realm-2 is history
        2028-07-16  realm-5 active, realm-4 passive
                    - uploads realm-5 (source)
                      realm-3 is superseded, realm-5 is trusted
        2028-07-17  the IdP signs with realm-5 from now on
        2028-08-15  - deletes realm-3 (its file is gone for 30 d, realm-5 is trusted for 30 d)
                      realm-3 is history
        2028-11-13  realm-6 active, realm-5 passive
                    - uploads realm-6 (source)
                      realm-4 is superseded, realm-6 is trusted
        2028-11-14  the IdP signs with realm-6 from now on
        2028-12-13  - deletes realm-4 (its file is gone for 30 d, realm-6 is trusted for 30 d)
                      realm-4 is history
        2029-03-13  realm-7 active, realm-6 passive
                    - uploads realm-7 (source)
                      realm-5 is superseded, realm-7 is trusted
        2029-03-14  the IdP signs with realm-7 from now on
        2029-04-12  - deletes realm-5 (its file is gone for 30 d, realm-7 is trusted for 30 d)
                      realm-5 is history
    "#]]);
}

/// Published, and withdrawn before it was ever used.
#[test]
fn a_withdrawn_certificate() {
    let mut story = Story::new();
    let (used, withdrawn) = (
        valid("used", "k1", -1, 1200),
        valid("withdrawn", "k2", 99, 1400),
    );
    story.signs(0, &used);
    story.file(0, "used.pem", "used.pem", &[&used]);
    story.file(100, "withdrawn.pem", "withdrawn.pem", &[&withdrawn]);
    story.on(110, "withdrawn.pem is taken away again", |world| {
        drop(world.files.remove("withdrawn.pem"));
    });
    story.decides(200, Decision::Retire(How::Delete), &withdrawn);
    let story = story.run(3 * 365);
    assert_eq!((story.outages, story.calls("")), (0, 0));
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with used from now on
                    used.pem
                    - uploads used (source)
                    * logins work
                      used is trusted
        2027-03-04  withdrawn.pem
                    - uploads withdrawn (source)
                      withdrawn is trusted
        2027-03-14  withdrawn.pem is taken away again
        2027-06-12  a person: retire withdrawn
                    - deletes withdrawn (order)
                      withdrawn is history
    "#]]);
}

/// Somebody removes it at SendGrid in an emergency, and the same key comes back in another wrapper.
#[test]
fn an_emergency_removal_at_sendgrid() {
    let mut story = Story::new();
    let bad = valid("compromised", "bad", -1, 1200);
    let other = valid("standby", "k2", -1, 1300);
    let wrapped = valid("wrapped-again", "bad", 40, 1400);
    let fresh = valid("fresh", "k3", 60, 1500);
    story.signs(0, &bad);
    story.file(0, "both files", "both.pem", &[&bad, &other]);
    story.deleted(30, &bad);
    story.signs(31, &other);
    story.file(40, "wrapped-again.pem", "wrapped-again.pem", &[&wrapped]);
    story.decides(45, Decision::Deny, &bad);
    story.file(
        60,
        "both.pem holds fresh and standby",
        "both.pem",
        &[&fresh, &other],
    );
    story.on(60, "wrapped-again.pem is taken away", |world| {
        drop(world.files.remove("wrapped-again.pem"));
    });
    story.signs(61, &fresh);
    let story = story.run(3 * 365);
    assert_eq!(story.world.rows_of(&bad) + story.world.rows_of(&wrapped), 0);
    assert_eq!(story.calls("removed"), 1);
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with compromised from now on
                    both files
                    - uploads standby (source)
                    - uploads compromised (source)
                    * logins work
                      compromised is trusted, standby is trusted
        2026-12-24  an administrator deletes compromised at SendGrid
                    * NOBODY CAN LOG IN
                      compromised is settling
                      compromised is removed
                    ! calls removed
        2026-12-25  the IdP signs with standby from now on
                    * logins work
        2027-01-03  wrapped-again.pem
                      wrapped-again is held
        2027-01-08  a person: deny compromised
                      compromised is denied, wrapped-again is denied
                    ! calls nobody any more
        2027-01-23  both.pem holds fresh and standby
                    wrapped-again.pem is taken away
                    - uploads fresh (source)
                      fresh is trusted, wrapped-again is history
        2027-01-24  the IdP signs with fresh from now on
    "#]]);
}

/// A key is stolen: a person takes it out at once, and the file that still holds it brings nothing back.
#[test]
fn a_stolen_key() {
    let mut story = Story::new();
    let (stolen, next) = (
        valid("stolen", "bad", -1, 1200),
        valid("next", "k2", -1, 1300),
    );
    story.signs(0, &stolen);
    story.file(0, "both files", "both.pem", &[&stolen, &next]);
    story.signs(50, &next);
    story.decides(50, Decision::Deny, &stolen);
    story.decides(50, Decision::Retire(How::Delete), &stolen);
    story.on(90, "the daemon and its machine start anew", |world| {
        world.reboot(HOUR);
    });
    let story = story.run(3 * 365);
    assert_eq!((story.outages, story.world.rows_of(&stolen)), (0, 0));
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with stolen from now on
                    both files
                    - uploads stolen (source)
                    - uploads next (source)
                    * logins work
                      next is trusted, stolen is trusted
        2027-01-13  the IdP signs with next from now on
                    a person: deny stolen
                    a person: retire stolen
                    - deletes stolen (order)
                      stolen is denied
        2027-02-22  the daemon and its machine start anew
    "#]]);
}

/// A share that comes and goes for a year: nothing is concluded from it, and nobody is locked out.
#[test]
fn a_glitching_directory() {
    let mut story = Story::new();
    let (a, b) = (valid("a", "k1", -1, 1200), valid("b", "k2", -1, 1300));
    story.signs(0, &a);
    story.file(0, "a.pem and b.pem", "a.pem", &[&a]);
    story.file(0, "b.pem", "b.pem", &[&b]);
    for number in 0..12 {
        let from = 20 + 30 * number;
        match number % 3 {
            0 => story.on(from, "the directory cannot be read", |world| {
                world.source_up = false;
            }),
            1 => story.on(from, "the directory is empty", |world| world.files.clear()),
            _ => story.on(from, "a.pem is cut in the middle", |world| {
                world.refuse("a.pem");
            }),
        }
        let (a, b) = (a.clone(), b.clone());
        story.on(from + 20, "all is as it was", move |world| {
            world.source_up = true;
            world.file("a.pem", &[&a]);
            world.file("b.pem", &[&b]);
        });
    }
    let story = story.run(3 * 365);
    assert_eq!(story.outages, 0);
    assert!(story.world.writes.is_empty(), "nothing was taken away");
    assert_eq!(story.world.posts.len(), 2, "nor sent twice");
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with a from now on
                    a.pem and b.pem
                    b.pem
                    - uploads a (source)
                    - uploads b (source)
                    * logins work
                      a is trusted, b is trusted
        2026-12-14  the directory cannot be read
                    ! calls source_down
        2027-01-03  all is as it was
                    ! calls nobody any more
        2027-01-13  the directory is empty
        2027-02-02  all is as it was
        2027-02-12  a.pem is cut in the middle
                    ! calls refused
        2027-03-04  all is as it was
                    ! calls nobody any more
        2027-03-14  the directory cannot be read
                    ! calls source_down
        2027-04-03  all is as it was
                    ! calls nobody any more
        2027-04-13  the directory is empty
        2027-05-03  all is as it was
        2027-05-13  a.pem is cut in the middle
                    ! calls refused
        2027-06-02  all is as it was
                    ! calls nobody any more
        2027-06-12  the directory cannot be read
                    ! calls source_down
        2027-07-02  all is as it was
                    ! calls nobody any more
        2027-07-12  the directory is empty
        2027-08-01  all is as it was
        2027-08-11  a.pem is cut in the middle
                    ! calls refused
        2027-08-31  all is as it was
                    ! calls nobody any more
        2027-09-10  the directory cannot be read
                    ! calls source_down
        2027-09-30  all is as it was
                    ! calls nobody any more
        2027-10-10  the directory is empty
        2027-10-30  all is as it was
        2027-11-09  a.pem is cut in the middle
                    ! calls refused
        2027-11-29  all is as it was
                    ! calls nobody any more
    "#]]);
}

/// One file that its successor overwrites three weeks before the identity provider switches.
#[test]
fn a_file_overwritten_three_weeks_too_early() {
    let mut story = Story::new();
    let (old, new) = (valid("old", "k1", -1, 700), valid("new", "k2", 99, 1400));
    story.signs(0, &old);
    story.file(0, "idp.pem", "idp.pem", &[&old]);
    story.file(
        100,
        "idp.pem is overwritten by its successor",
        "idp.pem",
        &[&new],
    );
    story.signs(121, &new);
    let story = story.run(3 * 365);
    assert_eq!((story.outages, story.calls("")), (0, 0));
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with old from now on
                    idp.pem
                    - uploads old (source)
                    * logins work
                      old is trusted
        2027-03-04  idp.pem is overwritten by its successor
                    - uploads new (source)
                      new is trusted, old is superseded
        2027-03-25  the IdP signs with new from now on
        2027-04-03  - deletes old (its file is gone for 30 d, new is trusted for 30 d)
                      old is history
    "#]]);
}

/// A bundle that keeps what is over.
#[test]
fn a_bundle_whose_old_half_ends() {
    let mut story = Story::new();
    let (old, new) = (
        valid("old-half", "k1", -300, 60),
        valid("new-half", "k2", -1, 1200),
    );
    story.signs(0, &old);
    story.file(0, "bundle.pem", "bundle.pem", &[&old, &new]);
    story.signs(55, &new);
    let story = story.run(3 * 365);
    assert_eq!(story.outages, 0);
    assert_eq!(story.world.posts.len(), 2, "what is over is not sent again");
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with old-half from now on
                    bundle.pem
                    - uploads old-half (source)
                    - uploads new-half (source)
                    * logins work
                      new-half is trusted, old-half is trusted
        2027-01-18  the IdP signs with new-half from now on
        2027-01-23    old-half is expired
        2027-01-30  - deletes old-half (over since 2027-01-23)
    "#]]);
}

/// The ledger is lost in the middle: nothing is ours until a person says so.
#[test]
fn a_lost_ledger() {
    let mut story = Story::new();
    let (old, new) = (valid("old", "k1", -1, 400), valid("new", "k2", -1, 1300));
    story.signs(0, &old);
    story.file(0, "old.pem and new.pem", "old.pem", &[&old]);
    story.file(0, "new.pem", "new.pem", &[&new]);
    story.signs(90, &new);
    story.on(95, "old.pem is taken away", |world| {
        drop(world.files.remove("old.pem"));
    });
    story.on(100, "the ledger is lost", |world| {
        world.book = crate::plan::book::Book::default();
    });
    story.decides(500, Decision::Adopt, &new);
    story.decides(500, Decision::Adopt, &old);
    let story = story.run(3 * 365);
    assert_eq!(story.outages, 0);
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with old from now on
                    old.pem and new.pem
                    new.pem
                    - uploads old (source)
                    - uploads new (source)
                    * logins work
                      new is trusted, old is trusted
        2027-02-22  the IdP signs with new from now on
        2027-02-27  old.pem is taken away
                      old is superseded
        2027-03-04  the ledger is lost
                      new is found, old is inherited
        2027-12-29    old is expired
        2028-04-07  a person: adopt new
                    a person: adopt old
                    - enables new (order)
                    - enables old (order)
                      new is trusted
        2028-04-08  - deletes old (over since 2027-12-29)
                      old is history
    "#]]);
}

/// Somebody put one there before us, and it is disabled, which nobody can see.
#[test]
fn a_disabled_foreign_certificate_beside_ours() {
    let mut story = Story::new();
    let (foreign, ours) = (
        valid("foreign", "k1", -1, 1300),
        valid("ours", "k2", -1, 500),
    );
    let id = story.world.row(&foreign);
    story.world.disabled.insert(id);
    story.signs(0, &ours);
    story.file(0, "foreign.pem and ours.pem", "foreign.pem", &[&foreign]);
    story.file(0, "ours.pem", "ours.pem", &[&ours]);
    story.on(50, "ours.pem is taken away", |world| {
        drop(world.files.remove("ours.pem"));
    });
    story.decides(300, Decision::Adopt, &foreign);
    story.signs(310, &foreign);
    let story = story.run(3 * 365);
    assert_eq!(
        story.outages, 0,
        "a found one is none that stays, so ours stayed"
    );
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with ours from now on
                    foreign.pem and ours.pem
                    ours.pem
                    - uploads ours (source)
                    * logins work
                      foreign is found, ours is trusted
        2027-01-13  ours.pem is taken away
                      ours is superseded
        2027-09-20  a person: adopt foreign
                    - enables foreign (order)
                      foreign is trusted
        2027-09-30  the IdP signs with foreign from now on
        2027-10-20  - deletes ours (its file is gone for 280 d, foreign is trusted for 30 d)
                      ours is history
    "#]]);
}

/// Every new key waits for a person, who takes a week.
#[test]
fn approval_by_a_person_who_takes_a_week() {
    let mut story = Story::new();
    story.world.policy.trust.require = Require::Approval;
    let (old, new) = (valid("old", "k1", -1, 365), valid("new", "k2", 300, 1400));
    story.signs(0, &old);
    story.file(0, "old.pem", "old.pem", &[&old]);
    story.decides(0, Decision::Approve, &old);
    story.file(300, "new.pem", "new.pem", &[&new]);
    story.decides(307, Decision::Approve, &new);
    story.signs(320, &new);
    let story = story.run(3 * 365);
    assert_eq!((story.outages, story.calls("approval")), (0, 1));
    story.reads(&expect![[r#"
        2026-11-24  the IdP signs with old from now on
                    old.pem
                    a person: approve old
                    - uploads old (approval)
                    * logins work
                      old is trusted
        2027-09-20  new.pem
                      new is held
                    ! calls approval
        2027-09-27  a person: approve new
                    - uploads new (approval)
                      new is trusted
                    ! calls nobody any more
        2027-10-10  the IdP signs with new from now on
        2027-11-24    old is expired
        2027-12-01  - deletes old (over since 2027-11-24)
    "#]]);
}
