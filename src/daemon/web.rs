//! The read-only listener: metrics, health, status. Nothing here changes anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::adapter::control_socket::{self, Answer, Question, Verb};
use crate::adapter::metrics::gauges;
use crate::daemon::desk::answer;
use crate::daemon::generation::WaysIn;
use crate::daemon::pulse::Pulses;
use crate::daemon::shared::Shared;
use crate::view::metrics::metrics as families;
use crate::view::status_json::status_json;
use crate::view::status_text::{StatusOptions, status_text};
use crate::view::terminal::Terminal;

/// The most entries of the audit trail that the listener tells at once; the control socket tells more.
const MOST_HISTORY: u32 = 1_000;

/// What the listener shows.
#[derive(Clone)]
pub struct Web {
    shared: Shared,
    pulses: Pulses,
    is_ready: Arc<AtomicBool>,
    only_loopback_hosts: bool,
}

/// The routes. On a loopback listener only loopback `Host`s are answered, so that no web page of a stranger can read them
/// through a browser; elsewhere `Host` is not looked at.
pub fn router(
    shared: Shared,
    pulses: Pulses,
    is_ready: Arc<AtomicBool>,
    is_loopback: bool,
    ways_in: Arc<RwLock<WaysIn>>,
) -> Router {
    let desk = shared.clone();
    let ask = control_socket::router(move |question, _| {
        let (ways_in, shared) = (Arc::clone(&ways_in), desk.clone());
        async move {
            let ways_in = ways_in
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            tell(&ways_in, &shared, &question).await
        }
    });
    let web = Web {
        shared,
        pulses,
        is_ready,
        only_loopback_hosts: is_loopback,
    };
    Router::new()
        .route("/", get(page))
        .route("/metrics", get(metrics))
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/status.json", get(status))
        .with_state(web.clone())
        .merge(ask)
        .layer(from_fn_with_state(web, check_host))
}

/// Answers what reads the snapshot or the ledger; for everything else there is the control socket.
async fn tell(ways_in: &WaysIn, shared: &Shared, question: &Question) -> Answer {
    match question.verb {
        Verb::Status { .. } => answer(ways_in, shared, question, None).await,
        Verb::History {
            since_millis,
            limit,
        } => {
            let verb = Verb::History {
                since_millis,
                limit: limit.min(MOST_HISTORY),
            };
            answer(
                ways_in,
                shared,
                &Question {
                    verb,
                    ..question.clone()
                },
                None,
            )
            .await
        }
        Verb::Plan { .. }
        | Verb::Sync { .. }
        | Verb::Explain { .. }
        | Verb::Integrations { .. }
        | Verb::Probe
        | Verb::Decide(_)
        | Verb::Pause { .. }
        | Verb::ReloadRefused => Answer {
            notes: "error: only the control socket answers this\n".to_owned(),
            exit: 77,
            ..Answer::default()
        },
    }
}

async fn check_host(State(web): State<Web>, request: Request, next: Next) -> Response {
    if web.only_loopback_hosts && !has_loopback_host(request.headers()) {
        return (
            StatusCode::MISDIRECTED_REQUEST,
            "only loopback hosts are answered here\n",
        )
            .into_response();
    }
    next.run(request).await
}

fn has_loopback_host(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|it| it.to_str().ok()) else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse()
            .is_ok_and(|it: std::net::IpAddr| it.is_loopback())
}

async fn page(State(web): State<Web>) -> impl IntoResponse {
    let terminal = Terminal {
        width: 120,
        color: false,
        utf8: true,
    };
    let options = StatusOptions {
        all: true,
        quiet: false,
    };
    let (board, now) = (web.shared.board, web.shared.clock.now().wall);
    let write = move || status_text(&board.read(), now, terminal, options).text;
    web.shared.renderer.render(write).await
}

async fn metrics(State(web): State<Web>) -> impl IntoResponse {
    let (board, metrics) = (web.shared.board, web.shared.metrics);
    let now = web.shared.clock.now().wall;
    let write = move || {
        let told = families(&board.read(), now);
        let told = told
            .into_iter()
            .map(|it| {
                let samples = it.samples.into_iter().map(|it| (it.labels, it.value));
                gauges(it.name, it.help, samples)
            })
            .collect();
        metrics.render(told)
    };
    let text = web.shared.renderer.render(write).await;
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
}

async fn live(State(web): State<Web>) -> (StatusCode, String) {
    let overdue = web.pulses.overdue();
    if overdue.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("no sign of life: {}\n", overdue.join(", ")),
    )
}

async fn ready(State(web): State<Web>) -> (StatusCode, &'static str) {
    if web.is_ready.load(Ordering::Acquire) {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the first look at the directories is under way\n",
        )
    }
}

async fn status(State(web): State<Web>) -> impl IntoResponse {
    let (board, now) = (web.shared.board, web.shared.clock.now().wall);
    let write = move || Json(status_json(&board.read(), now)).into_response();
    web.shared.renderer.render(write).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_answered(host: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, header::HeaderValue::from_static(host));
        has_loopback_host(&headers)
    }

    #[test]
    fn only_loopback_hosts_are_loopback_hosts() {
        for host in [
            "127.0.0.1:9465",
            "localhost",
            "LOCALHOST:1",
            "[::1]:9465",
            "127.9.9.9",
        ] {
            assert!(is_answered(host), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1:9465",
            "[::2]",
            "",
            "localhost.evil",
        ] {
            assert!(!is_answered(host), "{host}");
        }
        assert!(!has_loopback_host(&HeaderMap::new()));
    }
}
