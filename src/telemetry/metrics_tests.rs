//! Tests of `metrics.rs` and `exposition.rs`.

use arc_swap::ArcSwapOption;

use super::*;
use crate::identity::{IssuerSettings, Tally};
use crate::outbound::KeySetMonitor;

const LABELS: Labels =
    Labels { codes: &["missing_token", "insufficient"], protocol_errors: &["no_headers", "late"] };

fn value(text: &str, series: &str) -> Option<u64> {
    let line =
        text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
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
    let _stream = metrics.stream();
    drop(metrics.stream());
    metrics.protocol_error(Service::ExtAuthz, 1);
    metrics.protocol_error(Service::ExtProc, 7);
    metrics.config_reload(ReloadResult::Applied, 1);
    metrics.config_reload(ReloadResult::Rejected, 1);
    metrics.config_reload(ReloadResult::Applied, 2);
    metrics.token_expiry("openai", Some(UnixTime(1_800_000_000)));
    metrics.token_expiry("gone", Some(UnixTime(1)));
    metrics.token_expiry("gone", None);
    metrics.token_refresh("openai", Reason::SecretChanged, RefreshResult::Ok);
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
        ("bouncer_streams_active", 1),
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
    assert!(!text.contains("gone") && text.ends_with("# EOF\n"));
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
    assert_eq!(again.permit.load(Ordering::Relaxed), 1);
    assert_eq!(metrics.for_provider(Service::ExtAuthz, "a").permit.load(Ordering::Relaxed), 0);
}

#[test]
fn counters_of_an_issuer_do_not_fall_at_a_reload() {
    let metrics = Arc::new(Metrics::new(LABELS));
    let series = r#"bouncer_jwt_verifications_total{issuer="https://idp.example",result="cached"}"#;
    for round in 1..4 {
        let idp = issuer("https://idp.example");
        metrics.watch_issuers(&[Arc::clone(&idp)], KeySetMonitor::default());
        idp.tally.cached.fetch_add(5, Ordering::Relaxed);
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
    assert_eq!(counts.duration.read().count, 40_000);
}
