//! `/metrics`: the counters as OpenMetrics text. The names are promises to dashboards.

use std::fmt::{Error, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::histogram::Reading;
use super::labels::{ConnectionLimit, Service};
use super::metrics::{Metrics, RequestMetrics};

/// A set of labels: name and value.
type LabelSet<'a> = [(&'static str, &'a str)];

/// No exemplar is ever attached.
type NoExemplar = [(&'static str, &'static str); 0];

/// The value of a position beyond a closed set.
const OTHER: &str = "other";

/// Encodes one scrape; borrows by cloning an [`Arc`], as the registry keeps what it collects.
#[derive(Debug)]
struct Scrape(Arc<Metrics>);

/// One metric with all its label sets.
struct Family<'a>(MetricEncoder<'a>);

impl Metrics {
    /// The text of `/metrics`, in the format of [`super::METRICS_CONTENT_TYPE`].
    #[must_use]
    pub fn render(self: &Arc<Self>) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Scrape(Arc::clone(self))));
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
        audit(out, &self.0)?;
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
    let mut family = histogram(out, "bouncer_request_duration_seconds", help)?;
    for ((service, provider), counts) in &all {
        let labels = [("service", service.as_str()), ("provider", provider.as_str())];
        family.histogram(&labels, &counts.duration())?;
    }
    let help = "Streams that Envoy has open";
    gauge(out, "bouncer_streams_active", help)?
        .only_gauge(i64::try_from(metrics.streams()).unwrap_or(i64::MAX))?;
    let help = "Requests that wait for a key set, a credential or room";
    gauge(out, "bouncer_requests_waiting", help)?.only_gauge(metrics.waiting.load(Ordering::Relaxed))?;
    let help = "Connections closed at once because there were too many";
    let mut family = counter(out, "bouncer_connections_refused", help)?;
    for (limit, count) in ConnectionLimit::ALL.into_iter().zip(&metrics.connections_refused) {
        family.count(&[("limit", limit.as_str())], count.load(Ordering::Relaxed))?;
    }
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
    let (slots, all): (Vec<_>, Vec<_>) = {
        let shared = metrics.shared();
        let all = shared.tokens.iter().map(|(name, counts)| (Arc::clone(name), Arc::clone(counts)));
        (shared.slots.clone(), all.collect())
    };
    let mut family = gauge(out, "bouncer_token_expiry_timestamp_seconds", "When the credential in use ends")?;
    for (provider, slot) in &slots {
        if let Some(end) = slot.handle().held().and_then(|held| held.expiry) {
            family.gauge(&[("provider", provider)], i64::try_from(end.unix().0).unwrap_or(i64::MAX))?;
        }
    }
    let mut family = counter(out, "bouncer_token_refresh", "Credentials read or fetched anew")?;
    for (provider, counts) in &all {
        for (reason, result, value) in counts.refreshes() {
            let reason = ("reason", reason.as_str());
            family.count(&[("provider", provider), reason, ("result", result.as_str())], value)?;
        }
    }
    let mut family = histogram(out, "bouncer_token_refresh_duration_seconds", "Exchanges for a token")?;
    for (provider, counts) in &all {
        family.histogram(&[("provider", provider)], &counts.duration.read())?;
    }
    let mut family = counter(out, "bouncer_token_cache", "How requests came by their credential")?;
    for (provider, counts) in &all {
        for (result, value) in counts.tally().read() {
            family.count(&[("provider", provider), ("result", result)], value)?;
        }
    }
    let mut family =
        counter(out, "bouncer_upstream_rejections", "Credentials that the provider refused, by its status")?;
    for (provider, counts) in &all {
        for (status, value) in counts.rejections() {
            family.count(&[("provider", provider), ("status", status.as_str())], value)?;
        }
    }
    Ok(())
}

fn audit(out: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> Result<(), Error> {
    let Some(audit) = metrics.shared().audit.clone() else { return Ok(()) };
    let sinks = audit.status();
    let mut family = counter(out, "bouncer_audit_events", "Events taken for the record")?;
    for (event, value) in audit.events() {
        family.count(&[("event", event)], value)?;
    }
    let help = "Events written or lost, and attempts to write that failed";
    let mut family = counter(out, "bouncer_audit_delivery", help)?;
    for sink in &sinks {
        for (result, value) in [("ok", sink.written), ("failed", sink.failed), ("lost", sink.lost)] {
            family.count(&[("sink", &sink.name), ("result", result)], value)?;
        }
    }
    let pending = sinks.iter().map(|sink| sink.pending).sum::<usize>();
    let pending = i64::try_from(pending).unwrap_or(i64::MAX);
    gauge(out, "bouncer_audit_pending", "Events that wait for their sink")?.only_gauge(pending)
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
    let verified = counts.total(|often| &often.verified);
    let plain = [("verified", verified), ("pass", counts.total(|often| &often.pass))];
    let plain =
        plain.into_iter().filter(|(_, value)| *value > 0).map(|(decision, value)| (decision, "", value));
    let coded = |decision, counts| named(counts, codes).map(move |(code, value)| (decision, code, value));
    [("permit", "", counts.total(|often| &often.permit))]
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

fn histogram<'a>(out: &'a mut DescriptorEncoder<'_>, name: &'a str, help: &str) -> Result<Family<'a>, Error> {
    out.encode_descriptor(name, help, None, MetricType::Histogram).map(Family)
}

impl Family<'_> {
    /// Nothing where nothing was observed yet.
    fn histogram(&mut self, labels: &LabelSet<'_>, reading: &Reading) -> Result<(), Error> {
        if reading.count == 0 {
            return Ok(());
        }
        let labels = escaped(labels);
        let mut encoder = self.0.encode_family(&labels)?;
        encoder.encode_histogram::<NoExemplar>(reading.sum, reading.count, &reading.buckets, None)
    }

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
