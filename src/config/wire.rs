//! Texts that end on the wire: URLs and header names.

use std::net::IpAddr;

use url::{Host, Url};

use super::place::At;

/// What [`url`] takes, for faults.
pub(super) const URLS: &str =
    "https://host/path, or http:// to a loopback address; no user, query or fragment";

/// Names that Envoy or HTTP itself sets or refuses to let anybody set, so that no credential can travel in them.
const FOREIGN: [&str; 14] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "cookie",
];
const FOREIGN_FAMILIES: [&str; 2] = ["x-envoy-", "x-forwarded-"];

/// A URL to which the server may connect. None is told. The URL is never repeated: somebody may have put a password in it.
pub(super) fn url(text: &str, at: &At<'_>) -> Option<Url> {
    match parse(text) {
        Ok(url) => Some(url),
        Err(what) => {
            at.fault(what, URLS.to_owned());
            None
        }
    }
}

/// The same, where a text has a default that is no such URL: the services of a machine itself speak http.
pub(super) fn url_or(text: Option<&str>, default: &str, at: &At<'_>) -> Option<Url> {
    match text {
        Some(text) if Url::parse(text) != Url::parse(default) => match parse(text) {
            Ok(url) => Some(url),
            Err(what) => {
                at.fault(what, format!("{default}, or {URLS}"));
                None
            }
        },
        None if at.was_skipped() => None,
        _ => Url::parse(default).ok(),
    }
}

/// The same, for who words the fault.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<Url, &'static str> {
    // The parser of the URL standard mends blanks, backslashes and line breaks; an issuer is compared as it is written.
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err("has a blank, a backslash or a character outside ASCII");
    }
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    let spelled =
        text.get(..url.scheme().len() + 3).is_some_and(|start| start == format!("{}://", url.scheme()));
    if !spelled {
        return Err("is not a URL with its scheme in lower case and ://");
    }
    let authority = text.get(url.scheme().len() + 3..).and_then(|rest| rest.split(['/', '?', '#']).next());
    if !url.username().is_empty()
        || url.password().is_some()
        || authority.is_some_and(|text| text.contains('@'))
    {
        return Err("has a user or a password in it");
    }
    // `https://2130706433` and the like are other spellings of an address.
    let host = url.host_str().unwrap_or_default();
    let spelled =
        authority.and_then(|text| text.get(..host.len())).is_some_and(|text| text.eq_ignore_ascii_case(host));
    if !spelled || host.is_empty() {
        return Err("has no host, or one in a spelling that not everybody reads alike");
    }
    if url.fragment().is_some() {
        return Err("has a fragment in it");
    }
    if url.query().is_some() {
        return Err("has a query in it");
    }
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain("localhost")) => Some(IpAddr::from([127, 0, 0, 1])),
        Some(Host::Domain(_)) => None,
        None => return Err("has no host"),
    };
    match (url.scheme(), loopback) {
        ("http" | "https", Some(ip)) if ip.is_loopback() => Ok(url),
        ("https", None) => Ok(url),
        ("https", Some(_)) => Err("names a host by its address, not by the name in its certificate"),
        ("http", _) => Err("is http: whoever is on the way could change the answer"),
        _ => Err("is not https"),
    }
}

/// A lower-case header name in which a credential can travel. None is told.
pub(super) fn header_name(text: &str, at: &At<'_>) -> Option<String> {
    let valid = http::HeaderName::from_lowercase(text.as_bytes()).is_ok() && text.len() <= 64;
    let foreign = FOREIGN.contains(&text) || FOREIGN_FAMILIES.iter().any(|family| text.starts_with(family));
    if !valid {
        at.fault("is not a header name in lower case", "letters a-z, digits and -, as x-api-key".to_owned());
    } else if foreign {
        at.fault(
            "is a header that HTTP or Envoy keeps to itself",
            "a header that can carry a key".to_owned(),
        );
    }
    (valid && !foreign).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config::place::{Faults, Source};
    use crate::config::tree;

    #[test]
    fn the_machines_own_service_is_the_only_other_http() {
        let default = "http://metadata.google.internal";
        let source = Source {
            file: Path::new("b.yaml").into(),
            root: tree::parse("a: b").unwrap().0,
            skipped: BTreeSet::new(),
            formless: BTreeSet::new(),
        };
        for (text, expected) in [
            (None, Some("http://metadata.google.internal/")),
            (Some(default), Some("http://metadata.google.internal/")),
            (Some("http://metadata.google.internal/"), Some("http://metadata.google.internal/")),
            (Some("http://127.0.0.1:8080"), Some("http://127.0.0.1:8080/")),
            (Some("https://metadata.example.com/x"), Some("https://metadata.example.com/x")),
            (Some("http://metadata.google.internal/x"), None),
            (Some("http://metadata.google.internal:8080"), None),
            (Some("http://metadata.google.internal.example.com"), None),
            (Some("http://169.254.169.254"), None),
        ] {
            let faults = Faults::default();
            let url = url_or(text, default, &At::root(&source, &faults));
            assert_eq!(url.as_ref().map(Url::as_str), expected, "{text:?}");
            assert_eq!(faults.any(), expected.is_none(), "{text:?}");
        }
    }

    #[test]
    fn only_https_and_http_to_loopback_are_urls() {
        for text in [
            "https://idp.example.com",
            "https://idp.example.com/realms/a/",
            "https://idp.example.com:8443/x",
            "http://127.0.0.1:8080/x",
            "http://[::1]:8080",
            "http://localhost:8080",
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "idp.example.com",
            "http://idp.example.com",
            "http://127.0.0.1.example.com",
            "http://0.0.0.0:80",
            "http://169.254.169.254/latest",
            "https://169.254.169.254/latest",
            "https://2130706433/",
            "https://user@idp.example.com",
            "https://user:password@idp.example.com",
            "https://@idp.example.com",
            "https://idp.example.com/#x",
            "https://idp.example.com/?x",
            "https:/idp.example.com",
            "https:idp.example.com",
            "HTTPS://idp.example.com",
            "https://",
            "https://idp.exämple.com",
            "https://idp\\.example.com",
            " https://idp.example.com",
            "ftp://idp.example.com",
            "file:///etc/passwd",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
