//! `plan`: what `run` would do and why, and what it holds back and why.

use crate::domain::Timestamp;
use crate::domain::text::{count, file_name, left, printable};
use crate::plan::policy::Mode;
use crate::plan::retire::How;
use crate::plan::rollover::{Item, Plan};
use crate::plan::state::State;
use crate::plan::why::Why;

use super::named::{brief, which};
use super::next::{Next, by};
use super::plan_report::{Counts, PlanReport, PlannedIntegration, Step, is_paused};
use super::retirement::{in_full, why_now};
use super::standing::{is_valid, others};
use super::terminal::{Mark, Page, Rendered, Terminal};
use super::when::{ago, clock};

/// `plan` as text.
pub fn plan_text(report: &PlanReport, terminal: Terminal, is_detailed: bool) -> Rendered {
    let mut page = Page::new(terminal);
    if let Some(at) = report.at {
        let day = if at.as_secs() % 86_400 == 0 {
            at.date()
        } else {
            format!("{} UTC", at.minute())
        };
        page.line(&format!(
            "Seen from {day}, if no file and nothing at SendGrid changes until then:"
        ));
        page.blank();
    }
    if report.at.is_none() && report.integrations.iter().all(is_quiet) {
        page.line(&nothing_to_do(report));
        return page.finish(report.exit(is_detailed));
    }
    for it in &report.integrations {
        integration(&mut page, it, report);
    }
    page.blank();
    if report.at.is_some() {
        outlook(&mut page, report);
    } else {
        totals(&mut page, report);
    }
    page.finish(report.exit(is_detailed))
}

/// Whether there is nothing to tell but that it is in step.
fn is_quiet(it: &PlannedIntegration) -> bool {
    let Ok(plan) = &it.plan else { return false };
    let is_calm = |it: &Item| {
        matches!(
            it.state,
            State::Trusted
                | State::Ahead
                | State::Found
                | State::Superseded
                | State::Disabled
                | State::Expired
                | State::Denied
                | State::Inherited
                | State::Acknowledged
                | State::Duplicate
        )
    };
    let is_to_go = |it: &Item| it.retirement.as_ref().is_some_and(|it| it.how.is_some());
    let calm = |item: &Item| is_calm(item) && !is_to_go(item) && it.step(item).is_none();
    let is_paused = plan.outlook.pause.is_some();
    it.source_failure.is_none() && plan.items.iter().all(calm) && !has_no_trust(plan) && !is_paused
}

fn has_no_trust(plan: &Plan) -> bool {
    plan.outlook.trusted == 0 && !plan.outlook.is_undecided
}

fn nothing_to_do(report: &PlanReport) -> String {
    let number = report.integrations.len();
    if number == 0 {
        return super::sentence::NOTHING_CONFIGURED.to_owned();
    }
    let are = if number == 1 { "is" } else { "are" };
    format!(
        "Nothing to do: {} {are} in step. Compared with SendGrid just now, {}.",
        count(number, "integration", "integrations"),
        requests(report)
    )
}

fn requests(report: &PlanReport) -> String {
    count(
        usize::try_from(report.requests).unwrap_or(usize::MAX),
        "request",
        "requests",
    )
}

fn integration(page: &mut Page, it: &PlannedIntegration, report: &PlanReport) {
    if it.mode == Mode::Observe {
        page.line(&format!(
            "{} (observe: sso-certd never writes here)",
            it.name
        ));
    } else {
        page.line(it.name.as_str());
    }
    let pause = it
        .plan
        .as_ref()
        .ok()
        .and_then(|it| it.outlook.pause.as_ref());
    if let Some(pause) = pause {
        let (by, since) = (printable(&pause.by, LONGEST), clock(pause.at, report.now));
        let text = format!("paused by {by} since {since}; nothing is written");
        page.item(2, Mark::Waits, &text);
    }
    if let Some(why) = &it.source_failure {
        let why = printable(why, LONGEST);
        page.item(
            2,
            Mark::Broken,
            &format!("{why}; nothing is planned without it"),
        );
    }
    match &it.plan {
        Err(why) => {
            let why = printable(why, LONGEST);
            page.item(2, Mark::Broken, &format!("not compared: {why}"));
        }
        Ok(_) if is_quiet(it) => page.item(2, Mark::Stays, "in step"),
        Ok(plan) => lines(page, it, plan, report),
    }
}

fn lines(page: &mut Page, it: &PlannedIntegration, plan: &Plan, report: &PlanReport) {
    let at = report.planned_for();
    if has_no_trust(plan) && !comes_in_time(it, plan, report) {
        let (mark, text) = no_trust(plan, at);
        page.item(2, mark, &text);
    }
    let next = Next {
        items: &plan.items,
        outlook: &plan.outlook,
        mode: it.mode,
        now: at,
    };
    let steps = plan.items.iter().map(|item| (item, it.step(item)));
    for (item, step) in steps.clone() {
        if let Some(step) = step {
            change(page, item, step, it.mode, report);
        }
    }
    for (item, step) in steps {
        if step.is_none() {
            let (mark, word, why) = line(item, &next);
            page.item(2, mark, &format!("{word:<7} {:<16}  {why}", which(item)));
        }
    }
}

/// What is done with a certificate, and why.
fn change(page: &mut Page, item: &Item, step: Step, mode: Mode, report: &PlanReport) {
    let Some(certificate) = &item.certificate else {
        return;
    };
    let mark = match step {
        Step::Upload => Mark::Upload,
        Step::Enable | Step::Retire(How::Disable) => Mark::Change,
        Step::Retire(How::Delete) => Mark::Delete,
    };
    let word = match mode {
        Mode::Manage => format!("{:<7} ", step.word()),
        Mode::Observe => format!("would {}  ", step.word()),
    };
    let validity = certificate.validity();
    let line = format!(
        "{word}{}  {}, {} to {}",
        which(item),
        certificate.subject(),
        validity.not_before.date(),
        validity.not_after.date()
    );
    page.item(2, mark, &line);
    let why = match step {
        Step::Upload => format!("{}{}", origin(item, report), item.why),
        Step::Enable => why_enabled(item),
        Step::Retire(_) => item.retirement.as_ref().map_or_else(String::new, |it| {
            why_now(it, validity.is_over(report.planned_for())).to_owned()
        }),
    };
    page.line(&format!("            {why}"));
}

/// Where it comes from.
fn origin(item: &Item, report: &PlanReport) -> String {
    let files: Vec<String> = item.paths.iter().map(|it| file_name(it)).collect();
    if files.is_empty() {
        return "from the ledger; ".to_owned();
    }
    let since = item.since.map_or(String::new(), |it| {
        format!(" since {}", clock(it, report.now))
    });
    format!("in {}{since}; ", files.join(", "))
}

fn why_enabled(item: &Item) -> String {
    match (&item.why, &item.retirement) {
        (Why::Enough { .. }, _) => item.why.to_string(),
        (_, Some(_)) => "whether it is enabled is not known, and nothing else is valid".to_owned(),
        _ => "a person makes it ours".to_owned(),
    }
}

/// Mark, word and reason of what nothing is done with.
fn line(item: &Item, next: &Next<'_>) -> (Mark, &'static str, String) {
    let until = item
        .certificate
        .as_ref()
        .map(|it| format!("until {}; ", it.validity().not_after.date()));
    let until = until.unwrap_or_default();
    let since = item.since.map_or(String::new(), |it| {
        format!("; in the source since {}", clock(it, next.now))
    });
    let by = by(item, next.outlook, next.now).map_or_else(String::new, |it| format!("; {it}"));
    let fate = item.retirement.as_ref().map(|it| in_full(it, next.now));
    match item.state {
        State::Held if is_paused(item) => (Mark::Waits, "held", format!("{}{since}", item.why)),
        State::Held if matches!(item.why, Why::TooMany { .. }) => {
            (Mark::NeedsYou, "held", format!("{}{since}", item.why))
        }
        State::Held => {
            let text = format!("{}{since}; {}", item.why, next.of(item));
            (Mark::NeedsYou, "held", text)
        }
        State::Rejected => (Mark::NeedsYou, "held", format!("{}{by}", item.why)),
        State::Removed => {
            let text = format!("{}; {}", item.why, next.of(item));
            (Mark::NeedsYou, "removed", text)
        }
        State::Replaced => (Mark::Broken, "changed", item.why.to_string()),
        State::Waiting | State::Settling | State::Planned => {
            (Mark::Waits, "later", item.why.to_string())
        }
        State::Unmanaged | State::Undecodable => (Mark::NotOurs, "leave", item.why.to_string()),
        State::Inherited | State::Acknowledged | State::Duplicate => {
            (Mark::NotOurs, "leave", item.why.to_string())
        }
        State::Denied => (Mark::Stays, "never", item.why.to_string()),
        State::Expired => (Mark::Stays, "ended", ended(item, fate)),
        State::Orphaned => (Mark::Stays, "stays", item.why.to_string()),
        State::Disabled => {
            let next = fate.unwrap_or_else(|| next.of(item));
            (Mark::Stays, "stays", format!("{}; {next}", item.why))
        }
        State::Trusted | State::Ahead | State::Found | State::Superseded => {
            let next = fate.unwrap_or_else(|| next.of(item));
            let text = format!("{until}{next}");
            let text = text.trim_end_matches("; –").to_owned();
            (Mark::Stays, "stays", text)
        }
    }
}

fn ended(item: &Item, fate: Option<String>) -> String {
    let end = item.certificate.as_ref().map(|it| it.validity().not_after);
    let end = end.map_or_else(String::new, |it| format!("on {}; ", it.date()));
    match (item.is_listed, fate) {
        (true, Some(fate)) => format!("{end}{fate}"),
        (true, None) => format!("{end}stays listed, harmless"),
        (false, _) => format!("{end}never goes up"),
    }
}

/// Whether, seen from a later day, what goes up by itself until then lets people in.
fn comes_in_time(it: &PlannedIntegration, plan: &Plan, report: &PlanReport) -> bool {
    let at = report.planned_for();
    let goes_in = |item: &Item| item.state == State::Planned && is_valid(item, at);
    report.at.is_some() && it.mode == Mode::Manage && plan.items.iter().any(goes_in)
}

fn no_trust(plan: &Plan, at: Timestamp) -> (Mark, String) {
    let listed = others(&plan.items, at);
    if !listed.is_empty() {
        let text = format!(
            "nothing of the directory is trusted; SendGrid lists {} that did not come from here",
            listed.len()
        );
        return (Mark::NeedsYou, text);
    }
    let waits = |it: &&Item| it.hold_kind().is_some() && is_valid(it, at);
    let waiting = plan.items.iter().find(waits).map(brief);
    let text = match (last_end(plan), waiting) {
        (Some((end, _)), Some(waiting)) => format!(
            "no trust since {} UTC: {waiting} still waits for a person",
            end.minute()
        ),
        (Some((end, which)), None) => format!(
            "no trust since {} UTC: {which} has ended and no successor is trusted",
            end.minute()
        ),
        (None, Some(waiting)) => {
            format!(
                "no trust: SendGrid lists no valid certificate, and {waiting} waits for a person"
            )
        }
        (None, None) => "no trust: SendGrid lists no valid certificate".to_owned(),
    };
    (Mark::Broken, text)
}

/// When the last listed certificate ended, and which that was.
fn last_end(plan: &Plan) -> Option<(Timestamp, String)> {
    plan.items
        .iter()
        .filter(|it| it.state == State::Expired && it.is_listed)
        .filter_map(|it| it.certificate.as_ref())
        .map(|it| (it.validity().not_after, it.fingerprint().brief()))
        .max()
}

fn totals(page: &mut Page, report: &PlanReport) {
    let of = |mode| Counts::of(report.integrations.iter().filter(|it| it.mode == mode));
    let (counts, would) = (of(Mode::Manage), of(Mode::Observe));
    let items = report
        .integrations
        .iter()
        .flat_map(PlannedIntegration::items);
    let paused = items.filter(|it| is_paused(it)).count();
    let held = counts.held + would.held - paused;
    let some = |number: usize, what: &str| match number {
        0 => String::new(),
        _ => format!(", {number} {what}"),
    };
    page.line(&format!(
        "Plan: {} to upload{}, {} to disable, {} to delete, {held} held for you{}{}{}{}{}{}. \
         Nothing has been changed.",
        counts.upload,
        some(counts.enable, "to enable"),
        counts.disable,
        counts.delete,
        some(paused, "paused"),
        some(counts.later + would.later, "later"),
        some(would.upload, "would be uploaded (observe)"),
        some(would.enable, "would be enabled (observe)"),
        some(would.disable, "would be disabled (observe)"),
        some(would.delete, "would be deleted (observe)"),
    ));
    if counts.changes() > 0 {
        page.line("The daemon does this within seconds; by hand: sso-certd sync");
    }
}

/// What `--at` is asked for: who would be locked out, and from when on.
fn outlook(page: &mut Page, report: &PlanReport) {
    let at = report.planned_for();
    let out: Vec<&Plan> = report
        .integrations
        .iter()
        .filter_map(|it| Some((it, it.plan.as_ref().ok()?)))
        .filter(|(it, plan)| !comes_in_time(it, plan, report))
        .map(|(_, plan)| plan)
        .filter(|it| has_no_trust(it) && others(&it.items, at).is_empty())
        .collect();
    let all = report.integrations.len();
    if out.is_empty() {
        page.line(&format!(
            "None of {} would be locked out.",
            count(all, "integration", "integrations")
        ));
        return;
    }
    let first = out.iter().filter_map(|it| last_end(it)).min();
    let first = first.map_or_else(String::new, |(end, _)| {
        let when = if end > report.now {
            format!("in {}", left(end.since(report.now)))
        } else {
            ago(end, report.now)
        };
        format!(" First date that matters: {}, {when}.", end.date())
    });
    page.line(&format!(
        "{} of {} would be locked out.{first}",
        out.len(),
        count(all, "integration", "integrations")
    ));
}

/// Words of others in a line are cut here.
const LONGEST: usize = 300;

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::domain::{AccountName, CertificateId, IntegrationName, Look};
    use crate::plan::retire::{Block, Grounds};
    use crate::plan::rollover::Action;
    use crate::plan::trust::Evidence;
    use crate::view::plan_json::plan_json;
    use crate::view::testing::{
        NARROW_ASCII, WIDE, adfs, adfs_next, at, because, certificate, item, now, okta, pause,
        plan, retiring,
    };

    fn planned(name: &str, mode: Mode, items: Vec<Item>, when: Timestamp) -> PlannedIntegration {
        PlannedIntegration {
            name: IntegrationName::parse(name).unwrap(),
            account: AccountName::default(),
            mode,
            rows: items.iter().filter(|it| it.is_listed).count(),
            expiry: crate::view::testing::expiry(),
            plan: Ok(plan(items, &Look::default(), when)),
            source_failure: None,
        }
    }

    fn report(integrations: Vec<PlannedIntegration>) -> PlanReport {
        PlanReport {
            now: now(),
            at: None,
            requests: 3,
            integrations,
        }
    }

    fn busy() -> PlanReport {
        let adfs = vec![
            item(State::Trusted, &adfs()),
            item(State::Planned, &adfs_next()),
        ];
        let old = certificate("CN=Entra", "2024-01-20", "2027-01-20");
        let new = certificate("CN=Entra", "2026-11-23", "2029-11-23");
        let entra = vec![
            item(State::Trusted, &old),
            item(State::Held, &new),
            item(State::Inherited, &okta()),
        ];
        report(vec![
            planned("adfs", Mode::Manage, adfs, now()),
            planned("entra-eu", Mode::Manage, entra, now()),
            planned(
                "okta",
                Mode::Manage,
                vec![item(State::Trusted, &okta())],
                now(),
            ),
        ])
    }

    #[track_caller]
    fn check(report: &PlanReport, terminal: Terminal, code: u8, expected: &Expect) {
        let rendered = plan_text(report, terminal, true);
        expected.assert_eq(&rendered.text);
        assert_eq!(rendered.exit, code);
    }

    #[test]
    fn a_plan_says_what_and_why() {
        check(
            &busy(),
            WIDE,
            2,
            &expect![[r#"
                adfs
                  + upload  d49e9ef2931aaea1  CN=ADFS Signing - sts.example.com, 2026-11-24 to 2027-11-24
                            in d49e9ef2.pem since 09:12 UTC; new key; enough: trust.require = "source"
                  = stays   faee618c2cd6e62b  until 2026-12-14; stays until a successor is trusted
                entra-eu
                  = stays   d624185339c1210b  until 2027-01-20; stays until a successor is trusted
                  ! held    919e83ffe41e4f62  more than 5 new keys in 24 h; goes when a person approves it; in the source since 09:12 UTC; approve or deny, by 2026-11-29
                  ? leave   38d03ade2be3704f  at SendGrid since before our first look, in no file (inherited)
                okta
                  = in step

                Plan: 1 to upload, 0 to disable, 0 to delete, 1 held for you. Nothing has been changed.
                The daemon does this within seconds; by hand: sso-certd sync
            "#]],
        );
        assert_eq!(plan_text(&busy(), WIDE, false).exit, 0);
        let ascii = plan_text(&busy(), NARROW_ASCII, false).text;
        assert!(ascii.is_ascii(), "{ascii}");
    }

    #[test]
    fn a_plan_as_json_is_stable() {
        let json = serde_json::to_string_pretty(&plan_json(&busy())).unwrap();
        expect![[r#"
            {
              "schema": 1,
              "at": "2026-11-24T09:14:02Z",
              "compared_at": "2026-11-24T09:14:02Z",
              "requests": 3,
              "counts": {
                "upload": 1,
                "enable": 0,
                "disable": 0,
                "delete": 0,
                "held": 1,
                "later": 0
              },
              "integrations": [
                {
                  "name": "adfs",
                  "account": "default",
                  "mode": "manage",
                  "in_step": false,
                  "trusted": 1,
                  "latest_expiry": "2026-12-14T00:00:00Z",
                  "steps": [
                    {
                      "action": "upload",
                      "fingerprint": "d49e9ef2931aaea15e84713c54471ef916a0b71babf3e5a03a1dfb90f4cae181",
                      "reason": "new_key",
                      "evidence": [
                        "source"
                      ],
                      "not_before": "2026-11-24T00:00:00Z",
                      "not_after": "2027-11-24T00:00:00Z",
                      "paths": [
                        "/etc/sso-certd/certificates/x/d49e9ef2.pem"
                      ]
                    }
                  ],
                  "holds": [],
                  "later": [],
                  "stays": [
                    {
                      "fingerprint": "faee618c2cd6e62bc410badc7d2c0701b07a86c40c323c370ca2e77d0a73dcba",
                      "state": "trusted",
                      "reason": "ours",
                      "why": "uploaded by us and read back",
                      "not_after": "2026-12-14T00:00:00Z",
                      "listed": true
                    }
                  ]
                },
                {
                  "name": "entra-eu",
                  "account": "default",
                  "mode": "manage",
                  "in_step": true,
                  "trusted": 1,
                  "latest_expiry": "2027-01-20T00:00:00Z",
                  "deadline": "2026-11-29T09:12:00Z",
                  "steps": [],
                  "holds": [
                    {
                      "fingerprint": "919e83ffe41e4f62495a8ba83e25134e0bc03065e3a96ea3a617dbfb0043fa14",
                      "state": "held",
                      "action": "upload",
                      "reason": "key_budget",
                      "why": "more than 5 new keys in 24 h; goes when a person approves it",
                      "paths": [
                        "/etc/sso-certd/certificates/x/919e83ff.pem"
                      ]
                    }
                  ],
                  "later": [],
                  "stays": [
                    {
                      "fingerprint": "d624185339c1210bf37e44640a64a6daae61bf50b0532e59a16d74ce0da23da6",
                      "state": "trusted",
                      "reason": "ours",
                      "why": "uploaded by us and read back",
                      "not_after": "2027-01-20T00:00:00Z",
                      "listed": true
                    },
                    {
                      "fingerprint": "38d03ade2be3704f56546e590af1034e827e1362defbf9cbe064ff4600640f24",
                      "state": "inherited",
                      "reason": "since_first_list",
                      "why": "at SendGrid since before our first look, in no file (inherited)",
                      "not_after": "2036-02-28T00:00:00Z",
                      "listed": true
                    }
                  ]
                },
                {
                  "name": "okta",
                  "account": "default",
                  "mode": "manage",
                  "in_step": true,
                  "trusted": 1,
                  "latest_expiry": "2036-02-28T00:00:00Z",
                  "steps": [],
                  "holds": [],
                  "later": [],
                  "stays": [
                    {
                      "fingerprint": "38d03ade2be3704f56546e590af1034e827e1362defbf9cbe064ff4600640f24",
                      "state": "trusted",
                      "reason": "ours",
                      "why": "uploaded by us and read back",
                      "not_after": "2036-02-28T00:00:00Z",
                      "listed": true
                    }
                  ]
                }
              ]
            }"#]].assert_eq(&json);
    }

    #[test]
    fn nothing_to_do_is_one_line() {
        let steady = vec![item(State::Trusted, &okta())];
        let report = report(vec![planned("okta", Mode::Manage, steady, now())]);
        check(
            &report,
            WIDE,
            0,
            &expect![[r#"
            Nothing to do: 1 integration is in step. Compared with SendGrid just now, 3 requests.
        "#]],
        );
    }

    #[test]
    fn observe_says_would() {
        let items = vec![
            item(State::Trusted, &adfs()),
            item(State::Planned, &adfs_next()),
        ];
        let report = report(vec![planned("adfs", Mode::Observe, items, now())]);
        check(
            &report,
            WIDE,
            2,
            &expect![[r#"
                adfs (observe: sso-certd never writes here)
                  + would upload  d49e9ef2931aaea1  CN=ADFS Signing - sts.example.com, 2026-11-24 to 2027-11-24
                            in d49e9ef2.pem since 09:12 UTC; new key; enough: trust.require = "source"
                  = stays   faee618c2cd6e62b  until 2026-12-14; stays until a successor is trusted

                Plan: 0 to upload, 0 to disable, 0 to delete, 0 held for you, 1 would be uploaded (observe). Nothing has been changed.
            "#]],
        );
    }

    #[test]
    fn a_later_day_shows_who_would_be_locked_out() {
        let when = at("2027-01-21 00:00:00");
        let mut report = report(vec![
            planned(
                "adfs",
                Mode::Manage,
                vec![item(State::Expired, &adfs())],
                when,
            ),
            planned(
                "okta",
                Mode::Manage,
                vec![item(State::Trusted, &okta())],
                when,
            ),
        ]);
        report.at = Some(when);
        check(
            &report,
            WIDE,
            0,
            &expect![[r#"
            Seen from 2027-01-21, if no file and nothing at SendGrid changes until then:

            adfs
              ✗ no trust since 2026-12-14 00:00 UTC: faee618c has ended and no successor is trusted
              = ended   faee618c2cd6e62b  on 2026-12-14; stays listed, harmless
            okta
              = in step

            1 of 2 integrations would be locked out. First date that matters: 2026-12-14, in 19 d.
        "#]],
        );
    }

    fn retire(item: &Item, how: How) -> Action {
        Action::Retire {
            certificate: item.certificate.clone().unwrap(),
            id: item.id.clone().unwrap(),
            how,
            ordered: false,
            again: false,
            grounds: Grounds::Over {
                since: at("2026-11-01 00:00:00"),
            },
            stays: (
                item.fingerprint.unwrap(),
                CertificateId::parse("66138976").unwrap(),
            ),
        }
    }

    fn with_actions(mut it: PlannedIntegration, actions: Vec<Action>) -> PlannedIntegration {
        if let Ok(plan) = &mut it.plan {
            plan.actions = actions;
        }
        it
    }

    #[test]
    fn what_is_taken_away_says_how_and_why_and_what_stays_says_until_when() {
        let old = |from: &str| certificate("CN=old", from, "2027-01-20");
        let over = certificate("CN=old", "2024-01-20", "2026-10-20");
        let going = retiring(
            State::Superseded,
            &old("2024-01-01"),
            Some(How::Disable),
            vec![],
        );
        let actions = vec![retire(&going, How::Disable)];
        let entra = vec![
            item(State::Trusted, &okta()),
            going,
            retiring(
                State::Superseded,
                &old("2024-01-02"),
                Some(How::Disable),
                vec![],
            ),
            retiring(
                State::Superseded,
                &old("2024-01-03"),
                Some(How::Disable),
                vec![Block::Overlap {
                    until: at("2026-12-31 07:00:00"),
                }],
            ),
            retiring(
                State::Superseded,
                &old("2024-01-04"),
                Some(How::Disable),
                vec![Block::FileThere, Block::NoSuccessor],
            ),
            item(State::Disabled, &old("2024-01-05")),
        ];
        let gone = retiring(State::Expired, &over, Some(How::Delete), vec![]);
        let deletions = vec![retire(&gone, How::Delete)];
        let kept = retiring(State::Expired, &over, None, vec![Block::Keep]);
        let report = report(vec![
            with_actions(planned("entra-eu", Mode::Manage, entra, now()), actions),
            with_actions(
                planned(
                    "adfs",
                    Mode::Manage,
                    vec![item(State::Trusted, &okta()), gone],
                    now(),
                ),
                deletions,
            ),
            planned(
                "okta",
                Mode::Manage,
                vec![item(State::Trusted, &okta()), kept],
                now(),
            ),
        ]);
        check(
            &report,
            WIDE,
            2,
            &expect![[r#"
            entra-eu
              ~ disable 2c7dbee60f13bf8d  CN=old, 2024-01-01 to 2027-01-20
                        gone from the source, and its successor is trusted, each for long enough
              = stays   38d03ade2be3704f  until 2036-02-28
              = stays   7b11d40511cf64b4  until 2027-01-20; to be disabled; one goes in a day
              = stays   62880b50ea8b0c39  until 2027-01-20; to be disabled on 2026-12-31, once its successor is trusted for long enough
              = stays   9e91aa43c00d7a7b  until 2027-01-20; not disabled yet: its file is still there; no successor of ours is trusted
              = stays   dac5e40d60b620c2  disabled by us; restore brings it back
            adfs
              - delete  11258780df545ac3  CN=old, 2024-01-20 to 2026-10-20
                        over for longer than retire.expired_after
              = stays   38d03ade2be3704f  until 2036-02-28
            okta
              = in step

            Plan: 0 to upload, 1 to disable, 1 to delete, 0 held for you, 2 later. Nothing has been changed.
            The daemon does this within seconds; by hand: sso-certd sync
        "#]],
        );
        let counts = plan_json(&report).counts;
        assert_eq!(
            (counts.upload, counts.disable, counts.delete, counts.later),
            (0, 1, 1, 2)
        );
    }

    #[test]
    fn what_is_enabled_and_what_observe_would_take_away() {
        let back = |evidence| Why::Enough {
            evidence,
            is_new_key: false,
        };
        let mut returned = because(State::Planned, &adfs(), back(Evidence::Returned));
        returned.is_listed = true;
        let found = item(State::Found, &adfs_next());
        let adopt = Action::Enable {
            certificate: adfs_next(),
            id: found.id.clone().unwrap(),
            evidence: Evidence::Order,
        };
        let adfs_items = vec![item(State::Trusted, &okta()), found, returned];
        let old = certificate("CN=old", "2024-01-20", "2027-01-20");
        let would = retiring(
            State::Superseded,
            &old,
            Some(How::Delete),
            vec![Block::Observe],
        );
        let restored = Item {
            paths: Vec::new(),
            since: None,
            ..because(State::Planned, &adfs(), back(Evidence::Order))
        };
        let report = report(vec![
            with_actions(
                planned("adfs", Mode::Manage, adfs_items, now()),
                vec![adopt],
            ),
            planned(
                "okta",
                Mode::Observe,
                vec![item(State::Trusted, &okta()), would],
                now(),
            ),
            planned(
                "x",
                Mode::Manage,
                vec![item(State::Trusted, &okta()), restored],
                now(),
            ),
        ]);
        check(
            &report,
            WIDE,
            2,
            &expect![[r#"
            adfs
              ~ enable  d49e9ef2931aaea1  CN=ADFS Signing - sts.example.com, 2026-11-24 to 2027-11-24
                        a person makes it ours
              ~ enable  faee618c2cd6e62b  CN=ADFS Signing - sts.example.com, 2025-11-24 to 2026-12-14
                        it is back in the source
              = stays   38d03ade2be3704f  until 2036-02-28
            okta (observe: sso-certd never writes here)
              - would delete  6b2e418f37b5e90d  CN=old, 2024-01-20 to 2027-01-20
                        gone from the source, and its successor is trusted, each for long enough
              = stays   38d03ade2be3704f  until 2036-02-28
            x
              + upload  faee618c2cd6e62b  CN=ADFS Signing - sts.example.com, 2025-11-24 to 2026-12-14
                        from the ledger; a person wants it
              = stays   38d03ade2be3704f  until 2036-02-28

            Plan: 1 to upload, 2 to enable, 0 to disable, 0 to delete, 0 held for you, 1 would be deleted (observe). Nothing has been changed.
            The daemon does this within seconds; by hand: sso-certd sync
        "#]],
        );
    }

    #[test]
    fn what_a_person_must_do_says_by_when_and_a_pause_asks_nobody() {
        let held = because(State::Held, &adfs_next(), Why::NeedsApproval);
        let waits = because(
            State::Waiting,
            &adfs_next(),
            Why::HoldDown {
                until: at("2026-11-24 21:40:00"),
            },
        );
        let still = because(State::Held, &adfs_next(), Why::Paused);
        let trusted = || item(State::Trusted, &okta());
        let mut paused = planned("okta", Mode::Manage, vec![trusted(), still], now());
        if let Ok(plan) = &mut paused.plan {
            plan.outlook.pause = Some(pause("bob"));
        }
        let report = report(vec![
            planned("adfs", Mode::Manage, vec![trusted(), held], now()),
            planned("entra-eu", Mode::Manage, vec![trusted(), waits], now()),
            paused,
        ]);
        check(
            &report,
            WIDE,
            0,
            &expect![[r#"
                adfs
                  = stays   38d03ade2be3704f  until 2036-02-28
                  ! held    d49e9ef2931aaea1  waits for approval; in the source since 09:12 UTC; approve or deny, by 2026-11-29
                entra-eu
                  = stays   38d03ade2be3704f  until 2036-02-28
                  · later   d49e9ef2931aaea1  goes up at 2026-11-24 21:40 UTC, if it is still there (hold-down)
                okta
                  · paused by bob since 08:05 UTC; nothing is written
                  = stays   38d03ade2be3704f  until 2036-02-28
                  · held    d49e9ef2931aaea1  paused; nothing is written; in the source since 09:12 UTC

                Plan: 0 to upload, 0 to disable, 0 to delete, 1 held for you, 1 paused, 1 later. Nothing has been changed.
            "#]],
        );
    }

    #[test]
    fn a_later_day_counts_what_goes_up_by_then() {
        let when = at("2027-01-21 00:00:00");
        let over = item(State::Expired, &adfs());
        let goes = item(State::Planned, &adfs_next());
        let held = because(State::Held, &adfs_next(), Why::NeedsApproval);
        let mut report = report(vec![
            planned("adfs", Mode::Manage, vec![over.clone(), goes], when),
            planned("entra-eu", Mode::Manage, vec![over, held], when),
        ]);
        report.at = Some(when);
        check(
            &report,
            WIDE,
            2,
            &expect![[r#"
                Seen from 2027-01-21, if no file and nothing at SendGrid changes until then:

                adfs
                  + upload  d49e9ef2931aaea1  CN=ADFS Signing - sts.example.com, 2026-11-24 to 2027-11-24
                            in d49e9ef2.pem since 09:12 UTC; new key; enough: trust.require = "source"
                  = ended   faee618c2cd6e62b  on 2026-12-14; stays listed, harmless
                entra-eu
                  ✗ no trust since 2026-12-14 00:00 UTC: d49e9ef2 still waits for a person
                  = ended   faee618c2cd6e62b  on 2026-12-14; stays listed, harmless
                  ! held    d49e9ef2931aaea1  waits for approval; in the source since 2026-11-24 09:12 UTC; approve or deny

                1 of 2 integrations would be locked out. First date that matters: 2026-12-14, in 19 d.
            "#]],
        );
    }

    #[test]
    fn half_the_facts_are_said_to_be_half() {
        let mut blind = planned(
            "adfs",
            Mode::Manage,
            vec![item(State::Trusted, &okta())],
            now(),
        );
        blind.source_failure = Some("the directory /srv/idp is missing".to_owned());
        let mut unread = planned("okta", Mode::Manage, Vec::new(), now());
        unread.plan = Err("cannot list the certificates: 403\u{1b}[2J".to_owned());
        check(
            &report(vec![blind, unread]),
            WIDE,
            1,
            &expect![[r#"
            adfs
              ✗ the directory /srv/idp is missing; nothing is planned without it
              = stays   38d03ade2be3704f  until 2036-02-28
            okta
              ✗ not compared: cannot list the certificates: 403\u{1b}[2J

            Plan: 0 to upload, 0 to disable, 0 to delete, 0 held for you. Nothing has been changed.
        "#]],
        );
    }

    #[test]
    fn without_an_integration_nothing_is_called_in_step() {
        check(
            &report(Vec::new()),
            WIDE,
            0,
            &expect![[r#"
                No integration is configured; `sso-certd integrations` lists those of SendGrid.
            "#]],
        );
    }

    #[test]
    fn every_state_has_a_line() {
        for state in State::ALL {
            let report = report(vec![planned(
                "x",
                Mode::Manage,
                vec![item(state, &adfs())],
                now(),
            )]);
            let text = plan_text(&report, WIDE, false).text;
            assert!(text.lines().count() >= 1 && !text.contains("  –"), "{text}");
        }
    }
}
