//! A decision, at the worker: judged by the book, and into the ledger before anything comes of it.

use crate::adapter::ledger::{Ledger, LedgerError};
use crate::daemon::rehearsal::{imagine, rehearse};
use crate::daemon::tell;
use crate::daemon::worker::Worker;
use crate::domain::{Fingerprint, IntegrationName};
use crate::plan::book::{Belief, Book};
use crate::plan::decision::{Author, Decision, Pausing, Refusal, decide, set_pause};
use crate::plan::entry::Entry;
use crate::plan::retire::{Block, Retirement};
use crate::plan::rollover::Plan;

/// What a person decides, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    /// The integration.
    pub name: IntegrationName,
    /// What is decided.
    pub matter: Matter,
    /// By whom.
    pub author: Author,
    /// Whether it is to be stored; if not, it is only judged.
    pub is_confirmed: bool,
}

/// What can be decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Matter {
    /// Something about one certificate.
    Certificate(Fingerprint, Decision),
    /// Whether every write is stopped.
    Pause(Pausing),
}

/// What becomes of a wish.
#[derive(Debug)]
pub enum Recorded {
    /// It makes no sense as things stand; nothing is stored.
    Refused(Refusal),
    /// It would never be carried out as things stand; nothing is stored.
    Forbidden {
        /// What stands in the way for good.
        block: Block,
        /// The plan that says so.
        plan: Box<Plan>,
    },
    /// It can be taken.
    Judged {
        /// What is believed of the certificate.
        belief: Option<Box<Belief>>,
        /// What would become of it, if it is to be taken away.
        retirement: Option<Retirement>,
    },
    /// It is in the ledger.
    Stored {
        /// Whether it was not there before.
        is_news: bool,
    },
    /// It could not be stored, and is not taken.
    NotStored(LedgerError),
}

impl Worker {
    /// Judges a wish and, if it is confirmed, makes it durable. None if there is no such integration here.
    pub(in crate::daemon) async fn record(&mut self, wish: Wish) -> Option<Recorded> {
        let subject = self.subjects.get(&wish.name)?;
        let mut book = subject.book.clone();
        let now = self.shared.clock.now();
        let entries = match wish.matter {
            Matter::Pause(pausing) => set_pause(&mut book, pausing, &wish.author, &now),
            Matter::Certificate(fingerprint, decision) => {
                let skew = self.link.skew();
                match decide(&mut book, fingerprint, decision, &wish.author, skew, &now) {
                    Ok(entries) => entries,
                    Err(refusal) => return Some(Recorded::Refused(refusal)),
                }
            }
        };
        let mut retirement = None;
        if let Matter::Certificate(fingerprint, Decision::Retire(_)) = wish.matter {
            let plan = self.foresee(&wish.name, &book).await;
            retirement = plan.as_ref().and_then(|it| retirement_of(it, fingerprint));
            let blocks = retirement.iter().flat_map(|it| &it.blocks);
            let forbidding = blocks.copied().find(Block::is_final);
            if let Some((block, plan)) = forbidding.zip(plan) {
                let plan = Box::new(plan);
                return Some(Recorded::Forbidden { block, plan });
            }
        }
        if !wish.is_confirmed {
            let belief = match wish.matter {
                Matter::Certificate(fingerprint, _) => self
                    .subjects
                    .get(&wish.name)
                    .and_then(|it| it.book.beliefs.get(&fingerprint)),
                Matter::Pause(_) => None,
            };
            return Some(Recorded::Judged {
                belief: belief.cloned().map(Box::new),
                retirement,
            });
        }
        let is_news = !entries.is_empty();
        Some(match self.store(&wish.name, book, entries).await {
            Ok(()) => Recorded::Stored { is_news },
            Err(error) => Recorded::NotStored(error),
        })
    }

    /// The plan with this book: by SendGrid's list or, if there is none to be had, by the last one.
    async fn foresee(&mut self, name: &IntegrationName, book: &Book) -> Option<Plan> {
        let subject = self.subjects.get(name)?;
        let rehearsal = rehearse(&mut self.link, &self.shared, subject, book, None).await;
        let by_last_list = || {
            let (rows, sight) = (book.as_listed(), &rehearsal.sight);
            imagine(&self.link, &self.shared, subject, book, sight, &rows, None)
        };
        rehearsal.plan.or_else(|_| by_last_list()).ok()
    }

    async fn store(
        &mut self,
        name: &IntegrationName,
        book: Book,
        entries: Vec<Entry>,
    ) -> Result<(), LedgerError> {
        let Some(subject) = self.subjects.get_mut(name).filter(|_| !entries.is_empty()) else {
            return Ok(());
        };
        let (id, label) = (subject.settings.integration_id, name.clone());
        let account = subject.settings.account.clone();
        let (old, new, added) = (subject.book.clone(), book.clone(), entries.clone());
        let save = move |it: &mut Ledger| {
            it.label(id, &label, &account)?;
            it.save(id, &old, &new, &added)
        };
        self.shared.ledger.write(save).await?;
        subject.book = book;
        for entry in &entries {
            tell::entry(name, &subject.book, entry);
        }
        Ok(())
    }
}

fn retirement_of(plan: &Plan, fingerprint: Fingerprint) -> Option<Retirement> {
    let mut items = plan.items.iter();
    let item = items.find(|it| it.fingerprint == Some(fingerprint) && it.retirement.is_some());
    item?.retirement.clone()
}
