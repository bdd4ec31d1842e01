//! The sentences about single integrations, concern by concern.

use std::collections::BTreeSet;

use crate::domain::text::{count, file_name, printable, span};
use crate::domain::{Reason, Timestamp};
use crate::plan::attention::Attention;
use crate::plan::rollover::Item;
use crate::plan::state::State;
use crate::plan::why::Why;

use super::concern::{Concern, Standing, is_trusting, items, latest_expiry, others, refusals};
use super::named::brief;
use super::snapshot::{AccountSnapshot, Snapshot};
use super::when::{ago, clock};

/// A sentence before the others are counted: what comes before the count, and what comes after it.
pub(crate) struct Told {
    pub(crate) main: String,
    pub(crate) rest: String,
}

impl From<String> for Told {
    fn from(main: String) -> Self {
        Self {
            main,
            rest: String::new(),
        }
    }
}

/// What there is to say about one integration, concern by concern.
pub(crate) struct Teller<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) standing: &'a Standing<'a>,
    pub(crate) now: Timestamp,
}

impl Teller<'_> {
    /// The sentence about one concern, without its full stop.
    pub(crate) fn tell(&self, concern: Concern) -> Told {
        let name = &self.standing.it.name;
        match concern {
            Concern::NoTrust => self.no_trust(),
            Concern::Foreign => self.foreign(),
            Concern::TrustEnds => self.trust_ends(),
            Concern::OnlyOthers => self.only_others(),
            Concern::Removed => self.removed(),
            Concern::NoSuccessor => self.no_successor(),
            Concern::ApiKey => self.api_key(),
            Concern::Tls => self.unreachable(),
            Concern::Missing => Told::from(format!(
                "{name}: SendGrid says that this integration is not there (a wrong account or id?)"
            )),
            Concern::Stale => self.stale(),
            Concern::Ledger => {
                let why = self.snapshot.ledger_failure.as_deref().unwrap_or_default();
                let why = printable(why, LONGEST);
                Told::from(format!(
                    "The ledger cannot be written: {why}; nothing is uploaded until it can"
                ))
            }
            Concern::SourceDown => self.source_down(),
            Concern::Starting => self.starting(),
            Concern::Clock => self.clock(),
            Concern::Waits => self.waits(),
            Concern::Paused => self.paused(),
            Concern::PrivateKey
            | Concern::Approval
            | Concern::KeyBudget
            | Concern::Rejected
            | Concern::Refused => {
                let need = self.need(concern);
                Told::from(format!("{name} needs you: {need}"))
            }
        }
    }

    fn api_key(&self) -> Told {
        let account = &self.standing.it.account;
        let is = |test: fn(&AccountSnapshot) -> bool| {
            self.snapshot.accounts.get(account).is_some_and(test)
        };
        Told::from(if is(|it| it.unusable.is_some()) {
            format!(
                "There is no usable API key for account {account}: nothing of it is compared or uploaded"
            )
        } else if is(|it| it.uploads_forbidden && it.key_valid != Some(false)) {
            format!(
                "SendGrid forbids uploads with the API key of account {account}: nothing new gets there"
            )
        } else {
            format!(
                "SendGrid does not accept the API key of account {account}: nothing of it is compared or uploaded"
            )
        })
    }

    fn clock(&self) -> Told {
        let account = &self.standing.it.account;
        let fault = self.snapshot.accounts.get(account);
        let fault = fault.and_then(|it| it.clock);
        let theirs = fault.and_then(|it| it.skew.at(self.now).theirs());
        let why = theirs.map_or_else(
            || "the certificate of SendGrid's server is not valid by it".to_owned(),
            |it| {
                format!(
                    "it is {} UTC, SendGrid's {}",
                    self.now.minute(),
                    it.minute()
                )
            },
        );
        Told::from(format!("Set the clock of this machine: {why}"))
    }

    fn unreachable(&self) -> Told {
        let account = &self.standing.it.account;
        let unusable = self.snapshot.accounts.get(account);
        let unusable = unusable.and_then(|it| it.unusable.as_ref());
        let why = unusable.map_or("", |it| it.text.as_str());
        let why = printable(why, LONGEST);
        Told::from(format!(
            "Nothing of account {account} is compared or uploaded: {why}"
        ))
    }

    fn no_trust(&self) -> Told {
        let it = self.standing.it;
        let ended = items(it)
            .iter()
            .filter(|it| it.is_listed)
            .filter_map(|it| it.certificate.as_ref())
            .map(|it| it.validity().not_after)
            .filter(|it| *it < self.now)
            .max();
        let since = it.untrusted_since.or(ended);
        let since = since.map_or(String::new(), |it| {
            format!(" since {}", clock(it, self.now))
        });
        Told::from(format!(
            "Logins through {} fail: SendGrid trusts no valid certificate for it{since}{}",
            it.name,
            self.as_of()
        ))
    }

    fn foreign(&self) -> Told {
        let it = self.standing.it;
        let (name, as_of) = (&it.name, self.as_of());
        let replaced = items(it).iter().find_map(|item| match item.why {
            Why::Carries(other) => Some((brief(item), other)),
            _ => None,
        });
        let unmanaged = items(it).iter().find(|it| it.state == State::Unmanaged);
        let alone = if is_trusting(items(it), it.clocks(self.now)) {
            ""
        } else {
            ", and nothing of ours"
        };
        Told::from(match (unmanaged, replaced) {
            (Some(item), _) => format!(
                "Somebody else's certificate: SendGrid lists {} for {name}, which did not come from here{alone}{as_of}",
                brief(item)
            ),
            (None, Some((ours, Some(other)))) => format!(
                "Somebody else's certificate: SendGrid's row of our {ours} for {name} now carries {}{as_of}",
                other.brief()
            ),
            (None, Some((ours, None))) => format!(
                "{name}: SendGrid's row of our {ours} now carries something that cannot be read{as_of}"
            ),
            (None, None) => {
                format!("{name}: SendGrid lists something that cannot be read{alone}{as_of}")
            }
        })
    }

    fn trust_ends(&self) -> Told {
        let end = latest_expiry(self.standing.it).unwrap_or(self.now);
        Told::from(format!(
            "Logins through {} stop in {}, on {}: no successor is trusted{}",
            self.standing.it.name,
            span(self.standing.it.clocks(self.now).left_until(end)),
            end.date(),
            self.as_of()
        ))
    }

    fn only_others(&self) -> Told {
        let it = self.standing.it;
        let others = others(items(it), it.clocks(self.now));
        let unreadable = others.iter().all(|it| it.state == State::Undecodable);
        let others = match (others.len(), unreadable) {
            (number, true) => format!("{number} that cannot be read"),
            (number, false) => format!("{number} that did not come from here"),
        };
        Told::from(format!(
            "{}: no certificate in the directory is trusted at SendGrid; it lists {others}{}",
            it.name,
            self.as_of()
        ))
    }

    fn removed(&self) -> Told {
        let it = self.standing.it;
        let gone = items(it).iter().find(|it| it.state == State::Removed);
        if let Some(item) = gone.filter(|it| it.why == Why::RetiredByPerson) {
            return Told::from(format!(
                "{}: {} was taken away by a person, and its file still asks for it",
                it.name,
                brief(item)
            ));
        }
        let held = items(it).iter().find_map(|item| match item.why {
            Why::RemovedKey(other) => Some((brief(item), other)),
            _ => None,
        });
        Told::from(match (gone, held) {
            (None, Some((held, other))) => format!(
                "{}: {held} is held, because its key is that of {}, which somebody deleted at SendGrid",
                it.name,
                other.brief()
            ),
            (gone, _) => format!(
                "{}: {} was deleted at SendGrid, not by us; restore or deny it{}",
                it.name,
                gone.map_or_else(|| "a certificate".to_owned(), brief),
                self.as_of()
            ),
        })
    }

    fn need(&self, concern: Concern) -> String {
        let it = self.standing.it;
        let of = |attention| {
            items(it)
                .iter()
                .find(move |it| it.attention() == Some(attention))
        };
        let named = |attention| of(attention).map_or_else(|| "a certificate".to_owned(), brief);
        let refused: BTreeSet<_> = refusals(it)
            .into_iter()
            .filter(|(_, it)| (it.reason == Reason::PrivateKey) == (concern == Concern::PrivateKey))
            .map(|(file, refusal)| (file_name(&file.path), refusal.reason))
            .collect();
        let first = refused.first();
        match concern {
            Concern::PrivateKey => match first {
                Some((file, _)) => {
                    format!("a private key lies in {file}; nothing of it was kept or sent")
                }
                None => "a private key lies in its directory".to_owned(),
            },
            Concern::Approval => {
                let pending = items(it)
                    .iter()
                    .filter(|it| it.attention() == Some(Attention::Approval));
                let since = pending.clone().filter_map(|it| it.since).min();
                let since = since.map_or(String::new(), |it| {
                    format!(" since {}", clock(it, self.now))
                });
                let what = match pending.clone().count() {
                    0 | 1 => "a new key waits".to_owned(),
                    number => format!("{number} new keys wait"),
                };
                let is_pin = |it: &Item| it.why == Why::NeedsPin;
                let word = if pending.clone().all(is_pin) && pending.count() > 0 {
                    "a pin or approval"
                } else {
                    "approval"
                };
                format!("{what} for {word}{since}")
            }
            Concern::KeyBudget => match of(Attention::KeyBudget).map(|it| it.why) {
                Some(Why::TooMany { limit }) => format!(
                    "its directory holds more than {limit} certificates; {} is held",
                    named(Attention::KeyBudget)
                ),
                Some(Why::KeyBudget { limit }) => format!(
                    "more than {} in 24 h; {} is held",
                    count(
                        limit.try_into().unwrap_or(usize::MAX),
                        "new key",
                        "new keys"
                    ),
                    named(Attention::KeyBudget)
                ),
                _ => "too many new keys in 24 h".to_owned(),
            },
            Concern::Rejected => format!("SendGrid refuses {} (400)", named(Attention::Rejected)),
            _ => match (first, refused.len()) {
                (Some((file, reason)), 1) => format!("{file} is refused ({reason})"),
                (Some((file, reason)), number) => {
                    format!("{number} files are refused, first of all {file} ({reason})")
                }
                (None, _) => "its directory holds more files than are looked at".to_owned(),
            },
        }
    }

    fn no_successor(&self) -> Told {
        let it = self.standing.it;
        let left = latest_expiry(it).map_or_else(
            || "the end is near".to_owned(),
            |end| format!("{} left", crate::domain::text::left(end.since(self.now))),
        );
        Told::from(format!(
            "{}: {left} and no successor in the directory yet",
            it.name
        ))
    }

    fn stale(&self) -> Told {
        let it = self.standing.it;
        let account = self.snapshot.accounts.get(&it.account);
        let main = if account_is_silent(self.standing, self.snapshot) {
            let since = account.and_then(|it| it.answered_at).map_or_else(
                || {
                    format!(
                        "since sso-certd started {}",
                        ago(self.snapshot.started, self.now)
                    )
                },
                |it| format!("for {}", span(self.now.since(it))),
            );
            format!("Not sure: SendGrid has not answered {since}")
        } else {
            let why = it.failure.as_ref().map_or(String::new(), |it| {
                format!(": {}", printable(&it.text, LONGEST))
            });
            let since = it.compared_at.map_or_else(
                || "yet".to_owned(),
                |at| format!("for {}", span(self.now.since(at))),
            );
            format!("Not sure: {} could not be compared {since}{why}", it.name)
        };
        let rest = it.compared_at.map_or_else(
            || " What SendGrid trusts is not known.".to_owned(),
            |it| format!(" This was true at {}.", clock(it, self.now)),
        );
        Told { main, rest }
    }

    fn source_down(&self) -> Told {
        let it = self.standing.it;
        let why = match &it.source.look {
            Some(Err(error)) => printable(&error.to_string(), LONGEST),
            _ => "its directory cannot be read".to_owned(),
        };
        Told::from(format!("{}: {why}; nothing new is seen", it.name))
    }

    /// A sentence about SendGrid's list is as old as the list.
    fn as_of(&self) -> String {
        match self.standing.it.compared_at {
            Some(at) if self.standing.concerns.contains(&Concern::Stale) => {
                format!("; last compared {}", clock(at, self.now))
            }
            _ => String::new(),
        }
    }
}

/// Words of others in a sentence are cut here.
pub(crate) const LONGEST: usize = 200;

/// Whether the account has not answered at all since the integration was last compared.
pub(crate) fn account_is_silent(standing: &Standing<'_>, snapshot: &Snapshot) -> bool {
    snapshot
        .accounts
        .get(&standing.it.account)
        .is_some_and(|it| it.failure.is_some() && it.answered_at <= standing.it.compared_at)
}
