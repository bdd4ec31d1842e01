//! The counters and histograms of this process, and `/metrics` as Prometheus reads it.
//!
//! What can be told from the snapshot is told from it at the scrape; only what must be counted lives here.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::proto;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts,
    Registry, TextEncoder,
};
use rustix::time::{ClockId, clock_gettime};

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    refusals: IntCounterVec,
    scan_seconds: Histogram,
    watch_restarts: IntCounter,
    watch_events: IntCounter,
    missed_changes: IntCounter,
    reconciles: IntCounterVec,
    reconcile_seconds: HistogramVec,
    reconcile_failures: IntCounterVec,
    actions: IntCounterVec,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    ledger_errors: IntCounter,
}

/// Buckets for what is done on this machine.
const LOCAL_BUCKETS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0];
/// Buckets for what SendGrid takes part in.
const REMOTE_BUCKETS: [f64; 9] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

impl Metrics {
    /// All counters at 0.
    ///
    /// # Errors
    /// Never in practice: two metrics would have to share a name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Self {
            refusals: counters(
                "source_refusals_total",
                "Files refused, once per content",
                &["reason"],
            )?,
            scan_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "sso_certd_source_scan_duration_seconds",
                    "How long a look at a directory takes",
                )
                .buckets(LOCAL_BUCKETS.to_vec()),
            )?,
            watch_restarts: counter("watch_restarts_total", "Times the watcher was made anew")?,
            watch_events: counter(
                "watch_events_total",
                "Hints from the kernel that a directory changed",
            )?,
            missed_changes: counter(
                "watch_missed_changes_total",
                "Changes found by the poll alone although a watch stands",
            )?,
            reconciles: counters(
                "reconciles_total",
                "Passes of one integration, by what started them and how they ended",
                &["account", "trigger", "result"],
            )?,
            reconcile_seconds: histograms(
                "reconcile_duration_seconds",
                "How long a pass takes",
                &["account"],
            )?,
            reconcile_failures: counters(
                "integration_reconcile_failures_total",
                "Passes that failed",
                &["integration", "account"],
            )?,
            actions: counters(
                "actions_total",
                "Changes made at SendGrid, by how they ended",
                &["account", "action", "result"],
            )?,
            requests: counters(
                "api_requests_total",
                "Requests to SendGrid, by status or by why there was none",
                &["account", "operation", "code"],
            )?,
            request_seconds: histograms(
                "api_request_duration_seconds",
                "How long SendGrid takes to answer",
                &["account", "operation"],
            )?,
            ledger_errors: counter(
                "ledger_errors_total",
                "Times the ledger could not be read or written",
            )?,
            registry,
        };
        metrics.register()?;
        Ok(metrics)
    }

    fn register(&self) -> Result<(), prometheus::Error> {
        let collectors: [Box<dyn Collector>; 12] = [
            Box::new(self.refusals.clone()),
            Box::new(self.scan_seconds.clone()),
            Box::new(self.watch_restarts.clone()),
            Box::new(self.watch_events.clone()),
            Box::new(self.missed_changes.clone()),
            Box::new(self.reconciles.clone()),
            Box::new(self.reconcile_seconds.clone()),
            Box::new(self.reconcile_failures.clone()),
            Box::new(self.actions.clone()),
            Box::new(self.requests.clone()),
            Box::new(self.request_seconds.clone()),
            Box::new(self.ledger_errors.clone()),
        ];
        for collector in collectors {
            self.registry.register(collector)?;
        }
        let process = prometheus::process_collector::ProcessCollector::for_self();
        self.registry.register(Box::new(process))
    }

    /// Makes the counters of an account exist at 0, for these words of triggers and actions.
    pub fn expect_account(&self, account: &str, triggers: &[&str], actions: &[&str]) {
        for trigger in triggers {
            for result in ["ok", "failed", "held"] {
                self.reconciles
                    .with_label_values(&[account, trigger, result]);
            }
        }
        for action in actions {
            for result in ["ok", "failed", "unknown", "blocked"] {
                self.actions.with_label_values(&[account, action, result]);
            }
        }
        self.reconcile_seconds.with_label_values(&[account]);
    }

    /// Makes the counters of an integration exist at 0.
    pub fn expect_integration(&self, integration: &str, account: &str) {
        self.reconcile_failures
            .with_label_values(&[integration, account]);
    }

    /// Drops the counters of an integration that is no longer configured.
    pub fn drop_integration(&self, integration: &str, account: &str) {
        if self
            .reconcile_failures
            .remove_label_values(&[integration, account])
            .is_err()
        {
            tracing::trace!(integration, "Nothing was counted for it");
        }
    }

    /// Drops every series of an account that is no longer configured.
    pub fn drop_account(&self, account: &str) {
        for counters in [
            &self.reconciles,
            &self.reconcile_failures,
            &self.actions,
            &self.requests,
        ] {
            drop_series(counters, account);
        }
        for histograms in [&self.reconcile_seconds, &self.request_seconds] {
            drop_series(histograms, account);
        }
    }

    /// Makes the counters of refusals exist at 0.
    pub fn expect_refusals<'a>(&self, reasons: impl Iterator<Item = &'a str>) {
        for reason in reasons {
            self.refusals.with_label_values(&[reason]);
        }
    }

    /// A file was refused for a reason, with contents not refused before.
    pub fn refused(&self, reason: &str) {
        self.refusals.with_label_values(&[reason]).inc();
    }

    /// A look at a directory.
    pub fn looked(&self, took: Duration) {
        self.scan_seconds.observe(took.as_secs_f64());
    }

    /// The watcher was made anew.
    pub fn watch_restarted(&self) {
        self.watch_restarts.inc();
    }

    /// The kernel gave a hint.
    pub fn watch_hinted(&self) {
        self.watch_events.inc();
    }

    /// The poll alone found a change.
    pub fn change_missed(&self) {
        self.missed_changes.inc();
    }

    /// A pass ended.
    pub fn passed(
        &self,
        account: &str,
        integration: &str,
        trigger: &str,
        result: &str,
        took: Duration,
    ) {
        self.reconciles
            .with_label_values(&[account, trigger, result])
            .inc();
        self.reconcile_seconds
            .with_label_values(&[account])
            .observe(took.as_secs_f64());
        if result == "failed" {
            self.reconcile_failures
                .with_label_values(&[integration, account])
                .inc();
        }
    }

    /// A change at SendGrid ended.
    pub fn acted(&self, account: &str, action: &str, result: &str) {
        self.actions
            .with_label_values(&[account, action, result])
            .inc();
    }

    /// SendGrid answered, or did not.
    pub fn asked(&self, account: &str, operation: &str, code: &str, took: Duration) {
        self.requests
            .with_label_values(&[account, operation, code])
            .inc();
        self.request_seconds
            .with_label_values(&[account, operation])
            .observe(took.as_secs_f64());
    }

    /// The ledger could not be read or written.
    pub fn ledger_failed(&self) {
        self.ledger_errors.inc();
    }

    /// The text that Prometheus reads: what is counted here, and `families` told from the snapshot.
    pub fn render(&self, families: Vec<proto::MetricFamily>) -> String {
        let mut all = self.registry.gather();
        count_fractions_of_seconds(&mut all);
        all.extend(
            families
                .into_iter()
                .filter(|it| !it.get_metric().is_empty()),
        );
        all.sort_by(|a, b| a.name().cmp(b.name()));
        let mut text = Vec::new();
        if TextEncoder::new().encode(&all, &mut text).is_err() {
            tracing::error!("The metrics cannot be written as text");
        }
        String::from_utf8(text).unwrap_or_default()
    }
}

/// The collector counts whole seconds of CPU, which a rate over minutes sees as bursts.
fn count_fractions_of_seconds(families: &mut [proto::MetricFamily]) {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let (Ok(secs), Ok(nanos)) = (u64::try_from(used.tv_sec), u32::try_from(used.tv_nsec)) else {
        return;
    };
    let mut counter = proto::Counter::default();
    counter.set_value(Duration::new(secs, nanos).as_secs_f64());
    let cpu = families
        .iter_mut()
        .filter(|it| it.name() == "process_cpu_seconds_total");
    for metric in cpu.flat_map(proto::MetricFamily::mut_metric) {
        metric.set_counter(counter.clone());
    }
}

/// A family of gauges with their labels, as [`Metrics::render`] takes it.
pub fn gauges<'a>(
    name: &str,
    help: &str,
    samples: impl Iterator<Item = (Vec<(&'a str, String)>, f64)>,
) -> proto::MetricFamily {
    let mut family = proto::MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(proto::MetricType::GAUGE);
    family.set_metric(
        samples
            .map(|(labels, value)| gauge(labels, value))
            .collect(),
    );
    family
}

fn gauge(labels: Vec<(&str, String)>, value: f64) -> proto::Metric {
    let label = |(name, value): (&str, String)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value);
        pair
    };
    let mut metric = proto::Metric::from_label(labels.into_iter().map(label).collect());
    let mut gauge = proto::Gauge::default();
    gauge.set_value(value);
    metric.set_gauge(gauge);
    metric
}

fn drop_series<B: MetricVecBuilder>(series: &MetricVec<B>, account: &str)
where
    MetricVec<B>: Collector,
{
    for metric in series
        .collect()
        .iter()
        .flat_map(proto::MetricFamily::get_metric)
    {
        let labels: HashMap<&str, &str> = metric
            .get_label()
            .iter()
            .map(|it| (it.name(), it.value()))
            .collect();
        if labels.get("account") == Some(&account) && series.remove(&labels).is_err() {
            tracing::trace!(account, "A series was gone already");
        }
    }
}

fn counter(name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    IntCounter::new(format!("sso_certd_{name}"), help)
}

fn counters(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(format!("sso_certd_{name}"), help), labels)
}

fn histograms(name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, prometheus::Error> {
    HistogramVec::new(
        HistogramOpts::new(format!("sso_certd_{name}"), help).buckets(REMOTE_BUCKETS.to_vec()),
        labels,
    )
}
