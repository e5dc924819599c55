//! Requests with bodies: what goes out, which answers come back, and that no name leads where nobody may go.

use std::net::SocketAddr;

use super::*;
use crate::base::{Secret, SecretBytes};
use crate::outbound::address::LookingUp;
use crate::outbound::{Http, OutboundError, Reach, Request, Response};

const LIMIT: usize = 1024;

fn http() -> Http {
    Http::with_deadline(Duration::from_millis(400)).unwrap()
}

fn post(url: &Url) -> Request<'_> {
    let body = SecretBytes::new(b"client_secret=hunter2".to_vec());
    Request {
        method: reqwest::Method::POST,
        url,
        reach: Reach::World,
        headers: vec![("authorization".into(), Secret::new("Basic aHVudGVyMg==".to_owned()))],
        body: Some(("application/x-www-form-urlencoded", body)),
        limit: LIMIT,
    }
}

async fn send(url: &Url) -> Result<Response, OutboundError> {
    http().send(post(url)).await
}

/// A client for which every name is at `address`.
fn resolving(address: &'static str) -> Http {
    let found = SocketAddr::new(address.parse().unwrap(), 0);
    let lookup = Arc::new(move |_| Box::pin(async move { Ok(vec![found]) }) as LookingUp);
    Http::with_lookup(lookup, Duration::from_millis(400)).unwrap()
}

#[tokio::test]
async fn every_status_but_a_redirect_is_an_answer() {
    let server = Server::start().await;
    for status in [200, 201, 400, 401, 403, 429, 500, 503] {
        let text = "content-length: 2\r\nretry-after: 7\r\nset-cookie: a=b\r\nx: y";
        server
            .put("/", Reply::Raw(format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{text}\r\n\r\n{{}}")));
        let response = send(&server.url("/")).await.unwrap();
        assert_eq!((response.status, &**response.body.expose()), (status, &b"{}"[..]));
        assert_eq!((response.header("retry-after"), response.header("set-cookie")), (Some("7"), None));
    }
    let head = server.heads().pop().unwrap().to_ascii_lowercase();
    assert!(head.starts_with("post / http/1.1\r\n") && head.contains("authorization: basic "), "{head}");
}

#[tokio::test]
async fn t11_a_redirect_is_never_followed() {
    let server = Server::start().await.at("/stolen", json("{}"));
    let there = server.url("/stolen");
    for status in [300, 301, 302, 303, 307, 308, 304] {
        for to in [there.as_str(), "/stolen", "http://169.254.169.254/latest", "https://other.example/"] {
            let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0");
            server.put("/", Reply::Raw(format!("{head}\r\nlocation: {to}\r\n\r\n")));
            assert_eq!(send(&server.url("/")).await.unwrap_err(), OutboundError::Redirect);
        }
    }
    assert!(!server.heads().iter().any(|head| head.contains("/stolen ")), "it was followed");
}

#[tokio::test]
async fn t05_no_more_than_the_limit_is_read() {
    let server = Server::start().await;
    let claims = |length: u64| Reply::Raw(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"));
    let squeezed = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\u{8}";
    for (reply, expected) in [
        (Reply::Endless, OutboundError::TooLarge(LIMIT)),
        (claims(1 << 30), OutboundError::TooLarge(LIMIT)),
        (claims(1 << 62), OutboundError::TooLarge(LIMIT)),
        (claims(LIMIT as u64 + 1), OutboundError::TooLarge(LIMIT)),
        (Reply::Ok("application/json", vec![b' '; LIMIT + 1]), OutboundError::TooLarge(LIMIT)),
        (Reply::Raw(squeezed.to_owned()), OutboundError::Document),
    ] {
        server.put("/", reply);
        assert_eq!(send(&server.url("/")).await.unwrap_err(), expected);
    }
    server.put("/", Reply::Ok("application/json", vec![b' '; LIMIT]));
    assert_eq!(send(&server.url("/")).await.unwrap().body.expose().len(), LIMIT);
}

#[tokio::test]
async fn t03_whoever_stalls_drips_or_hangs_up_is_waited_for_no_longer_than_the_deadline() {
    let server = Server::start().await;
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"access_token\":\"hun";
    for (reply, expected) in [
        (Reply::Silence, OutboundError::Timeout),
        (Reply::Drip, OutboundError::Timeout),
        (Reply::Raw(half.to_owned()), OutboundError::Connect),
        (Reply::Raw("HTTP/1.1 200 OK\r\n".to_owned()), OutboundError::Connect),
        (Reply::Raw("SSH-2.0-OpenSSH_9.9\r\n".to_owned()), OutboundError::Connect),
        (Reply::Raw(String::new()), OutboundError::Connect),
    ] {
        server.put("/", reply);
        assert_eq!(send(&server.url("/")).await.unwrap_err(), expected);
    }
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone = Url::parse(&format!("http://{gone}/")).unwrap();
    assert_eq!(send(&gone).await.unwrap_err(), OutboundError::Connect);
    // Nobody says anything during the handshake.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mute = Url::parse(&format!("https://{}/", mute.local_addr().unwrap())).unwrap();
    assert!(matches!(send(&mute).await, Err(OutboundError::Timeout | OutboundError::Connect)));
}

#[tokio::test]
async fn a_reset_in_the_middle_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.ok()?;
        let _ = stream.read(&mut [0; 4096]).await.ok()?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{").await.ok()?;
        // With nothing of it left to send, the system says RST.
        stream.set_zero_linger().ok()
    });
    assert_eq!(send(&url).await.unwrap_err(), OutboundError::Connect);
}

#[tokio::test]
async fn a_name_that_leads_to_the_metadata_service_is_not_connected_to() {
    for address in ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "0.0.0.0", "fe80::1"] {
        let url = Url::parse("https://idp.example/token").unwrap();
        assert_eq!(resolving(address).send(post(&url)).await.unwrap_err(), OutboundError::Forbidden);
    }
    let url = Url::parse("http://metadata.google.internal/").unwrap();
    for address in ["192.0.2.1", "10.0.0.1"] {
        let request = Request { reach: Reach::Metadata, ..post(&url) };
        assert_eq!(resolving(address).send(request).await.unwrap_err(), OutboundError::Forbidden);
    }
}

#[tokio::test]
async fn a_metadata_service_is_reached_by_who_says_that_it_is_one() {
    let server = Server::start().await.at("/token", json("{}"));
    let port = server.url("/").port().unwrap();
    let url = Url::parse(&format!("http://metadata.example:{port}/token")).unwrap();
    let http = resolving("127.0.0.1");
    assert_eq!(http.send(post(&url)).await.unwrap_err(), OutboundError::InsecureUrl);
    let request = Request { reach: Reach::Metadata, ..post(&url) };
    assert_eq!(http.send(request).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_header_with_a_line_end_is_not_sent() {
    let server = Server::start().await.at("/", json("{}"));
    let url = server.url("/");
    for (name, value) in [("x", "a\r\nb: c"), ("x\r\ny", "a"), ("", "a"), ("x", "a\0")] {
        let headers = vec![(name.into(), Secret::new(value.to_owned()))];
        let request = Request { headers, ..post(&url) };
        assert_eq!(http().send(request).await.unwrap_err(), OutboundError::Unsendable);
    }
    assert!(server.heads().is_empty());
}

#[test]
fn debug_of_a_request_shows_no_secret() {
    let url = Url::parse("https://idp.example/").unwrap();
    let text = format!("{:?} {:?}", post(&url), Response::of(200, "hunter2"));
    assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
}
