//! Which certificate of ours goes on after another.

use crate::domain::{Fingerprint, Timestamp};
use crate::plan::book::{Belief, Book, InSource, Standing};
use crate::plan::rollover::Item;
use crate::plan::state::State;

/// The trusted one of ours that ends last, not before `item` and not gone from the source itself, with what is believed of
/// it.
pub fn successor<'a>(
    items: &[Item],
    book: &'a Book,
    item: &Item,
) -> Option<(Fingerprint, &'a Belief)> {
    let goes_on = |other: &Item| {
        let fingerprint = other.fingerprint?;
        let belief = book.beliefs.get(&fingerprint)?;
        let is_ours = matches!(belief.standing, Standing::Confirmed(_)) && other.is_listed;
        let is_gone = matches!(belief.source, InSource::Gone { .. });
        let is_newer = other.fingerprint != item.fingerprint && end(other) >= end(item);
        (other.state == State::Trusted && is_ours && !is_gone && is_newer).then_some((
            end(other),
            fingerprint,
            belief,
        ))
    };
    let newest = items.iter().filter_map(goes_on).max_by_key(|it| it.0)?;
    Some((newest.1, newest.2))
}

fn end(item: &Item) -> Option<Timestamp> {
    item.certificate.as_ref().map(|it| it.validity().not_after)
}
