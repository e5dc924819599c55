//! The request that a curl command would send (<https://curl.se/docs/manpage.html>). Nothing is sent.

use std::path::Path;

use thiserror::Error;

use super::request::{GivenBody, GivenRequest, UrlError, is_method, split_url};
use super::shell::{ShellError, words};
use crate::base::printable;

/// Why a line cannot be taken. Values are not repeated.
#[derive(Debug, Error)]
pub(super) enum CurlError {
    #[error(transparent)]
    Shell(#[from] ShellError),
    #[error("the line does not begin with curl")]
    NotCurl,
    #[error("the option {0} is not known here; leave it out, or write the request as JSON for --request")]
    Option(String),
    #[error("the option {0} wants a value")]
    Value(String),
    #[error("{0}: this is no header")]
    Header(&'static str),
    #[error("{0}: this is no method")]
    Method(&'static str),
    #[error("there is no URL")]
    NoUrl,
    #[error("there are several URLs")]
    SeveralUrls,
    #[error("{0}")]
    Url(#[from] UrlError),
    #[error("{option}: {path}: {error}")]
    File { option: &'static str, path: String, error: std::io::Error },
    #[error("{0}: standard input cannot be read here; name a file")]
    StandardInput(&'static str),
}

/// What an option means here.
#[derive(Clone, Copy)]
enum Meaning {
    Method,
    Header,
    Data(Data),
    Url,
    Head,
    Get,
    UserAgent,
    /// Without a value and without a meaning for what is signed.
    Nothing,
    /// The same, with a value.
    Ignored,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    /// `@file` without its line ends.
    Text,
    /// As it is.
    Raw,
    /// `@file` as it is.
    Binary,
    /// The same, with the headers of JSON, and nothing between several.
    Json,
}

/// Long name, short one, meaning.
const OPTIONS: [(&str, &str, Meaning); 46] = [
    ("--request", "-X", Meaning::Method),
    ("--header", "-H", Meaning::Header),
    ("--data", "-d", Meaning::Data(Data::Text)),
    ("--data-ascii", "", Meaning::Data(Data::Text)),
    ("--data-raw", "", Meaning::Data(Data::Raw)),
    ("--data-binary", "", Meaning::Data(Data::Binary)),
    ("--json", "", Meaning::Data(Data::Json)),
    ("--url", "", Meaning::Url),
    ("--head", "-I", Meaning::Head),
    ("--get", "-G", Meaning::Get),
    ("--user-agent", "-A", Meaning::UserAgent),
    ("--silent", "-s", Meaning::Nothing),
    ("--show-error", "-S", Meaning::Nothing),
    ("--verbose", "-v", Meaning::Nothing),
    ("--include", "-i", Meaning::Nothing),
    ("--insecure", "-k", Meaning::Nothing),
    ("--fail", "-f", Meaning::Nothing),
    ("--fail-with-body", "", Meaning::Nothing),
    ("--no-buffer", "-N", Meaning::Nothing),
    ("--location", "-L", Meaning::Nothing),
    ("--globoff", "-g", Meaning::Nothing),
    ("--compressed", "", Meaning::Nothing),
    ("--path-as-is", "", Meaning::Nothing),
    ("--no-progress-meter", "", Meaning::Nothing),
    ("--http1.1", "", Meaning::Nothing),
    ("--http2", "", Meaning::Nothing),
    ("--http2-prior-knowledge", "", Meaning::Nothing),
    ("--tlsv1.2", "", Meaning::Nothing),
    ("--tlsv1.3", "", Meaning::Nothing),
    ("--output", "-o", Meaning::Ignored),
    ("--write-out", "-w", Meaning::Ignored),
    ("--dump-header", "-D", Meaning::Ignored),
    ("--max-time", "-m", Meaning::Ignored),
    ("--connect-timeout", "", Meaning::Ignored),
    ("--connect-to", "", Meaning::Ignored),
    ("--resolve", "", Meaning::Ignored),
    ("--retry", "", Meaning::Ignored),
    ("--proxy", "-x", Meaning::Ignored),
    ("--cacert", "", Meaning::Ignored),
    ("--cert", "-E", Meaning::Ignored),
    ("--key", "", Meaning::Ignored),
    ("--unix-socket", "", Meaning::Ignored),
    ("--referer", "-e", Meaning::Ignored),
    // The caller's own credentials: they are taken off before anything is signed.
    ("--user", "-u", Meaning::Ignored),
    ("--cookie", "-b", Meaning::Ignored),
    ("--aws-sigv4", "", Meaning::Ignored),
];

#[derive(Default)]
struct Command {
    method: Option<String>,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    json: bool,
    get: bool,
    url: Option<String>,
}

/// Reads `line`; files that it names lie relative to `folder`.
pub(super) fn read(line: &str, folder: &Path) -> Result<GivenRequest, CurlError> {
    let mut words = words(line)?.into_iter();
    if words.next().as_deref() != Some("curl") {
        return Err(CurlError::NotCurl);
    }
    let mut command = Command::default();
    while let Some(word) = words.next() {
        if word == "-" || !word.starts_with('-') {
            command.url(word)?;
            continue;
        }
        if word.starts_with("--") {
            let (name, _, meaning) = OPTIONS
                .iter()
                .find(|(name, ..)| *name == word)
                .ok_or_else(|| CurlError::Option(named(&word)))?;
            let value = meaning.value(name, || words.next())?;
            command.take(name, *meaning, value, folder)?;
            continue;
        }
        // `-sSXPOST` is `-s -S -X POST`.
        let mut rest = word.strip_prefix('-').unwrap_or_default();
        while let Some(letter) = rest.chars().next() {
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            let short = format!("-{letter}");
            let (name, _, meaning) = OPTIONS
                .iter()
                .find(|(_, known, _)| *known == short)
                .ok_or_else(|| CurlError::Option(named(&short)))?;
            let attached = std::mem::take(&mut rest);
            let value = meaning.value(&short, || {
                if attached.is_empty() { words.next() } else { Some(attached.to_owned()) }
            })?;
            if value.is_none() {
                rest = attached;
            }
            command.take(name, *meaning, value, folder)?;
        }
    }
    command.request()
}

/// An option's name without what somebody wrote to it.
fn named(word: &str) -> String {
    printable(word.split('=').next().unwrap_or_default(), 32)
}

impl Meaning {
    fn value(self, name: &str, next: impl FnOnce() -> Option<String>) -> Result<Option<String>, CurlError> {
        match self {
            Self::Head | Self::Get | Self::Nothing => Ok(None),
            _ => next().map(Some).ok_or_else(|| CurlError::Value(name.to_owned())),
        }
    }
}

impl Command {
    fn url(&mut self, url: String) -> Result<(), CurlError> {
        match self.url.replace(url) {
            None => Ok(()),
            Some(_) => Err(CurlError::SeveralUrls),
        }
    }

    fn take(
        &mut self,
        option: &'static str,
        meaning: Meaning,
        value: Option<String>,
        folder: &Path,
    ) -> Result<(), CurlError> {
        let value = value.unwrap_or_default();
        match meaning {
            Meaning::Method if is_method(&value) => self.method = Some(value),
            Meaning::Method => return Err(CurlError::Method(option)),
            Meaning::Header => self.header(option, &value)?,
            Meaning::UserAgent => self.headers.push(("user-agent".to_owned(), value)),
            Meaning::Url => self.url(value)?,
            Meaning::Head => self.method = self.method.take().or_else(|| Some("HEAD".to_owned())),
            Meaning::Get => self.get = true,
            Meaning::Data(data) => {
                let part = part(option, data, value, folder)?;
                match &mut self.body {
                    None => self.body = Some(part),
                    Some(body) => {
                        if data != Data::Json {
                            body.push(b'&');
                        }
                        body.extend(part);
                    }
                }
                if data == Data::Json {
                    self.json = true;
                }
            }
            Meaning::Nothing | Meaning::Ignored => {}
        }
        Ok(())
    }

    fn header(&mut self, option: &'static str, line: &str) -> Result<(), CurlError> {
        // `X-A;` sends an empty one, `X-A:` takes away one of curl's own.
        let (name, value) =
            line.split_once(':').or_else(|| line.split_once(';')).ok_or(CurlError::Header(option))?;
        let value = value.trim_matches([' ', '\t']);
        if http::HeaderName::from_bytes(name.as_bytes()).is_err()
            || http::HeaderValue::from_str(value).is_err()
        {
            return Err(CurlError::Header(option));
        }
        self.headers.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    fn request(mut self) -> Result<GivenRequest, CurlError> {
        let url = self.url.ok_or(CurlError::NoUrl)?;
        let url = if url.contains("://") { url } else { format!("http://{url}") };
        let (authority, mut raw_path) = split_url(&url)?;
        if self.get
            && let Some(data) = self.body.take()
        {
            raw_path.push(if raw_path.contains('?') { '&' } else { '?' });
            raw_path.push_str(&String::from_utf8_lossy(&data));
        }
        let typed = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if self.body.is_some() && !typed {
            let own = if self.json { "application/json" } else { "application/x-www-form-urlencoded" };
            self.headers.push(("content-type".to_owned(), own.to_owned()));
        }
        self.headers.retain(|(name, value)| !(name.eq_ignore_ascii_case("content-type") && value.is_empty()));
        let own = if self.body.is_some() { "POST" } else { "GET" };
        let mut request = GivenRequest {
            method: self.method.unwrap_or_else(|| own.to_owned()),
            authority,
            raw_path,
            headers: self.headers,
            body: GivenBody::Bytes(self.body.unwrap_or_default()),
        };
        request.take_host();
        Ok(request)
    }
}

fn part(option: &'static str, data: Data, value: String, folder: &Path) -> Result<Vec<u8>, CurlError> {
    let Some(path) = value.strip_prefix('@').filter(|_| data != Data::Raw) else {
        return Ok(value.into_bytes());
    };
    if path == "-" {
        return Err(CurlError::StandardInput(option));
    }
    let mut bytes = super::input::file(&folder.join(path)).map_err(|error| CurlError::File {
        option,
        path: printable(path, 256),
        error,
    })?;
    if data == Data::Text {
        bytes.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "curl_tests.rs"]
mod tests;
