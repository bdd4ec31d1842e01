//! PATCH and DELETE in the model world, what people decide there, and the witness's watch over both.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sso_certd::adapter::sendgrid::{CallError, Doing, Failure, Written};
use sso_certd::daemon::calls::WriteAnswer;
use sso_certd::domain::{
    Certificate, CertificateId, FileVerdict, Fingerprint, Look, PublicKeyId, Row, Timestamp,
};
use sso_certd::plan::book::{Belief, Book, Deleting, Standing};
use sso_certd::plan::decision::Decision;
use sso_certd::plan::entry::What;
use sso_certd::plan::gate::{Operation, Outcome};
use sso_certd::plan::policy::{Mode, Policy, Require};
use sso_certd::plan::settle::ReadBack;

use super::hands::{Fate, ModelHands, breathe};
use super::rules::{Rule, Violation, Witness};
use super::site::{Stage, integration};
use super::world::{DAY, World};

/// For so long a certificate that may have issued others waits for unfinished files.
const MINUTE: Duration = Duration::from_secs(60);

/// A request about a row that is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sent {
    Enable,
    Disable,
    Delete,
}

impl Sent {
    const fn what(self) -> What {
        match self {
            Self::Enable => What::Enabling,
            Self::Disable | Self::Delete => What::Retiring,
        }
    }

    const fn operation(self) -> Operation {
        match self {
            Self::Enable | Self::Disable => Operation::Update,
            Self::Delete => Operation::Delete,
        }
    }
}

/// What one daemon did to rows, and what people said to it.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// What the wall clock said when the daemon last asked it.
    pub(super) clock: Option<Timestamp>,
    /// Requests about rows that are there.
    pub(super) count: usize,
    /// Of those, the ones that took something away.
    pub(super) taken: usize,
    /// Rows that came to be its own: by a POST, or by an answered PATCH on an order.
    owned: BTreeSet<CertificateId>,
    /// Of others' rows, those that an answered PATCH enabled.
    adopted: BTreeSet<CertificateId>,
    /// Rows that a request took away or may have, and that nothing certain enabled since.
    doubted: BTreeSet<CertificateId>,
    /// Rows of which the daemon does not know what came of its request.
    open: BTreeSet<CertificateId>,
    last_taken: Option<(Duration, CertificateId)>,
    /// Whether the last request that takes something away came less than a day after another: it repeats that one.
    is_repeated: bool,
    /// The row whose request has just been answered for certain.
    answered: Option<CertificateId>,
    /// The row about which a request was announced in this life, and not made yet.
    announced: Option<CertificateId>,
    list: Vec<Row>,
    has_added: bool,
    has_taken: bool,
    approved: BTreeSet<Fingerprint>,
    /// Approved by all digits: also if their keys were removed.
    keys_approved: BTreeSet<Fingerprint>,
    denied: BTreeSet<Fingerprint>,
    /// Denied, and their keys as well.
    keys_denied: BTreeSet<Fingerprint>,
    pub(super) restored: BTreeSet<Fingerprint>,
    taken_by_order: BTreeSet<Fingerprint>,
    present_since: BTreeMap<Fingerprint, Duration>,
}

impl Writes {
    pub(super) fn is_in_doubt(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether the operator lets it in.
    pub(super) fn is_let_in(&self, fingerprint: Fingerprint) -> bool {
        self.approved.contains(&fingerprint) || self.restored.contains(&fingerprint)
    }

    /// Whether the operator lets it in although its key was removed.
    pub(super) fn is_key_let_in(&self, fingerprint: Fingerprint) -> bool {
        self.keys_approved.contains(&fingerprint)
    }

    /// Whether the operator said never to it.
    pub(super) fn is_denied(&self, fingerprint: Fingerprint) -> bool {
        self.denied.contains(&fingerprint)
    }

    /// Whether the list shows one of ours with this key.
    pub(super) fn lists_ours_with(&self, key: PublicKeyId) -> bool {
        self.list.iter().any(|row| {
            let of_ours = row.id.as_ref().is_some_and(|it| self.owned.contains(it));
            of_ours && row.certificate().map(Certificate::key_id) == Some(key)
        })
    }

    /// Whether a belief may change like this without a list: by our own announcement, or by an answer.
    pub(super) fn explains(&self, was: &Standing, is: &Standing) -> bool {
        let answered = |id: &CertificateId| {
            self.answered.as_ref() == Some(id) || self.announced.as_ref() == Some(id)
        };
        match (was, is) {
            (Standing::Confirmed(_), Standing::Disabled { unsure, .. }) => *unsure,
            (
                Standing::Confirmed(_) | Standing::Disabled { .. } | Standing::Deleting(_),
                Standing::Deleting(_),
            )
            | (Standing::Disabled { .. }, Standing::Disabled { .. }) => true,
            (
                Standing::Foreign { id: Some(id), .. }
                | Standing::Disabled { id, .. }
                | Standing::Deleting(Deleting { id, .. }),
                Standing::Confirmed(_) | Standing::Disabled { .. },
            ) => answered(id),
            _ => false,
        }
    }

    /// A book was made durable.
    pub(super) fn saved(&mut self, before: &Book, after: &Book) {
        for (fingerprint, belief) in &after.beliefs {
            let was = before.beliefs.get(fingerprint).map(|it| &it.standing);
            match &belief.standing {
                Standing::Confirmed(id) => {
                    let is_come =
                        matches!(was, Some(Standing::Intent(_) | Standing::Removed { .. }))
                            || self.answered.as_ref() == Some(id);
                    if is_come {
                        self.owned.insert(id.clone());
                    }
                    if matches!(was, Some(Standing::Deleting(_))) {
                        self.doubted.remove(id); // a GET found it, long after
                    }
                    self.restored.remove(fingerprint);
                    self.taken_by_order.remove(fingerprint);
                }
                Standing::Foreign { .. } => {
                    self.restored.remove(fingerprint);
                    self.taken_by_order.remove(fingerprint);
                }
                Standing::Retired { ordered: true } => {
                    self.taken_by_order.insert(*fingerprint);
                }
                _ => {}
            }
        }
        let is_open = |id: &CertificateId| {
            after.beliefs.values().any(|it| {
                it.id() == Some(id)
                    && (it.is_unsure() || matches!(it.standing, Standing::Deleting(_)))
            })
        };
        self.open.retain(is_open);
        self.answered = None;
        let is_announced = |(fingerprint, it): &(&Fingerprint, &Belief)| {
            let is_open =
                |it: &Belief| it.is_unsure() || matches!(it.standing, Standing::Deleting(_));
            is_open(it) && !before.beliefs.get(fingerprint).is_some_and(is_open)
        };
        let announced = after.beliefs.iter().find(is_announced);
        self.announced = announced.and_then(|(_, it)| it.id().cloned());
    }

    /// The process died; what it was told is lost.
    pub(super) fn restarted(&mut self) {
        self.answered = None;
        self.announced = None;
    }
}

impl Witness {
    /// A pass begins with this look.
    pub(super) fn begin(&mut self, look: Option<&Look>, truth: Duration) {
        self.writes.has_added = false;
        self.writes.has_taken = false;
        self.reads.clear();
        for fingerprint in look.map(accepted_in).unwrap_or_default() {
            let present_since = &mut self.writes.present_since;
            present_since.entry(fingerprint).or_insert(truth);
        }
    }

    /// What this look says is in the books, which a daemon that dies before never learns.
    pub(super) fn took_in(&mut self, look: Option<&Look>) {
        if let Some(look) = look.filter(|it| it.is_healthy()) {
            let there = accepted_in(look);
            self.writes.present_since.retain(|it, _| there.contains(it));
        }
    }

    pub(super) fn listed(&mut self, rows: &[Row]) {
        self.writes.list = rows.to_vec();
        self.reads.clear();
    }

    pub(super) fn is_restored(&self, fingerprint: Fingerprint) -> bool {
        self.writes.restored.contains(&fingerprint)
    }

    /// Whether this row was stored enabled by this daemon, or enabled by it since.
    pub(super) fn enabled_it(&self, id: &CertificateId, number: usize, world: &World) -> bool {
        let row = world.rows().iter().find(|it| it.id == *id);
        row.is_some_and(|it| it.by == Some(number)) || self.writes.adopted.contains(id)
    }

    /// An operator's decision was taken. `is_alone`: it does not speak for the key, which another in use has.
    pub(super) fn decided(&mut self, decision: Decision, fingerprint: Fingerprint, is_alone: bool) {
        let writes = &mut self.writes;
        match decision {
            Decision::Approve | Decision::ApproveKey => {
                writes.approved.insert(fingerprint);
                if decision == Decision::ApproveKey {
                    writes.keys_approved.insert(fingerprint);
                }
            }
            Decision::Deny | Decision::DenyKey => {
                writes.approved.remove(&fingerprint);
                writes.restored.remove(&fingerprint);
                writes.denied.insert(fingerprint);
                if !is_alone {
                    writes.keys_denied.insert(fingerprint);
                }
            }
            Decision::Restore => drop(writes.restored.insert(fingerprint)),
            Decision::Forget => {
                writes.approved.remove(&fingerprint);
                writes.denied.remove(&fingerprint);
                writes.keys_denied.remove(&fingerprint);
                writes.keys_approved.remove(&fingerprint);
                writes.restored.remove(&fingerprint);
            }
            Decision::Adopt | Decision::Acknowledge => {
                writes.approved.remove(&fingerprint);
            }
            Decision::Retire(_) => {}
        }
    }

    /// A POST is made: is it allowed to let this certificate in? `look` is the scan that it was planned from.
    pub(super) fn adds(
        &mut self,
        certificate: &Certificate,
        truth: Duration,
        policy: &Policy,
        book: &Book,
        look: Option<&Look>,
    ) -> Result<(), Violation> {
        let fingerprint = certificate.fingerprint();
        let name = certificate.subject();
        self.lets_in(fingerprint, certificate.key_id(), book)?;
        let writes = &self.writes;
        let is_restored = writes.restored.contains(&fingerprint);
        if writes.taken_by_order.contains(&fingerprint) && !is_restored {
            return broken(Rule::TakenStaysTaken, format!("{name} is sent"));
        }
        let is_spoken_for = is_restored
            || writes.approved.contains(&fingerprint)
            || policy.trust.pins.contains(&fingerprint);
        if is_spoken_for || writes.lists_ours_with(certificate.key_id()) {
            return Ok(());
        }
        let since = writes.present_since.get(&fingerprint);
        let is_unfinished = look.is_some_and(|it| it.again_at().is_some());
        let has_waited = since.is_some_and(|it| truth.saturating_sub(*it) >= MINUTE);
        if is_unfinished && certificate.may_issue() && !has_waited {
            let how = format!("{name} is sent");
            return broken(Rule::NoIssuerBesideAnUnfinishedFile, how);
        }
        let is_enough = match policy.trust.require {
            Require::Source => true,
            Require::Pin | Require::Approval => false,
            Require::HoldDown => {
                since.is_some_and(|it| truth.saturating_sub(*it) >= policy.trust.hold_down)
            }
        };
        if is_enough {
            return Ok(());
        }
        let how = format!("{name} is sent under {}", policy.trust.require.word());
        broken(Rule::TrustIsAskedFor, how)
    }

    fn lets_in(
        &mut self,
        fingerprint: Fingerprint,
        key: PublicKeyId,
        book: &Book,
    ) -> Result<(), Violation> {
        self.writes.has_added = true;
        self.reads.clear();
        if self.writes.has_taken {
            let how = format!("{} is added", fingerprint.brief());
            return broken(Rule::NeverBesideAnAddition, how);
        }
        let key_of = |it: &Fingerprint| book.beliefs.get(it).and_then(Belief::key_id);
        let with_key = self.writes.keys_denied.iter();
        let mut with_key = with_key.filter(|it| key_of(it) == Some(key));
        let denied = self.writes.denied.get(&fingerprint);
        if let Some(denied) = denied.or_else(|| with_key.next()) {
            let how = format!("{} is sent, {} denied", fingerprint.brief(), denied.brief());
            return broken(Rule::DeniedIsNeverSent, how);
        }
        Ok(())
    }

    fn enables(&mut self, fingerprint: Fingerprint, book: &Book) -> Result<(), Violation> {
        let belief = &book.beliefs[&fingerprint];
        let Some(key) = belief.key_id() else {
            return Ok(());
        };
        self.lets_in(fingerprint, key, book)?;
        let is_removed = self.removed.values().any(|it| *it == key);
        if is_removed && belief.order.is_none() && !self.is_restored(fingerprint) {
            let how = format!("{} is enabled", fingerprint.brief());
            return broken(Rule::RemovedStaysRemoved, how);
        }
        Ok(())
    }

    /// Something is taken away.
    fn takes(
        &mut self,
        fingerprint: Fingerprint,
        id: &CertificateId,
        world: &World,
    ) -> Result<(), Violation> {
        let name = format!("row {id}, {}", fingerprint.brief());
        let reads = std::mem::take(&mut self.reads);
        let writes = &mut self.writes;
        writes.has_taken = true;
        writes.taken += 1;
        if writes.has_added {
            return broken(Rule::NeverBesideAnAddition, name);
        }
        if !reads.contains(&(id.clone(), ReadBack::Holds(fingerprint))) {
            return broken(Rule::ReadBackFirst, format!("{name}: {reads:?}"));
        }
        if !writes.owned.contains(id) {
            return broken(Rule::OnlyOurs, name);
        }
        let stays = |row: &&Row| {
            let is_ours = row.id.as_ref().is_some_and(|it| {
                it != id && writes.owned.contains(it) && !writes.doubted.contains(it)
            });
            let certificate = row.certificate();
            is_ours
                && certificate.is_some_and(|it| {
                    let stays_valid = |now: Timestamp| {
                        let validity = it.validity();
                        validity.is_valid(now) && validity.not_after >= now.plus(7 * DAY)
                    };
                    // By the clock as the daemon last read it; the plan may be some minutes older.
                    let while_ago = Duration::from_secs(600);
                    let planned = |now: Timestamp| [now, now.minus(while_ago), now.plus(while_ago)];
                    let mut planned = writes.clock.into_iter().flat_map(planned);
                    it.fingerprint() != fingerprint && planned.any(stays_valid)
                })
        };
        if !writes.list.iter().any(|it| stays(&it)) {
            return broken(Rule::AnotherStays, name);
        }
        let is_read = |row: &&Row| {
            let certificate = row.certificate().map(Certificate::fingerprint);
            let holds = certificate.map(ReadBack::Holds);
            row.id.clone().zip(holds).as_ref() == reads.last()
        };
        if !writes.list.iter().any(|it| stays(&it) && is_read(&it)) {
            return broken(Rule::WhatStaysIsReadLast, format!("{name}: {reads:?}"));
        }
        let truth = world.truth;
        let is_again = writes.open.contains(id);
        let recent = writes.last_taken.as_ref();
        let recent = recent.filter(|it| truth.saturating_sub(it.0) < DAY);
        writes.is_repeated = recent.is_some();
        if let Some((last, other)) = recent
            && !(is_again && other == id)
        {
            let apart = truth.saturating_sub(*last);
            let how = format!("{name} {apart:?} after row {other}");
            return broken(Rule::OneADay, how);
        }
        writes.last_taken = Some((truth, id.clone()));
        Ok(())
    }

    /// A request is under way.
    fn sent(&mut self, sent: Sent, id: &CertificateId) -> bool {
        self.writes.announced = None;
        let was_doubted = self.writes.doubted.contains(id);
        self.writes.open.insert(id.clone());
        if sent != Sent::Enable {
            self.writes.doubted.insert(id.clone());
        }
        was_doubted
    }

    fn answered(&mut self, sent: Sent, id: &CertificateId, answer: &Answer) {
        let writes = &mut self.writes;
        // What came to nothing was none; the one before it is more than a day ago.
        let is_nothing = sent != Sent::Enable && matches!(answer, Answer::NotDone { .. });
        if is_nothing && !writes.is_repeated {
            writes.last_taken = None;
        }
        match (sent, answer) {
            (_, Answer::Unknown) => return,
            (Sent::Enable, Answer::Done) => {
                writes.doubted.remove(id);
                writes.adopted.insert(id.clone());
            }
            (Sent::Disable | Sent::Delete, Answer::NotDone { was_doubted: false }) => {
                writes.doubted.remove(id);
            }
            _ => {}
        }
        writes.answered = Some(id.clone());
    }
}

enum Answer {
    Done,
    NotDone { was_doubted: bool },
    Unknown,
}

fn broken(rule: Rule, how: String) -> Result<(), Violation> {
    Err(Violation { rule, how })
}

impl ModelHands {
    fn check_write(&self, sent: Sent, id: &CertificateId) {
        let mut stage = self.stage();
        let Stage { world, sites, .. } = &mut *stage;
        let site = &mut sites[self.number];
        let how = format!("daemon {}: {sent:?} of row {id}", self.number);
        site.witness.writes.count += 1;
        let book = site.stored().clone();
        let row = site
            .witness
            .writes
            .list
            .iter()
            .find(|it| it.id.as_ref() == Some(id));
        let listed = row
            .and_then(|it| it.certificate())
            .map(Certificate::fingerprint);
        let is_believed = |it: &Fingerprint| {
            let belief = book.beliefs.get(it);
            belief.is_some_and(|it| it.id() == Some(id))
        };
        let Some(fingerprint) = listed.filter(is_believed) else {
            return stage.broken(Rule::OnlyOurs, how);
        };
        let is_announced = site.announces(fingerprint, sent.what());
        let is_observing = site.policy.mode == Mode::Observe;
        let verdict = match sent {
            Sent::Enable => site.witness.enables(fingerprint, &book),
            Sent::Disable | Sent::Delete => site.witness.takes(fingerprint, id, world),
        };
        stage.judge(verdict);
        if !is_announced {
            stage.broken(Rule::AnnouncedFirst, how.clone());
        }
        if is_observing {
            stage.broken(Rule::ObserveNeverWrites, how.clone());
        }
        if book.pause.is_some() {
            stage.broken(Rule::PauseNeverWrites, how);
        }
    }

    pub(super) async fn write(&self, sent: Sent, id: &CertificateId) -> WriteAnswer {
        breathe().await;
        if self.with(|_, world| world.goes_wrong(50)) {
            self.tell(|| "sleeps for an hour before its request".to_owned());
            self.stage().pass_time(Duration::from_secs(3600));
        }
        self.check_write(sent, id);
        let (fate, took, was_doubted) = self.with(|site, world| {
            site.is_posting = true;
            let (mut fate, took, after) = Fate::next(site, world);
            let is_there = world.rows().iter().any(|it| it.id == *id);
            if !is_there && !fate.denies() {
                fate = Fate::NotFound;
            }
            if fate == Fate::RefusedYetStored {
                fate = Fate::Refused(400);
            }
            if fate.is_stored() {
                match sent {
                    Sent::Enable => world.enable(id, true, after),
                    Sent::Disable => world.enable(id, false, after),
                    Sent::Delete => world.delete(id, after),
                }
            }
            (fate, took, site.witness.sent(sent, id))
        });
        self.tell(|| format!("{sent:?} of row {id}: {fate:?}"));
        self.ask(sent.operation(), took).await;
        let failure = fate.failure();
        let outcome = failure.as_ref().map_or(Outcome::Done, Failure::outcome);
        self.learn(sent.operation(), outcome);
        let answer = match &failure {
            None => Answer::Done,
            Some(it) if it.certainly_not_done() => Answer::NotDone { was_doubted },
            Some(_) => Answer::Unknown,
        };
        self.with(|site, _| {
            site.is_posting = false;
            site.witness.answered(sent, id, &answer);
        });
        breathe().await;
        let doing = match sent {
            Sent::Enable | Sent::Disable => Doing::Update(integration(), id.clone()),
            Sent::Delete => Doing::Delete(integration(), id.clone()),
        };
        WriteAnswer {
            result: match failure {
                None => Ok(Written { row: None }),
                Some(failure) => Err(CallError { doing, failure }),
            },
            took,
        }
    }
}

/// What accepted files of a look hold.
fn accepted_in(look: &Look) -> BTreeSet<Fingerprint> {
    let files = look.files.iter().filter_map(|it| match &it.verdict {
        FileVerdict::Accepted { certificates, .. } => Some(certificates),
        _ => None,
    });
    files.flatten().map(Certificate::fingerprint).collect()
}
