//! A person's decisions: what each asks for, and what it changes in the book. Nothing is sent here.

use thiserror::Error;

use crate::domain::text::printable;
use crate::domain::{Fingerprint, Moment, Skew};
use crate::plan::book::{Belief, Book, Order, Pause, Standing, Word};
use crate::plan::entry::{Entry, What};
use crate::plan::retire::How;

mod refusal;

pub use refusal::Refusal;

/// What a person decides about one certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Let it in, whatever the trust mode.
    Approve,
    /// The same of one that was named by its whole fingerprint: also if its key is that of a certificate which somebody
    /// took away from SendGrid.
    ApproveKey,
    /// Never let it in, nor its key, unless another certificate that is in use has that key.
    Deny,
    /// Never let it in, nor its key, whoever has it.
    DenyKey,
    /// It is not ours, and known: hear no more of it.
    Acknowledge,
    /// Make it ours.
    Adopt,
    /// Bring it back.
    Restore,
    /// Take a word or an open order back.
    Forget,
    /// Take it away.
    Retire(How),
}

impl Decision {
    /// The verb on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approve | Self::ApproveKey => "approve",
            Self::Deny | Self::DenyKey => "deny",
            Self::Acknowledge => "acknowledge",
            Self::Adopt => "adopt",
            Self::Restore => "restore",
            Self::Forget => "forget",
            Self::Retire(_) => "retire",
        }
    }

    /// Whether it lets somebody sign in who could not: then a shortened fingerprint is not enough without a person at
    /// the terminal.
    pub const fn lets_in(self) -> bool {
        matches!(
            self,
            Self::Approve | Self::ApproveKey | Self::Adopt | Self::Restore
        )
    }

    /// Whether it may be said of a certificate that was never seen.
    pub const fn is_for_unseen(self) -> bool {
        matches!(
            self,
            Self::Approve | Self::ApproveKey | Self::Deny | Self::DenyKey
        )
    }
}

/// Characters of a person's reason.
const LONGEST_REASON: usize = 200;

/// A reason that is not kept: it is empty, too long, or has characters that do not show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a reason is one line of at most {LONGEST_REASON} characters")]
pub struct UnfitReason;

/// Takes a person's reason as it is.
///
/// # Errors
/// It cannot be kept and shown as it is.
pub fn check_reason(raw: &str) -> Result<&str, UnfitReason> {
    let is_fit = !raw.trim().is_empty() && printable(raw, LONGEST_REASON) == raw;
    is_fit.then_some(raw).ok_or(UnfitReason)
}

/// Who decides, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// The name that the audit trail shows; marked if it is only claimed.
    pub name: String,
    /// What else is known of them, such as the user id.
    pub note: String,
    /// Their reason, in their words.
    pub reason: Option<String>,
}

impl Author {
    fn entry(
        &self,
        now: &Moment,
        what: What,
        fingerprint: Option<Fingerprint>,
        detail: &str,
    ) -> Entry {
        let quoted = self.reason.as_ref().map(|it| format!("\"{it}\""));
        let parts = [Some(detail.to_owned()), quoted, Some(self.note.clone())];
        let parts: Vec<String> = parts
            .into_iter()
            .flatten()
            .filter(|it| !it.is_empty())
            .collect();
        Entry::new(now.wall, what, fingerprint, parts.join(", ")).by(self.name.clone())
    }
}

/// Takes a decision into the book. What was decided before already changes nothing, and leaves no entry. `skew`: how
/// far SendGrid's clock and ours disagree.
///
/// # Errors
/// Why it cannot be taken; the book is as it was.
pub fn decide(
    book: &mut Book,
    fingerprint: Fingerprint,
    decision: Decision,
    author: &Author,
    skew: Skew,
    now: &Moment,
) -> Result<Vec<Entry>, Refusal> {
    let Some(belief) = book.beliefs.get(&fingerprint) else {
        if !decision.is_for_unseen() {
            return Err(Refusal::Unknown);
        }
        let mut unseen = Belief::unseen();
        unseen.word = word_of(decision, false);
        book.beliefs.insert(fingerprint, unseen);
        return Ok(vec![author.entry(
            now,
            what_of(decision),
            Some(fingerprint),
            "before it was seen",
        )]);
    };
    let is_over = belief.is_over(skew.at(now.wall));
    may(book, fingerprint, belief, decision, is_over)?;
    let is_key_elsewhere = match decision {
        Decision::ApproveKey => removed_with_key(book, belief).is_some(),
        _ => key_holder(book, fingerprint).is_some(),
    };
    let mut after = belief.clone();
    let detail = take(&mut after, decision, is_key_elsewhere);
    if after == *belief {
        return Ok(Vec::new());
    }
    book.beliefs.insert(fingerprint, after);
    Ok(vec![author.entry(
        now,
        what_of(decision),
        Some(fingerprint),
        detail,
    )])
}

/// Drops a certificate of an integration that is no longer configured from its book. Nothing is asked of SendGrid.
///
/// # Errors
/// The book has nothing about it.
pub fn drop_orphan(
    book: &mut Book,
    fingerprint: Fingerprint,
    author: &Author,
    now: &Moment,
) -> Result<Vec<Entry>, Refusal> {
    if book.beliefs.remove(&fingerprint).is_none() {
        return Err(Refusal::Unknown);
    }
    let detail = "dropped from the books, its integration is not configured";
    Ok(vec![author.entry(
        now,
        What::Forgotten,
        Some(fingerprint),
        detail,
    )])
}

/// Whether writes are stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pausing {
    /// Nothing is written from now on.
    Pause,
    /// Writes go on.
    Resume,
    /// The same of one that was named: its changed integration id is right.
    ResumeNamed,
}

/// Stops every write for the integration, or lets them go on.
pub fn set_pause(book: &mut Book, pausing: Pausing, author: &Author, now: &Moment) -> Vec<Entry> {
    let moved_from = match pausing {
        Pausing::ResumeNamed => book.moved_from.take(),
        Pausing::Pause | Pausing::Resume => None,
    };
    let is_paused = pausing == Pausing::Pause;
    if book.pause.is_some() == is_paused && moved_from.is_none() {
        return Vec::new();
    }
    book.pause = is_paused.then(|| Pause {
        at: now.wall,
        by: author.name.clone(),
    });
    let what = if is_paused {
        What::Paused
    } else {
        What::Resumed
    };
    let detail = moved_from.map_or_else(String::new, |it| {
        format!("its integration_id is right; before it was {it}")
    });
    vec![author.entry(now, what, None, &detail)]
}

/// Whether the decision makes sense as things stand.
fn may(
    book: &Book,
    fingerprint: Fingerprint,
    belief: &Belief,
    decision: Decision,
    is_over: bool,
) -> Result<(), Refusal> {
    let is_denied = belief.is_denied();
    let is_gone = belief.is_wanted() && book.gone.contains_key(&fingerprint);
    let is_foreign = matches!(belief.standing, Standing::Foreign { .. });
    match decision {
        Decision::Deny | Decision::DenyKey => Ok(()),
        Decision::Approve | Decision::ApproveKey => match &belief.standing {
            _ if is_denied => Err(Refusal::Denied),
            Standing::Seen if belief.certificate.is_none() => Ok(()),
            Standing::Seen | Standing::Retired { ordered: false } if is_over => Err(Refusal::Over),
            Standing::Seen | Standing::Retired { ordered: false } if is_gone => Err(Refusal::Away),
            Standing::Seen | Standing::Retired { ordered: false } => {
                not_denied(book, belief)?;
                let removed = removed_with_key(book, belief);
                let removed = removed.filter(|_| decision != Decision::ApproveKey);
                removed.map_or(Ok(()), |it| Err(Refusal::RemovedKey(it)))
            }
            Standing::Removed { .. } | Standing::Retired { .. } => Err(Refusal::Away),
            Standing::Intent(_) | Standing::Deleting(_) => Err(Refusal::Unsettled),
            Standing::Confirmed(_) | Standing::Disabled { .. } | Standing::Foreign { .. } => {
                Err(Refusal::Listed)
            }
        },
        Decision::Acknowledge | Decision::Adopt if is_denied => Err(Refusal::Denied),
        Decision::Acknowledge if is_foreign && !belief.is_wanted() => Ok(()),
        Decision::Acknowledge => Err(Refusal::NoStranger),
        Decision::Adopt => match &belief.standing {
            Standing::Foreign { id: Some(_), .. } => not_denied(book, belief),
            Standing::Foreign { id: None, .. } => Err(Refusal::NoId),
            Standing::Confirmed(_) | Standing::Disabled { .. } => Err(Refusal::Ours),
            _ => Err(Refusal::NotListed),
        },
        Decision::Restore => match &belief.standing {
            _ if is_denied => Err(Refusal::Denied),
            _ if is_over => Err(Refusal::Over),
            Standing::Removed { .. } | Standing::Retired { .. } | Standing::Disabled { .. } => {
                not_denied(book, belief)
            }
            Standing::Seen if belief.order == Some(Order::Restore) => Ok(()),
            Standing::Seen if book.gone.contains_key(&fingerprint) => not_denied(book, belief),
            Standing::Seen => Err(Refusal::NotListed),
            Standing::Intent(_) | Standing::Deleting(_) => Err(Refusal::Unsettled),
            Standing::Confirmed(_) | Standing::Foreign { .. } => Err(Refusal::Listed),
        },
        Decision::Forget => match &belief.standing {
            Standing::Intent(_) if belief.order.is_some() => Err(Refusal::Unsettled),
            _ if belief.word.is_some() || belief.order.is_some() => Ok(()),
            Standing::Removed { .. } | Standing::Retired { ordered: true } => Err(Refusal::Away),
            _ if is_gone => Err(Refusal::Away),
            _ => Err(Refusal::NothingToForget),
        },
        Decision::Retire(how) => match &belief.standing {
            Standing::Confirmed(_) => Ok(()),
            Standing::Disabled { .. } if how == How::Delete => Ok(()),
            Standing::Disabled { .. } | Standing::Retired { .. } | Standing::Removed { .. } => {
                Err(Refusal::Away)
            }
            Standing::Foreign { .. } => Err(Refusal::NotOurs),
            Standing::Intent(_) | Standing::Deleting(_) => Err(Refusal::Unsettled),
            Standing::Seen => Err(Refusal::NotListed),
        },
    }
}

/// The certificate with its key that somebody took away from SendGrid, if there is one.
fn removed_with_key(book: &Book, belief: &Belief) -> Option<Fingerprint> {
    book.removed_keys().remove(&belief.key_id()?)
}

/// Another certificate in use that has its key: denying the key would take that one's trust away.
pub fn key_holder(book: &Book, fingerprint: Fingerprint) -> Option<Fingerprint> {
    let belief = book.beliefs.get(&fingerprint)?;
    let mut others = same_key(book, belief);
    others
        .find(|(_, it)| it.is_in_use() && !it.is_denied())
        .map(|(it, _)| *it)
}

/// Whether no person said never to its key, in another certificate.
fn not_denied(book: &Book, belief: &Belief) -> Result<(), Refusal> {
    let denied = same_key(book, belief).find(|(_, it)| it.word == Some(Word::Denied));
    denied.map_or(Ok(()), |(it, _)| Err(Refusal::DeniedKey(*it)))
}

/// The other certificates with its key.
fn same_key<'a>(
    book: &'a Book,
    belief: &'a Belief,
) -> impl Iterator<Item = (&'a Fingerprint, &'a Belief)> {
    let key = belief.key_id();
    let beliefs = book.beliefs.iter();
    beliefs.filter(move |(_, it)| key.is_some() && it.key_id() == key && *it != belief)
}

/// Takes it, and says what else there is to say of it.
fn take(belief: &mut Belief, decision: Decision, is_key_elsewhere: bool) -> &'static str {
    match decision {
        Decision::Approve | Decision::ApproveKey | Decision::Acknowledge => {
            belief.word = word_of(decision, is_key_elsewhere);
        }
        Decision::Deny | Decision::DenyKey => {
            belief.word = word_of(decision, is_key_elsewhere);
            match belief.order {
                Some(Order::Restore) => {
                    belief.order = None;
                    // What is to come back has not come.
                    if belief.standing == Standing::Seen {
                        belief.standing = Standing::Removed { id: None };
                    }
                }
                Some(Order::Adopt) => belief.order = None,
                Some(Order::Disable | Order::Delete) | None => {}
            }
            if belief.word == Some(Word::DeniedAlone) {
                return "its key stays, as another certificate in use has it";
            }
        }
        Decision::Adopt => {
            belief.order = Some(Order::Adopt);
            belief.word = None;
        }
        Decision::Restore => {
            belief.order = Some(Order::Restore);
            belief.rejection = None;
        }
        Decision::Forget => {
            // What is to come back has not come.
            if (&belief.standing, belief.order) == (&Standing::Seen, Some(Order::Restore)) {
                belief.standing = Standing::Removed { id: None };
            }
            belief.word = None;
            belief.order = None;
        }
        Decision::Retire(How::Disable) => {
            belief.order = Some(Order::Disable);
            return "disable";
        }
        Decision::Retire(How::Delete) => {
            belief.order = Some(Order::Delete);
            return "delete";
        }
    }
    ""
}

/// The word that stands from then on. `is_key_elsewhere`: another certificate with its key is in use, or was taken away.
const fn word_of(decision: Decision, is_key_elsewhere: bool) -> Option<Word> {
    Some(match (decision, is_key_elsewhere) {
        (Decision::Acknowledge, _) => Word::Acknowledged,
        (Decision::Deny, true) => Word::DeniedAlone,
        (Decision::Deny | Decision::DenyKey, _) => Word::Denied,
        (Decision::ApproveKey, true) => Word::ApprovedKey,
        (Decision::Approve | Decision::ApproveKey, _) => Word::Approved,
        (Decision::Adopt | Decision::Restore | Decision::Forget | Decision::Retire(_), _) => {
            return None;
        }
    })
}

const fn what_of(decision: Decision) -> What {
    match decision {
        Decision::Approve | Decision::ApproveKey => What::Approved,
        Decision::Deny | Decision::DenyKey => What::Denied,
        Decision::Acknowledge => What::Acknowledged,
        Decision::Adopt => What::Adopted,
        Decision::Restore => What::Restored,
        Decision::Forget => What::Forgotten,
        Decision::Retire(_) => What::Ordered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{World, certificate};

    #[test]
    fn a_reason_is_one_line_that_shows() {
        assert_eq!(check_reason("CHG0031337, Größe"), Ok("CHG0031337, Größe"));
        let long = "x".repeat(200);
        assert_eq!(check_reason(&long), Ok(long.as_str()));
        for wrong in ["", " ", "a\nb", "\u{1b}[2J", "a\u{202e}b", &"x".repeat(201)] {
            assert_eq!(check_reason(wrong), Err(UnfitReason), "{wrong:?}");
        }
    }

    #[test]
    fn an_orphan_leaves_the_book_and_an_entry() {
        let orphan = certificate("a", "k", 1);
        let fingerprint = orphan.fingerprint();
        let author = Author {
            name: "alice".to_owned(),
            note: "uid 1000".to_owned(),
            reason: Some("gone".to_owned()),
        };
        let (mut book, now) = (Book::default(), World::new().now);
        book.belief(&orphan);
        let entries = drop_orphan(&mut book, fingerprint, &author, &now).unwrap();
        assert!(book.beliefs.is_empty());
        assert_eq!(entries[0].what, What::Forgotten);
        assert_eq!(entries[0].by, "alice");
        let again = drop_orphan(&mut book, fingerprint, &author, &now);
        assert_eq!(again, Err(Refusal::Unknown));
    }
}
