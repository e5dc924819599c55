//! What AWS said when it refused: the body of its 403, in each of the forms that its services write.
//!
//! The texts are AWS's own wording; none of its pages lists them
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html> has most).

use roxmltree::Document;
use serde_json::Value;

use super::told::{Told, told};
use crate::base::printable;
use crate::credential::{ShownRequest, StringToSign, shown_header, shown_query};

/// An answer, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The error's name, where the body has one; REST APIs name it in `x-amzn-errortype` only.
    pub(super) code: Option<String>,
    /// The canonical request that AWS made of what it received.
    pub(super) canonical: Option<ShownRequest>,
    /// The string to sign that AWS made.
    pub(super) string: Option<StringToSign>,
    /// What else it told.
    pub(super) told: Vec<Told>,
    /// How long its message is, in bytes.
    pub(super) length: usize,
    /// What was begun and is not there as it should be.
    pub(super) broken: Option<&'static str>,
}

const CANONICAL: &str = "The Canonical String for this request should have been";
const STRING: &str = "The String-to-Sign should have been";

impl Answer {
    /// Reads a body: JSON, XML, or a text that has the message in it.
    pub(super) fn read(body: &str) -> Self {
        let raw = raw(body.trim());
        let code = raw.code.as_deref().map(name);
        let message = lines_of(&raw.message);
        let (canonical, string) = quoted(&message);
        let (canonical, string) = (raw.canonical.or(canonical), raw.string.or(string));
        let mut broken = None;
        let mut parsed = |text: &str| {
            let read = canonical_request(text);
            if read.is_none() {
                broken = Some("its canonical string has not the lines of one; paste the body as AWS sent it");
            }
            read
        };
        Self {
            canonical: canonical.as_deref().and_then(&mut parsed),
            string: string.as_deref().and_then(string_to_sign),
            told: told(code.as_deref(), &message),
            code,
            length: message.len(),
            broken,
        }
    }
}

/// The parts of a body.
#[derive(Default)]
struct Raw {
    code: Option<String>,
    message: String,
    canonical: Option<String>,
    string: Option<String>,
}

fn raw(body: &str) -> Raw {
    json(body).or_else(|| xml(body)).unwrap_or_else(|| Raw { message: body.to_owned(), ..Raw::default() })
}

fn json(body: &str) -> Option<Raw> {
    let value: Value = serde_json::from_str(body).ok()?;
    let object = match &value {
        Value::String(inner) => return Some(raw(inner.trim())),
        // `{"errors": [{…}]}`, `{"Error": {…}}`.
        Value::Object(object) => {
            let inner = ["errors", "error", "Error"].iter().find_map(|name| object.get(*name));
            match inner {
                Some(Value::Array(list)) => list.first()?.as_object()?,
                Some(Value::Object(inner)) => inner,
                _ => object,
            }
        }
        _ => return None,
    };
    let text = |names: &[&str]| names.iter().find_map(|name| object.get(*name)?.as_str()).map(str::to_owned);
    let message = text(&["message", "Message", "errorMessage"])?;
    Some(Raw { code: text(&["__type", "code", "Code", "type"]), message, ..Raw::default() })
}

fn xml(body: &str) -> Option<Raw> {
    // Without a DTD nothing can be expanded.
    let document = Document::parse(body).ok()?;
    let text = |name: &str| {
        document.descendants().find(|node| node.tag_name().name() == name)?.text().map(str::to_owned)
    };
    Some(Raw {
        code: text("Code"),
        message: text("Message")?,
        canonical: text("CanonicalRequest"),
        string: text("StringToSign"),
    })
}

/// `com.amazon.coral.service#InvalidSignatureException:http://…` without what is around it.
fn name(code: &str) -> String {
    let code = code.rsplit_once('#').map_or(code, |(_, name)| name);
    printable(code.split(':').next().unwrap_or_default(), 64)
}

/// The message with real line ends, where a log wrote them as escapes.
fn lines_of(message: &str) -> String {
    let begun =
        message.find(CANONICAL).map_or("", |at| message.get(at + CANONICAL.len()..).unwrap_or_default());
    let message = match (begun.starts_with("\\\\n"), begun.starts_with("\\n")) {
        (true, _) => message.replace("\\\\n", "\n"),
        (_, true) => message.replace("\\n", "\n"),
        _ => message.to_owned(),
    };
    message.replace("\r\n", "\n")
}

/// The two texts that a message quotes.
fn quoted(message: &str) -> (Option<String>, Option<String>) {
    let after = |marker: &str| message.split_once(marker).map(|(_, rest)| rest);
    let canonical = after(CANONICAL).and_then(|rest| between_quotes(rest.split(STRING).next()?));
    (canonical, after(STRING).and_then(between_quotes))
}

fn between_quotes(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('\'')?;
    let end = rest.rfind('\'')?;
    rest.get(..end).map(str::to_owned)
}

/// The lines of a canonical request; what may be secret is left out as soon as it is read.
fn canonical_request(text: &str) -> Option<ShownRequest> {
    let mut lines = text.trim_start_matches('\n').lines();
    let method = lines.next().filter(|method| !method.is_empty() && !method.contains(' '))?;
    let (path, query) = (lines.next()?, lines.next()?);
    let mut headers = Vec::new();
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        headers.push((printable(name, 256), printable(&shown_header(name, value), 1024)));
    }
    let (signed_headers, payload) = (lines.next()?, lines.next()?);
    Some(ShownRequest {
        method: printable(method, 64),
        path: printable(path, 16 * 1024),
        query: printable(&shown_query(query), 16 * 1024),
        headers,
        signed_headers: printable(signed_headers, 1024),
        payload: printable(payload, 128),
    })
}

fn string_to_sign(text: &str) -> Option<StringToSign> {
    let mut lines = text.trim().lines().map(|line| printable(line, 256));
    Some(StringToSign {
        algorithm: lines.next()?,
        time: lines.next()?,
        scope: lines.next()?,
        hash: lines.next()?,
    })
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
