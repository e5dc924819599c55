//! Tests of `metrics.rs` and `exposition.rs`.

use arc_swap::ArcSwapOption;

use super::*;
use crate::audit::testing;
use crate::base::{Clock as _, Expiry, FingerprintKey, ManualClock, UnixTime};
use crate::cache::{Handle, Held, Reason};
use crate::credential::Credential;
use crate::identity::{IssuerSettings, Tally};
use crate::outbound::KeySetMonitor;
use crate::telemetry::RefreshResult;

const LABELS: Labels =
    Labels { codes: &["missing_token", "insufficient"], protocol_errors: &["no_headers", "late"] };

fn value(text: &str, series: &str) -> Option<u64> {
    let line =
        text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn slot(end: u64) -> Slot {
    let now = ManualClock::at(UnixTime(0)).now();
    let id = FingerprintKey::random().unwrap().of(b"");
    let handle = Handle::default();
    handle.put(Held::new(Credential::Lines(Default::default()), id, Some(Expiry::at(now, UnixTime(end)))));
    Slot::Fixed(Arc::new(handle))
}

fn issuer(name: &str) -> Arc<Issuer> {
    let settings = IssuerSettings {
        issuer: name.into(),
        audiences: Vec::new(),
        jwks_uri: None,
        algorithms: Vec::new(),
        token_from: Vec::new(),
        groups_claim: None,
        workloads: Vec::new(),
        leeway: Duration::ZERO,
    };
    Arc::new(Issuer { settings, keys: ArcSwapOption::empty(), tally: Tally::default() })
}

/// Every name that INTERFACE promises and that is filled today, with the labels in their order.
#[test]
fn names_and_labels_are_the_promised_ones() {
    let metrics = Arc::new(Metrics::new(LABELS));
    let openai = metrics.for_provider(Service::ExtProc, "openai");
    for what in
        [Counted::Permit, Counted::Verified, Counted::Pass, Counted::Challenged(1), Counted::Refused(0)]
    {
        openai.count(what, Duration::from_micros(30));
    }
    metrics.for_provider(Service::ExtAuthz, "").count(Counted::Refused(9), Duration::from_secs(2));
    metrics.stream_began();
    metrics.stream_began();
    metrics.stream_ended();
    let _wait = metrics.wait();
    drop(metrics.wait());
    metrics.connection_refused(ConnectionLimit::Peer);
    metrics.protocol_error(Service::ExtAuthz, 1);
    metrics.protocol_error(Service::ExtProc, 7);
    metrics.config_reload(ReloadResult::Applied, 1);
    metrics.config_reload(ReloadResult::Rejected, 1);
    metrics.config_reload(ReloadResult::Applied, 2);
    let token = metrics.for_token("openai");
    token.refreshed(Reason::SecretChanged, RefreshResult::Ok);
    token.refreshed(Reason::Manual, RefreshResult::Failed);
    token.took(Duration::from_millis(80));
    metrics.upstream_rejection("openai", 401);
    metrics.upstream_rejection("openai", 403);
    metrics.upstream_rejection("openai", 418);
    metrics.watch_tokens(vec![("openai".into(), slot(1_800_000_000))]);
    metrics.panics().fetch_add(1, Ordering::Relaxed);
    let idp = issuer("https://idp.example");
    idp.tally.accepted.store(3, Ordering::Relaxed);
    metrics.watch_issuers(&[idp], KeySetMonitor::default());
    let text = metrics.render();
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("bouncer_build_info{{version=\"{version}\"}}");
    for (series, expected) in [
        (r#"bouncer_requests_total{service="ext_proc",provider="openai",decision="permit",code=""}"#, 1),
        (r#"bouncer_requests_total{service="ext_proc",provider="openai",decision="verified",code=""}"#, 1),
        (r#"bouncer_requests_total{service="ext_proc",provider="openai",decision="pass",code=""}"#, 1),
        (
            r#"bouncer_requests_total{service="ext_proc",provider="openai",decision="challenge",code="insufficient"}"#,
            1,
        ),
        (
            r#"bouncer_requests_total{service="ext_proc",provider="openai",decision="refuse",code="missing_token"}"#,
            1,
        ),
        (r#"bouncer_requests_total{service="ext_authz",provider="",decision="refuse",code="other"}"#, 1),
        (r#"bouncer_request_duration_seconds_count{service="ext_proc",provider="openai"}"#, 5),
        (r#"bouncer_request_duration_seconds_bucket{le="0.00005",service="ext_proc",provider="openai"}"#, 5),
        (r#"bouncer_request_duration_seconds_bucket{le="1.0",service="ext_authz",provider=""}"#, 0),
        (r#"bouncer_request_duration_seconds_bucket{le="+Inf",service="ext_authz",provider=""}"#, 1),
        (r#"bouncer_token_refresh_total{provider="openai",reason="manual",result="failed"}"#, 1),
        (r#"bouncer_token_refresh_duration_seconds_bucket{le="0.075",provider="openai"}"#, 0),
        (r#"bouncer_token_refresh_duration_seconds_bucket{le="0.1",provider="openai"}"#, 1),
        (r#"bouncer_token_refresh_duration_seconds_count{provider="openai"}"#, 1),
        (r#"bouncer_token_cache_total{provider="openai",result="hit"}"#, 0),
        (r#"bouncer_token_cache_total{provider="openai",result="stale"}"#, 0),
        (r#"bouncer_token_cache_total{provider="openai",result="miss"}"#, 0),
        (r#"bouncer_token_cache_total{provider="openai",result="shared"}"#, 0),
        (r#"bouncer_upstream_rejections_total{provider="openai",status="401"}"#, 1),
        (r#"bouncer_upstream_rejections_total{provider="openai",status="403"}"#, 1),
        (r#"bouncer_upstream_rejections_total{provider="openai",status="other"}"#, 1),
        ("bouncer_streams_active", 1),
        ("bouncer_requests_waiting", 1),
        (r#"bouncer_connections_refused_total{limit="max_connections"}"#, 0),
        (r#"bouncer_connections_refused_total{limit="max_peer_connections"}"#, 1),
        (r#"bouncer_protocol_errors_total{service="ext_authz",kind="late"}"#, 1),
        (r#"bouncer_protocol_errors_total{service="ext_proc",kind="other"}"#, 1),
        (r#"bouncer_jwt_verifications_total{issuer="https://idp.example",result="accepted"}"#, 3),
        (r#"bouncer_jwt_verifications_total{issuer="https://idp.example",result="refused"}"#, 0),
        (r#"bouncer_jwt_verifications_total{issuer="https://idp.example",result="cached"}"#, 0),
        (r#"bouncer_jwks_refresh_total{issuer="https://idp.example",result="ok"}"#, 0),
        (r#"bouncer_jwks_refresh_total{issuer="https://idp.example",result="failed"}"#, 0),
        (r#"bouncer_token_expiry_timestamp_seconds{provider="openai"}"#, 1_800_000_000),
        (r#"bouncer_token_refresh_total{provider="openai",reason="secret_changed",result="ok"}"#, 1),
        (r#"bouncer_config_reload_total{result="applied"}"#, 2),
        (r#"bouncer_config_reload_total{result="rejected"}"#, 1),
        ("bouncer_config_generation", 2),
        ("bouncer_panics_total", 1),
        (&build, 1),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

/// The end of a credential that nobody uses would raise an alarm for ever; a counter that falls would break a rate.
#[test]
fn a_provider_that_is_gone_has_counters_but_no_end() {
    let metrics = Arc::new(Metrics::new(LABELS));
    metrics.for_token("gone").refreshed(Reason::FirstUse, RefreshResult::Ok);
    metrics.watch_tokens(vec![("gone".into(), slot(1_800_000_000))]);
    let end = r#"bouncer_token_expiry_timestamp_seconds{provider="gone"}"#;
    assert_eq!(value(&metrics.render(), end), Some(1_800_000_000));
    metrics.watch_tokens(Vec::new());
    let text = metrics.render();
    assert_eq!(value(&text, end), None);
    let counter = r#"bouncer_token_refresh_total{provider="gone",reason="first_use",result="ok"}"#;
    assert_eq!(value(&text, counter), Some(1));
}

#[tokio::test]
async fn the_audit_s_counters_are_the_promised_ones() {
    let metrics = Arc::new(Metrics::new(LABELS));
    let (audit, _memory) = testing::in_memory(Arc::new(ManualClock::at(UnixTime(0))));
    metrics.watch_audit(Arc::clone(&audit));
    testing::record(&audit, 1);
    let text = metrics.render();
    for (series, expected) in [
        (r#"bouncer_audit_events_total{event="AI_PROVIDER_TOKEN_ROTATED"}"#, 0),
        (r#"bouncer_audit_events_total{event="AI_PROVIDER_TOKEN_REFRESH_FAILED"}"#, 1),
        (r#"bouncer_audit_delivery_total{sink="memory",result="ok"}"#, 0),
        (r#"bouncer_audit_delivery_total{sink="memory",result="failed"}"#, 0),
        (r#"bouncer_audit_delivery_total{sink="memory",result="lost"}"#, 0),
        ("bouncer_audit_pending", 1),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
    }
    audit.close(Duration::from_secs(1)).await;
    let text = metrics.render();
    assert_eq!(value(&text, r#"bouncer_audit_delivery_total{sink="memory",result="ok"}"#), Some(1));
    assert_eq!(value(&text, "bouncer_audit_pending"), Some(0));
}

#[test]
fn every_line_is_openmetrics() {
    let metrics = Arc::new(Metrics::new(LABELS));
    let text = metrics.render();
    let mut family = "";
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(family), "{line} under {family}");
            let braces = line.matches(['{', '}']).count();
            assert!(braces == 0 || (braces == 2 && !line.contains("{}")), "{line}");
        }
    }
    assert!(text.contains("# TYPE bouncer_requests counter\n"));
    assert!(text.contains("# TYPE bouncer_request_duration_seconds histogram\n"));
    assert!(text.contains("\nbouncer_panics_total 0\n"), "{text}");
}

#[test]
fn a_name_with_a_quote_stays_inside_its_label() {
    let metrics = Arc::new(Metrics::new(LABELS));
    let _ = metrics.for_provider(Service::ExtProc, "a\"b\\c\nd");
    let series =
        r#"bouncer_requests_total{service="ext_proc",provider="a\"b\\c\nd",decision="permit",code=""}"#;
    assert_eq!(value(&metrics.render(), series), Some(0));
}

#[test]
fn the_same_provider_keeps_its_counters_over_a_reload() {
    let metrics = Metrics::new(LABELS);
    metrics.for_provider(Service::ExtProc, "a").count(Counted::Permit, Duration::ZERO);
    let again = metrics.for_provider(Service::ExtProc, "a");
    assert_eq!(again.total(|often| &often.permit), 1);
    assert_eq!(metrics.for_provider(Service::ExtAuthz, "a").total(|often| &often.permit), 0);
}

#[test]
fn counters_of_an_issuer_do_not_fall_at_a_reload() {
    let metrics = Arc::new(Metrics::new(LABELS));
    let series = r#"bouncer_jwt_verifications_total{issuer="https://idp.example",result="cached"}"#;
    for round in 1..4 {
        let idp = issuer("https://idp.example");
        metrics.watch_issuers(&[Arc::clone(&idp)], KeySetMonitor::default());
        idp.tally.cached.mine().fetch_add(5, Ordering::Relaxed);
        assert_eq!(value(&metrics.render(), series), Some(5 * round));
    }
}

#[test]
fn counting_from_many_threads_loses_nothing() {
    let metrics = Arc::new(Metrics::new(LABELS));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let counts = metrics.for_provider(Service::ExtProc, "a");
            scope.spawn(move || {
                (0..10_000).for_each(|_| counts.count(Counted::Refused(1), Duration::from_micros(1)))
            });
        }
    });
    let counts = metrics.for_provider(Service::ExtProc, "a");
    assert_eq!(counts.refused[1].load(Ordering::Relaxed), 40_000);
    assert_eq!(counts.duration().count, 40_000);
}
