//! Values of the arguments: durations and sizes carry their unit, as in the configuration.

use std::time::Duration;

use serde_json::Value;

use crate::config;
use crate::loadtest::{Address, Expectation, Until};

/// How many requests may go wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum MaxErrors {
    Count(u64),
    /// Of all requests.
    Percent(f64),
}

impl MaxErrors {
    /// Of so many requests.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a percentage of a count"
    )]
    pub(super) fn of(self, requests: u64) -> u64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (requests as f64 * percent / 100.0) as u64,
        }
    }
}

pub(super) fn address(text: &str) -> Result<Address, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return if path.is_empty() { Err(ADDRESS.to_owned()) } else { Ok(Address::Unix(path.into())) };
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok() => {
            Ok(Address::Tcp(text.to_owned()))
        }
        _ => Err(ADDRESS.to_owned()),
    }
}

const ADDRESS: &str = "HOST:PORT, as 127.0.0.1:9002 or [::1]:9002, or unix:/path/of/socket";

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text).ok_or_else(|| config::DURATION.to_owned())
}

pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    duration(text)
        .and_then(|time| if time.is_zero() { Err("more than nothing".to_owned()) } else { Ok(time) })
}

pub(super) fn length(text: &str) -> Result<Until, String> {
    some_time(text).map(Until::Elapsed)
}

pub(super) fn requests(text: &str) -> Result<Until, String> {
    match text.parse() {
        Ok(count @ 1..) => Ok(Until::Requests(count)),
        _ => Err("a number of requests, as 100000".to_owned()),
    }
}

pub(super) fn size(text: &str) -> Result<usize, String> {
    match config::size(text) {
        Some(size) if size <= LARGEST => Ok(size),
        Some(_) => Err("at most 64MiB".to_owned()),
        None => Err(config::SIZE.to_owned()),
    }
}

/// It is kept once, and sent by every stream.
const LARGEST: usize = 64 << 20;

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("requests a second, as 5000".to_owned()),
    }
}

pub(super) fn max_errors(text: &str) -> Result<MaxErrors, String> {
    let wrong = || "a number, or a share of all requests, as 10 or 0.1%".to_owned();
    match text.strip_suffix('%') {
        None => text.parse().map(MaxErrors::Count).map_err(|_| wrong()),
        Some(percent) => match percent.parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(MaxErrors::Percent(percent)),
            _ => Err(wrong()),
        },
    }
}

pub(super) fn expectation(text: &str) -> Result<Expectation, String> {
    match text.parse() {
        _ if text == "permit" => Ok(Expectation::permit()),
        Ok(status @ 300..600) => Ok(Expectation::Refusal(status)),
        _ => Err("permit, or the HTTP status of a refusal, as 401".to_owned()),
    }
}

pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let wrong = || "a header line, as 'x-team: search'".to_owned();
    // A pseudo header begins with a colon itself.
    let split = text.get(1..).and_then(|rest| rest.find(':')).map(|place| text.split_at(place + 1));
    let (name, value) = split.ok_or_else(wrong)?;
    let value = value.strip_prefix(':').unwrap_or(value).trim();
    let known = name.strip_prefix(':').unwrap_or(name);
    if http::HeaderName::from_bytes(known.as_bytes()).is_err() || http::HeaderValue::from_str(value).is_err()
    {
        return Err(wrong());
    }
    Ok((name.to_ascii_lowercase(), value.to_owned()))
}

pub(super) fn header_name(text: &str) -> Result<String, String> {
    let name = http::HeaderName::from_bytes(text.as_bytes());
    name.map(|name| name.as_str().to_owned()).map_err(|_| "the name of a header, as x-api-key".to_owned())
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("NAME=VALUE".to_owned()),
    }
}

/// The value is JSON where it can be read as such, else a text.
pub(super) fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = pair(text)?;
    Ok((name, serde_json::from_str(&value).unwrap_or(Value::String(value))))
}

pub(super) fn filter_metadata(text: &str) -> Result<(String, String, String), String> {
    let (name, value) = pair(text)?;
    match name.rsplit_once('/') {
        Some((namespace, key)) if !namespace.is_empty() && !key.is_empty() => {
            Ok((namespace.to_owned(), key.to_owned(), value))
        }
        _ => Err("NAMESPACE/KEY=VALUE, as envoy.filters.http.jwt_authn/tenant=a".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_is_one_of_tcp_or_of_a_socket() {
        for text in ["127.0.0.1:9002", "[::1]:9002", "bouncer.example:443"] {
            assert_eq!(address(text), Ok(Address::Tcp(text.to_owned())));
        }
        for text in ["unix:/run/b.sock", "unix:///run/b.sock"] {
            assert_eq!(address(text), Ok(Address::Unix("/run/b.sock".into())), "{text}");
        }
        for text in
            ["", "9002", ":9002", "localhost", "localhost:", "localhost:70000", "http://a:1/b", "unix:"]
        {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_of_errors_is_counted_from_all_requests() {
        assert_eq!(max_errors("10").map(|errors| errors.of(5)), Ok(10));
        assert_eq!(max_errors("0.1%").map(|errors| errors.of(10_000)), Ok(10));
        assert_eq!(max_errors("0.1%").map(|errors| errors.of(999)), Ok(0));
        for text in ["", "-1", "1.5", "%", "101%", "NaN%", "a"] {
            assert!(max_errors(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_header_line_may_be_a_pseudo_header() {
        let is = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(header("X-Team: search"), is("x-team", "search"));
        assert_eq!(header(":method: GET"), is(":method", "GET"));
        assert_eq!(header("x-url:http://a:1"), is("x-url", "http://a:1"));
        for text in ["", ":", "a", ": b", "a b: c", "a: b\nc: d"] {
            assert!(header(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_claim_is_json_where_it_can_be_read_as_such() {
        assert_eq!(claim("amr=[\"pwd\"]"), Ok(("amr".to_owned(), json!(["pwd"]))));
        assert_eq!(claim("auth_time=5"), Ok(("auth_time".to_owned(), json!(5))));
        assert_eq!(claim("scp=a b=c"), Ok(("scp".to_owned(), json!("a b=c"))));
        assert!(claim("amr").is_err() && claim("=1").is_err());
    }

    #[test]
    fn nothing_is_expected_that_is_no_refusal() {
        assert_eq!(expectation("permit"), Ok(Expectation::permit()));
        assert_eq!(expectation("403"), Ok(Expectation::Refusal(403)));
        for text in ["", "200", "600", "deny", "40"] {
            assert!(expectation(text).is_err(), "{text}");
        }
    }
}
