//! Entries against each other.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn entries_that_could_take_the_same_request_conflict() {
    type Fact = (fn(&[&str]) -> Match, &'static str);
    let cluster: Fact = (|texts| Match { cluster: globs(texts), ..Match::default() }, "cluster");
    let route: Fact = (|texts| Match { route: globs(texts), ..Match::default() }, "route");
    let authority: Fact = (|texts| Match { authority: globs(texts), ..Match::default() }, "authority");
    for (one, other, words) in [
        ("a", "a", Some(r#""a""#)),
        ("a*", "ab", Some(r#""a*" and "ab""#)),
        ("ab", "*b", Some(r#""ab" and "*b""#)),
        ("a*", "*b", Some(r#""a*" and "*b""#)),
        ("a*", "b*", None),
        ("a", "b", None),
    ] {
        for (fact, name) in [cluster, route, authority] {
            let found = Catalog::new(vec![
                entry("x", Match::default()),
                entry("one", fact(&[one])),
                entry("other", fact(&[other])),
            ]);
            let expected =
                words.map(|words| vec![Conflict { entries: (1, 2), fact: format!("{name} {words}") }]);
            assert_eq!(found.err(), expected, "{name} {one} {other}");
            assert!(Catalog::new(vec![entry("both", fact(&[one, other]))]).is_ok());
        }
    }
    let mixed = [entry("a", cluster.0(&["x"])), entry("b", route.0(&["x"])), entry("c", authority.0(&["x"]))];
    assert!(Catalog::new(mixed.into()).is_ok(), "the same text as another fact is another thing");
}

#[test]
fn every_conflict_is_told_at_once() {
    let match_of = |cluster: &str, path: &str, value: &str| Match {
        cluster: globs(&[cluster]),
        authority: globs(&["LLM.example"]),
        path_prefix: vec![path.to_owned()],
        metadata: metadata_match("bouncer", "provider", value),
        ..Match::default()
    };
    let found = Catalog::new(vec![
        entry("one", match_of("a", "/a", "two")),
        entry("two", match_of("b", "/b", "v")),
        entry("two", match_of("c", "/a/x/", "v")),
    ]);
    let facts: Vec<_> = found.err().unwrap().into_iter().map(|it| (it.entries, it.fact)).collect();
    assert_eq!(
        facts,
        [
            ((0, 1), r#"authority "llm.example""#.to_owned()),
            ((0, 1), r#"metadata "two""#.to_owned()),
            ((0, 2), r#"authority "llm.example""#.to_owned()),
            ((0, 2), r#"path_prefix "/a" and "/a/x/""#.to_owned()),
            ((1, 2), r#"metadata "v""#.to_owned()),
            ((1, 2), r#"name "two""#.to_owned()),
        ]
    );
}

#[test]
#[allow(clippy::disallowed_methods, reason = "measures")]
fn ten_thousand_entries_are_indexed_and_each_is_found() {
    let entries: Vec<_> = (0..10_000)
        .map(|at| {
            entry(
                &format!("p{at}"),
                Match {
                    cluster: globs(&[&format!("cluster-{at}")]),
                    authority: globs(&[&format!("host-{at}.example")]),
                    path_prefix: vec![format!("/p/{at}/")],
                    metadata: metadata_match("llm", "id", &at.to_string()),
                    ..Match::default()
                },
            )
        })
        .collect();
    let start = Instant::now();
    let catalog = Catalog::new(entries).unwrap();
    // A release build takes a few milliseconds; comparing each with each would take seconds.
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    for (request, found) in [
        (Request { cluster: Some("cluster-9999"), ..PLAIN }, "p9999"),
        (Request { authority: "host-0.example", ..PLAIN }, "p0"),
        (Request { path: "/p/4711/x", ..PLAIN }, "p4711"),
        (PLAIN.says(MetadataSource::Route, "llm", "id", "42"), "p42"),
        (Request { cluster: Some("cluster-10000"), path: "/p/x/y", ..PLAIN }, "nobody"),
    ] {
        assert_eq!(request.find(&catalog), found, "{request:?}");
    }
}
