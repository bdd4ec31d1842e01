//! A small world for the tests of the pure core: a source, a model SendGrid, a book and a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{
    BootId, Certificate, CertificateId, CertificateParts, FileVerdict, Fingerprint, KeyAlgorithm,
    Look, LookedFile, Moment, Reason, Refusal, Row, RowContent, SignatureHash, Skew, Timestamp,
    Validity,
};
use crate::plan::admission::issuers;
use crate::plan::book::{Belief, Book, PostOutcome, WriteOutcome};
use crate::plan::decision::{self, Author, Decision, Pausing, decide, set_pause};
use crate::plan::entry::Entry;
use crate::plan::policy::{
    DeliveryPolicy, ExpiryPolicy, Mode, Policy, Require, RetireAction, RetirePolicy, RetireWhen,
    TrustPolicy,
};
use crate::plan::retire::{How, Retirement};
use crate::plan::rollover::{Action, Inputs, Plan, note_holds, plan};
use crate::plan::settle::{ReadBack, Unreachable, resume, settle, suspects};
use crate::plan::source::note_source;

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// 2026-11-24T09:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_795_510_800);

/// A certificate of a name, with a key of a name, ending in so many days.
pub(crate) fn certificate(name: &str, key: &str, days: i64) -> Certificate {
    let end = NOW.as_secs() + days * 86_400;
    let start = (end - 366 * 86_400).min(NOW.as_secs() - 86_400);
    certificate_valid(name, key, start, end)
}

pub(crate) fn certificate_valid(name: &str, key: &str, start: i64, end: i64) -> Certificate {
    made(name, key, (start, end), (name, key), false)
}

/// A certificate of a year with a key of a name that this one signed, whatever its own name is.
pub(crate) fn issued(name: &str, key: &str, issuer: (&str, &str)) -> Certificate {
    let now = NOW.as_secs();
    made(name, key, (now - 86_400, now + 365 * 86_400), issuer, false)
}

/// A self-signed certificate of a year that may issue others.
pub(crate) fn authority(name: &str, key: &str) -> Certificate {
    let now = NOW.as_secs();
    made(
        name,
        key,
        (now - 86_400, now + 400 * 86_400),
        (name, key),
        true,
    )
}

/// Whether the second one's key signed the first one, as its DER says.
pub(crate) fn signed_by(certificate: &Certificate, issuer: &Certificate) -> bool {
    let words = |it: &Certificate| -> Vec<String> {
        let text = String::from_utf8(it.der().to_vec()).unwrap();
        text.split(' ').map(str::to_owned).collect()
    };
    let (signed, by) = (words(certificate), words(issuer));
    let signer = signed.get(4).unwrap_or(&signed[1]);
    certificate.issuer() == issuer.subject() && *signer == by[1]
}

fn made(
    name: &str,
    key: &str,
    (start, end): (i64, i64),
    (issuer, signer): (&str, &str),
    may_issue: bool,
) -> Certificate {
    let validity = Validity {
        not_before: Timestamp::from_secs(start),
        not_after: Timestamp::from_secs(end),
    };
    let own = format!("{name} {key} {start} {end}");
    let der = if signer == key {
        own
    } else {
        format!("{own} {signer}")
    };
    Certificate::new(CertificateParts {
        der: der.as_bytes(),
        subject_public_key_info: key.as_bytes(),
        validity,
        subject: format!("CN={name}"),
        issuer: format!("CN={issuer}"),
        self_signed: issuer == name && signer == key,
        may_issue,
        serial: &[1],
        key: KeyAlgorithm::Rsa(2048),
        signature: SignatureHash::Sha256,
        remarks: Vec::new(),
    })
}

/// A POST that nobody answered.
pub(crate) fn no_answer() -> PostOutcome {
    PostOutcome::Unknown {
        why: "no answer".to_owned(),
        is_answered: false,
    }
}

fn alice() -> Author {
    Author {
        name: "alice".to_owned(),
        note: String::new(),
        reason: None,
    }
}

/// What becomes of the next requests that change something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Stored and answered.
    Well,
    /// Stored, and the answer is lost.
    AnswerLost,
    /// Not stored, and nobody says so.
    RequestLost,
    /// Not stored, and answered by a 500.
    ServerError,
    /// Not stored, and answered by a 2xx.
    Forgotten,
    /// Stored, and answered by a 400.
    RefusedInVain,
    /// 400; to a PATCH or DELETE, 403.
    Refused,
    /// Certainly not carried out, for no fault of the certificate's.
    NotDone,
}

pub(crate) struct World {
    pub(crate) now: Moment,
    pub(crate) policy: Policy,
    pub(crate) files: BTreeMap<String, FileVerdict>,
    pub(crate) source_up: bool,
    pub(crate) skew: Skew,
    pub(crate) rows: Vec<Row>,
    pub(crate) disabled: BTreeSet<CertificateId>,
    pub(crate) book: Book,
    pub(crate) fate: Fate,
    pub(crate) posts: Vec<Fingerprint>,
    /// Every request to enable, disable or delete: the word, and when.
    pub(crate) writes: Vec<(&'static str, Fingerprint, Moment)>,
    pub(crate) history: Vec<Entry>,
    next_id: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let policy = Policy {
            mode: Mode::Manage,
            trust: TrustPolicy {
                require: Require::Source,
                hold_down: DAY,
                pins: BTreeSet::new(),
                new_keys_per_day: 0,
            },
            retire: RetirePolicy {
                action: RetireAction::Keep,
                when: RetireWhen::Expired,
                min_overlap: 30 * DAY,
                min_absence: 14 * DAY,
                expired_after: 7 * DAY,
            },
            expiry: ExpiryPolicy {
                successor: 45 * DAY,
                warn: 30 * DAY,
                critical: 7 * DAY,
            },
            delivery: DeliveryPolicy {
                settle: Duration::from_secs(180),
                refused_hold: DAY,
            },
        };
        Self {
            now: Moment {
                wall: NOW,
                boot: BootId::new("boot"),
                since_boot: Duration::from_secs(1000),
            },
            policy,
            files: BTreeMap::new(),
            source_up: true,
            skew: Skew::None,
            rows: Vec::new(),
            disabled: BTreeSet::new(),
            book: Book::default(),
            fate: Fate::Well,
            posts: Vec::new(),
            writes: Vec::new(),
            history: Vec::new(),
            next_id: 66_138_975,
        }
    }

    /// SendGrid's clock and ours are an hour apart.
    pub(crate) const fn doubt_the_clock(&mut self) {
        self.skew = Skew::Secs(3_600);
    }

    pub(crate) fn file(&mut self, name: &str, certificates: &[&Certificate]) {
        let certificates = certificates.iter().map(|it| (*it).clone()).collect();
        let verdict = FileVerdict::Accepted {
            certificates,
            refused: Vec::new(),
            issuers: Vec::new(),
            notes: Vec::new(),
        };
        self.files.insert(name.to_owned(), verdict);
    }

    pub(crate) fn refuse(&mut self, name: &str) {
        let refusal = Refusal::new(Reason::PemMalformed, "the text stops");
        self.files
            .insert(name.to_owned(), FileVerdict::refused(refusal));
    }

    /// A file is still being written.
    pub(crate) fn unfinished(&mut self, name: &str) {
        let verdict = FileVerdict::Waiting {
            until: self.now.wall.plus(Duration::from_millis(250)),
            otherwise: None,
        };
        self.files.insert(name.to_owned(), verdict);
    }

    /// Somebody else puts a row at SendGrid.
    pub(crate) fn row(&mut self, certificate: &Certificate) -> CertificateId {
        let id = CertificateId::parse(&self.next_id.to_string()).unwrap();
        self.next_id += 1;
        self.rows.push(Row {
            id: Some(id.clone()),
            content: RowContent::Certificate(Box::new(certificate.clone())),
        });
        id
    }

    /// Somebody else deletes it at SendGrid, and passes miss it for long enough.
    pub(crate) fn lose(&mut self, certificate: &Certificate) {
        self.rows.retain(|it| it.certificate() != Some(certificate));
        self.pass();
        self.sleep(Duration::from_secs(4 * 60));
        self.pass();
    }

    pub(crate) fn sleep(&mut self, duration: Duration) {
        self.now = self.now.plus(duration);
    }

    /// The daemon starts anew, with what the ledger says.
    pub(crate) fn restart(&mut self) {
        resume(&mut self.book, &self.policy.delivery, &self.now);
    }

    /// The machine is off for a while, and another boot begins.
    pub(crate) fn reboot(&mut self, off: Duration) {
        self.now = Moment {
            wall: self.now.wall.plus(off),
            boot: BootId::new(&format!("{} again", self.now.boot.as_str())),
            since_boot: Duration::from_secs(20),
        };
        self.restart();
    }

    pub(crate) fn look(&self) -> Option<Look> {
        let file = |(name, verdict): (&String, &FileVerdict)| LookedFile {
            path: PathBuf::from(format!("/certificates/{name}")),
            owner: "root 0644".to_owned(),
            stamp: format!("{name} {verdict:?}"),
            changed: NOW,
            content: None,
            verdict: verdict.clone(),
        };
        let mut look = Look {
            files: self.files.iter().map(file).collect(),
            ..Look::default()
        };
        look.issuers = issuers(look.certificates(), signed_by);
        self.source_up.then_some(look)
    }

    pub(crate) fn plan(&self) -> Plan {
        self.plan_with(self.look().as_ref())
    }

    pub(crate) fn plan_with(&self, look: Option<&Look>) -> Plan {
        self.plan_of(look, &self.rows)
    }

    /// Plans as if the list were this one.
    pub(crate) fn plan_by(&self, rows: &[Row]) -> Plan {
        self.plan_of(self.look().as_ref(), rows)
    }

    fn plan_of(&self, look: Option<&Look>, rows: &[Row]) -> Plan {
        let (book, policy) = (&self.book, &self.policy);
        plan(&Inputs {
            look,
            rows,
            book,
            policy,
            skew: self.skew,
            now: &self.now,
        })
    }

    /// Looks, lists, settles and plans, and sends nothing.
    pub(crate) fn observe(&mut self) -> Result<Plan, Unreachable> {
        let look = self.look();
        self.history.extend(note_source(
            &mut self.book,
            look.as_ref(),
            &self.policy,
            &self.now,
        ));
        self.list()?;
        let plan = self.plan();
        self.history
            .extend(note_holds(&mut self.book, &plan.items, &self.now));
        self.book.trust = plan.outlook.trust;
        Ok(plan)
    }

    fn list(&mut self) -> Result<(), Unreachable> {
        let delivery = self.policy.delivery;
        let ids = suspects(&self.book, &self.rows, &delivery, &self.now);
        let read = |id: CertificateId| {
            let row = self.rows.iter().find(|it| it.id.as_ref() == Some(&id));
            let back = row.map_or(ReadBack::NotThere, |it| {
                it.certificate()
                    .map_or(ReadBack::Unclear, |it| ReadBack::Holds(it.fingerprint()))
            });
            (id, back)
        };
        let reads = ids.into_iter().map(read).collect();
        self.history.extend(settle(
            &mut self.book,
            &self.rows,
            &reads,
            &delivery,
            self.skew,
            &self.now,
        )?);
        self.book.tidy(&self.now, self.skew);
        Ok(())
    }

    /// Lists and settles, and no GET is answered in a way that says something.
    pub(crate) fn list_without_reads(&mut self) {
        let (rows, delivery) = (&self.rows, &self.policy.delivery);
        let ids = suspects(&self.book, rows, delivery, &self.now);
        let reads = ids.into_iter().map(|it| (it, ReadBack::Unclear)).collect();
        let settled = settle(&mut self.book, rows, &reads, delivery, self.skew, &self.now);
        self.history.extend(settled.expect("reachable"));
    }

    /// One whole pass; what it planned before it acted.
    pub(crate) fn pass(&mut self) -> Plan {
        let plan = self.observe().expect("reachable");
        for action in &plan.actions {
            self.apply(action);
        }
        if !plan.actions.is_empty() {
            self.list().expect("reachable");
        }
        plan
    }

    pub(crate) fn apply(&mut self, action: &Action) {
        let fingerprint = action.certificate().fingerprint();
        if !matches!(action, Action::Upload { .. }) {
            let write = (action.word(), fingerprint, self.now.clone());
            self.writes.push(write);
        }
        let entries = match action {
            Action::Upload {
                certificate,
                is_new_key,
                ..
            } => {
                self.book.intend(certificate, *is_new_key, &self.now);
                self.posts.push(fingerprint);
                let outcome = self.post(certificate);
                self.book.record(fingerprint, &outcome, &self.now)
            }
            Action::Enable { id, .. } => {
                let before = self.book.beliefs.get(&fingerprint);
                let was_unsure = before.is_some_and(Belief::is_unsure);
                self.book.begin_enabling(fingerprint, &self.now);
                let outcome = self.write(|world| {
                    world.disabled.remove(id);
                });
                self.book
                    .end_enabling(fingerprint, was_unsure, &outcome, &self.now)
            }
            Action::Retire {
                id,
                how,
                ordered,
                again,
                ..
            } => {
                let is_it = |it: &Row| it.id.as_ref() == Some(id);
                let row = self.rows.iter().find(|it| is_it(it)).expect("read back");
                assert_eq!(row.certificate(), Some(action.certificate()));
                self.book
                    .begin_retirement(fingerprint, *how, *ordered, &self.now);
                let outcome = self.write(|world| match how {
                    How::Disable => {
                        world.disabled.insert(id.clone());
                    }
                    How::Delete => world.rows.retain(|it| !is_it(it)),
                });
                self.book
                    .end_retirement(fingerprint, *how, *again, &outcome, &self.now)
            }
        };
        self.history.extend(entries);
    }

    fn post(&mut self, certificate: &Certificate) -> PostOutcome {
        match self.fate {
            Fate::Well => {
                let id = self.row(certificate);
                PostOutcome::Answered {
                    id: Some(id),
                    took: Duration::from_millis(1),
                }
            }
            Fate::AnswerLost => {
                self.row(certificate);
                no_answer()
            }
            Fate::RequestLost => no_answer(),
            Fate::ServerError => PostOutcome::Unknown {
                why: "500".to_owned(),
                is_answered: true,
            },
            Fate::Forgotten => PostOutcome::Answered {
                id: None,
                took: Duration::from_millis(1),
            },
            Fate::RefusedInVain => {
                self.row(certificate);
                PostOutcome::Rejected("400".to_owned())
            }
            Fate::Refused => PostOutcome::Rejected("400".to_owned()),
            Fate::NotDone => PostOutcome::NotStored("no connection".to_owned()),
        }
    }

    fn write(&mut self, change: impl FnOnce(&mut Self)) -> WriteOutcome {
        match self.fate {
            Fate::Well => {
                change(self);
                WriteOutcome::Done {
                    took: Duration::from_millis(1),
                }
            }
            Fate::AnswerLost => {
                change(self);
                WriteOutcome::Unknown("no answer".to_owned())
            }
            Fate::RequestLost | Fate::ServerError | Fate::Forgotten => {
                WriteOutcome::Unknown("no answer".to_owned())
            }
            Fate::Refused | Fate::RefusedInVain => WriteOutcome::NotDone {
                why: "403".to_owned(),
                is_forbidden: true,
            },
            Fate::NotDone => WriteOutcome::NotDone {
                why: "no connection".to_owned(),
                is_forbidden: false,
            },
        }
    }

    /// Certificates that allow a login now.
    pub(crate) fn cover(&self) -> usize {
        let allows = |row: &&Row| {
            let is_enabled = row.id.as_ref().is_none_or(|it| !self.disabled.contains(it));
            let certificate = row.certificate();
            is_enabled && certificate.is_some_and(|it| it.validity().is_valid(self.now.wall))
        };
        self.rows.iter().filter(allows).count()
    }

    /// A person decides about a certificate.
    pub(crate) fn decide(
        &mut self,
        decision: Decision,
        certificate: &Certificate,
    ) -> Result<(), decision::Refusal> {
        let fingerprint = certificate.fingerprint();
        let skew = self.skew;
        let entries = decide(
            &mut self.book,
            fingerprint,
            decision,
            &alice(),
            skew,
            &self.now,
        )?;
        self.history.extend(entries);
        Ok(())
    }

    /// A person stops every write, or lets them go on.
    pub(crate) fn pause(&mut self, is_paused: bool) {
        let pausing = if is_paused {
            Pausing::Pause
        } else {
            Pausing::Resume
        };
        let entries = set_pause(&mut self.book, pausing, &alice(), &self.now);
        self.history.extend(entries);
    }

    /// The requests so far to enable, disable or delete a certificate, in a word.
    pub(crate) fn writes_of(&self, certificate: &Certificate) -> Vec<&'static str> {
        let of_it = |it: &&(&str, Fingerprint, Moment)| it.1 == certificate.fingerprint();
        self.writes.iter().filter(of_it).map(|it| it.0).collect()
    }

    /// Why a certificate is in its state, in the plan of now.
    pub(crate) fn why(&self, certificate: &Certificate) -> String {
        let plan = self.plan();
        let mut items = plan.items.iter();
        let item = items.find(|it| it.fingerprint == Some(certificate.fingerprint()));
        item.map_or_else(String::new, |it| it.why.to_string())
    }

    /// What is to become of an old certificate, in the plan of now.
    pub(crate) fn retirement(&self, certificate: &Certificate) -> Option<Retirement> {
        let plan = self.plan();
        let mut items = plan.items.into_iter();
        let item = items.find(|it| it.fingerprint == Some(certificate.fingerprint()));
        item.and_then(|it| it.retirement)
    }

    /// `state` of a certificate in the plan of now; `-` if it has none.
    pub(crate) fn state(&self, certificate: &Certificate) -> &'static str {
        let plan = self.plan();
        let item = plan
            .items
            .iter()
            .find(|it| it.fingerprint == Some(certificate.fingerprint()));
        item.map_or("-", |it| it.state.word())
    }

    pub(crate) fn rows_of(&self, certificate: &Certificate) -> usize {
        self.rows
            .iter()
            .filter(|it| it.certificate() == Some(certificate))
            .count()
    }

    pub(crate) fn words(&self) -> Vec<&'static str> {
        self.history.iter().map(|it| it.what.word()).collect()
    }
}
