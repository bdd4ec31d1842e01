//! What came of a person's decision.

use crate::domain::text::span;
use crate::domain::{Fingerprint, IntegrationName, Timestamp};
use crate::plan::book::{Belief, Book, Standing, Word, Write};
use crate::plan::decision::{Decision, Refusal, key_holder};
use crate::plan::policy::Mode;
use crate::plan::retire::{Block, How};
use crate::plan::rollover::{Item, Plan};
use crate::plan::state::State;

use super::decision_question::in_words;
use super::snapshot::{IntegrationSnapshot, LastChange};
use super::terminal::{Mark, Page, Rendered, Terminal};

/// A decision that makes no sense as things stand.
pub fn refusal_text(
    name: &IntegrationName,
    fingerprint: Fingerprint,
    decision: Decision,
    refusal: Refusal,
    terminal: Terminal,
) -> Rendered {
    let mut page = Page::new(terminal);
    let text = format!(
        "Not {}: {} of {name}: {refusal}.",
        done(decision),
        fingerprint.short()
    );
    page.item(0, Mark::Broken, &text);
    if let Some(help) = refusal.help(fingerprint) {
        page.line(&format!("  help: {help}"));
    }
    page.finish(1)
}

/// A certificate that is not taken away, and waiting would not help.
pub fn not_retired_text(
    name: &IntegrationName,
    fingerprint: Fingerprint,
    block: Block,
    plan: &Plan,
    terminal: Terminal,
) -> Rendered {
    let mut page = Page::new(terminal);
    let short = fingerprint.short();
    if block != Block::Last {
        page.item(
            0,
            Mark::Broken,
            &format!("Not retired: {short} of {name}: {block}."),
        );
        page.line("  help: mode = \"manage\", or SendGrid's own pages");
        return page.finish(1);
    }
    let is_it = |it: &&Item| it.fingerprint == Some(fingerprint);
    let counts = |it: &&Item| it.state.is_trust() || it.state == State::Superseded;
    let is_used = plan.items.iter().filter(is_it).any(|it| counts(&it));
    let is_only = !plan
        .items
        .iter()
        .filter(|it| !is_it(it))
        .any(|it| counts(&it));
    page.item(
        0,
        Mark::Broken,
        &if is_used && is_only {
            format!(
                "Not retired: {short} is the last valid certificate of {name}; nobody could sign in."
            )
        } else {
            format!("Not retired: {short} of {name}: {block}.")
        },
    );
    page.line("  help: get a successor trusted first. A stolen key and no successor: delete it in SendGrid's own");
    page.line(&format!(
        "        pages, then `sso-certd deny {short}` so that it never comes back."
    ));
    page.finish(1)
}

/// A decision that is in the ledger, and what came of it.
#[derive(Clone, Debug)]
pub struct Taken<'a> {
    /// The certificate.
    pub fingerprint: Fingerprint,
    /// What was decided.
    pub decision: Decision,
    /// By whom.
    pub by: &'a str,
    /// Whether it was not decided before.
    pub is_news: bool,
    /// What is believed after the pass.
    pub book: &'a Book,
    /// Why that pass could not ask SendGrid, if it could not.
    pub obstacle: Option<String>,
    /// What it changed at SendGrid for this certificate.
    pub change: Option<&'a LastChange>,
    /// How the integration stands after it.
    pub after: &'a IntegrationSnapshot,
}

/// How a decision came out.
struct Came {
    mark: Mark,
    text: String,
    /// What it waits for, each alone.
    blocks: Vec<Block>,
}

impl Came {
    fn new(mark: Mark, text: impl Into<String>) -> Self {
        Self {
            mark,
            text: text.into(),
            blocks: Vec::new(),
        }
    }

    fn recorded(obstacle: &str) -> Self {
        let text = format!("Recorded; SendGrid could not be asked: {obstacle}.");
        Self::new(Mark::Waits, text)
    }
}

/// What came of a decision.
pub fn taken_text(taken: &Taken<'_>, terminal: Terminal) -> Rendered {
    let came = taken.came();
    let word = match taken.decision {
        Decision::Retire(_) if came.mark != Mark::Fine => "Ordered".to_owned(),
        decision => capital(done(decision)),
    };
    let head = if taken.is_news {
        format!("{word} by {}.", taken.by)
    } else {
        format!("{word} before; nothing new is recorded.")
    };
    let mut page = Page::new(terminal);
    page.item(0, came.mark, &format!("{head} {}", came.text));
    for block in &came.blocks {
        let mark = match block.until() {
            Some(_) => Mark::Waits,
            None => Mark::Broken,
        };
        page.item(2, mark, &block.to_string());
    }
    page.finish(0)
}

impl Taken<'_> {
    fn came(&self) -> Came {
        match self.decision {
            Decision::Approve | Decision::ApproveKey | Decision::Adopt | Decision::Restore => {
                self.came_in()
            }
            Decision::Deny | Decision::DenyKey => self.came_to_nothing(),
            Decision::Acknowledge => Came::new(
                Mark::Fine,
                "It stays at SendGrid, and no more is said of it.",
            ),
            Decision::Forget => Came::new(
                Mark::Fine,
                match self.item() {
                    Some(it) => format!("Now it is {}: {}.", it.state, it.why),
                    None => "The configuration decides about it.".to_owned(),
                },
            ),
            Decision::Retire(how) => self.went(how),
        }
    }

    fn came_in(&self) -> Came {
        let belief = self.belief();
        let item = self.item();
        if matches!(self.standing(), Some(Standing::Confirmed(_))) {
            let start = item
                .filter(|it| it.state == State::Ahead)
                .and_then(|it| it.certificate.as_ref())
                .map(|it| it.validity().not_before.date());
            let trusts = match start {
                Some(start) => format!("SendGrid has it, and trusts it from {start} on."),
                None => "SendGrid trusts it.".to_owned(),
            };
            let did = match self.change {
                Some(it) if it.what == "uploaded" => {
                    format!("Uploaded and read back after {}: ", span(it.took))
                }
                Some(it) if it.what == "enabled" => format!("Enabled after {}: ", span(it.took)),
                _ => String::new(),
            };
            return Came::new(Mark::Fine, did + &trusts);
        }
        if let Some(obstacle) = &self.obstacle {
            return Came::recorded(obstacle);
        }
        if self.after.mode == Mode::Observe {
            return Came::new(Mark::Waits, format!("But {}.", Block::Observe));
        }
        if let Some(refused) = self.refused(Write::Update).filter(|_| item.is_some()) {
            return Came::new(Mark::Waits, format!("Recorded; {refused}."));
        }
        match item {
            _ if belief.is_none_or(|it| it.certificate.is_none()) => Came::new(
                Mark::Fine,
                "It was never seen; it goes to SendGrid once a file brings it.",
            ),
            Some(it) => {
                let mark = if it.state.needs_person() {
                    Mark::NeedsYou
                } else {
                    Mark::Waits
                };
                Came::new(mark, format!("Recorded; it is {}: {}.", it.state, it.why))
            }
            None => Came::new(Mark::Waits, "Recorded; it goes once a file asks for it."),
        }
    }

    /// What a denial came to; of a key that another certificate in use has, what denies that too.
    fn came_to_nothing(&self) -> Came {
        let mut came = self.came_to_less();
        let is_alone = self
            .belief()
            .is_some_and(|it| it.word == Some(Word::DeniedAlone));
        if let Some(other) = key_holder(self.book, self.fingerprint).filter(|_| is_alone) {
            let (short, other) = (self.fingerprint.short(), other.short());
            came.mark = Mark::NeedsYou;
            came.text = format!(
                "{} Its key is that of {other}, which stays trusted; `sso-certd deny {short} --key` denies that as well.",
                came.text
            );
        }
        came
    }

    fn came_to_less(&self) -> Came {
        let short = self.fingerprint.short();
        match self.standing() {
            Some(Standing::Confirmed(_)) => Came::new(
                Mark::NeedsYou,
                format!(
                    "It stays at SendGrid, and its key signs in, until `sso-certd retire {short} --delete`."
                ),
            ),
            Some(Standing::Foreign { .. }) => Came::new(
                Mark::NeedsYou,
                "It stays at SendGrid, and its key signs in, until somebody deletes it in SendGrid's own pages.",
            ),
            Some(Standing::Disabled { .. }) => {
                Came::new(Mark::Fine, "It stays at SendGrid, disabled.")
            }
            Some(Standing::Intent(_)) => Came::new(
                Mark::NeedsYou,
                "What became of an earlier upload is not known yet; `sso-certd status` will tell.",
            ),
            _ if self
                .belief()
                .is_some_and(|it| it.word == Some(Word::DeniedAlone)) =>
            {
                Came::new(Mark::Fine, "It is not uploaded.")
            }
            _ => Came::new(
                Mark::Fine,
                "It is not uploaded, and neither is another one with its key.",
            ),
        }
    }

    fn went(&self, how: How) -> Came {
        let short = self.fingerprint.short();
        let took = self
            .change
            .map_or(String::new(), |it| format!(" after {}", span(it.took)));
        match (self.standing(), how) {
            (Some(Standing::Disabled { unsure: false, .. }), How::Disable) => Came::new(
                Mark::Fine,
                format!("Disabled at SendGrid{took}; `sso-certd restore {short}` brings it back."),
            ),
            (Some(Standing::Retired { .. }), _) => Came::new(
                Mark::Fine,
                format!(
                    "Deleted at SendGrid and not there any more{took}; `sso-certd restore {short}` brings it back."
                ),
            ),
            (Some(Standing::Deleting(_) | Standing::Disabled { unsure: true, .. }), _) => {
                Came::new(
                    Mark::Waits,
                    "SendGrid was asked, and whether it is done is not known yet; `sso-certd status` will tell.",
                )
            }
            _ => match (
                &self.obstacle,
                self.item().and_then(|it| it.retirement.as_ref()),
            ) {
                (Some(obstacle), _) => Came::recorded(obstacle),
                (None, Some(retirement)) => Came {
                    blocks: retirement.blocks.clone(),
                    ..Came::new(Mark::Waits, "It stays as long as this is so:")
                },
                (None, None) => Came::new(Mark::Waits, "It goes at the next comparison."),
            },
        }
    }

    /// A write of this kind that SendGrid did not carry out, as long as it is not tried again.
    fn refused(&self, write: Write) -> Option<Block> {
        let refusal = self.book.refused_writes.get(&write)?;
        Some(Block::Refused {
            write,
            is_forbidden: refusal.is_forbidden,
            until: refusal.at.wall.plus(refusal.wait()),
        })
    }

    fn belief(&self) -> Option<&Belief> {
        self.book.beliefs.get(&self.fingerprint)
    }

    fn standing(&self) -> Option<&Standing> {
        self.belief().map(|it| &it.standing)
    }

    fn item(&self) -> Option<&Item> {
        let mut items = self.after.plan.as_ref()?.items.iter();
        items.find(|it| it.fingerprint == Some(self.fingerprint))
    }
}

/// An orphan that was dropped.
pub fn dropped_text(name: &IntegrationName, by: &str, terminal: Terminal) -> Rendered {
    let mut page = Page::new(terminal);
    let text = format!("Forgotten by {by}. The books of {name} know it no more.");
    page.item(0, Mark::Fine, &text);
    page.finish(0)
}

/// Integrations that were paused or resumed.
#[derive(Clone, Copy, Debug)]
pub struct Paused<'a> {
    /// Which of the two.
    pub is_paused: bool,
    /// By whom.
    pub by: &'a str,
    /// Those that were.
    pub news: &'a [IntegrationName],
    /// Those that had been before.
    pub before: &'a [IntegrationName],
    /// How those that were stand after a pass.
    pub after: &'a [IntegrationSnapshot],
    /// When that began.
    pub started: Timestamp,
}

/// What came of pausing or resuming.
pub fn paused_text(paused: &Paused<'_>, terminal: Terminal) -> Rendered {
    let mut page = Page::new(terminal);
    let (word, effect) = if paused.is_paused {
        (
            "Paused",
            "Nothing is written to SendGrid until `sso-certd resume`.",
        )
    } else {
        ("Resumed", "What waited goes on.")
    };
    if !paused.news.is_empty() {
        let names = in_words(paused.news);
        let text = format!("{word} by {}: {names}. {effect}", paused.by);
        page.item(0, Mark::Fine, &text);
    }
    for it in paused.after {
        if let Some(change) = it.last_change.as_ref().filter(|it| it.at >= paused.started) {
            let (short, took) = (change.fingerprint.short(), span(change.took));
            let text = format!("{}: {short} {} after {took}", it.name, change.what);
            page.item(2, Mark::Fine, &text);
        }
        if let Some(failure) = &it.failure {
            let text = format!("{}: SendGrid could not be asked: {}", it.name, failure.text);
            page.item(2, Mark::Waits, &text);
        }
    }
    if !paused.before.is_empty() {
        let was = if paused.is_paused {
            "Paused before"
        } else {
            "Not paused"
        };
        page.item(
            0,
            Mark::Waits,
            &format!("{was}: {}.", in_words(paused.before)),
        );
    }
    page.finish(0)
}

/// `approved`
const fn done(decision: Decision) -> &'static str {
    match decision {
        Decision::Approve | Decision::ApproveKey => "approved",
        Decision::Deny | Decision::DenyKey => "denied",
        Decision::Acknowledge => "acknowledged",
        Decision::Adopt => "adopted",
        Decision::Restore => "restored",
        Decision::Forget => "forgotten",
        Decision::Retire(_) => "retired",
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|it| it.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use expect_test::expect;

    use super::*;
    use crate::domain::{CertificateId, Look, Moment};
    use crate::plan::book::WriteRefusal;
    use crate::plan::retire::Retirement;
    use crate::view::testing::{WIDE, adfs, adfs_next, at, integration, item, now, plan};

    fn name() -> IntegrationName {
        IntegrationName::parse("adfs").unwrap()
    }

    fn row() -> CertificateId {
        CertificateId::parse("66138975").unwrap()
    }

    fn ours() -> Standing {
        Standing::Confirmed(row())
    }

    #[test]
    fn a_refusal_says_what_helps() {
        let fingerprint = adfs().fingerprint();
        let refusal = |decision, refusal| {
            let told = refusal_text(&name(), fingerprint, decision, refusal, WIDE);
            assert_eq!(told.exit, 1);
            told.text
        };
        expect![[r#"
            ✗ Not approved: faee618c2cd6e62b of adfs: it is at SendGrid already.
            ✗ Not retired: faee618c2cd6e62b of adfs: it is not ours.
              help: sso-certd adopt faee618c2cd6e62b makes it ours first
        "#]]
        .assert_eq(
            &(refusal(Decision::Approve, Refusal::Listed)
                + &refusal(Decision::Retire(How::Disable), Refusal::NotOurs)),
        );
    }

    #[test]
    fn the_last_one_is_not_retired() {
        let (old, next) = (adfs(), adfs_next());
        let not_retired = |items, block| {
            let plan = plan(items, &Look::default(), now());
            let told = not_retired_text(&name(), old.fingerprint(), block, &plan, WIDE);
            assert_eq!(told.exit, 1);
            told.text
        };
        let (trusted, found) = (item(State::Trusted, &old), item(State::Found, &next));
        let all = [
            not_retired(vec![trusted.clone()], Block::Last),
            not_retired(vec![trusted.clone(), found], Block::Last),
            not_retired(vec![item(State::Disabled, &old)], Block::Last),
            not_retired(vec![trusted], Block::Observe),
        ];
        expect![[r#"
            ✗ Not retired: faee618c2cd6e62b is the last valid certificate of adfs; nobody could sign in.
              help: get a successor trusted first. A stolen key and no successor: delete it in SendGrid's own
                    pages, then `sso-certd deny faee618c2cd6e62b` so that it never comes back.
            ✗ Not retired: faee618c2cd6e62b of adfs: no other certificate of ours is trusted and valid for 7 days more.
              help: get a successor trusted first. A stolen key and no successor: delete it in SendGrid's own
                    pages, then `sso-certd deny faee618c2cd6e62b` so that it never comes back.
            ✗ Not retired: faee618c2cd6e62b of adfs: no other certificate of ours is trusted and valid for 7 days more.
              help: get a successor trusted first. A stolen key and no successor: delete it in SendGrid's own
                    pages, then `sso-certd deny faee618c2cd6e62b` so that it never comes back.
            ✗ Not retired: faee618c2cd6e62b of adfs: mode is "observe": nothing is written.
              help: mode = "manage", or SendGrid's own pages
        "#]].assert_eq(&all.concat());
    }

    /// What is told of a decision about one certificate.
    struct Case {
        decision: Decision,
        is_news: bool,
        standing: Standing,
        state: Option<State>,
        obstacle: Option<&'static str>,
        changed: Option<&'static str>,
        change: fn(&mut Book, &mut Item),
    }

    impl Case {
        const fn new(decision: Decision, standing: Standing, state: State) -> Self {
            Self {
                decision,
                is_news: true,
                standing,
                state: Some(state),
                obstacle: None,
                changed: None,
                change: |_, _| {},
            }
        }

        fn told(self) -> String {
            let certificate = adfs();
            let fingerprint = certificate.fingerprint();
            let mut book = Book::default();
            book.belief(&certificate).standing = self.standing;
            let mut item = item(self.state.unwrap_or(State::Held), &certificate);
            (self.change)(&mut book, &mut item);
            let mut after = integration("adfs", Vec::new());
            let items = self.state.map(|_| item).into_iter().collect();
            after.plan = Some(Arc::new(plan(items, &Look::default(), now())));
            let change = self.changed.map(|what| LastChange {
                at: now(),
                what: what.to_owned(),
                fingerprint,
                took: Duration::from_millis(900),
            });
            let taken = Taken {
                fingerprint,
                decision: self.decision,
                by: "alice",
                is_news: self.is_news,
                book: &book,
                obstacle: self.obstacle.map(str::to_owned),
                change: change.as_ref(),
                after: &after,
            };
            let told = taken_text(&taken, WIDE);
            assert_eq!(told.exit, 0);
            told.text
        }
    }

    fn refuse_update(book: &mut Book, _: &mut Item) {
        let at = Moment {
            wall: now(),
            boot: crate::domain::BootId::new("boot"),
            since_boot: Duration::ZERO,
        };
        let refusal = WriteRefusal {
            at,
            is_forbidden: true,
        };
        book.refused_writes.insert(Write::Update, refusal);
    }

    #[test]
    fn what_came_of_letting_one_in() {
        let case = |state| Case::new(Decision::Approve, Standing::Seen, state);
        let foreign = Standing::Foreign {
            id: Some(row()),
            inherited: false,
        };
        let all = [
            Case {
                changed: Some("uploaded"),
                ..Case::new(Decision::Approve, ours(), State::Trusted)
            },
            Case {
                changed: Some("enabled"),
                ..Case::new(Decision::Adopt, ours(), State::Trusted)
            },
            Case {
                is_news: false,
                ..Case::new(Decision::Approve, ours(), State::Ahead)
            },
            Case {
                obstacle: Some("rate limited"),
                ..case(State::Held)
            },
            case(State::Waiting),
            case(State::Held),
            Case {
                state: None,
                ..case(State::Held)
            },
            Case {
                change: |book, _| {
                    for it in book.beliefs.values_mut() {
                        it.certificate = None;
                    }
                },
                ..case(State::Held)
            },
            Case {
                change: refuse_update,
                ..Case::new(Decision::Adopt, foreign, State::Found)
            },
        ];
        let all: Vec<String> = all.into_iter().map(Case::told).collect();
        expect![[r#"
            ✓ Approved by alice. Uploaded and read back after 0.9 s: SendGrid trusts it.
            ✓ Adopted by alice. Enabled after 0.9 s: SendGrid trusts it.
            ✓ Approved before; nothing new is recorded. SendGrid has it, and trusts it from 2025-11-24 on.
            · Approved by alice. Recorded; SendGrid could not be asked: rate limited.
            · Approved by alice. Recorded; it is waiting: SendGrid refused it before its start; sent again at 2026-11-24T21:40:00Z.
            ! Approved by alice. Recorded; it is held: more than 5 new keys in 24 h; goes when a person approves it.
            · Approved by alice. Recorded; it goes once a file asks for it.
            ✓ Approved by alice. It was never seen; it goes to SendGrid once a file brings it.
            · Adopted by alice. Recorded; SendGrid answered 403: the key needs the scope sso.settings.update; tried again at 2026-11-25 09:14 UTC.
        "#]].assert_eq(&all.concat());
    }

    #[test]
    fn what_came_of_the_other_words() {
        let deny = |standing| Case::new(Decision::Deny, standing, State::Trusted);
        let foreign = Standing::Foreign {
            id: None,
            inherited: true,
        };
        let all = [
            deny(ours()),
            deny(foreign.clone()),
            deny(Standing::Seen),
            Case::new(Decision::Acknowledge, foreign, State::Acknowledged),
            Case::new(Decision::Forget, Standing::Seen, State::Held),
        ];
        let all: Vec<String> = all.into_iter().map(Case::told).collect();
        expect![[r#"
            ! Denied by alice. It stays at SendGrid, and its key signs in, until `sso-certd retire faee618c2cd6e62b --delete`.
            ! Denied by alice. It stays at SendGrid, and its key signs in, until somebody deletes it in SendGrid's own pages.
            ✓ Denied by alice. It is not uploaded, and neither is another one with its key.
            ✓ Acknowledged by alice. It stays at SendGrid, and no more is said of it.
            ✓ Forgotten by alice. Now it is held: more than 5 new keys in 24 h; goes when a person approves it.
        "#]].assert_eq(&all.concat());
    }

    #[test]
    fn what_came_of_taking_one_away() {
        let retire = |how, standing| Case::new(Decision::Retire(how), standing, State::Trusted);
        let disabled = |unsure| Standing::Disabled {
            id: row(),
            ordered: true,
            unsure,
        };
        let all = [
            Case {
                changed: Some("disabled"),
                ..retire(How::Disable, disabled(false))
            },
            Case {
                changed: Some("deleted"),
                ..retire(How::Delete, Standing::Retired { ordered: true })
            },
            retire(How::Disable, disabled(true)),
            Case {
                change: |_, item| {
                    let until = at("2026-11-25 09:14:02");
                    item.retirement = Some(Retirement {
                        how: Some(How::Disable),
                        ordered: true,
                        again: false,
                        blocks: vec![Block::AdditionsFirst, Block::OneADay { until }],
                    });
                },
                ..retire(How::Disable, ours())
            },
            Case {
                obstacle: Some("no answer within 30 s"),
                ..retire(How::Disable, ours())
            },
        ];
        let all: Vec<String> = all.into_iter().map(Case::told).collect();
        expect![[r#"
            ✓ Retired by alice. Disabled at SendGrid after 0.9 s; `sso-certd restore faee618c2cd6e62b` brings it back.
            ✓ Retired by alice. Deleted at SendGrid and not there any more after 0.9 s; `sso-certd restore faee618c2cd6e62b` brings it back.
            · Ordered by alice. SendGrid was asked, and whether it is done is not known yet; `sso-certd status` will tell.
            · Ordered by alice. It stays as long as this is so:
              ✗ what is to be added comes first
              · one a day; the next one may go at 2026-11-25 09:14 UTC
            · Ordered by alice. Recorded; SendGrid could not be asked: no answer within 30 s.
        "#]].assert_eq(&all.concat());
    }

    #[test]
    fn pausing_names_whom_it_stopped() {
        let (adfs, okta) = (name(), IntegrationName::parse("okta").unwrap());
        let mut after = integration("adfs", Vec::new());
        after.last_change = Some(LastChange {
            at: now(),
            what: "uploaded".to_owned(),
            fingerprint: adfs_next().fingerprint(),
            took: Duration::from_millis(900),
        });
        let (adfs, okta) = (std::slice::from_ref(&adfs), std::slice::from_ref(&okta));
        let told = |is_paused, after: &[IntegrationSnapshot]| {
            paused_text(
                &Paused {
                    is_paused,
                    by: "bob",
                    news: adfs,
                    before: okta,
                    after,
                    started: now(),
                },
                WIDE,
            )
            .text
        };
        let all = [told(true, &[]), told(false, std::slice::from_ref(&after))];
        expect![[r#"
            ✓ Paused by bob: adfs. Nothing is written to SendGrid until `sso-certd resume`.
            · Paused before: okta.
            ✓ Resumed by bob: adfs. What waited goes on.
              ✓ adfs: d49e9ef2931aaea1 uploaded after 0.9 s
            · Not paused: okta.
        "#]]
        .assert_eq(&all.concat());
    }
}
