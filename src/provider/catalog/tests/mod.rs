//! Requests against entries.

mod conflicts;

use std::borrow::Cow;

use proptest::prelude::*;

use super::*;
use crate::request::{Half, Headers, MetadataLookup};

/// Metadata as a list.
#[derive(Clone, Debug, Default)]
struct Listed(Vec<(MetadataSource, &'static str, &'static str, &'static str)>);

impl MetadataLookup for Listed {
    fn lookup(&self, source: MetadataSource, namespace: &str, key: &str) -> Option<Cow<'_, str>> {
        let found = self.0.iter().find(|line| (line.0, line.1, line.2) == (source, namespace, key))?;
        Some(Cow::Borrowed(found.3))
    }
}

/// A request, as few facts as a case needs.
#[derive(Clone, Debug)]
struct Request {
    named: Option<&'static str>,
    cluster: Option<&'static str>,
    route: Option<&'static str>,
    authority: &'static str,
    path: &'static str,
    metadata: Listed,
}

const PLAIN: Request = Request {
    named: None,
    cluster: None,
    route: None,
    authority: "gateway.example",
    path: "/v1/chat/completions",
    metadata: Listed(Vec::new()),
};

impl Request {
    fn says(
        mut self,
        source: MetadataSource,
        namespace: &'static str,
        key: &'static str,
        value: &'static str,
    ) -> Self {
        self.metadata.0.push((source, namespace, key, value));
        self
    }

    /// Looks it up and writes the answer in one word.
    fn find(&self, catalog: &Catalog) -> String {
        let mut headers = Headers::default();
        headers.push(b":method", b"POST");
        headers.push(b":authority", self.authority.as_bytes());
        headers.push(b":path", self.path.as_bytes());
        // What a client can send never selects.
        headers.push(b"x-bouncer-provider", b"openai");
        headers.push(b"x-ai-provider", b"openai");
        let envoy = EnvoyFacts {
            named_provider: self.named,
            cluster: self.cluster,
            route: self.route,
            metadata: &self.metadata,
            ..EnvoyFacts::default()
        };
        let view = RequestView::new(headers, envoy, Half::Whole).unwrap();
        match catalog.find(&view, view.path().ok()) {
            Find::Provider(at, provider) => {
                assert_eq!(catalog.providers()[at].name, provider.name);
                provider.name.to_string()
            }
            Find::Nobody => "nobody".to_owned(),
            Find::Unknown => "unknown".to_owned(),
            Find::Ambiguous(one, other) => format!("{} or {}", one.name, other.name),
        }
    }
}

fn entry(name: &str, matches: Match) -> Provider {
    Provider { name: name.into(), kind: ProviderKind::Custom, auth: AuthType::ApiKey, mfa: None, matches }
}

fn globs(texts: &[&str]) -> Vec<Glob> {
    texts.iter().filter_map(|text| Glob::new(text)).collect()
}

fn metadata_match(namespace: &str, key: &str, value: &str) -> Option<MetadataMatch> {
    Some(MetadataMatch { namespace: namespace.into(), key: key.into(), value: value.into() })
}

fn catalog() -> Catalog {
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let entries = vec![
        entry("openai", Match { cluster: globs(&["openai", "openai-*"]), ..Match::default() }),
        entry(
            "azure",
            Match {
                cluster: globs(&["azure"]),
                route: globs(&["*-azure"]),
                authority: globs(&["Azure.llm.example."]),
                path_prefix: strings(&["/openai/"]),
                ..Match::default()
            },
        ),
        entry(
            "claude",
            Match {
                authority: globs(&["claude.example", "*.claude.example"]),
                path_prefix: strings(&["/anthropic"]),
                ..Match::default()
            },
        ),
        entry(
            "vertex",
            Match {
                authority: globs(&["vertex.example"]),
                metadata: metadata_match("llm", "tier", "gold"),
                ..Match::default()
            },
        ),
        entry(
            "blue",
            Match { metadata: metadata_match("bouncer", "provider", "blue-green"), ..Match::default() },
        ),
        entry("named-only", Match::default()),
    ];
    Catalog::new(entries).unwrap()
}

#[test]
fn each_fact_selects_its_entry_and_nothing_else_does() {
    let catalog = catalog();
    for (request, found) in [
        (PLAIN, "nobody"),
        (Request { cluster: Some("openai"), ..PLAIN }, "openai"),
        (Request { cluster: Some("openai-eu"), ..PLAIN }, "openai"),
        (Request { cluster: Some("my-openai"), ..PLAIN }, "nobody"),
        (Request { cluster: Some("OpenAI"), ..PLAIN }, "nobody"),
        (Request { cluster: Some(""), ..PLAIN }, "nobody"),
        (Request { route: Some("eu-azure"), ..PLAIN }, "azure"),
        (Request { authority: "AZURE.llm.example:8443", ..PLAIN }, "azure"),
        (Request { authority: "azure.llm.example.", ..PLAIN }, "azure"),
        (Request { authority: "x@azure.llm.example", ..PLAIN }, "nobody"),
        (Request { authority: "azure.llm.example evil", ..PLAIN }, "nobody"),
        (Request { authority: "eu.claude.example", ..PLAIN }, "claude"),
        (Request { authority: "claude.example.evil", ..PLAIN }, "nobody"),
        (Request { path: "/openai/deployments/x?y=/anthropic", ..PLAIN }, "azure"),
        (Request { path: "/openai", ..PLAIN }, "nobody"),
        (Request { path: "/anthropic", ..PLAIN }, "claude"),
        (Request { path: "/anthropic/v1", ..PLAIN }, "claude"),
        (Request { path: "/anthropics", ..PLAIN }, "nobody"),
        (Request { path: "/x/../anthropic", ..PLAIN }, "nobody"),
        (PLAIN.says(MetadataSource::Route, "llm", "tier", "gold"), "vertex"),
        (PLAIN.says(MetadataSource::Host, "llm", "tier", "tin"), "nobody"),
        (PLAIN.says(MetadataSource::Cluster, "llm", "rank", "gold"), "nobody"),
    ] {
        assert_eq!(request.find(&catalog), found, "{request:?}");
    }
    assert!(catalog.reads_paths());
    assert!(!Catalog::new(vec![entry("a", Match::default())]).unwrap().reads_paths());
}

#[test]
fn a_provider_that_envoy_names_wins_over_every_match() {
    use MetadataSource::{Cluster, Host, Route};
    let catalog = catalog();
    let request = Request { cluster: Some("azure"), authority: "claude.example", ..PLAIN };
    for (request, found) in [
        (Request { named: Some("named-only"), ..request.clone() }, "named-only"),
        (request.clone().says(Host, "bouncer", "provider", "openai"), "openai"),
        (request.clone().says(Cluster, "bouncer", "provider", "openai"), "openai"),
        (request.clone().says(Route, "bouncer", "provider", "openai"), "openai"),
        (request.clone().says(Route, "bouncer", "provider", "blue-green"), "blue"),
        (request.clone().says(Route, "bouncer", "provider", "blue"), "blue"),
        (
            Request { named: Some("openai"), ..request.clone() }.says(Host, "bouncer", "provider", "openai"),
            "openai",
        ),
    ] {
        assert_eq!(request.find(&catalog), found, "{request:?}");
    }
}

#[test]
fn a_named_provider_that_is_not_configured_is_unknown_and_two_different_ones_are_ambiguous() {
    use MetadataSource::{Host, Route};
    let catalog = catalog();
    let request = Request { cluster: Some("azure"), ..PLAIN };
    let named = |name| Request { named: Some(name), ..request.clone() };
    for (request, found) in [
        (named("gone"), "unknown"),
        (named(""), "unknown"),
        (named("blue-green"), "unknown"),
        (request.clone().says(Route, "bouncer", "provider", "gone"), "unknown"),
        (named("azure").says(Host, "bouncer", "provider", "openai"), "azure or openai"),
        (named("azure").says(Host, "bouncer", "provider", "gone"), "unknown"),
        (
            request
                .clone()
                .says(Host, "bouncer", "provider", "claude")
                .says(Route, "bouncer", "provider", "azure"),
            "claude or azure",
        ),
        (
            named("azure")
                .says(Host, "bouncer", "provider", "openai")
                .says(Route, "bouncer", "provider", "gone"),
            "unknown",
        ),
    ] {
        assert_eq!(request.find(&catalog), found, "{request:?}");
    }
}

#[test]
fn a_forged_authority_or_path_takes_no_credential_to_a_foreign_cluster() {
    let catalog = catalog();
    let forged = Request { authority: "azure.llm.example", path: "/openai/x", ..PLAIN };
    for (request, found) in [
        (Request { cluster: Some("azure"), ..forged.clone() }, "azure"),
        (Request { cluster: Some("evil"), ..forged.clone() }, "nobody"),
        (Request { cluster: Some(""), ..forged.clone() }, "nobody"),
        (Request { route: Some("evil"), ..forged.clone() }, "nobody"),
        // Another entry's cluster: that one's request, with that one's credential.
        (Request { cluster: Some("openai"), ..forged.clone() }, "openai"),
        // The operator's facts are enough by themselves, also one of them.
        (Request { cluster: Some("azure"), route: Some("other"), ..forged.clone() }, "azure"),
        // Without a cluster from Envoy there is nothing to contradict.
        (forged, "azure"),
    ] {
        assert_eq!(request.find(&catalog), found, "{request:?}");
    }
    let vertex = Request { authority: "vertex.example", ..PLAIN };
    assert_eq!(vertex.find(&catalog), "vertex");
    assert_eq!(vertex.says(MetadataSource::Cluster, "llm", "tier", "tin").find(&catalog), "nobody");
}

#[test]
fn facts_that_point_to_two_entries_are_ambiguous() {
    let catalog = catalog();
    for (request, found) in [
        (Request { cluster: Some("openai"), route: Some("x-azure"), ..PLAIN }, "openai or azure"),
        // claude lists no cluster that would speak against it.
        (Request { cluster: Some("openai"), authority: "claude.example", ..PLAIN }, "openai or claude"),
        (Request { authority: "azure.llm.example", path: "/anthropic/x", ..PLAIN }, "azure or claude"),
        (
            Request { cluster: Some("azure"), ..PLAIN }.says(MetadataSource::Host, "llm", "tier", "gold"),
            "azure or vertex",
        ),
    ] {
        assert_eq!(request.find(&catalog), found, "{request:?}");
    }
}

/// A text of a small world, so that facts and requests meet often.
fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "ab", "bc", "abc"])
}

fn any_match() -> impl Strategy<Value = Match> {
    let pattern = || prop::sample::select(vec!["a", "b", "c", "ab", "a*", "*c", "b*"]);
    let list = || prop::collection::vec(pattern(), 0..2);
    (list(), list(), list(), prop::collection::vec(word(), 0..2), prop::option::of(word())).prop_map(
        |(cluster, route, authority, paths, value)| Match {
            cluster: globs(&cluster),
            route: globs(&route),
            authority: globs(&authority),
            path_prefix: paths.iter().map(|word| format!("/{word}")).collect(),
            metadata: value.and_then(|value| metadata_match("llm", "tier", value)),
        },
    )
}

proptest! {
    #[test]
    fn only_an_entry_with_a_fitting_fact_is_found_and_never_beside_a_foreign_cluster(
        matches in prop::collection::vec(any_match(), 1..4),
        cluster in prop::option::of(word()),
        route in prop::option::of(word()),
        authority in word(),
        path in prop::sample::select(vec!["/a", "/b/x", "/abc", "/ab/", "/"]),
        tier in prop::option::of(word()),
    ) {
        let entries: Vec<_> = matches.iter().enumerate().map(|(at, it)| entry(&at.to_string(), it.clone())).collect();
        let Ok(catalog) = Catalog::new(entries) else { return Ok(()); };
        let mut request = Request { cluster, route, authority, path, ..PLAIN };
        if let Some(tier) = tier {
            request = request.says(MetadataSource::Cluster, "llm", "tier", tier);
        }
        let fit = |globs: &[Glob], text: Option<&str>| text.is_some_and(|text| globs.iter().any(|glob| glob.matches(text)));
        let takes = |it: &Match| {
            let told = it.metadata.as_ref().is_some_and(|it| Some(&*it.value) == tier);
            let operator = fit(&it.cluster, cluster) || fit(&it.route, route) || told;
            let against = !it.cluster.is_empty() && cluster.is_some() && !fit(&it.cluster, cluster)
                || !it.route.is_empty() && route.is_some() && !fit(&it.route, route)
                || it.metadata.is_some() && tier.is_some() && !told;
            let below = it.path_prefix.iter().any(|prefix| path == prefix || path.starts_with(&format!("{prefix}/")));
            operator || !against && (fit(&it.authority, Some(authority)) || below)
        };
        let takers: Vec<_> = (0..matches.len()).filter(|at| takes(&matches[*at])).collect();
        let found = request.find(&catalog);
        match takers.as_slice() {
            [] => prop_assert_eq!(found, "nobody"),
            [only] => prop_assert_eq!(found, only.to_string()),
            _ => prop_assert!(found.contains(" or "), "{}", found),
        }
    }
}
