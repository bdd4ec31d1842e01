//! The words for what a person said or must say.

use crate::plan::book::{HoldKind, Order, Word};

pub(super) const fn word(word: Word) -> &'static str {
    match word {
        Word::Approved => "approved",
        Word::Denied => "denied",
        Word::Acknowledged => "acknowledged",
    }
}

pub(super) fn parse_word(text: &str) -> Option<Word> {
    let words = [Word::Approved, Word::Denied, Word::Acknowledged];
    words.into_iter().find(|it| word(*it) == text)
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
