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
/// [`Unreachable`], once a row is missing for `settle` and GET says 404 for whatever was asked for.
pub(super) fn miss_all(
    book: &mut Book,
    reads: &BTreeMap<CertificateId, ReadBack>,
    delivery: &DeliveryPolicy,
    now: &Moment,
) -> Result<(), Unreachable> {
    let is_gone = |it: &ReadBack| *it == ReadBack::NotThere;
    let is_long = |it: &Belief| {
        let missing = it.missing.as_ref();
        it.is_listed() && missing.is_some_and(|it| now.elapsed_since(it) >= delivery.settle)
    };
    if book.beliefs.values().any(is_long) && reads.values().all(is_gone) {
        return Err(Unreachable);
    }
    for belief in book.beliefs.values_mut().filter(|it| it.is_listed()) {
        belief.missing.get_or_insert_with(|| now.clone());
    }
    book.last_list = Some(now.wall);
    Ok(())
}

/// When the list is asked again before anything is sent to where nothing is known.
pub(in crate::plan) fn asked_again_at(
    book: &Book,
    delivery: &DeliveryPolicy,
    now: &Moment,
) -> Timestamp {
    let missing = book.beliefs.values().filter_map(|it| it.missing.as_ref());
    let ends = missing.map(|it| now.when_elapsed(it, delivery.settle));
    ends.min()
        .unwrap_or_else(|| now.wall.plus(delivery.settle))
        .max(now.wall)
}
