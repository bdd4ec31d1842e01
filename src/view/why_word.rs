//! The reasons behind states as words for programs.

use crate::plan::why::Why;

/// One stable word for the reason behind a state.
pub(crate) const fn why_word(why: &Why) -> &'static str {
    match why {
        Why::Ours => "ours",
        Why::ByOthers => "by_others",
        Why::Wanted => "wanted",
        Why::Enough {
            is_new_key: true, ..
        } => "new_key",
        Why::Enough {
            is_new_key: false, ..
        } => "known_key",
        Why::Unsettled { .. } => "unsettled",
        Why::GivenUp { .. } => "given_up",
        Why::Missing { .. } => "missing",
        Why::NotBefore(_) => "not_before",
        Why::ClockInDoubt => "clock_in_doubt",
        Why::Rejected { .. } => "rejected",
        Why::Backoff { .. } => "backoff",
        Why::KeyBudget { .. } => "key_budget",
        Why::RemovedKey(_) => "removed_key",
        Why::TooMany { .. } => "too_many",
        Why::Unseen => "unseen",
        Why::DeniedByPerson(_) => "denied",
        Why::DeniedAndListed => "denied_and_listed",
        Why::DeniedKey => "denied_key",
        Why::Over => "over",
        Why::Successor(_) => "successor",
        Why::DisabledByUs => "disabled",
        Why::RemovedByOthers => "removed",
        Why::Carries(_) => "replaced",
        Why::Unreadable => "unreadable",
        Why::ListedTwice => "listed_twice",
        Why::SinceFirstList => "since_first_list",
        Why::AppearedSince => "appeared_since",
        Why::HoldDown { .. } => "hold_down",
        Why::NeedsApproval => "approval",
        Why::NeedsPin => "pin",
        Why::IdChanged => "id_changed",
        Why::Paused => "paused",
        Why::Elsewhere { .. } => "elsewhere",
        Why::Vanishing { .. } => "deleting",
        Why::RetiredByPerson => "retired_by_person",
        Why::NotEnabled { .. } => "not_enabled",
        Why::FileUnfinished { .. } => "file_unfinished",
        Why::Known => "acknowledged",
    }
}
