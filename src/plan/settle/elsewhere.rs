//! A list that shows nothing we know: another account's or another integration's, more likely than a hundred deletions.

use std::collections::BTreeMap;

use crate::domain::{CertificateId, Moment, Timestamp};
use crate::plan::book::{Belief, Book, Standing};
use crate::plan::listing::Listing;
use crate::plan::policy::DeliveryPolicy;
use crate::plan::settle::{ReadBack, Unreachable};

/// Whether a list lacks every row we know, and shows nothing else that the book has heard of. Rows of strangers prove
/// nothing, for another integration has some too: they are not met there, and nothing is sent there.
pub(in crate::plan) fn is_strange(book: &Book, listing: &Listing<'_>) -> bool {
    let is_shown = |id: &CertificateId| listing.row(id).is_some();
    known(book) > 0
        && book.beliefs.iter().all(|(fingerprint, belief)| {
            listing.ids(*fingerprint).is_empty() && !belief.id().is_some_and(is_shown)
        })
}

/// Whether that is another integration's list. A single row may well be gone.
pub(super) fn is_elsewhere(book: &Book, listing: &Listing<'_>) -> bool {
    known(book) > 1 && is_strange(book, listing)
}

fn known(book: &Book) -> usize {
    let is_known = |it: &&Belief| it.is_listed() || matches!(it.standing, Standing::Deleting(_));
    book.beliefs.values().filter(is_known).count()
}

/// Notes by such a list what is missing, and concludes nothing else from it.
///
/// # Errors
/// [`Unreachable`], once every row is missing for `settle` and GET says 404 for each.
pub(super) fn miss_all(
    book: &mut Book,
    reads: &BTreeMap<CertificateId, ReadBack>,
    delivery: &DeliveryPolicy,
    now: &Moment,
) -> Result<(), Unreachable> {
    let is_gone = |it: &ReadBack| *it == ReadBack::NotThere;
    let is_long_gone = |it: &Belief| {
        let missing = it.missing.as_ref();
        let is_long = missing.is_some_and(|it| now.elapsed_since(it) >= delivery.settle);
        is_long && it.id().is_none_or(|it| reads.get(it).is_some_and(is_gone))
    };
    let mut listed = book.beliefs.values().filter(|it| it.is_listed()).peekable();
    if listed.peek().is_some() && listed.all(is_long_gone) && reads.values().all(is_gone) {
        return Err(Unreachable);
    }
    for belief in book.beliefs.values_mut().filter(|it| it.is_listed()) {
        belief.missing.get_or_insert_with(|| now.clone());
    }
    book.last_list = Some(now.wall);
    Ok(())
}

/// Until when nothing is sent to where nothing is known, and no intent is settled by what is listed there: until the
/// list was asked again. None once it was: a GET has answered by then, or the account's gate is closed.
pub(in crate::plan) fn doubted_until(
    book: &Book,
    listing: &Listing<'_>,
    delivery: &DeliveryPolicy,
    now: &Moment,
) -> Option<Timestamp> {
    let ends = |it: &Belief| match &it.missing {
        Some(first) => now.when_elapsed(first, delivery.settle),
        None => now.wall.plus(delivery.settle),
    };
    let listed = book.beliefs.values().filter(|it| it.is_listed());
    let until = listed.map(ends).max()?;
    (is_strange(book, listing) && until > now.wall).then_some(until)
}
