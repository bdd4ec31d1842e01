//! `plan`: what `run` would do and why, and what it holds back and why.

use crate::domain::Timestamp;
use crate::domain::text::{count, left, printable};
use crate::plan::attention::Attention;
use crate::plan::policy::Mode;
use crate::plan::rollover::{Item, Plan};
use crate::plan::state::State;

use super::concern::others;
use super::named::which;
use super::next::Next;
use super::plan_report::{PlanReport, PlannedIntegration};
use super::refusal_text::file_name;
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
    it.source_failure.is_none() && plan.items.iter().all(is_calm) && !has_no_trust(plan)
}

fn has_no_trust(plan: &Plan) -> bool {
    plan.outlook.attention.contains(&Attention::NoTrust)
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
    if has_no_trust(plan) {
        let (mark, text) = no_trust(plan, at);
        page.item(2, mark, &text);
    }
    let planned = plan.items.iter().filter(|it| it.state == State::Planned);
    let others = plan.items.iter().filter(|it| it.state != State::Planned);
    let next = Next {
        items: &plan.items,
        outlook: &plan.outlook,
        mode: it.mode,
        now: at,
    };
    for item in planned {
        upload(page, item, it.mode, report);
    }
    for item in others {
        let (mark, word, why) = line(item, &next);
        page.item(2, mark, &format!("{word:<7} {:<16}  {why}", which(item)));
    }
}

fn upload(page: &mut Page, item: &Item, mode: Mode, report: &PlanReport) {
    let Some(certificate) = &item.certificate else {
        return;
    };
    let word = match mode {
        Mode::Manage => "upload",
        Mode::Observe => "would upload",
    };
    let validity = certificate.validity();
    let line = format!(
        "{word}  {}  {}, {} to {}",
        which(item),
        certificate.subject(),
        validity.not_before.date(),
        validity.not_after.date()
    );
    page.item(2, Mark::Upload, &line);
    let files: Vec<String> = item.paths.iter().map(|it| file_name(it)).collect();
    let since = item.since.map_or(String::new(), |it| {
        format!(" since {}", clock(it, report.now))
    });
    page.line(&format!(
        "            in {}{since}; {}",
        files.join(", "),
        item.why
    ));
}

/// Mark, word and reason of what is not uploaded.
fn line(item: &Item, next: &Next<'_>) -> (Mark, &'static str, String) {
    let until = item
        .certificate
        .as_ref()
        .map(|it| format!("until {}; ", it.validity().not_after.date()));
    let until = until.unwrap_or_default();
    let since = item.since.map_or(String::new(), |it| {
        format!("; in the source since {}", clock(it, next.now))
    });
    match item.state {
        State::Held => (Mark::NeedsYou, "held", format!("{}{since}", item.why)),
        State::Rejected => (Mark::NeedsYou, "held", item.why.to_string()),
        State::Removed => (Mark::NeedsYou, "removed", item.why.to_string()),
        State::Replaced => (Mark::Broken, "changed", item.why.to_string()),
        State::Waiting | State::Settling | State::Planned => {
            (Mark::Waits, "later", item.why.to_string())
        }
        State::Unmanaged | State::Undecodable => (Mark::NotOurs, "leave", item.why.to_string()),
        State::Inherited | State::Acknowledged | State::Duplicate => {
            (Mark::NotOurs, "leave", item.why.to_string())
        }
        State::Denied => (Mark::Stays, "never", item.why.to_string()),
        State::Expired => (Mark::Stays, "ended", ended(item)),
        State::Disabled | State::Orphaned => (Mark::Stays, "stays", item.why.to_string()),
        State::Trusted | State::Ahead | State::Found | State::Superseded => {
            let next = next.of(item);
            let text = format!("{until}{next}");
            let text = text.trim_end_matches("; –").to_owned();
            (Mark::Stays, "stays", text)
        }
    }
}

fn ended(item: &Item) -> String {
    let end = item.certificate.as_ref().map(|it| it.validity().not_after);
    let end = end.map_or_else(String::new, |it| format!("on {}; ", it.date()));
    if item.is_listed {
        format!("{end}stays listed, harmless")
    } else {
        format!("{end}never goes up")
    }
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
    let text = match last_end(plan) {
        Some((end, which)) => format!(
            "no trust since {} UTC: {which} has ended and no successor is trusted",
            end.minute()
        ),
        None => "no trust: SendGrid lists no valid certificate".to_owned(),
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
    let counts = report.counts();
    let observed = |it: &&PlannedIntegration| it.mode == Mode::Observe;
    let would: usize = report
        .integrations
        .iter()
        .filter(observed)
        .flat_map(PlannedIntegration::items)
        .filter(|it| it.state == State::Planned)
        .count();
    let upload = counts.upload - would;
    let later = match counts.later {
        0 => String::new(),
        number => format!(", {number} later"),
    };
    let would = match would {
        0 => String::new(),
        number => format!(", {number} would be uploaded (observe)"),
    };
    page.line(&format!(
        "Plan: {upload} to upload, {} to disable, {} to delete, {} held for you{later}{would}. \
         Nothing has been changed.",
        counts.disable, counts.delete, counts.held
    ));
    if upload > 0 {
        page.line("The daemon does this within seconds; by hand: sso-certd sync");
    }
}

/// What `--at` is asked for: who would be locked out, and from when on.
fn outlook(page: &mut Page, report: &PlanReport) {
    let at = report.planned_for();
    let out: Vec<&Plan> = report
        .integrations
        .iter()
        .filter_map(|it| it.plan.as_ref().ok())
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
    use crate::domain::{AccountName, IntegrationName, Look};
    use crate::view::plan_json::plan_json;
    use crate::view::testing::{
        NARROW_ASCII, WIDE, adfs, adfs_next, at, certificate, item, now, okta, plan,
    };

    fn planned(name: &str, mode: Mode, items: Vec<Item>, when: Timestamp) -> PlannedIntegration {
        PlannedIntegration {
            name: IntegrationName::parse(name).unwrap(),
            account: AccountName::default(),
            mode,
            rows: items.iter().filter(|it| it.is_listed).count(),
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
                  ! held    919e83ffe41e4f62  more than 5 new keys in 24 h; goes when a person approves it; in the source since 09:12 UTC
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
                  "later": []
                },
                {
                  "name": "entra-eu",
                  "account": "default",
                  "mode": "manage",
                  "in_step": true,
                  "steps": [],
                  "holds": [
                    {
                      "fingerprint": "919e83ffe41e4f62495a8ba83e25134e0bc03065e3a96ea3a617dbfb0043fa14",
                      "state": "held",
                      "reason": "key_budget",
                      "why": "more than 5 new keys in 24 h; goes when a person approves it",
                      "paths": [
                        "/etc/sso-certd/certificates/x/919e83ff.pem"
                      ]
                    }
                  ],
                  "later": []
                },
                {
                  "name": "okta",
                  "account": "default",
                  "mode": "manage",
                  "in_step": true,
                  "steps": [],
                  "holds": [],
                  "later": []
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
