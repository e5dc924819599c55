//! `/metrics`: the counters as OpenMetrics text. The names are promises to dashboards.

use std::fmt::{Error, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::labels::Service;
use super::metrics::{Metrics, RequestMetrics};

/// A set of labels: name and value.
type LabelSet<'a> = [(&'static str, &'a str)];

/// No exemplar is ever attached.
type NoExemplar = [(&'static str, &'static str); 0];

/// The value of a position beyond a closed set.
const OTHER: &str = "other";

/// Encodes one scrape; borrows by cloning an [`std::sync::Arc`], as the registry keeps what it collects.
#[derive(Debug)]
struct Scrape(std::sync::Arc<Metrics>);

/// One metric with all its label sets.
struct Family<'a>(MetricEncoder<'a>);

impl Metrics {
    /// The text of `/metrics`, in the format of [`super::METRICS_CONTENT_TYPE`].
    #[must_use]
    pub fn render(self: &std::sync::Arc<Self>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Scrape(std::sync::Arc::clone(self))));
        let mut text = String::new();
        match encode(&mut text, &registry) {
            Ok(()) => text,
            // Writing to a String does not fail; half a scrape would be worse than none.
            Err(Error) => "# EOF\n".to_owned(),
        }
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let out = &mut encoder;
        requests(out, &self.0)?;
        issuers(out, &self.0)?;
        tokens(out, &self.0)?;
        process(out, &self.0)
    }
}

fn requests(out: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> Result<(), Error> {
    let all: Vec<_> =
        metrics.shared().requests.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut family = counter(out, "bouncer_requests", "Decisions by what became of the request")?;
    for ((service, provider), counts) in &all {
        for (decision, code, value) in decisions(counts, metrics.labels.codes) {
            let (service, decision) = (("service", service.as_str()), ("decision", decision));
            family.count(&[service, ("provider", provider), decision, ("code", code)], value)?;
        }
    }
    let help = "Time from the request's headers to the decision";
    let mut family = Family(out.encode_descriptor(
        "bouncer_request_duration_seconds",
        help,
        None,
        MetricType::Histogram,
    )?);
    for ((service, provider), counts) in &all {
        let reading = counts.duration.read();
        if reading.count > 0 {
            let labels: &LabelSet<'_> = &[("service", service.as_str()), ("provider", provider)];
            let labels = escaped(labels);
            let mut encoder = family.0.encode_family(&labels)?;
            encoder.encode_histogram::<NoExemplar>(reading.sum, reading.count, &reading.buckets, None)?;
        }
    }
    let help = "Streams that Envoy has open";
    gauge(out, "bouncer_streams_active", help)?.only_gauge(metrics.streams.load(Ordering::Relaxed))?;
    let mut family =
        counter(out, "bouncer_protocol_errors", "Streams ended because Envoy's side broke the protocol")?;
    for (service, counts) in Service::ALL.into_iter().zip(&metrics.protocol_errors) {
        for (kind, value) in named(counts, metrics.labels.protocol_errors) {
            family.count(&[("service", service.as_str()), ("kind", kind)], value)?;
        }
    }
    Ok(())
}

fn issuers(out: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> Result<(), Error> {
    let all = metrics.shared().by_issuer();
    let mut family = counter(out, "bouncer_jwt_verifications", "Tokens by what became of them")?;
    for (issuer, counts) in &all {
        for (result, value) in
            [("accepted", counts.accepted), ("refused", counts.refused), ("cached", counts.cached)]
        {
            family.count(&[("issuer", issuer), ("result", result)], value)?;
        }
    }
    let mut family = counter(out, "bouncer_jwks_refresh", "Fetches of key sets")?;
    for (issuer, counts) in &all {
        for (result, value) in [("ok", counts.refreshed), ("failed", counts.failed)] {
            family.count(&[("issuer", issuer), ("result", result)], value)?;
        }
    }
    Ok(())
}

fn tokens(out: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> Result<(), Error> {
    let shared = metrics.shared();
    let mut family = gauge(out, "bouncer_token_expiry_timestamp_seconds", "When the credential in use ends")?;
    for (provider, end) in &shared.expiry {
        family.gauge(&[("provider", provider)], i64::try_from(end.0).unwrap_or(i64::MAX))?;
    }
    let mut family = counter(out, "bouncer_token_refresh", "Credentials read or fetched anew")?;
    for ((provider, reason, result), value) in &shared.refreshes {
        let labels = [("provider", &**provider), ("reason", reason.as_str()), ("result", result.as_str())];
        family.count(&labels, *value)?;
    }
    let mut family = counter(out, "bouncer_upstream_rejections", "Providers' 401 and 403 to our credential")?;
    for ((provider, status), value) in &shared.rejections {
        family.count(&[("provider", provider), ("status", &status.to_string())], *value)?;
    }
    Ok(())
}

fn process(out: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> Result<(), Error> {
    let mut family = counter(out, "bouncer_config_reload", "Configurations read, by whether they serve")?;
    for (result, count) in [("applied", &metrics.applied), ("rejected", &metrics.rejected)] {
        family.count(&[("result", result)], count.load(Ordering::Relaxed))?;
    }
    let generation = i64::try_from(metrics.generation.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
    gauge(out, "bouncer_config_generation", "The configuration that serves")?.only_gauge(generation)?;
    let panics = metrics.panics.load(Ordering::Relaxed);
    counter(out, "bouncer_panics", "Panics; each is a bug")?.only_count(panics)?;
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    gauge(out, "bouncer_build_info", "The program")?.gauge(&version, 1)
}

/// Decision, code and count. Permits always, the others once they happened: most never do.
fn decisions<'a>(
    counts: &'a RequestMetrics,
    codes: &'static [&'static str],
) -> impl Iterator<Item = (&'static str, &'static str, u64)> + use<'a> {
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let plain = [("verified", load(&counts.verified)), ("pass", load(&counts.pass))];
    let plain =
        plain.into_iter().filter(|(_, value)| *value > 0).map(|(decision, value)| (decision, "", value));
    let coded = |decision, counts| named(counts, codes).map(move |(code, value)| (decision, code, value));
    [("permit", "", load(&counts.permit))]
        .into_iter()
        .chain(plain)
        .chain(coded("challenge", &counts.challenged))
        .chain(coded("refuse", &counts.refused))
}

/// The counters that are not 0, by name.
fn named<'a>(
    counts: &'a [AtomicU64],
    names: &'static [&'static str],
) -> impl Iterator<Item = (&'static str, u64)> + use<'a> {
    let names = names.iter().copied().chain([OTHER]);
    names
        .zip(counts)
        .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
        .filter(|(_, value)| *value > 0)
}

/// `name` without `_total`: the encoder adds it.
fn counter<'a>(out: &'a mut DescriptorEncoder<'_>, name: &'a str, help: &str) -> Result<Family<'a>, Error> {
    out.encode_descriptor(name, help, None, MetricType::Counter).map(Family)
}

fn gauge<'a>(out: &'a mut DescriptorEncoder<'_>, name: &'a str, help: &str) -> Result<Family<'a>, Error> {
    out.encode_descriptor(name, help, None, MetricType::Gauge).map(Family)
}

impl Family<'_> {
    fn count(&mut self, labels: &LabelSet<'_>, value: u64) -> Result<(), Error> {
        ConstCounter::new(value).encode(self.0.encode_family(&escaped(labels))?)
    }

    fn gauge(&mut self, labels: &LabelSet<'_>, value: i64) -> Result<(), Error> {
        ConstGauge::new(value).encode(self.0.encode_family(&escaped(labels))?)
    }

    /// The value of a metric without labels. (An empty set of labels would be written as `{}`.)
    fn only_count(self, value: u64) -> Result<(), Error> {
        ConstCounter::new(value).encode(self.0)
    }

    fn only_gauge(self, value: i64) -> Result<(), Error> {
        ConstGauge::new(value).encode(self.0)
    }
}

/// The encoder writes values as they are; a name of the configuration with a quote in it would end the line early.
fn escaped(labels: &LabelSet<'_>) -> Vec<(&'static str, String)> {
    let escape = |value: &str| {
        value.chars().fold(String::with_capacity(value.len()), |mut out, c| {
            let _ = match c {
                '\\' => out.write_str("\\\\"),
                '"' => out.write_str("\\\""),
                '\n' => out.write_str("\\n"),
                c => out.write_char(c),
            };
            out
        })
    };
    labels.iter().map(|(name, value)| (*name, escape(value))).collect()
}
