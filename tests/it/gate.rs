//! How often SendGrid is asked: never more than it allows, and not much less when there is work.

use std::time::Duration;

use rustix::process::Signal;

use crate::certificates::valid;
use crate::harness::{ADFS, Daemon, ENTRA, GOOGLE, KEY, OKTA, Stage, exchange, integration};
use crate::simulator::{Commit, Fault, Operation, RateLimit, Reply, ResetStyle, RetryAfter, Rule};

const INTEGRATIONS: [(&str, &str); 4] = [
    ("okta", OKTA),
    ("adfs", ADFS),
    ("entra", ENTRA),
    ("google", GOOGLE),
];

#[tokio::test]
async fn a_rush_takes_what_the_server_allows_and_little_longer_than_it_must() {
    let mut ratios = Vec::new();
    while ratios.len() < 3 && ratios.iter().all(|it| *it > 1.3) {
        ratios.push(rush().await);
    }
    eprintln!("time over the least possible: {ratios:.2?}");
    assert!(ratios.last().unwrap() <= &1.3, "{ratios:.2?}");
}

/// Sixty certificates at once, twenty requests in two seconds: how much longer it takes than it must.
async fn rush() -> f64 {
    const LIMIT: usize = 20;
    const WINDOW: Duration = Duration::from_secs(2);
    let stage = Stage::new(&INTEGRATIONS).await;
    stage
        .home
        .set("budget", "[defaults.trust]\nnew_keys_per_day = 0\n");
    let all: Vec<_> = (0..60).map(|it| valid(&format!("rush {it}"))).collect();
    for (index, certificate) in all.iter().enumerate() {
        let (name, _) = INTEGRATIONS[index % 4];
        stage
            .home
            .put(name, &format!("{index}.pem"), &certificate.pem);
    }
    stage
        .sendgrid
        .limit_rate(Some(RateLimit::new(u32::try_from(LIMIT).unwrap(), WINDOW)));
    let daemon = stage.start().await;
    stage
        .sendgrid_has(&daemon, "all sixty are stored", |it| {
            it.rows().count() == 60
        })
        .await;
    daemon.has_compared().await;
    daemon
        .shows("all are in step", |it| {
            let all = it["integrations"].as_array().unwrap();
            all.iter()
                .all(|it| it["in_step"] == true && it["trusted"] == 15)
        })
        .await;

    let history = stage.sendgrid.history();
    assert_eq!(history.answered(429).count(), 0, "{history}");
    for certificate in &all {
        stage.assert_one_row(certificate);
    }
    stage.assert_well_behaved();
    // A list before and one after the posts of each integration.
    let needed = all.len() + 2 * INTEGRATIONS.len();
    let windows = u32::try_from(needed.div_ceil(LIMIT) - 1).unwrap();
    let first = history.requests().next().unwrap().at;
    let last = history.requests().last().unwrap().at;
    let took = last.duration_since(first);
    took.as_secs_f64() / (windows * WINDOW).as_secs_f64()
}

#[tokio::test]
async fn our_own_ceiling_is_a_minutes_worth_at_once_and_then_even() {
    const CEILING: usize = 12;
    let stage = Stage::new(&[("okta", OKTA)]).await;
    stage.home.set(
        "ceiling",
        &format!("[accounts.default]\nrequests_per_minute = {CEILING}\n"),
    );
    let daemon = stage.start().await;
    for wanted in 1..=CEILING + 1 {
        daemon.signal(Signal::USR1);
        stage
            .sendgrid_has(&daemon, &format!("request {wanted} is made"), |it| {
                it.history().requests().count() >= wanted
            })
            .await;
    }
    let history = stage.sendgrid.history();
    let at: Vec<_> = history.requests().map(|it| it.at).collect();
    let took = at[CEILING].duration_since(at[0]);
    // Five seconds by the daemon's clock; the first request may have been slow to arrive.
    assert!(took >= Duration::from_secs(4), "{took:?}");
}

/// Somebody else uses the limit up, so that the daemon's next request gets a 429: none follows before the reset.
async fn used_up_by_others(rate: RateLimit) {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let daemon = stage.start().await;
    daemon.has_compared().await;
    stage.sendgrid.limit_rate(Some(rate));
    for attempt in 0..5 {
        begin_of_window(rate.window).await;
        use_up(&stage, &daemon, rate.limit).await;
        let certificate = valid("limited");
        let name = format!("{attempt}.pem");
        stage.home.put("okta", &name, &certificate.pem);
        daemon.shows_state("okta", &certificate, "trusted").await;
        stage.assert_one_row(&certificate);
        stage.assert_well_behaved();
        if stage.sendgrid.history().answered(429).count() > 0 {
            let metrics = daemon.metrics().await;
            let account = [("account", "default")];
            let limit = metrics.value("sso_certd_api_rate_limit_requests", &account);
            assert_eq!(limit, Some(f64::from(rate.limit)));
            return;
        }
    }
    daemon.fail("one of five requests gets a 429");
}

/// Waits until a window of the rate limit has just begun, so that nobody has used any of it.
async fn begin_of_window(window: Duration) {
    loop {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        let millis = now.tv_sec * 1000 + now.tv_nsec / 1_000_000;
        let since = millis % i64::try_from(window.as_millis()).unwrap();
        if since < 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn use_up(stage: &Stage, daemon: &Daemon, limit: u32) {
    let address = stage.sendgrid.address();
    let request = format!(
        "GET /v3/scopes HTTP/1.1\r\nHost: sendgrid\r\nAccept: */*\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"
    );
    for _ in 0..limit {
        match exchange(address, &request).await {
            Ok((200, _)) => {}
            other => daemon.fail(&format!("the window is all there, not {other:?}")),
        }
    }
}

#[tokio::test]
async fn after_a_429_with_an_epoch_nothing_is_asked_before_it() {
    used_up_by_others(RateLimit::new(4, Duration::from_secs(3))).await;
}

#[tokio::test]
async fn after_a_429_with_a_delta_nothing_is_asked_before_it() {
    used_up_by_others(RateLimit::new(4, Duration::from_secs(3)).reset(ResetStyle::Delta)).await;
}

#[tokio::test]
async fn after_a_429_with_retry_after_nothing_is_asked_before_it() {
    let rate = RateLimit::new(4, Duration::from_secs(3)).retry_after(RetryAfter::Seconds);
    used_up_by_others(rate).await;
}

/// Seconds since 1970.
fn unix_now() -> i64 {
    rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec
}

/// A 429 with this header closes the whole account for as many seconds as `expected`, jitter included.
async fn a_429_closes_for(
    header: impl FnOnce(i64) -> Option<(&'static str, String)>,
    skew_secs: i64,
    expected: std::ops::RangeInclusive<f64>,
) {
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    stage.sendgrid.behave(|it| it.clock_skew_secs = skew_secs);
    // Where nobody announces anything, our own time is waited for, or half of it.
    let own = "[delivery]\nretry_first = \"60s\"\nretry_cap = \"60s\"\n";
    stage.home.set("own", own);
    let header = header(unix_now());
    let case = format!("{header:?}, {skew_secs} s ahead");
    let limited = Reply::Custom {
        status: 429,
        headers: header
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect(),
        body: String::new(),
    };
    let fault = Fault::new(Commit::Never, limited);
    stage.sendgrid.script(Rule::always(fault).times(1));
    let daemon = stage.start().await;
    let until = "sso_certd_api_backoff_until_timestamp_seconds";
    let account = [("account", "default")];
    daemon.has_counted(until, &account).await;
    let until = daemon.metrics().await.value(until, &account).unwrap();
    let now = Duration::from_secs(unix_now().unsigned_abs());
    let left = until - now.as_secs_f64();
    assert!(expected.contains(&left), "{case}: {left} s");
    let history = stage.sendgrid.history();
    assert_eq!(history.requests().count(), 1, "{case}: {history}");
}

#[tokio::test]
async fn a_429_in_any_form_closes_the_account_for_a_second_to_an_hour() {
    const HOURS: i64 = 7_200;
    const TEN_YEARS: i64 = 315_360_000;
    type Header = Option<(&'static str, String)>;
    let reset = |at: i64| -> Header { Some(("X-Ratelimit-Reset", at.to_string())) };
    let retry = |it: String| -> Header { Some(("Retry-After", it)) };
    let date = |at: i64| {
        let at = chrono::DateTime::from_timestamp_secs(at).unwrap();
        at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let minute = || 45.0..=75.0;
    a_429_closes_for(|_| reset(60), 0, minute()).await;
    a_429_closes_for(|now| reset(now + 60), 0, minute()).await;
    // Their clock is ahead, or behind: so is what they announce.
    a_429_closes_for(|now| reset(now + 60 + HOURS), HOURS, minute()).await;
    a_429_closes_for(|now| reset(now + 60 - HOURS), -HOURS, minute()).await;
    a_429_closes_for(|now| reset(now + TEN_YEARS), 0, 3_585.0..=3_615.0).await;
    a_429_closes_for(|_| retry("60".to_owned()), 0, minute()).await;
    a_429_closes_for(|now| retry(date(now + 60)), 0, minute()).await;
    a_429_closes_for(|_| None, 0, 15.0..=75.0).await;
    let garbage = |_| Some(("X-Ratelimit-Reset", "soon".to_owned()));
    a_429_closes_for(garbage, 0, 15.0..=75.0).await;
}

#[tokio::test]
async fn a_429_whose_reset_is_over_is_waited_for_a_second() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let over = Reply::Custom {
        status: 429,
        headers: vec![(
            "X-Ratelimit-Reset".to_owned(),
            (unix_now() - 60).to_string(),
        )],
        body: String::new(),
    };
    let fault = Fault::new(Commit::Never, over);
    stage.sendgrid.script(Rule::next(Operation::List, fault));
    let daemon = stage.start().await;
    daemon.has_compared().await;
    let history = stage.sendgrid.history();
    let at: Vec<_> = history.of(Operation::List).map(|it| it.at).collect();
    let waited = at[1].duration_since(at[0]);
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
}

#[tokio::test]
async fn what_the_server_asked_to_wait_for_outlives_a_restart() {
    let stage = Stage::new(&[("okta", OKTA)]).await;
    let limited = Reply::Custom {
        status: 429,
        headers: vec![("Retry-After".to_owned(), "3600".to_owned())],
        body: String::new(),
    };
    stage
        .sendgrid
        .script(Rule::always(Fault::new(Commit::Never, limited)));
    let daemon = stage.start().await;
    let until = "sso_certd_api_backoff_until_timestamp_seconds";
    daemon.has_counted(until, &[("account", "default")]).await;
    assert_eq!(daemon.stop().await, 0);

    let again = stage.start().await;
    again.has_counted(until, &[("account", "default")]).await;
    let certificate = valid("waiting");
    stage.home.put("okta", "waiting.pem", &certificate.pem);
    again
        .shows("the file is seen", |it| {
            integration(it, "okta")["source"]["accepted"] == 1
        })
        .await;
    again.signal(Signal::USR1);
    let ran = stage.home.ask(&["sync"]).await;
    assert_eq!(ran.exit, 1, "{ran:?}");
    let history = stage.sendgrid.history();
    assert_eq!(history.requests().count(), 1, "{history}");
}

#[tokio::test]
async fn what_we_wait_for_after_failures_outlives_a_restart() {
    // One failing integration closes only itself; two close the account, as can be seen.
    let stage = Stage::new(&[("okta", OKTA), ("adfs", ADFS)]).await;
    let own = "[delivery]\nretry_first = \"60s\"\nretry_cap = \"60s\"\n";
    stage.home.set("own", own);
    stage.sendgrid.script(Rule::always(Fault::refuse(503)));
    let daemon = stage.start().await;
    let until = "sso_certd_api_backoff_until_timestamp_seconds";
    daemon.has_counted(until, &[("account", "default")]).await;
    assert_eq!(daemon.stop().await, 0);
    let history = stage.sendgrid.history();
    assert_eq!(history.requests().count(), 2, "{history}");

    let again = stage.start().await;
    again.has_counted(until, &[("account", "default")]).await;
    let certificate = valid("waiting");
    stage.home.put("okta", "waiting.pem", &certificate.pem);
    again
        .shows("the file is seen", |it| {
            integration(it, "okta")["source"]["accepted"] == 1
        })
        .await;
    again.signal(Signal::USR1);
    assert_eq!(again.stop().await, 0);
    let history = stage.sendgrid.history();
    assert_eq!(history.requests().count(), 2, "{history}");
}
