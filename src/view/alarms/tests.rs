//! The table of reasons: what raises each, how bad it is, and what `status` exits with.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;

use super::*;
use crate::domain::{AccountName, Certificate, Look, Reason, Refusal, Skew, SourceError};
use crate::plan::book::TrustRecord;
use crate::plan::policy::Mode;
use crate::plan::rollover::Item;
use crate::plan::state::State;
use crate::plan::why::Why;
use crate::view::snapshot::{AccountSnapshot, ClockFault, FailureKind, PassFailure, Unusable};
use crate::view::status_text::exit;
use crate::view::testing::{
    account_failure, adfs, adfs_next, because, certificate, integration, item, now, okta,
    once_trusted, paused, refused_file, snapshot, with_look,
};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn trusted() -> Item {
    item(State::Trusted, &okta())
}

fn beside(other: Item) -> IntegrationSnapshot {
    integration("okta", vec![trusted(), other])
}

fn one(it: IntegrationSnapshot) -> Snapshot {
    snapshot(vec![it])
}

/// The same certificate, in the source since so long.
fn waiting_for(state: State, why: Why, age: Duration) -> Item {
    Item {
        since: Some(now().minus(age)),
        ..because(state, &adfs_next(), why)
    }
}

fn observed(items: Vec<Item>) -> IntegrationSnapshot {
    let mut it = integration("okta", items);
    it.mode = Mode::Observe;
    it
}

/// First compared so long ago.
fn known_for(mut it: IntegrationSnapshot, age: Duration) -> IntegrationSnapshot {
    let mut plan = it.plan.as_deref().cloned().unwrap();
    plan.outlook.first_list = Some(now().minus(age));
    it.plan = Some(Arc::new(plan));
    it
}

/// In the configuration for so long and not compared since, with this failure.
fn uncompared(name: &str, age: Duration, text: &str) -> IntegrationSnapshot {
    let mut it = integration(name, vec![trusted()]);
    it.compared_at = None;
    it.configured_at = now().minus(age);
    it.failure = Some(PassFailure {
        since: now().minus(age),
        text: format!("cannot list the certificates of integration {name}: {text}"),
        is_missing: false,
    });
    it
}

fn with_account(mut it: Snapshot, change: impl Fn(&mut AccountSnapshot)) -> Snapshot {
    it.accounts.values_mut().for_each(change);
    it
}

fn failing(it: Snapshot, text: &str, kind: FailureKind) -> Snapshot {
    with_account(it, |it| {
        it.failure = Some(account_failure(text, kind));
        it.answered_at = None;
    })
}

fn with_file(reason: Reason) -> IntegrationSnapshot {
    let look = Look {
        files: vec![refused_file("x.pem", Refusal::new(reason, "found"))],
        ..Look::default()
    };
    with_look("okta", vec![trusted()], look)
}

fn ends_in(days: u64) -> Certificate {
    let end = now().plus(DAY * u32::try_from(days).unwrap());
    certificate("CN=old", "2025-01-01", &end.date())
}

fn clock(skew: Skew) -> ClockFault {
    let since = now().minus(HOUR);
    ClockFault { since, skew }
}

/// What may stand, and a name for each.
fn situations() -> Vec<(&'static str, Snapshot)> {
    let mut all: Vec<(&'static str, Snapshot)> = Vec::new();
    let mut add = |name, snapshot| all.push((name, snapshot));
    add("all is well", one(integration("okta", vec![trusted()])));

    let mut full = one(integration("okta", vec![trusted()]));
    full.ledger_failure = Some("no space left on device".to_owned());
    add("the ledger cannot be written", full);
    let well = || one(integration("okta", vec![trusted()]));
    add(
        "the clocks differ",
        with_account(well(), |it| it.clock = Some(clock(Skew::Secs(-86_400)))),
    );
    add(
        "a server's certificate is over by our clock",
        with_account(well(), |it| it.clock = Some(clock(Skew::Unknown))),
    );

    let nothing = || integration("okta", Vec::new());
    add(
        "trust is lost, and nothing is listed",
        one(once_trusted(nothing(), Some(now().minus(HOUR)))),
    );
    let others = integration("okta", vec![item(State::Inherited, &okta())]);
    add(
        "trust is lost, and others' is listed",
        one(once_trusted(others, None)),
    );
    let mut gone = nothing();
    let mut plan = gone.plan.as_deref().cloned().unwrap();
    plan.outlook.trust = TrustRecord {
        valid_until: Some(now().minus(HOUR)),
        ..TrustRecord::default()
    };
    gone.plan = Some(Arc::new(plan));
    add("others' was listed, and nothing is now", one(gone));
    let held = because(State::Held, &adfs_next(), Why::NeedsApproval);
    add(
        "trust is lost, and a new key waits",
        one(once_trusted(integration("okta", vec![held.clone()]), None)),
    );
    let twice = vec![
        item(State::Expired, &okta()),
        item(State::Duplicate, &okta()),
    ];
    add(
        "trust is lost, and something is listed twice",
        one(once_trusted(integration("okta", twice), None)),
    );
    let mut undecided = once_trusted(nothing(), None);
    let mut plan = undecided.plan.as_deref().cloned().unwrap();
    plan.outlook.is_undecided = true;
    undecided.plan = Some(Arc::new(plan));
    add("one list lacks what was there", one(undecided));

    add(
        "a stranger's is listed",
        one(beside(item(State::Unmanaged, &adfs()))),
    );
    add(
        "a denied one is listed",
        one(beside(because(
            State::Unmanaged,
            &adfs(),
            Why::DeniedAndListed,
        ))),
    );
    add(
        "a row of ours carries another",
        one(beside(item(State::Replaced, &adfs()))),
    );
    add(
        "a private key lies there",
        one(with_file(Reason::PrivateKey)),
    );
    let mut moved = integration("okta", vec![trusted()]);
    let mut plan = moved.plan.as_deref().cloned().unwrap();
    plan.outlook.moved_from = Some(moved.integration_id);
    moved.plan = Some(Arc::new(plan));
    add("the integration id was changed", one(moved));
    add(
        "trust ends in 6 d",
        one(integration("okta", vec![item(State::Trusted, &ends_in(6))])),
    );
    add(
        "trust ends in 6 d, others' alone",
        one(integration(
            "okta",
            vec![item(State::Inherited, &ends_in(6))],
        )),
    );
    let mut missing = integration("okta", vec![trusted()]);
    missing.failure = Some(PassFailure {
        since: now(),
        text: "not found (404)".to_owned(),
        is_missing: true,
    });
    add("SendGrid knows no such integration", one(missing));
    add(
        "a wanted one was removed",
        one(beside(item(State::Removed, &adfs()))),
    );
    add(
        "a key is that of a removed one",
        one(beside(because(
            State::Held,
            &adfs_next(),
            Why::RemovedKey(adfs().fingerprint()),
        ))),
    );
    add(
        "SendGrid does not know the key (401)",
        with_account(well(), |it| it.key_valid = Some(false)),
    );
    add(
        "there is no key",
        with_account(well(), |it| {
            it.unusable = Some(Unusable::key("no key".to_owned(), Vec::new()));
        }),
    );
    add(
        "there are no roots",
        with_account(well(), |it| {
            it.unusable = Some(Unusable::client("no CA bundle".to_owned(), Vec::new()));
        }),
    );
    add(
        "the server's certificate is not accepted",
        failing(well(), "no secure connection", FailureKind::Tls),
    );

    let minutes = |it: u32| Duration::from_secs(60) * it;
    let silent = |age| one(uncompared("okta", age, "no answer within the time allowed"));
    add(
        "not compared for 15 min after the start",
        failing(silent(minutes(15)), "time-out", FailureKind::NoAnswer),
    );
    add(
        "not compared for 16 min after the start",
        failing(silent(minutes(16)), "time-out", FailureKind::NoAnswer),
    );
    let many = ["a", "b", "c"].map(|name| uncompared(name, minutes(16), "forbidden (403)"));
    add(
        "403 on everything of an account",
        failing(snapshot(many.into()), "403", FailureKind::Status(403)),
    );
    let two = vec![
        uncompared("a", minutes(16), "server error (500)"),
        integration("b", vec![trusted()]),
    ];
    add("one of two not compared", snapshot(two));
    add(
        "the budget needs longer for a round",
        with_account(silent(minutes(16)), |it| it.integrations = 10_000),
    );
    let mut stale = integration("okta", vec![trusted()]);
    stale.compared_at = Some(now().minus(minutes(120)));
    add("not compared for two rounds", one(stale.clone()));
    stale.compared_at = Some(now().minus(minutes(121)));
    add("not compared for longer", one(stale));

    let sent = |age| {
        let mut sent = item(State::Settling, &adfs_next());
        sent.undelivered_from = Some(now().minus(age).plus(minutes(15)));
        one(beside(sent))
    };
    add("sent 14 min ago, not listed", sent(minutes(14)));
    add("sent 15 min ago, not listed", sent(minutes(15)));
    add("a new key waits", one(beside(held)));
    add(
        "too many new keys",
        one(beside(item(State::Held, &adfs_next()))),
    );
    add(
        "SendGrid refuses one",
        one(beside(item(State::Rejected, &adfs_next()))),
    );
    add("a file is refused", one(with_file(Reason::KeyUsage)));
    add(
        "no successor, 44 d left",
        one(integration(
            "okta",
            vec![item(State::Trusted, &ends_in(44))],
        )),
    );
    let mut away = integration("okta", vec![trusted()]);
    away.source.look = Some(Err(SourceError::Missing("/x".to_owned())));
    add("the directory is missing", one(away));

    let enough = || item(State::Planned, &adfs_next()).why;
    let trial = |age| {
        let planned = waiting_for(State::Planned, enough(), age);
        one(observed(vec![trusted(), planned]))
    };
    add("observed, one waits for 23 h", trial(HOUR * 23));
    add("observed, one waits for 24 h", trial(DAY));
    let paused_one = |age| {
        let held = waiting_for(State::Held, Why::Paused, DAY * 9);
        let mut it = paused(beside(held), "bob");
        let mut plan = it.plan.as_deref().cloned().unwrap();
        if let Some(pause) = &mut plan.outlook.pause {
            pause.at = now().minus(age);
        }
        it.plan = Some(Arc::new(plan));
        one(it)
    };
    add("paused for 23 h, one waits", paused_one(HOUR * 23));
    add("paused for 24 h, one waits", paused_one(DAY));
    let near = vec![
        item(State::Trusted, &ends_in(6)),
        waiting_for(State::Planned, enough(), HOUR),
    ];
    add(
        "observed, one waits, trust ends in 6 d",
        one(observed(near)),
    );
    add(
        "managed, one is about to go up",
        one(beside(waiting_for(State::Planned, enough(), DAY * 9))),
    );

    let mut unread = item(State::Undecodable, &adfs());
    (unread.certificate, unread.fingerprint) = (None, None);
    add("a row cannot be read", one(beside(unread)));
    let inherited = |days| {
        let items = vec![item(State::Inherited, &ends_in(days))];
        one(integration("okta", items))
    };
    add("others' alone, 46 d left", inherited(46));
    add("others' alone, 45 d left", inherited(45));
    let known = vec![item(State::Acknowledged, &ends_in(60))];
    add(
        "others' alone, acknowledged",
        one(integration("okta", known)),
    );
    add(
        "nothing was ever listed, for 23 h",
        one(known_for(nothing(), HOUR * 23)),
    );
    add(
        "nothing was ever listed, for 24 h",
        one(known_for(nothing(), DAY)),
    );
    add(
        "one is listed twice",
        one(beside(item(State::Duplicate, &okta()))),
    );
    all
}

#[test]
fn each_situation_raises_what_the_table_says() {
    let mut table = String::new();
    for (name, snapshot) in situations() {
        let alarms = alarms(&snapshot, now());
        let told: Vec<String> = alarms
            .iter()
            .map(|it| format!("{} {}", it.severity.word(), it.reason))
            .collect();
        let exit = exit(&snapshot, now());
        writeln!(table, "{name:<46} {exit}  {}", told.join(", ")).unwrap();
    }
    expect![[r#"
        all is well                                    0  
        the ledger cannot be written                   2  warning ledger
        the clocks differ                              2  warning clock
        a server's certificate is over by our clock    2  warning clock
        trust is lost, and nothing is listed           2  critical no_trust
        trust is lost, and others' is listed           2  critical no_trust
        others' was listed, and nothing is now         2  critical no_trust
        trust is lost, and a new key waits             2  critical no_trust, critical approval
        trust is lost, and something is listed twice   2  critical no_trust, critical duplicate
        one list lacks what was there                  0  
        a stranger's is listed                         2  critical unmanaged
        a denied one is listed                         2  critical unmanaged
        a row of ours carries another                  2  critical replaced
        a private key lies there                       2  warning private_key
        the integration id was changed                 2  warning id_changed
        trust ends in 6 d                              2  critical trust_ends, warning no_successor
        trust ends in 6 d, others' alone               2  critical trust_ends, warning no_successor, warning not_in_source
        SendGrid knows no such integration             2  warning integration_missing
        a wanted one was removed                       2  warning removed
        a key is that of a removed one                 2  warning removed
        SendGrid does not know the key (401)           2  warning api_key
        there is no key                                2  warning api_key
        there are no roots                             2  warning tls
        the server's certificate is not accepted       2  warning tls
        not compared for 15 min after the start        0  
        not compared for 16 min after the start        2  warning not_compared
        403 on everything of an account                2  warning not_compared
        one of two not compared                        2  warning not_compared
        the budget needs longer for a round            0  
        not compared for two rounds                    0  
        not compared for longer                        2  warning not_compared
        sent 14 min ago, not listed                    0  
        sent 15 min ago, not listed                    2  warning undelivered
        a new key waits                                2  warning approval
        too many new keys                              2  warning key_budget
        SendGrid refuses one                           2  warning rejected
        a file is refused                              2  warning refused
        no successor, 44 d left                        2  warning no_successor
        the directory is missing                       2  warning source_down
        observed, one waits for 23 h                   0  note withheld
        observed, one waits for 24 h                   2  warning withheld
        paused for 23 h, one waits                     0  note withheld
        paused for 24 h, one waits                     2  warning withheld
        observed, one waits, trust ends in 6 d         2  critical trust_ends, warning withheld
        managed, one is about to go up                 0  
        a row cannot be read                           2  warning undecodable
        others' alone, 46 d left                       0  note not_in_source
        others' alone, 45 d left                       2  warning no_successor, warning not_in_source
        others' alone, acknowledged                    0  
        nothing was ever listed, for 23 h              0  note not_set_up
        nothing was ever listed, for 24 h              2  warning not_set_up
        one is listed twice                            0  note duplicate
    "#]].assert_eq(&table);
}

#[test]
fn every_reason_has_a_situation() {
    let raised: BTreeSet<AlarmReason> = situations()
        .iter()
        .flat_map(|(_, snapshot)| alarms(snapshot, now()))
        .map(|it| it.reason)
        .collect();
    let all: BTreeSet<AlarmReason> = AlarmReason::ALL.iter().copied().collect();
    assert_eq!(raised, all);
}

#[test]
fn metric_status_and_sentence_agree_in_every_situation() {
    for (name, snapshot) in situations() {
        let alarms = alarms(&snapshot, now());
        let is_needed = alarms.iter().any(Alarm::needs_somebody);
        assert_eq!(exit(&snapshot, now()) == 2, is_needed, "{name}");
        let sentence = crate::view::sentence::sentence(&snapshot, now());
        assert_eq!(sentence.mark.needs_person(), is_needed, "{name}");
        let metric = snapshot
            .integrations
            .values()
            .any(|it| !attention(&alarms, it).is_empty());
        assert_eq!(metric, is_needed, "{name}");
        for alarm in &alarms {
            assert!(
                !alarm.sentence.main.contains(&format!(": {}", alarm.reason)),
                "{name}"
            );
        }
    }
}

#[test]
fn no_deadline_is_later_than_a_lockout_that_is_there() {
    for (name, snapshot) in situations() {
        let alarms = alarms(&snapshot, now());
        for it in snapshot.integrations.values() {
            let reasons = attention(&alarms, it);
            let deadline = deadline(&alarms, it);
            if reasons.contains(&AlarmReason::NoTrust) {
                assert!(deadline.is_some_and(|it| it <= now()), "{name}");
            } else if reasons.contains(&AlarmReason::TrustEnds) {
                let ends = it.plan.as_ref().and_then(|it| it.outlook.ends);
                assert!(deadline.is_some() && deadline <= ends, "{name}");
            } else if reasons.contains(&AlarmReason::Removed) {
                assert_eq!(deadline, None, "{name}");
            }
        }
    }
}

#[test]
fn reasons_are_told_in_the_order_of_the_contract() {
    let words: Vec<&str> = AlarmReason::ALL.iter().map(|it| it.word()).collect();
    let first = [
        "ledger",
        "clock",
        "no_trust",
        "unmanaged",
        "replaced",
        "private_key",
        "id_changed",
        "trust_ends",
        "integration_missing",
        "removed",
        "api_key",
        "tls",
        "not_compared",
        "undelivered",
        "approval",
        "key_budget",
        "rejected",
        "refused",
        "no_successor",
        "source_down",
        "withheld",
    ];
    assert_eq!(words.get(..first.len()), Some(&first[..]));
    assert!(AlarmReason::ALL.is_sorted());
    let mut worst = one(once_trusted(integration("okta", Vec::new()), None));
    worst.ledger_failure = Some("full".to_owned());
    let told: Vec<AlarmReason> = alarms(&worst, now()).iter().map(|it| it.reason).collect();
    assert_eq!(told, [AlarmReason::Ledger, AlarmReason::NoTrust]);
}

#[test]
fn what_one_account_meets_is_one_alarm_with_the_status() {
    let (_, snapshot) = situations()
        .into_iter()
        .find(|(name, _)| *name == "403 on everything of an account")
        .unwrap();
    let alarms = alarms(&snapshot, now());
    let [alarm] = alarms.as_slice() else {
        panic!("{alarms:?}");
    };
    assert_eq!(alarm.scope, Scope::Account(AccountName::default()));
    assert_eq!(
        alarm.sentence.to_string(),
        "Not sure: SendGrid has answered 403 since sso-certd started 16 minutes ago. \
         What SendGrid trusts is not known."
    );
    for it in snapshot.integrations.values() {
        let reasons = attention(&alarms, it);
        assert_eq!(reasons, BTreeSet::from([AlarmReason::NotCompared]));
    }
}

#[test]
fn the_runbook_has_a_section_for_each_reason() {
    let runbook = include_str!("../../../docs/runbook.md");
    for reason in AlarmReason::ALL {
        let section = format!("\n## {reason}\n");
        assert!(runbook.contains(&section), "{reason}");
    }
}

/// What `status` exits with at each of these times, and why, where that changes.
fn walk(
    times: impl Iterator<Item = Timestamp>,
    at: impl Fn(Timestamp) -> Snapshot,
) -> Vec<(u64, u8, String)> {
    let start = now();
    let mut told: Vec<(u64, u8, String)> = Vec::new();
    for time in times {
        let snapshot = at(time);
        let alarms = alarms(&snapshot, time);
        let reasons: BTreeSet<String> = alarms
            .iter()
            .map(|it| format!("{} {}", it.severity.word(), it.reason))
            .collect();
        let reasons: Vec<String> = reasons.into_iter().collect();
        let found = (exit(&snapshot, time), reasons.join(", "));
        if told
            .last()
            .is_none_or(|it| (it.1, &it.2) != (found.0, &found.1))
        {
            told.push((time.since(start).as_secs() / 60, found.0, found.1));
        }
    }
    told
}

fn each(step: Duration, for_so_long: Duration) -> impl Iterator<Item = Timestamp> {
    let steps = for_so_long.as_secs() / step.as_secs();
    (0..=steps).map(move |it| now().plus(step * u32::try_from(it).unwrap()))
}

/// The whole hour of an integration that is compared each minute and stays as it is.
fn first_hour(it: &IntegrationSnapshot) -> Vec<(u64, u8, String)> {
    let minute = Duration::from_secs(60);
    walk(each(minute, HOUR), |time| {
        let mut it = known_for(it.clone(), Duration::ZERO);
        it.compared_at = Some(time);
        one(it)
    })
}

#[test]
fn the_first_hour_pages_nobody() {
    let noted = |reason: &str| vec![(0, 0, format!("note {reason}"))];
    let empty = integration("okta", Vec::new());
    assert_eq!(first_hour(&empty), noted("not_set_up"));
    let by_hand = integration("okta", vec![item(State::Inherited, &okta())]);
    assert_eq!(first_hour(&by_hand), noted("not_in_source"));
    let planned = Item {
        since: Some(now()),
        ..item(State::Planned, &adfs_next())
    };
    let both = vec![item(State::Inherited, &okta()), planned];
    let trial = first_hour(&observed(both));
    assert_eq!(
        trial,
        [(0, 0, "note not_in_source, note withheld".to_owned())]
    );
}

#[test]
fn a_plan_without_sso_is_told_once_after_a_quarter_of_an_hour() {
    let walked = walk(each(Duration::from_secs(60), HOUR), |time| {
        let all = ["a", "b"].map(|name| {
            let mut it = uncompared(name, Duration::ZERO, "forbidden (403)");
            (it.plan, it.has_passed) = (None, time > now());
            it
        });
        failing(snapshot(all.into()), "403", FailureKind::Status(403))
    });
    let late = "warning not_compared".to_owned();
    assert_eq!(walked, [(0, 0, String::new()), (16, 2, late)]);
}

#[test]
fn a_thousand_integrations_after_a_restart_page_nobody() {
    // Two a second, as the budget of 120 a minute allows, and then each hour again.
    let name = |number: u64| format!("customer-{number:04}");
    let all: Vec<IntegrationSnapshot> = (0..1_000)
        .map(|number| {
            let mut it = integration(&name(number), vec![trusted()]);
            it.configured_at = now();
            it.has_passed = false;
            it.compared_at = Some(now().minus(HOUR * 2));
            it
        })
        .collect();
    let walked = walk(each(Duration::from_secs(300), HOUR), |time| {
        let mut snapshot = snapshot(all.clone());
        for (number, it) in (0..).zip(snapshot.integrations.values_mut()) {
            let compared = now().plus(Duration::from_millis(500 * number));
            if compared <= time {
                it.compared_at = Some(compared);
                it.has_passed = true;
            }
        }
        with_account(snapshot, |it| it.integrations = 1_000)
    });
    assert_eq!(walked, [(0, 0, String::new())]);
}

#[test]
fn five_days_of_each_are_raised_as_the_table_says() {
    let days = || each(Duration::from_secs(600), DAY * 5);
    let never = walk(days(), |_| {
        let mut it = uncompared("okta", Duration::ZERO, "no answer within the time allowed");
        it.plan = None;
        failing(one(it), "no answer", FailureKind::NoAnswer)
    });
    let late = "warning not_compared".to_owned();
    assert_eq!(never, [(0, 0, String::new()), (20, 2, late)]);

    let kept = |it: &IntegrationSnapshot| {
        walk(days(), |time| {
            let mut it = it.clone();
            it.compared_at = Some(time);
            one(it)
        })
    };
    let day = [
        (0, 0, "note withheld".to_owned()),
        (24 * 60, 2, "warning withheld".to_owned()),
    ];
    let waits = |state, why| waiting_for(state, why, Duration::ZERO);
    let enough = item(State::Planned, &adfs_next()).why;
    let trial = observed(vec![trusted(), waits(State::Planned, enough)]);
    assert_eq!(kept(&trial), day);
    let mut held = paused(beside(waits(State::Held, Why::Paused)), "bob");
    let mut plan = held.plan.as_deref().cloned().unwrap();
    if let Some(pause) = &mut plan.outlook.pause {
        pause.at = now();
    }
    held.plan = Some(Arc::new(plan));
    assert_eq!(kept(&held), day);
}
