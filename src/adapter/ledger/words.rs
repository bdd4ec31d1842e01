//! The words for what a person said or must say.

use crate::plan::book::{HoldKind, Order, Word};

pub(super) const fn word(word: Word) -> &'static str {
    match word {
        Word::Approved | Word::ApprovedKey => "approved",
        Word::Denied | Word::DeniedAlone => "denied",
        Word::Acknowledged => "acknowledged",
    }
}

/// Whether it speaks for its key as well; none where that says nothing.
pub(super) const fn word_speaks_for_key(word: Word) -> Option<bool> {
    match word {
        Word::Approved | Word::DeniedAlone => Some(false),
        Word::ApprovedKey | Word::Denied => Some(true),
        Word::Acknowledged => None,
    }
}

/// Older ledgers do not say whether a word speaks for its key: then an approval does not, and a denial does.
pub(super) fn parse_word(text: &str, speaks_for_key: Option<bool>) -> Option<Word> {
    Some(match (text, speaks_for_key) {
        ("approved", Some(true)) => Word::ApprovedKey,
        ("approved", _) => Word::Approved,
        ("denied", Some(false)) => Word::DeniedAlone,
        ("denied", _) => Word::Denied,
        ("acknowledged", _) => Word::Acknowledged,
        _ => return None,
    })
}

pub(super) const fn order_word(order: Order) -> &'static str {
    match order {
        Order::Adopt => "adopt",
        Order::Restore => "restore",
        Order::Disable => "disable",
        Order::Delete => "delete",
    }
}

pub(super) fn parse_order(text: &str) -> Option<Order> {
    let orders = [Order::Adopt, Order::Restore, Order::Disable, Order::Delete];
    orders.into_iter().find(|it| order_word(*it) == text)
}

pub(super) const fn hold_word(kind: HoldKind) -> &'static str {
    match kind {
        HoldKind::Approval => "approval",
        HoldKind::Pin => "pin",
        HoldKind::KeyBudget => "key_budget",
    }
}

pub(super) fn parse_hold(text: &str) -> Option<HoldKind> {
    let kinds = [HoldKind::Approval, HoldKind::Pin, HoldKind::KeyBudget];
    kinds.into_iter().find(|it| hold_word(*it) == text)
}
