//! What is fetched and what is refused: bounds, redirects, pages for people, discovery documents that lie.

use super::*;
use crate::outbound::discovery::key_set;
use crate::outbound::{Http, OutboundError, is_secure};

fn http() -> Http {
    Http::with_deadline(Duration::from_millis(400)).unwrap()
}

fn raw(head: &str, body: &str) -> Reply {
    Reply::Raw(format!(
        "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

#[test]
fn only_https_and_loopback_are_secure() {
    for (url, expected) in [
        ("https://idp.example.com/jwks", true),
        ("https://127.0.0.1:8443/", true),
        ("http://127.0.0.1:8080/jwks", true),
        ("http://127.8.9.10/", true),
        ("http://[::1]:8080/", true),
        ("http://localhost:8080/", true),
        ("http://idp.example.com/jwks", false),
        ("http://localhost.example.com/", false),
        ("http://127.0.0.1.example.com/", false),
        ("http://10.0.0.1/", false),
        ("http://169.254.169.254/", false),
        ("http://[::ffff:10.0.0.1]/", false),
        ("https://user@idp.example.com/", false),
        ("https://user:password@idp.example.com/", false),
        ("http://user@127.0.0.1/", false),
        ("file:///etc/passwd", false),
        ("ftp://127.0.0.1/", false),
        ("data:application/json,{}", false),
    ] {
        assert_eq!(is_secure(&Url::parse(url).unwrap()), expected, "{url}");
    }
}

#[tokio::test]
async fn a_document_is_fetched_without_cookies_compression_or_more() {
    let server = Server::start().await.at("/a", json("{}"));
    let http = http();
    for _ in 0..2 {
        assert_eq!(http.document(&server.url("/a"), 2).await.unwrap(), "{}");
    }
    let head = server.heads().pop().unwrap().to_ascii_lowercase();
    assert!(head.starts_with("get /a http/1.1\r\n"));
    assert!(head.contains(concat!("user-agent: bouncer/", env!("CARGO_PKG_VERSION"), "\r\n")), "{head}");
    assert!(
        !head.contains("cookie") && !head.contains("accept-encoding") && !head.contains("referer"),
        "{head}"
    );
}

#[tokio::test]
async fn http_to_the_world_is_never_opened() {
    let url = Url::parse("http://192.0.2.1/").unwrap();
    assert_eq!(http().document(&url, 10).await, Err(OutboundError::InsecureUrl));
}

#[tokio::test]
async fn every_bad_answer_has_its_error() {
    let page = raw("200 OK\r\ncontent-type: text/html; charset=utf-8", "<html>");
    let squeezed = raw("200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip", "\x1f");
    let moved = raw("302 Found\r\nlocation: /ok", "{}");
    let kept = raw("308 Permanent Redirect\r\nlocation: /ok", "{}");
    let server = Server::start().await.at("/ok", json("{}"));
    for (reply, expected) in [
        (page, OutboundError::Document),
        (squeezed, OutboundError::Document),
        (moved, OutboundError::Redirect),
        (kept, OutboundError::Redirect),
        (raw("204 No Content", ""), OutboundError::Status(204)),
        (raw("404 Not Found", "{}"), OutboundError::Status(404)),
        (raw("500 Oops", "{}"), OutboundError::Status(500)),
        (raw("200 OK", &"a".repeat(1025)), OutboundError::TooLarge(1024)),
        (Reply::Endless, OutboundError::TooLarge(1024)),
        (Reply::Drip, OutboundError::Timeout),
        (Reply::Silence, OutboundError::Timeout),
        (Reply::Raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{".to_owned()), OutboundError::Connect),
        (Reply::Raw("what?".to_owned()), OutboundError::Connect),
        (Reply::Raw(String::new()), OutboundError::Connect),
    ] {
        server.put("/", reply);
        assert_eq!(http().document(&server.url("/"), 1024).await, Err(expected));
    }
    assert!(!server.heads().iter().any(|head| head.starts_with("GET /ok")), "a redirect was followed");
}

#[tokio::test]
async fn a_document_of_exactly_the_limit_is_taken() {
    let server = Server::start().await.at("/", json(&"a".repeat(1024)));
    assert_eq!(http().document(&server.url("/"), 1024).await.unwrap().len(), 1024);
}

#[tokio::test]
async fn file_servers_may_call_json_what_they_like_but_not_a_page() {
    let server = Server::start().await;
    for kind in [
        "application/jwk-set+json",
        "application/json; charset=utf-8",
        "text/plain",
        "application/octet-stream",
    ] {
        server.put("/", Reply::Ok(kind, b"{}".to_vec()));
        assert!(http().document(&server.url("/"), 10).await.is_ok(), "{kind}");
    }
    for kind in ["text/html", "TEXT/HTML", "application/xhtml+xml", "image/png", "", "json2"] {
        server.put("/", Reply::Ok(kind, b"{}".to_vec()));
        assert_eq!(http().document(&server.url("/"), 10).await, Err(OutboundError::Document), "{kind}");
    }
}

#[tokio::test]
async fn discovery_leads_to_the_keys() {
    let server = Server::start().await.at("/jwks", json(TWO_KEYS));
    let jwks = server.url("/jwks").to_string();
    for (issuer, path) in [
        (server.origin.clone(), "/.well-known/openid-configuration"),
        (format!("{}/", server.origin), "/.well-known/openid-configuration"),
        (format!("{}/tenant/v2.0", server.origin), "/tenant/v2.0/.well-known/openid-configuration"),
    ] {
        server.put(path, discovery(&issuer, &jwks));
        assert_eq!(key_set(&http(), &settings(&issuer, None)).await.unwrap().len(), 2, "{issuer}");
    }
    // A configured address makes discovery needless.
    let direct = settings("https://idp.example.com", Some(server.url("/jwks")));
    assert_eq!(key_set(&http(), &direct).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_discovery_document_that_lies_leads_nowhere() {
    let server = Server::start().await.at("/jwks", json(ONE_KEY));
    let (origin, jwks) = (&server.origin, server.url("/jwks").to_string());
    let upper = origin.replace("http", "HTTP");
    for (reply, expected) in [
        (discovery("https://evil.example.com", &jwks), OutboundError::IssuerMismatch),
        (discovery(&format!("{origin}/"), &jwks), OutboundError::IssuerMismatch),
        (discovery(&upper, &jwks), OutboundError::IssuerMismatch),
        (discovery("", &jwks), OutboundError::IssuerMismatch),
        (discovery(origin, "http://idp.example.com/jwks"), OutboundError::InsecureJwksUri),
        (discovery(origin, "http://169.254.169.254/latest"), OutboundError::InsecureJwksUri),
        (discovery(origin, "https://user:pw@idp.example.com/jwks"), OutboundError::InsecureJwksUri),
        (discovery(origin, "file:///etc/passwd"), OutboundError::InsecureJwksUri),
        (discovery(origin, "/jwks"), OutboundError::InsecureJwksUri),
        (discovery(origin, server.url("/gone").as_ref()), OutboundError::Status(404)),
        (json(&format!(r#"{{"issuer":"{origin}"}}"#)), OutboundError::Document),
        (json(&format!(r#"{{"issuer":["{origin}"],"jwks_uri":"{jwks}"}}"#)), OutboundError::Document),
        (
            json(&format!(r#"{{"issuer":"{origin}","jwks_uri":"{jwks}","issuer":"{origin}"}}"#)),
            OutboundError::Document,
        ),
        (json("[]"), OutboundError::Document),
        (json("<html>"), OutboundError::Document),
    ] {
        server.put("/.well-known/openid-configuration", reply);
        assert_eq!(key_set(&http(), &settings(origin, None)).await.err(), Some(expected));
    }
    let plain = settings("http://idp.example.com", None);
    assert_eq!(key_set(&http(), &plain).await.err(), Some(OutboundError::InsecureUrl));
    let nonsense = settings("not a url", None);
    assert_eq!(key_set(&http(), &nonsense).await.err(), Some(OutboundError::InsecureUrl));
}

#[tokio::test]
async fn a_document_without_usable_keys_is_no_key_set() {
    let server = Server::start().await;
    let settings = settings("https://idp.example.com", Some(server.url("/jwks")));
    let big = format!(r#"{{"keys":[],"x":"{}"}}"#, "a".repeat(10 << 20));
    for (reply, expected) in [
        (json(r#"{"keys":[]}"#), OutboundError::NoKeys),
        (json("{}"), OutboundError::Document),
        (json(r#"{"error":"server_error"}"#), OutboundError::Document),
        (json("\u{0}\u{1}garbage"), OutboundError::Document),
        (json(""), OutboundError::Document),
        (json(&big), OutboundError::TooLarge(256 << 10)),
    ] {
        server.put("/jwks", reply);
        assert_eq!(key_set(&http(), &settings).await.err(), Some(expected));
    }
}

#[test]
fn debug_of_the_client_shows_no_header() {
    let text = format!("{:?}", http());
    assert!(!text.to_ascii_lowercase().contains("authorization"), "{text}");
}
