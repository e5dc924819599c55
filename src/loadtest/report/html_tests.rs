//! The page is well-formed, loads nothing, runs nothing, and shows what is known.

use roxmltree::{Document, ParsingOptions};

use super::super::super::fixture;
use super::super::super::plan::Address;
use super::super::super::record::Outcome;
use super::super::super::summary::ErrorKind;
use super::*;

const EVIL: &str = "</p><script src=\"https://evil.example/x.js\">alert('&')</script>\u{202e}";

/// Every run there is, and one whose every text means harm.
fn pages() -> Vec<String> {
    let missed = [Missed::NoRequests, Missed::MaxErrors { measured: 3, allowed: 0 }];
    let mut evil = fixture::three();
    evil.asked.plan.target.address = Address::Tcp(EVIL.to_owned());
    evil.asked.details.push(("header", EVIL.to_owned()));
    let reason = Some(EVIL.to_owned());
    let first = std::time::Duration::ZERO;
    evil.errors.push(ErrorKind { outcome: Outcome::Wrong("<b>"), count: 1, first, reason });
    let all = [fixture::calm(), fixture::troubled(), fixture::three(), fixture::nothing(), evil];
    all.iter().flat_map(|summary| [html(summary, &[]), html(summary, &missed)]).collect()
}

fn parsed(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}\n{page}"))
}

#[test]
fn a_page_is_well_formed_loads_nothing_and_runs_nothing() {
    for page in pages() {
        let tree = parsed(&page);
        for node in tree.descendants().filter(|node| node.is_element()) {
            let name = node.tag_name().name();
            assert!(
                !["script", "link", "iframe", "img", "object", "embed", "base"].contains(&name),
                "{name}"
            );
            for attribute in node.attributes() {
                let (name, value) = (attribute.name(), attribute.value());
                assert!(
                    !name.starts_with("on") && !["src", "href", "action"].contains(&name),
                    "{name}={value}"
                );
            }
        }
        let style =
            tree.descendants().find(|node| node.has_tag_name("style")).and_then(|node| node.text()).unwrap();
        assert!(!style.contains("url(") && !style.contains("@import"));
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn what_comes_from_outside_is_text() {
    let page = pages().remove(8);
    let tree = parsed(&page);
    assert!(!page.contains("<script") && !page.contains("<b>refused") && !page.contains('\u{202e}'));
    let seen: Vec<_> = tree.descendants().filter_map(|node| node.text()).collect();
    let shown = EVIL.replace('\u{202e}', "\\u{202e}");
    for place in
        [format!("ext_proc at {shown}"), shown.clone(), format!("wrong answer: <b>, first at 0 s: {shown}")]
    {
        assert!(seen.contains(&place.as_str()), "{place}");
    }
}

#[test]
fn every_drawing_says_what_it_shows_and_its_axes_have_titles() {
    for page in pages() {
        let tree = parsed(&page);
        for figure in tree.descendants().filter(|node| node.has_tag_name("figure")) {
            let svg = figure.children().find(|node| node.has_tag_name("svg")).unwrap();
            assert_eq!(svg.attribute("role"), Some("img"));
            assert!(svg.attribute("aria-label").is_some_and(|label| label.len() > 10));
            let titles = svg.children().filter(|node| node.attribute("class") == Some("title"));
            assert!(titles.filter(|node| node.text().is_some_and(|text| text.len() > 4)).count() == 2);
            assert!(!svg.descendants().any(|node| node.attributes().any(|a| a.value().contains("NaN"))));
        }
        assert!(
            tree.descendants()
                .filter(|node| node.has_tag_name("table"))
                .all(|t| t.has_attribute("aria-label"))
        );
    }
}

#[test]
fn a_page_has_a_drawing_for_all_that_is_known() {
    let titles = |summary: &Summary| {
        let page = html(summary, &[]);
        let captions = page.matches("<figcaption><b>").count();
        (captions, page.contains("Server CPU a request"), page.contains("class=\"missed\""))
    };
    assert_eq!(titles(&fixture::troubled()), (6, true, false));
    let mut remote = fixture::troubled();
    remote.server = None;
    assert_eq!(titles(&remote), (4, false, false));
    assert_eq!(titles(&fixture::nothing()), (0, false, false));
}

#[test]
fn a_page_stays_small() {
    let page = html(&fixture::troubled(), &[]);
    assert!(page.len() < 200 << 10, "{}", page.len());
}
