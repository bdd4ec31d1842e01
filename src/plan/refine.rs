//! What policy, time and the rest of the book make of a cell of the state table.

use std::time::Duration;

use crate::domain::{Certificate, Fingerprint, Moment, RowContent};
use crate::plan::book::{Belief, Intent, PostAnswer, Standing, Word};
use crate::plan::policy::DeliveryPolicy;
use crate::plan::sides::Sides;
use crate::plan::state::State;
use crate::plan::why::Why;

impl Sides<'_> {
    /// What policy, time and the rest of the book make of a cell of the table.
    pub(super) fn refine(
        &self,
        state: State,
        fingerprint: Fingerprint,
        certificate: Option<&Certificate>,
        belief: Option<&Belief>,
    ) -> (State, Why) {
        let (now, clocks) = (self.inputs.now, self.inputs.clocks());
        let validity = certificate.map(Certificate::validity);
        let delivery = &self.inputs.policy.delivery;
        match state {
            State::Planned if validity.is_some_and(|it| it.is_over(clocks)) => {
                (State::Waiting, Why::ClockInDoubt)
            }
            State::Planned => (State::Planned, Why::Wanted),
            State::Trusted if validity.is_some_and(|it| it.is_ahead(clocks)) => {
                (State::Ahead, Why::Ours)
            }
            State::Found => (state, Why::ByOthers),
            State::Settling => {
                match belief.and_then(|it| self.refused_just_now(certificate?, it)) {
                    Some(refused) => refused,
                    None => (state, settling(belief, delivery, now)),
                }
            }
            State::Removed => match belief.map(|it| &it.standing) {
                Some(Standing::Retired { ordered: true }) => (state, Why::RetiredByPerson),
                _ => (state, Why::RemovedByOthers),
            },
            State::Replaced => {
                let other = belief
                    .and_then(Belief::id)
                    .and_then(|it| self.listing.row(it));
                let other = match other {
                    Some(RowContent::Certificate(other)) => Some(other.fingerprint()),
                    _ => None,
                };
                (state, Why::Carries(other))
            }
            State::Unmanaged => match belief {
                Some(Belief {
                    word: Some(Word::Acknowledged),
                    ..
                }) => (State::Acknowledged, Why::Known),
                Some(Belief {
                    standing:
                        Standing::Foreign {
                            inherited: true, ..
                        },
                    ..
                }) => (State::Inherited, Why::SinceFirstList),
                _ => (state, Why::AppearedSince),
            },
            State::Denied => (state, Why::DeniedByPerson(fingerprint)),
            State::Expired => (state, Why::Over),
            State::Disabled => (state, Why::DisabledByUs),
            State::Undecodable => (state, Why::Unreadable),
            State::Trusted
            | State::Ahead
            | State::Waiting
            | State::Held
            | State::Rejected
            | State::Superseded
            | State::Duplicate
            | State::Inherited
            | State::Acknowledged
            | State::Orphaned => (state, Why::Ours),
        }
    }
}

impl Sides<'_> {
    /// What is listed and may let people in is an alarm once an operator has said never to it or to its key, whoever
    /// uploaded it and whether or not a file holds it.
    pub(super) fn unless_denied(
        &self,
        (state, why): (State, Why),
        certificate: Option<&Certificate>,
    ) -> (State, Why) {
        let lets_in = matches!(
            state,
            State::Trusted
                | State::Ahead
                | State::Found
                | State::Unmanaged
                | State::Inherited
                | State::Acknowledged
        );
        if lets_in && certificate.is_some_and(|it| self.is_denied(it)) {
            return (State::Unmanaged, Why::DeniedAndListed);
        }
        (state, why)
    }

    /// What a refusal says of a certificate while two lists have not shown yet that it was meant.
    fn refused_just_now(&self, certificate: &Certificate, belief: &Belief) -> Option<(State, Why)> {
        match &belief.standing {
            Standing::Intent(Intent {
                answer: PostAnswer::Refused,
                ..
            }) => self.refused_upload(certificate, belief),
            _ => None,
        }
    }
}

/// Why it is not known whether a certificate is listed, and when the list is asked again: at the end of the window, and
/// if even that told nothing, once more after as long.
fn settling(belief: Option<&Belief>, delivery: &DeliveryPolicy, now: &Moment) -> Why {
    let ask_again = |since: &Moment, window: Duration| {
        let end = now.when_elapsed(since, window);
        if end > now.wall {
            end
        } else {
            now.wall.plus(delivery.settle)
        }
    };
    match belief {
        Some(
            belief @ Belief {
                standing: Standing::Intent(intent),
                ..
            },
        ) => {
            let sent = intent.at.wall;
            match belief.settle_window(delivery) {
                Some(window) => Why::Unsettled {
                    sent,
                    until: ask_again(&intent.at, window),
                },
                None => Why::GivenUp { sent },
            }
        }
        Some(Belief {
            standing: Standing::Deleting(deleting),
            ..
        }) => Why::Vanishing {
            until: ask_again(&deleting.at, delivery.settle),
        },
        Some(Belief {
            missing: Some(first),
            ..
        }) => Why::Missing {
            since: first.wall,
            until: ask_again(first, delivery.settle),
        },
        _ => Why::Missing {
            since: now.wall,
            until: now.wall.plus(delivery.settle),
        },
    }
}
