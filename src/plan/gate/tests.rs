use super::*;
use crate::domain::BootId;

/// 2016-04-16 17:08:00 UTC.
const WALL: i64 = 1_460_826_480;
const DATE: &str = "Sat, 16 Apr 2016 17:08:00 GMT";
/// The dice that adds nothing, and the one that adds all.
const LOW: f64 = 0.0;
const HIGH: f64 = 1.0;

const SETTINGS: GateSettings = GateSettings {
    requests_per_minute: 120,
    retry_first: Duration::from_secs(1),
    retry_cap: Duration::from_secs(900),
    probe: Duration::from_secs(300),
};

fn at(secs: u64) -> Moment {
    Moment {
        wall: Timestamp::from_secs(WALL + i64::try_from(secs).unwrap()),
        boot: BootId::new("boot-1"),
        since_boot: Duration::from_secs(1000 + secs),
    }
}

fn integration(last: char) -> IntegrationId {
    IntegrationId::parse(&format!("b0b98502-9408-4b24-9e3d-31ed7cb1531{last}")).unwrap()
}

fn ask(operation: Operation, of: char) -> Request {
    Request {
        operation,
        integration: Some(integration(of)),
    }
}

fn list(of: char) -> Request {
    ask(Operation::List, of)
}

fn ended(request: Request, outcome: Outcome) -> Report {
    Report {
        request,
        outcome,
        headers: RateHeaders::default(),
    }
}

fn gate() -> Gate {
    Gate::new(SETTINGS)
}

/// Milliseconds that a request of `of` waits, what for, and what waits with it.
fn wait(gate: &Gate, now: &Moment, request: Request) -> Option<(u128, Why, Scope)> {
    gate.closed(now, &request)
        .map(|it| (it.left.as_millis(), it.why, it.scope))
}

/// Fails the same way whenever the gate opens, for an hour of boot time; how many requests went out?
fn requests_in_an_hour(report: &Report, dice: f64) -> u32 {
    let (mut gate, mut now, mut sent) = (gate(), at(0), 0);
    let end = at(3600).since_boot;
    while now.since_boot < end {
        match gate.admit(&now, &report.request) {
            Admission::Now => {
                sent += 1;
                gate.record(&now, report, dice);
            }
            Admission::Wait(wait) => now = now.plus(wait.left),
        }
    }
    sent
}

#[test]
fn a_new_gate_lets_a_minutes_worth_through_and_then_paces() {
    let (mut gate, now) = (gate(), at(0));
    for _ in 0..120 {
        assert_eq!(gate.admit(&now, &list('a')), Admission::Now);
    }
    assert_eq!(
        gate.admit(&now, &list('a')),
        Admission::Wait(Wait {
            left: Duration::from_millis(500),
            why: Why::OwnCeiling,
            scope: Scope::Account
        })
    );
    assert_eq!(
        gate.admit(&now.plus(Duration::from_millis(500)), &list('a')),
        Admission::Now
    );
}

#[test]
fn which_answer_closes_what() {
    use Operation::{Create, Delete, List, Read, Scopes, Update};
    use Outcome::*;
    let account = Scope::Account;
    // After one such answer, when must a list of the same, a list of another, a create of another wait?
    for (operation, outcome, same, other, create) in [
        (List, Done, None, None, None),
        (Create, Done, None, None, None),
        (Create, Refused, None, None, None),
        (List, NotFound, None, None, None),
        (
            List,
            KeyRejected,
            Some((300_000, Why::KeyRejected, account)),
            Some(account),
            Some(account),
        ),
        (
            Create,
            KeyRejected,
            Some((300_000, Why::KeyRejected, account)),
            Some(account),
            Some(account),
        ),
        (
            List,
            Forbidden,
            Some((300_000, Why::Forbidden, account)),
            Some(account),
            Some(account),
        ),
        (
            Read,
            Forbidden,
            Some((300_000, Why::Forbidden, account)),
            Some(account),
            Some(account),
        ),
        (Create, Forbidden, None, None, Some(Scope::Creates)),
        (Update, Forbidden, None, None, None),
        (Delete, Forbidden, None, None, None),
        (
            List,
            RateLimited,
            Some((500, Why::RateLimited, account)),
            Some(account),
            Some(account),
        ),
        (
            List,
            ServerError,
            Some((500, Why::ServerErrors, Scope::Integration)),
            None,
            None,
        ),
        (
            Create,
            ServerError,
            Some((500, Why::ServerErrors, Scope::Integration)),
            None,
            None,
        ),
        (
            List,
            Unsent,
            Some((500, Why::NoConnection, Scope::Integration)),
            None,
            None,
        ),
        (
            Create,
            NoAnswer,
            Some((500, Why::NoAnswer, Scope::Integration)),
            None,
            None,
        ),
        (
            List,
            Unexpected,
            Some((500, Why::UnexpectedAnswers, Scope::Integration)),
            None,
            None,
        ),
    ] {
        let (mut gate, now) = (gate(), at(0));
        gate.record(&now, &ended(ask(operation, 'a'), outcome), LOW);
        let case = format!("{operation:?} {outcome:?}");
        assert_eq!(wait(&gate, &now, list('a')), same, "{case}, the same");
        let scope = |request| wait(&gate, &now, request).map(|it| it.2);
        assert_eq!(scope(list('b')), other, "{case}, another");
        assert_eq!(scope(ask(Create, 'b')), create, "{case}, a create");
    }
    let (mut gate, now) = (gate(), at(0));
    let scopes = Request {
        operation: Scopes,
        integration: None,
    };
    gate.record(&now, &ended(scopes, Unsent), LOW);
    assert_eq!(
        wait(&gate, &now, list('a')),
        Some((500, Why::NoConnection, account))
    );
}

#[test]
fn every_form_of_a_servers_word_after_a_429() {
    let hour = 3_600_000;
    for (name, reset, retry_after, date, expected) in [
        ("nothing: our own backoff", None, None, None, 500),
        ("epoch", Some("1460826540"), None, Some(DATE), 60_000),
        ("epoch, no date", Some("1460826540"), None, None, 60_000),
        (
            "epoch, our clock an hour behind",
            Some("1460830140"),
            None,
            Some("Sat, 16 Apr 2016 18:08:00 GMT"),
            60_000,
        ),
        (
            "epoch, our clock ten years ahead",
            Some("1145207340"),
            None,
            Some("Sun, 16 Apr 2006 17:08:00 GMT"),
            60_000,
        ),
        ("delta", Some("60"), None, Some(DATE), 60_000),
        ("delta of a test's window", Some("2"), None, None, 2_000),
        ("zero", Some("0"), None, None, 1_000),
        ("in the past", Some("1460820000"), None, Some(DATE), 1_000),
        ("in ten years", Some("1776445680"), None, Some(DATE), hour),
        (
            "milliseconds",
            Some("1460826540000"),
            None,
            Some(DATE),
            60_000,
        ),
        (
            "milliseconds, our clock an hour behind",
            Some("1460830140000"),
            None,
            Some("Sat, 16 Apr 2016 18:08:00 GMT"),
            60_000,
        ),
        (
            "milliseconds in the past",
            Some("1460820000000"),
            None,
            Some(DATE),
            1_000,
        ),
        (
            "milliseconds in ten years",
            Some("1776445680000"),
            None,
            Some(DATE),
            hour,
        ),
        ("garbage", Some("tomorrow"), None, Some(DATE), 500),
        ("garbage date", Some("60"), None, Some("yesterday"), 60_000),
        ("retry after seconds", None, Some("120"), None, 120_000),
        ("retry after zero", None, Some("0"), None, 1_000),
        (
            "retry after an epoch",
            None,
            Some("1460826600"),
            Some(DATE),
            120_000,
        ),
        (
            "retry after an epoch, our clock an hour behind",
            None,
            Some("1460830140"),
            Some("Sat, 16 Apr 2016 18:08:00 GMT"),
            60_000,
        ),
        (
            "retry after an epoch gone by",
            None,
            Some("1460820000"),
            Some(DATE),
            1_000,
        ),
        (
            "retry after an epoch in ten years",
            None,
            Some("1776445680"),
            Some(DATE),
            hour,
        ),
        ("retry after a day", None, Some("86400"), None, hour),
        (
            "retry after a date",
            None,
            Some("Sat, 16 Apr 2016 17:09:00 GMT"),
            Some(DATE),
            60_000,
        ),
        (
            "retry after a date gone by",
            None,
            Some("Sat, 16 Apr 2016 17:00:00 GMT"),
            Some(DATE),
            1_000,
        ),
        (
            "retry after garbage, good reset",
            Some("60"),
            Some("later"),
            None,
            60_000,
        ),
        ("both: the longer", Some("60"), Some("90"), None, 90_000),
    ] {
        let (mut gate, now) = (gate(), at(0));
        let own = |it: Option<&str>| it.map(str::to_owned);
        let mut report = ended(list('a'), Outcome::RateLimited);
        report.headers.reset = own(reset);
        report.headers.retry_after = own(retry_after);
        report.headers.date = own(date);
        gate.record(&now, &report, LOW);
        assert_eq!(
            wait(&gate, &now, list('b')),
            Some((expected, Why::RateLimited, Scope::Account)),
            "{name}"
        );
    }
}

fn rate_limited_for(secs: &str) -> Report {
    let mut report = ended(list('a'), Outcome::RateLimited);
    report.headers.reset = Some(secs.to_owned());
    report
}

#[test]
fn jitter_comes_after_the_reset_and_never_before() {
    for (secs, dice, expected) in [
        ("2", HIGH, 2_500),
        ("2", 0.5, 2_250),
        ("60", HIGH, 70_000),
        ("99999", HIGH, 3_610_000),
        ("60", 7.0, 70_000),
        ("60", f64::NAN, 60_000),
        ("60", -1.0, 60_000),
    ] {
        let mut gate = gate();
        gate.record(&at(0), &rate_limited_for(secs), dice);
        let left = gate.closed(&at(0), &list('a')).unwrap().left;
        assert_eq!(left.as_millis(), expected, "{secs} {dice}");
    }
}

#[test]
fn an_hour_of_one_failure_is_a_handful_of_requests() {
    for outcome in [
        Outcome::ServerError,
        Outcome::Unsent,
        Outcome::NoAnswer,
        Outcome::RateLimited,
    ] {
        let report = ended(list('a'), outcome);
        assert!(requests_in_an_hour(&report, HIGH) <= 14, "{outcome:?}");
        assert!(requests_in_an_hour(&report, LOW) <= 20, "{outcome:?}");
    }
    assert!(requests_in_an_hour(&rate_limited_for("2"), LOW) <= 20);
    assert_eq!(requests_in_an_hour(&rate_limited_for("1800"), LOW), 2);
    let rejected = ended(list('a'), Outcome::KeyRejected);
    assert_eq!(
        requests_in_an_hour(&rejected, LOW),
        5,
        "after 0, 5, 15, 30 and 45 min"
    );
}

#[test]
fn our_own_backoff_doubles_to_its_cap_and_half_of_it_is_chance() {
    for (failures, low, high) in [
        (1, 500, 1_000),
        (2, 1_000, 2_000),
        (5, 8_000, 16_000),
        (11, 450_000, 900_000),
        (u32::MAX, 450_000, 900_000),
    ] {
        assert_eq!(SETTINGS.backoff(failures, LOW).as_millis(), low);
        assert_eq!(SETTINGS.backoff(failures, HIGH).as_millis(), high);
    }
}

#[test]
fn one_dead_integration_does_not_slow_the_others() {
    let (mut gate, mut now) = (gate(), at(0));
    for round in 1..=8 {
        gate.record(&now, &ended(list('a'), Outcome::NoAnswer), HIGH);
        assert_eq!(wait(&gate, &now, list('b')), None, "round {round}");
        gate.record(&now, &ended(list('b'), Outcome::Done), HIGH);
        let left = gate.closed(&now, &list('a')).unwrap().left;
        assert_eq!(left, Duration::from_secs(1 << (round - 1)), "round {round}");
        now = now.plus(left);
    }
}

#[test]
fn when_everything_fails_the_account_backs_off_as_one() {
    let (mut gate, mut now) = (gate(), at(0));
    gate.record(&now, &ended(list('0'), Outcome::Unsent), HIGH);
    for (round, of) in ('1'..='8').enumerate() {
        assert_eq!(wait(&gate, &now, list(of)), None);
        gate.record(&now, &ended(list(of), Outcome::Unsent), HIGH);
        let expected = 1000 << round;
        assert_eq!(
            wait(&gate, &now, list('f')),
            Some((expected, Why::NoConnection, Scope::Account))
        );
        now = now.plus(Duration::from_millis(u64::try_from(expected).unwrap()));
    }
    gate.record(&now, &ended(list('f'), Outcome::Done), HIGH);
    gate.record(&now, &ended(list('e'), Outcome::Unsent), HIGH);
    assert_eq!(wait(&gate, &now, list('f')), None, "one success resets it");
}

#[test]
fn a_key_is_probed_slowly_and_slower() {
    let (mut gate, mut now) = (gate(), at(0));
    for minutes in [5, 10, 15, 15] {
        assert_eq!(gate.admit(&now, &list('a')), Admission::Now);
        gate.record(&now, &ended(list('a'), Outcome::KeyRejected), HIGH);
        let wait = gate.closed(&now, &list('b')).unwrap();
        assert_eq!(wait.left, Duration::from_secs(minutes * 60));
        now = now.plus(wait.left);
    }
    assert_eq!(gate.view(&now).key_valid, Some(false));
    gate.record(&now, &ended(list('a'), Outcome::Done), HIGH);
    assert_eq!(gate.view(&now).key_valid, Some(true));
    gate.record(&now, &ended(list('a'), Outcome::KeyRejected), HIGH);
    assert_eq!(
        wait(&gate, &now, list('b')),
        Some((300_000, Why::KeyRejected, Scope::Account)),
        "a success resets it"
    );
}

#[test]
fn a_new_key_is_tried_at_once() {
    let (mut gate, now) = (gate(), at(0));
    gate.record(&now, &ended(list('a'), Outcome::KeyRejected), LOW);
    gate.record(
        &now,
        &ended(ask(Operation::Create, 'a'), Outcome::Forbidden),
        LOW,
    );
    gate.key_changed();
    assert_eq!(gate.view(&now).key_valid, None);
    assert_eq!(
        gate.admit(&now, &ask(Operation::Create, 'a')),
        Admission::Now
    );
}

#[test]
fn a_key_that_may_not_create_still_reads() {
    let (mut gate, now) = (gate(), at(0));
    let create = ask(Operation::Create, 'a');
    gate.record(&now, &ended(create, Outcome::Forbidden), LOW);
    gate.record(&now, &ended(list('a'), Outcome::Done), LOW);
    assert_eq!(
        wait(&gate, &now, create),
        Some((300_000, Why::Forbidden, Scope::Creates)),
        "a read says nothing about creating"
    );
    let later = at(300);
    assert_eq!(gate.admit(&later, &create), Admission::Now);
    gate.record(&later, &ended(create, Outcome::Forbidden), LOW);
    assert_eq!(
        gate.closed(&later, &create).unwrap().left,
        SETTINGS.probe * 2
    );
}

#[test]
fn nothing_left_is_obeyed_before_a_429() {
    let (mut gate, now) = (gate(), at(0));
    let mut report = ended(list('a'), Outcome::Done);
    report.headers.limit = Some("600".to_owned());
    report.headers.remaining = Some("0".to_owned());
    report.headers.reset = Some("1460826540".to_owned());
    report.headers.date = Some(DATE.to_owned());
    gate.record(&now, &report, LOW);
    assert_eq!(
        wait(&gate, &now, list('b')),
        Some((60_000, Why::LimitUsedUp, Scope::Account))
    );
    assert_eq!(wait(&gate, &at(60), list('b')), None);

    let mut open = Gate::new(SETTINGS);
    report.headers.reset = None;
    open.record(&now, &report, LOW);
    assert_eq!(wait(&open, &now, list('b')), None, "until when?");
}

#[test]
fn an_answer_in_flight_does_not_open_what_the_server_closed() {
    let (mut gate, now) = (gate(), at(0));
    gate.record(&now, &rate_limited_for("60"), LOW);
    gate.record(&now, &ended(list('b'), Outcome::Done), LOW);
    gate.record(&now, &rate_limited_for("1"), LOW);
    assert_eq!(gate.closed(&now, &list('b')).unwrap().left.as_secs(), 60);
}

#[test]
fn an_outage_with_a_retry_after_closes_the_account() {
    let (mut gate, now) = (gate(), at(0));
    let mut report = ended(list('a'), Outcome::ServerError);
    report.headers.retry_after = Some("120".to_owned());
    gate.record(&now, &report, LOW);
    assert_eq!(
        wait(&gate, &now, list('b')),
        Some((120_000, Why::AskedToWait, Scope::Account))
    );
}

#[test]
fn a_person_lifts_our_waits_and_not_the_servers() {
    let (mut gate, now) = (gate(), at(0));
    gate.record(&now, &ended(list('a'), Outcome::NoAnswer), HIGH);
    gate.record(&now, &ended(list('b'), Outcome::NoAnswer), HIGH);
    gate.record(&now, &ended(list('c'), Outcome::KeyRejected), HIGH);
    gate.lift_own_waits();
    assert_eq!(wait(&gate, &now, list('a')), None);
    gate.record(&now, &rate_limited_for("60"), LOW);
    gate.lift_own_waits();
    assert_eq!(gate.closed(&now, &list('a')).unwrap().why, Why::RateLimited);
}

#[test]
fn a_jump_of_the_wall_clock_changes_no_wait_and_shows_in_the_skew() {
    let (mut gate, mut now) = (gate(), at(0));
    let mut report = rate_limited_for("1460826540");
    report.headers.date = Some(DATE.to_owned());
    gate.record(&now, &report, LOW);
    assert_eq!(gate.view(&now).skew_secs, Some(0));
    now.wall = Timestamp::from_secs(WALL + 86_400);
    assert_eq!(gate.closed(&now, &list('a')).unwrap().left.as_secs(), 60);
    let view = gate.view(&now);
    assert_eq!(view.skew_secs, Some(86_400));
    assert_eq!(view.reset, Some(Timestamp::from_secs(WALL + 86_400 + 60)));
    assert_eq!(
        view.closed,
        Some((Timestamp::from_secs(WALL + 86_400 + 60), Why::RateLimited))
    );
    // The next epoch comes without a date: it is read by the clock that SendGrid showed before.
    report.headers.date = None;
    report.headers.reset = Some("1460826580".to_owned());
    gate.record(&now, &report, LOW);
    assert_eq!(gate.closed(&now, &list('a')).unwrap().left.as_secs(), 100);
}

#[test]
fn a_clock_behind_is_a_negative_skew() {
    let (mut gate, now) = (gate(), at(0));
    let mut report = ended(list('a'), Outcome::NotFound);
    report.headers.date = Some("Sat, 16 Apr 2016 17:18:00 GMT".to_owned());
    gate.record(&now, &report, LOW);
    assert_eq!(gate.view(&now).skew_secs, Some(-600));
}

#[test]
fn a_skew_is_confirmed_by_two_answers_a_minute_apart_and_ends_when_a_clock_is_set() {
    let mut gate = gate();
    let answer = |gate: &mut Gate, now: &Moment, date: Option<&str>| {
        let mut report = ended(list('a'), Outcome::Done);
        report.headers.date = date.map(str::to_owned);
        gate.record(now, &report, LOW);
    };
    answer(&mut gate, &at(0), Some("Sat, 16 Apr 2016 18:08:00 GMT"));
    assert_eq!(gate.disagrees_since(&at(0)), None);
    assert_eq!(gate.confirms_skew_at(&at(5)), Some(at(60).wall));
    assert_eq!(gate.skew(&at(0)), Skew::Secs(3600));
    assert_eq!(
        gate.disagrees_since(&at(600)),
        None,
        "time alone says nothing"
    );
    answer(&mut gate, &at(59), Some("Sat, 16 Apr 2016 18:08:59 GMT"));
    answer(&mut gate, &at(61), None);
    assert_eq!(gate.disagrees_since(&at(61)), None);
    answer(&mut gate, &at(62), Some("Sat, 16 Apr 2016 18:09:02 GMT"));
    assert_eq!(gate.disagrees_since(&at(62)), Some(at(0).wall));
    assert_eq!(gate.confirms_skew_at(&at(62)), None);
    let mut set = at(63);
    set.wall = set.wall.plus(Duration::from_secs(3600));
    assert_eq!(gate.disagrees_since(&set), None, "our clock was set");
    answer(&mut gate, &at(70), Some("Sat, 16 Apr 2016 17:09:10 GMT"));
    answer(&mut gate, &at(71), Some("Sat, 16 Apr 2016 18:09:11 GMT"));
    assert_eq!(gate.disagrees_since(&at(71)), None, "it begins anew");
}

#[test]
fn a_backoff_survives_a_restart_and_a_reboot() {
    let mut first = gate();
    for of in ['a', 'b', 'c'] {
        first.record(&at(0), &ended(list(of), Outcome::ServerError), HIGH);
    }
    first.record(&at(0), &rate_limited_for("600"), LOW);

    let restarted = Gate::restore(SETTINGS, first.saved());
    assert_eq!(restarted.saved(), first.saved());
    assert_eq!(
        restarted
            .closed(&at(100), &list('d'))
            .unwrap()
            .left
            .as_secs(),
        500
    );

    let mut rebooted = at(86_400);
    rebooted.boot = BootId::new("boot-2");
    rebooted.since_boot = Duration::from_secs(20);
    let mut gate = Gate::restore(SETTINGS, restarted.saved());
    assert_eq!(
        gate.closed(&rebooted, &list('d')).unwrap().left.as_secs(),
        580,
        "the time while the machine was off counts for nothing"
    );
    let open = rebooted.plus(Duration::from_secs(600));
    gate.record(&open, &ended(list('d'), Outcome::ServerError), HIGH);
    assert_eq!(
        gate.closed(&open, &list('e')).unwrap().left.as_secs(),
        4,
        "it goes on doubling where it was"
    );
}

#[test]
fn a_restart_gives_the_key_one_try() {
    let mut gate = gate();
    gate.record(&at(0), &ended(list('a'), Outcome::KeyRejected), LOW);
    let restarted = Gate::restore(SETTINGS, gate.saved());
    assert_eq!(restarted.closed(&at(1), &list('a')), None);
}

#[test]
fn a_saved_wait_of_a_year_is_cut() {
    let state = GateState {
        barriers: vec![(
            Barrier::ServerWord,
            Hold {
                failures: 1,
                since: at(0),
                wait: Duration::from_secs(365 * 86_400),
                why: Why::RateLimited,
            },
        )],
    };
    let gate = Gate::restore(SETTINGS, state);
    assert_eq!(
        gate.closed(&at(0), &list('a')).unwrap().left.as_secs(),
        3610
    );
}

#[test]
fn limits_are_shown_as_the_last_answer_told_them() {
    let (mut gate, now) = (gate(), at(0));
    let mut report = ended(list('a'), Outcome::Done);
    report.headers.limit = Some("600".to_owned());
    report.headers.remaining = Some("599".to_owned());
    report.headers.reset = Some("30".to_owned());
    gate.record(&now, &report, LOW);
    gate.record(&now, &ended(list('a'), Outcome::Done), LOW);
    let view = gate.view(&now);
    assert_eq!((view.limit, view.remaining), (Some(600), Some(599)));
    assert_eq!(view.reset, Some(Timestamp::from_secs(WALL + 30)));
    assert_eq!(view.closed, None);
}

#[test]
fn every_barrier_is_found_by_its_word_and_integration() {
    let id = integration('a');
    for barrier in [
        Barrier::ServerWord,
        Barrier::Key,
        Barrier::Outage,
        Barrier::Creates,
        Barrier::Integration(id),
    ] {
        let found = Barrier::parse(barrier.word(), barrier.integration());
        assert_eq!(found, Some(barrier));
    }
    assert_eq!(Barrier::parse("integration", None), None);
    assert_eq!(Barrier::parse("outage", Some(id)), None);
    assert_eq!(Barrier::parse("wall", None), None);
}

#[test]
fn every_reason_is_found_by_its_words() {
    for why in Why::ALL {
        assert_eq!(Why::parse(why.words()), Some(*why));
    }
    assert_eq!(Why::parse("bad luck"), None);
}
