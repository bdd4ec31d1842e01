//! `explain`: one certificate's life, what comes next, and what stands in the way.

use std::sync::Arc;

use crate::domain::text::{count, printable};
use crate::domain::{Certificate, Fingerprint, Timestamp};
use crate::plan::book::{Belief, Book, HoldKind, Standing, Word};
use crate::plan::entry::{Entry, What};
use crate::plan::policy::{Policy, RetireAction};
use crate::plan::retire::{How, successor};
use crate::plan::rollover::{Item, Plan};
use crate::plan::state::State;

use super::conditions::{Condition, conditions};
use super::next::Next;
use super::retirement::taken;
use super::standing::is_valid;
use super::terminal::{Page, Rendered, Terminal};
use super::when::{clock, left};

/// One certificate in one integration, and everything that is known of its life there.
#[derive(Clone, Debug)]
pub struct Explained {
    /// What the integration is or was called.
    pub name: String,
    /// Which certificate.
    pub fingerprint: Fingerprint,
    /// What the configuration demands; none where the integration is no longer configured.
    pub policy: Option<Policy>,
    /// The last plan; none if there never was one.
    pub plan: Option<Arc<Plan>>,
    /// What the ledger believes.
    pub book: Book,
    /// Its history, oldest first.
    pub history: Vec<Entry>,
    /// Entries before those.
    pub earlier: usize,
    /// Whether a daemon looks at the source; else only the ledger speaks.
    pub is_live: bool,
}

impl Explained {
    /// It as last planned; none if it has no place in the plan.
    pub(super) fn item(&self) -> Option<&Item> {
        let is_it = |it: &&Item| it.fingerprint == Some(self.fingerprint);
        let mut found = self.items().iter().filter(is_it);
        found.find(|it| it.state != State::Duplicate)
    }

    pub(super) fn items(&self) -> &[Item] {
        let plan = self.plan.as_ref();
        plan.map(|it| it.items.as_slice()).unwrap_or_default()
    }

    pub(super) fn belief(&self) -> Option<&Belief> {
        self.book.beliefs.get(&self.fingerprint)
    }

    fn certificate(&self) -> Option<&Certificate> {
        let of_item = self.item().and_then(|it| it.certificate.as_ref());
        of_item.or_else(|| self.belief()?.certificate.as_ref())
    }
}

/// `explain` as text: the certificate once for each integration that knows it.
pub fn explain_text(all: &[Explained], now: Timestamp, terminal: Terminal) -> Rendered {
    let mut page = Page::new(terminal);
    for (index, it) in all.iter().enumerate() {
        if index > 0 {
            page.blank();
        }
        page.line(&head(it, now));
        page.blank();
        life(&mut page, it);
        let today = today(it, now);
        if it.is_live {
            entry(&mut page, "today", &today);
        } else {
            entry(
                &mut page,
                "in the ledger",
                &format!("{today} (sso-certd does not run)"),
            );
        }
        then(&mut page, it, now, terminal);
    }
    page.finish(0)
}

fn head(it: &Explained, now: Timestamp) -> String {
    let subject = it.certificate().map_or(String::new(), |it| {
        format!(", {}", printable(it.subject(), LONGEST))
    });
    let end = it.certificate().map(|it| it.validity().not_after);
    let end = end.map_or(String::new(), |end| match left(end, now).as_str() {
        "over" => format!(", ended {}", end.date()),
        left => format!(", until {} ({left})", end.date()),
    });
    format!(
        "{}, {}{subject}: {}{end}",
        it.name,
        it.fingerprint.short(),
        state(it)
    )
}

/// Its state; of what has no place in the plan, what is remembered.
fn state(it: &Explained) -> &'static str {
    match (it.item(), it.belief()) {
        _ if it.policy.is_none() => State::Orphaned.word(),
        (Some(item), _) => item.state.word(),
        (
            None,
            Some(Belief {
                word: Some(word), ..
            }),
        ) => match word {
            Word::Approved | Word::ApprovedKey => "approved",
            Word::Denied | Word::DeniedAlone => State::Denied.word(),
            Word::Acknowledged => State::Acknowledged.word(),
        },
        (None, Some(it)) if it.hold.is_some() => State::Held.word(),
        (None, Some(it)) if it.issued.is_some() => "ignored",
        (None, Some(it)) if it.is_wanted() => "seen",
        (None, _) => "gone",
    }
}

fn life(page: &mut Page, it: &Explained) {
    if it.earlier > 0 {
        let earlier = count(it.earlier, "earlier entry", "earlier entries");
        entry(page, "…", &format!("{earlier}: sso-certd history"));
    }
    for it in &it.history {
        entry(page, &it.at.minute(), &told(it));
    }
}

/// One entry of its history as people say it.
fn told(entry: &Entry) -> String {
    let (what, by) = (entry.what.word(), printable(&entry.by, LONGEST));
    let detail = printable(&entry.detail, LONGEST);
    let is_ours = entry.by == Entry::OURS;
    match (entry.what, detail.is_empty()) {
        (What::Seen, false) if !is_ours && !by.is_empty() => format!("{what} in {detail} ({by})"),
        (What::Seen | What::Ignored, false) => format!("{what} in {detail}"),
        (_, true) if is_ours => what.to_owned(),
        (_, true) => format!("{what} by {by}"),
        (_, false) if is_ours => format!("{what}: {detail}"),
        (_, false) => format!("{what} by {by}: {detail}"),
    }
}

fn today(it: &Explained, now: Timestamp) -> String {
    if it.policy.is_none() {
        return "its integration is no longer configured; SendGrid is not asked about it"
            .to_owned();
    }
    let Some(item) = it.item() else {
        return remembered(it);
    };
    if !item.state.is_trust() {
        return item.why.to_string();
    }
    let is_trusted = |it: &&Item| it.state.is_trust() && is_valid(it, now);
    let which = match it.items().iter().filter(is_trusted).count() {
        0 | 1 => "the only trusted certificate".to_owned(),
        number => format!("one of {number} trusted certificates"),
    };
    let newer = successor(it.items(), &it.book, item).map_or(String::new(), |(newer, belief)| {
        let since = belief.trusted_since.as_ref();
        let since = since.map_or(String::new(), |it| {
            format!(" since {}", clock(it.wall, now))
        });
        format!("; its successor {}{since}", newer.brief())
    });
    format!("{which}{newer}")
}

/// What there is to say of what no file asks for and SendGrid does not list.
fn remembered(it: &Explained) -> String {
    let Some(belief) = it.belief() else {
        return "in no file and not at SendGrid; only the history knows it".to_owned();
    };
    if let Some(issued) = &belief.issued {
        return format!(
            "not uploaded, because it issued {} of the same source; sso-certd approve, or a pin in trust.pins, lets it in",
            issued.short()
        );
    }
    let text = if belief.is_wanted() {
        match belief.hold.as_ref().map(|it| it.kind) {
            Some(HoldKind::Approval) => "in a file, and waits for approval",
            Some(HoldKind::Pin) => "in a file, and waits for a pin or approval",
            Some(HoldKind::KeyBudget) => "in a file, and held: too many new keys in a day",
            None => "in a file, and not at SendGrid",
        }
    } else {
        match (&belief.standing, belief.certificate.is_some()) {
            (_, false) => "decided about before it was seen; in no file and not at SendGrid",
            (Standing::Retired { .. }, _) => {
                "no longer at SendGrid; as long as it is valid, restore brings it back"
            }
            (Standing::Removed { .. }, _) => "deleted at SendGrid by somebody; no file asks for it",
            _ => "in no file and not at SendGrid",
        }
    };
    text.to_owned()
}

fn then(page: &mut Page, it: &Explained, now: Timestamp, terminal: Terminal) {
    let Some(policy) = &it.policy else {
        entry(page, "then", "stays in the books until sso-certd forget");
        return;
    };
    let (Some(item), Some(plan)) = (it.item(), &it.plan) else {
        return;
    };
    let conditions = conditions(it, item, policy, now);
    if conditions.is_empty() {
        let next = Next {
            items: it.items(),
            outlook: &plan.outlook,
            mode: policy.mode,
            now,
        };
        let next = next.of(item);
        if next != "–" {
            entry(page, "then", &next);
        }
        return;
    }
    let how = item.retirement.as_ref().and_then(|it| it.how);
    let goes = match (how, policy.retire.action) {
        (Some(How::Disable), _) | (None, RetireAction::Disable) => {
            format!("is {} when", taken(How::Disable))
        }
        _ => "leaves SendGrid when".to_owned(),
    };
    let things = match conditions.len() {
        1 => "one thing is true".to_owned(),
        number => format!("{} things are true", in_words(number)),
    };
    entry(page, "then", &format!("{goes} {things}"));
    list(page, &conditions, terminal);
}

/// Each condition with its mark; what there is to say of it stands beside, or below where that is too wide.
fn list(page: &mut Page, conditions: &[Condition], terminal: Terminal) {
    let length = |it: &str| terminal.text(it).chars().count();
    let longest = |part: fn(&Condition) -> &str| {
        let parts = conditions.iter().map(part);
        parts.map(length).max().unwrap_or(0)
    };
    let what = longest(|it| &it.what);
    let is_wide = INDENT + what + longest(|it| &it.note) + 4 <= terminal.width;
    for it in conditions {
        let pad = " ".repeat(what.saturating_sub(length(&it.what)));
        match (it.note.is_empty(), is_wide) {
            (true, _) => page.item(INDENT, it.mark, &it.what),
            (false, true) => {
                page.item(INDENT, it.mark, &format!("{}{pad}  {}", it.what, it.note));
            }
            (false, false) => {
                page.item(INDENT, it.mark, &it.what);
                page.line(&format!("{}{}", " ".repeat(INDENT + 2), it.note));
            }
        }
    }
}

fn in_words(number: usize) -> String {
    let words = [
        "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    words
        .get(number)
        .map_or_else(|| number.to_string(), |it| (*it).to_owned())
}

fn entry(page: &mut Page, when: &str, what: &str) {
    page.line(&format!("  {when:<16}  {what}"));
}

/// Columns before a condition.
const INDENT: usize = 22;

/// Words of others are cut here.
const LONGEST: usize = 300;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::domain::{CertificateId, Credit, Look};
    use crate::plan::book::{Hold, InSource};
    use crate::plan::policy::RetireWhen;
    use crate::plan::retire::Block;
    use crate::plan::why::Why;
    use crate::view::testing::{
        NARROW_ASCII, WIDE, adfs, adfs_next, at, because, item, moment, now, okta, plan, policy,
        retiring,
    };

    #[track_caller]
    fn check(it: &Explained, terminal: Terminal, expected: &Expect) {
        let rendered = explain_text(std::slice::from_ref(it), now(), terminal);
        expected.assert_eq(&rendered.text);
        assert_eq!(rendered.exit, 0);
        assert!(terminal.utf8 || rendered.text.is_ascii());
    }

    fn ours(certificate: &Certificate, trusted_for: u64) -> Belief {
        let mut belief = Belief::new(certificate.clone());
        belief.standing = Standing::Confirmed(CertificateId::parse("51200341").unwrap());
        belief.trusted_since = Some(moment(at("2026-11-24 09:12:00")));
        belief.trusted_for = Some(Credit {
            total: Duration::from_secs(trusted_for),
            ..Credit::begin(&moment(now()))
        });
        belief.source = InSource::Present {
            since: moment(now()),
            credit: Credit::begin(&moment(now())),
            paths: vec![PathBuf::from("/x/adfs-2026.cer")],
        };
        belief
    }

    fn history() -> Vec<Entry> {
        let which = Some(adfs().fingerprint());
        let entry = |time, what, detail: &str| Entry::new(at(time), what, which, detail);
        vec![
            entry("2025-11-24 10:02:00", What::Seen, "adfs-2026.cer").by("adfs-drop"),
            entry(
                "2025-11-24 10:02:01",
                What::Accepted,
                "new key, evidence: source, after change",
            ),
            entry("2025-11-24 10:02:02", What::Uploaded, "answered in 412 ms"),
            entry(
                "2025-11-24 10:02:02",
                What::Trusted,
                "read back, id 51200341",
            ),
            entry("2026-11-20 11:05:00", What::Approved, "\"CHG0031337\"").by("alice"),
        ]
    }

    /// A certificate of AD FS beside its successor.
    fn adfs_explained(old: Item) -> Explained {
        let mut book = Book::default();
        for (certificate, trusted_for) in [(adfs(), 10 * 86_400), (adfs_next(), 120)] {
            let belief = ours(&certificate, trusted_for);
            book.beliefs.insert(certificate.fingerprint(), belief);
        }
        let items = vec![item(State::Trusted, &adfs_next()), old];
        Explained {
            name: "adfs".to_owned(),
            fingerprint: adfs().fingerprint(),
            policy: Some(policy()),
            plan: Some(Arc::new(plan(items, &Look::default(), now()))),
            book,
            history: history(),
            earlier: 0,
            is_live: true,
        }
    }

    #[test]
    fn one_life_and_what_blocks_its_end() {
        let mut it = adfs_explained(item(State::Trusted, &adfs()));
        it.policy.as_mut().unwrap().retire.when = RetireWhen::Absent;
        check(
            &it,
            WIDE,
            &expect![[r#"
            adfs, faee618c2cd6e62b, CN=ADFS Signing - sts.example.com: trusted, until 2026-12-14 (19 d)

              2025-11-24 10:02  seen in adfs-2026.cer (adfs-drop)
              2025-11-24 10:02  accepted: new key, evidence: source, after change
              2025-11-24 10:02  uploaded: answered in 412 ms
              2025-11-24 10:02  trusted: read back, id 51200341
              2026-11-20 11:05  approved by alice: "CHG0031337"
              today             one of 2 trusted certificates; its successor d49e9ef2 since 09:12 UTC
              then              leaves SendGrid when four things are true
                                  · a successor has been trusted for 30 d        from 2026-12-24
                                  ✗ its file has been gone for 14 d              faee618c.pem is still there
                                  ✗ retire.action allows it                      it is "keep": only reported
                                  ✓ another one of ours is trusted for 7 d more
        "#]],
        );
        check(
            &it,
            NARROW_ASCII,
            &expect![[r#"
            adfs, faee618c2cd6e62b, CN=ADFS Signing - sts.example.com: trusted, until 2026-12-14 (19 d)

              2025-11-24 10:02  seen in adfs-2026.cer (adfs-drop)
              2025-11-24 10:02  accepted: new key, evidence: source, after change
              2025-11-24 10:02  uploaded: answered in 412 ms
              2025-11-24 10:02  trusted: read back, id 51200341
              2026-11-20 11:05  approved by alice: "CHG0031337"
              today             one of 2 trusted certificates; its successor d49e9ef2 since 09:12 UTC
              then              leaves SendGrid when four things are true
                                  . a successor has been trusted for 30 d
                                    from 2026-12-24
                                  x its file has been gone for 14 d
                                    faee618c.pem is still there
                                  x retire.action allows it
                                    it is "keep": only reported
                                  ok another one of ours is trusted for 7 d more
        "#]],
        );
    }

    #[test]
    fn by_default_it_goes_once_it_is_over_and_never() {
        check(
            &adfs_explained(item(State::Trusted, &adfs())),
            WIDE,
            &expect![[r#"
                adfs, faee618c2cd6e62b, CN=ADFS Signing - sts.example.com: trusted, until 2026-12-14 (19 d)

                  2025-11-24 10:02  seen in adfs-2026.cer (adfs-drop)
                  2025-11-24 10:02  accepted: new key, evidence: source, after change
                  2025-11-24 10:02  uploaded: answered in 412 ms
                  2025-11-24 10:02  trusted: read back, id 51200341
                  2026-11-20 11:05  approved by alice: "CHG0031337"
                  today             one of 2 trusted certificates; its successor d49e9ef2 since 09:12 UTC
                  then              leaves SendGrid when three things are true
                                      · it has been over for 7 d                     from 2026-12-21
                                      ✗ retire.action allows it                      it is "keep": only reported
                                      ✓ another one of ours is trusted for 7 d more
            "#]],
        );
    }

    #[test]
    fn what_is_met_what_waits_and_what_is_in_the_way_are_told_apart() {
        let until = at("2026-12-24 09:00:00");
        let old = retiring(
            State::Superseded,
            &adfs(),
            Some(How::Disable),
            vec![
                Block::Overlap { until },
                Block::OneADay {
                    until: at("2026-11-24 21:40:00"),
                },
                Block::AdditionsFirst,
                Block::Paused,
            ],
        );
        let mut it = adfs_explained(old);
        let retire = &mut it.policy.as_mut().unwrap().retire;
        retire.when = RetireWhen::Absent;
        retire.action = RetireAction::Disable;
        let belief = it.book.beliefs.get_mut(&adfs().fingerprint()).unwrap();
        belief.source = InSource::Gone {
            since: moment(at("2026-11-01 10:00:00")),
            credit: Credit::begin(&moment(now())),
        };
        it.earlier = 3;
        check(
            &it,
            WIDE,
            &expect![[r#"
            adfs, faee618c2cd6e62b, CN=ADFS Signing - sts.example.com: superseded, until 2026-12-14 (19 d)

              …                 3 earlier entries: sso-certd history
              2025-11-24 10:02  seen in adfs-2026.cer (adfs-drop)
              2025-11-24 10:02  accepted: new key, evidence: source, after change
              2025-11-24 10:02  uploaded: answered in 412 ms
              2025-11-24 10:02  trusted: read back, id 51200341
              2026-11-20 11:05  approved by alice: "CHG0031337"
              today             its file is gone and faee618c goes on
              then              is disabled when seven things are true
                                  · a successor has been trusted for 30 d        from 2026-12-24
                                  ✓ its file has been gone for 14 d              since 2026-11-01
                                  ✓ retire.action allows it                      it is "disable"
                                  ✓ another one of ours is trusted for 7 d more
                                  · no other one has gone for a day              from 21:40 UTC on
                                  · everything that is to be added is there      what is to be added comes first
                                  ✗ nobody has paused it                         paused
        "#]],
        );
    }

    #[test]
    fn the_last_valid_one_stays_whatever_a_person_orders() {
        let mut old = retiring(
            State::Trusted,
            &adfs(),
            Some(How::Delete),
            vec![Block::Last],
        );
        old.retirement.as_mut().unwrap().ordered = true;
        let mut it = adfs_explained(old.clone());
        it.plan = Some(Arc::new(plan(vec![old], &Look::default(), now())));
        check(
            &it,
            WIDE,
            &expect![[r#"
            adfs, faee618c2cd6e62b, CN=ADFS Signing - sts.example.com: trusted, until 2026-12-14 (19 d)

              2025-11-24 10:02  seen in adfs-2026.cer (adfs-drop)
              2025-11-24 10:02  accepted: new key, evidence: source, after change
              2025-11-24 10:02  uploaded: answered in 412 ms
              2025-11-24 10:02  trusted: read back, id 51200341
              2026-11-20 11:05  approved by alice: "CHG0031337"
              today             the only trusted certificate
              then              leaves SendGrid when two things are true
                                  ✓ a person orders it                           a person did
                                  ✗ another one of ours is trusted for 7 d more  there is none
        "#]],
        );
    }

    #[test]
    fn what_is_not_there_yet_says_what_lets_it_in() {
        let held = because(State::Held, &adfs(), Why::NeedsApproval);
        let mut it = adfs_explained(held);
        it.history.truncate(1);
        check(
            &it,
            WIDE,
            &expect![[r#"
            adfs, faee618c2cd6e62b, CN=ADFS Signing - sts.example.com: held, until 2026-12-14 (19 d)

              2025-11-24 10:02  seen in adfs-2026.cer (adfs-drop)
              today             waits for approval
              then              approve or deny, by 2026-11-29
        "#]],
        );
    }

    #[test]
    fn what_is_gone_or_orphaned_or_only_in_the_ledger_is_said_to_be() {
        let mut gone = adfs_explained(item(State::Trusted, &okta()));
        let belief = gone.book.beliefs.get_mut(&adfs().fingerprint()).unwrap();
        belief.standing = Standing::Retired { ordered: true };
        belief.source = InSource::Never;
        let mut orphaned = gone.clone();
        (orphaned.policy, orphaned.plan) = (None, None);
        let mut quiet = adfs_explained(item(State::Superseded, &adfs()));
        quiet.is_live = false;
        let mut waits = adfs_explained(item(State::Trusted, &okta()));
        let belief = waits.book.beliefs.get_mut(&adfs().fingerprint()).unwrap();
        belief.standing = Standing::Seen;
        belief.hold = Some(Hold {
            since: moment(now()),
            kind: HoldKind::Approval,
        });
        waits.is_live = false;
        let mut unseen = adfs_explained(item(State::Trusted, &okta()));
        unseen.book = Book::default();
        let mut word = Belief::unseen();
        word.word = Some(Word::Denied);
        unseen.book.beliefs.insert(unseen.fingerprint, word);
        let mut all = [gone, orphaned, quiet, waits, unseen];
        for it in &mut all {
            it.history.truncate(1);
        }
        let text = explain_text(&all, now(), WIDE).text;
        expect![[r#"
            adfs, faee618c2cd6e62b, CN=ADFS Signing - sts.example.com: gone, until 2026-12-14 (19 d)

              2025-11-24 10:02  seen in adfs-2026.cer (adfs-drop)
              today             no longer at SendGrid; as long as it is valid, restore brings it back

            adfs, faee618c2cd6e62b, CN=ADFS Signing - sts.example.com: orphaned, until 2026-12-14 (19 d)

              2025-11-24 10:02  seen in adfs-2026.cer (adfs-drop)
              today             its integration is no longer configured; SendGrid is not asked about it
              then              stays in the books until sso-certd forget

            adfs, faee618c2cd6e62b, CN=ADFS Signing - sts.example.com: superseded, until 2026-12-14 (19 d)

              2025-11-24 10:02  seen in adfs-2026.cer (adfs-drop)
              in the ledger     its file is gone and faee618c goes on (sso-certd does not run)
              then              leaves SendGrid when three things are true
                                  · it has been over for 7 d                     from 2026-12-21
                                  ✗ retire.action allows it                      it is "keep": only reported
                                  ✓ another one of ours is trusted for 7 d more

            adfs, faee618c2cd6e62b, CN=ADFS Signing - sts.example.com: held, until 2026-12-14 (19 d)

              2025-11-24 10:02  seen in adfs-2026.cer (adfs-drop)
              in the ledger     in a file, and waits for approval (sso-certd does not run)

            adfs, faee618c2cd6e62b: denied

              2025-11-24 10:02  seen in adfs-2026.cer (adfs-drop)
              today             decided about before it was seen; in no file and not at SendGrid
        "#]].assert_eq(&text);
    }
}
