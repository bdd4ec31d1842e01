//! Waits that are longer than they are written: shorter ones would ask SendGrid again and again without a pause.

use std::time::Duration;

use super::problem::Problem;
use super::raw::{RawAccount, RawDelivery};
use super::value::is_literal_loopback;
use crate::plan::gate::GateSettings;

/// A second POST that soon could be stored beside the first one.
const SHORT_SETTLE: Duration = Duration::from_secs(30);

/// The keys with their shortest values. A simulated SendGrid on this machine may be asked as often as anybody likes.
fn bounded(delivery: &RawDelivery) -> [(&'static str, Duration, Duration); 3] {
    [
        (
            "delivery.retry_first",
            delivery.retry_first.0,
            Duration::from_millis(100),
        ),
        (
            "delivery.retry_cap",
            delivery.retry_cap.0,
            Duration::from_secs(1),
        ),
        ("delivery.probe", delivery.probe.0, Duration::from_secs(10)),
    ]
}

/// How an account waits.
pub(super) fn gate(account: &RawAccount, delivery: &RawDelivery) -> GateSettings {
    let is_bounded = !is_literal_loopback(&account.base_url.0.0);
    let [retry_first, retry_cap, probe] = bounded(delivery).map(|(_, written, least)| {
        if is_bounded {
            written.max(least)
        } else {
            written
        }
    });
    GateSettings {
        requests_per_minute: account.requests_per_minute,
        retry_first,
        retry_cap,
        probe,
    }
}

/// What is longer than written, if an account of these asks over a network, and what is shorter than is wise.
pub(super) fn remarks<'a>(
    accounts: impl IntoIterator<Item = &'a RawAccount>,
    delivery: &RawDelivery,
) -> Vec<Problem> {
    let mut remarks = Vec::new();
    if accounts
        .into_iter()
        .any(|it| !is_literal_loopback(&it.base_url.0.0))
    {
        for (key, written, least) in bounded(delivery) {
            if written < least {
                let least = humantime::format_duration(least);
                let text = format!("`{key}` is shorter than {least}: {least} is used");
                remarks.push(Problem::new(text));
            }
        }
    }
    if delivery.settle.0 < SHORT_SETTLE {
        let help = "an upload without an answer may still be stored after that, and the next one beside it";
        let text = "`delivery.settle` is shorter than 30s";
        remarks.push(Problem::new(text).help(help.to_owned()));
    }
    remarks
}
