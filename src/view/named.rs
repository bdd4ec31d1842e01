//! What a certificate or a row is called on screens.

use crate::domain::Fingerprint;
use crate::plan::rollover::Item;

/// Its first 16 digits, as in columns; the id of a row that cannot be read.
pub(crate) fn which(item: &Item) -> String {
    let row = || match &item.id {
        Some(id) => format!("row {id}"),
        None => "a row".to_owned(),
    };
    item.fingerprint
        .as_ref()
        .map_or_else(row, Fingerprint::short)
}

/// Its first 8 digits, as in sentences.
pub(crate) fn brief(item: &Item) -> String {
    item.fingerprint
        .as_ref()
        .map_or_else(|| "a row".to_owned(), Fingerprint::brief)
}
