//! One request as Envoy asks about it: a stream for ext_proc, reset once it is answered, or a call of ext_authz.

use std::cell::RefCell;

use bytes::{Buf as _, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::{HeaderMap, StatusCode};

use super::check::{Judge, Judgement, Verdict};
use super::plan::Protocol;
use super::question::Questions;
use super::record::Outcome;
use super::told::told;

/// The messages that come on a stream.
struct Messages {
    body: RecvStream,
    rest: Bytes,
}

/// Flag and length of a gRPC frame.
const PREFIX: usize = 5;

/// No answer is longer: a server that goes on and on is cut off.
const LONGEST: usize = 16 << 20;

/// Asks about the request of `caller`. `client` has room for a stream.
pub(super) async fn ask(
    client: &mut SendRequest<Bytes>,
    questions: &Questions,
    caller: usize,
    judge: &RefCell<Judge>,
) -> Judgement {
    let first = questions.of(caller);
    let asked = match questions.protocol {
        Protocol::ExtProc => ext_proc(client, questions, first.clone(), judge).await,
        Protocol::ExtAuthz => ext_authz(client, questions, first.clone(), judge).await,
    };
    let Judgement { outcome, words } = asked.unwrap_or_else(|judgement| judgement);
    Judgement { outcome, words: words.map(|words| told(&words, questions.token(&first))) }
}

async fn ext_proc(
    client: &mut SendRequest<Bytes>,
    questions: &Questions,
    first: Bytes,
    judge: &RefCell<Judge>,
) -> Result<Judgement, Judgement> {
    let (response, mut stream) = client.send_request(questions.head.clone(), false).map_err(broken)?;
    stream.send_data(first.clone(), false).map_err(broken)?;
    let mut messages = Messages::of(response).await?;
    let token = questions.token(&first);
    let answer = messages.next().await?;
    let mut verdict = judge.borrow_mut().judge(&Bytes::new(), &answer, token);
    if let (Verdict::WantsBody, Some(body)) = (&verdict, &questions.body) {
        stream.send_data(body.clone(), false).map_err(broken)?;
        let signed = messages.next().await?;
        verdict = judge.borrow_mut().judge(&answer, &signed, token);
    }
    let judgement = match verdict {
        Verdict::Settled(judgement) => judgement,
        Verdict::WantsBody => Judgement::wrong("the body is asked for again and again"),
    };
    // Envoy asks about no response where it has answered the caller itself.
    if let (Outcome::Right, Some(response), true) =
        (judgement.outcome, &questions.response, questions.expectation.is_permit())
    {
        stream.send_data(response.clone(), false).map_err(broken)?;
        // That it is answered is enough: there is nothing to change.
        messages.next().await?;
    }
    // Envoy's own reason when it has no more use for a stream.
    stream.send_reset(Reason::NO_ERROR);
    Ok(judgement)
}

async fn ext_authz(
    client: &mut SendRequest<Bytes>,
    questions: &Questions,
    first: Bytes,
    judge: &RefCell<Judge>,
) -> Result<Judgement, Judgement> {
    let (response, mut stream) = client.send_request(questions.head.clone(), false).map_err(broken)?;
    stream.send_data(first.clone(), true).map_err(broken)?;
    let mut messages = Messages::of(response).await?;
    let answer = messages.next().await?;
    messages.end().await?;
    match judge.borrow_mut().judge(&Bytes::new(), &answer, questions.token(&first)) {
        Verdict::Settled(judgement) => Ok(judgement),
        Verdict::WantsBody => Err(Judgement::wrong("a body is asked for, which ext_authz cannot")),
    }
}

impl Messages {
    async fn of(response: ResponseFuture) -> Result<Self, Judgement> {
        let response = response.await.map_err(broken)?;
        if response.status() != StatusCode::OK {
            return Err(no_grpc(response.status()));
        }
        // Headers that are trailers as well: the call is over.
        if let Some(status) = status(response.headers()) {
            return Err(ended(status));
        }
        Ok(Self { body: response.into_body(), rest: Bytes::new() })
    }

    /// The next message, without its frame.
    async fn next(&mut self) -> Result<Bytes, Judgement> {
        loop {
            if let Some(length) = length(&self.rest)? {
                let mut frame = self.rest.split_to(PREFIX + length);
                frame.advance(PREFIX);
                return Ok(frame);
            }
            let Some(part) = self.part().await? else { return Err(self.trailers().await?) };
            self.rest = if self.rest.is_empty() { part } else { join(&self.rest, &part) };
        }
    }

    /// The end of the call, which has to be a good one.
    async fn end(&mut self) -> Result<(), Judgement> {
        while let Some(part) = self.part().await? {
            if !part.is_empty() || !self.rest.is_empty() {
                return Err(Judgement::wrong("more than one answer"));
            }
        }
        match status(&self.body.trailers().await.map_err(broken)?.unwrap_or_default()) {
            Some((0, _)) => Ok(()),
            Some(status) => Err(ended(status)),
            None => Err(Judgement::wrong("the call ended without a gRPC status")),
        }
    }

    async fn part(&mut self) -> Result<Option<Bytes>, Judgement> {
        let Some(part) = self.body.data().await else { return Ok(None) };
        let part = part.map_err(broken)?;
        self.body.flow_control().release_capacity(part.len()).map_err(broken)?;
        Ok(Some(part))
    }

    /// What an end without an answer comes to.
    async fn trailers(&mut self) -> Result<Judgement, Judgement> {
        let trailers = self.body.trailers().await.map_err(broken)?.unwrap_or_default();
        Ok(status(&trailers).map_or_else(|| Judgement::wrong("the stream ended without an answer"), ended))
    }
}

/// How long the message is that `frame` begins with, once all of it is there.
fn length(frame: &[u8]) -> Result<Option<usize>, Judgement> {
    let [flag, a, b, c, d, message @ ..] = frame else { return Ok(None) };
    if *flag != 0 {
        return Err(Judgement::wrong("a compressed message, which nobody asked for"));
    }
    match usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])) {
        Ok(length) if length <= LONGEST => Ok((message.len() >= length).then_some(length)),
        _ => Err(Judgement::wrong("an answer longer than 16 MiB")),
    }
}

fn join(start: &[u8], end: &[u8]) -> Bytes {
    let mut all = BytesMut::from(start);
    all.extend_from_slice(end);
    all.freeze()
}

/// `grpc-status` and the words with it.
fn status(headers: &HeaderMap) -> Option<(i32, Option<String>)> {
    let code = headers.get("grpc-status")?.to_str().ok().and_then(|code| code.parse().ok());
    let words = headers.get("grpc-message").map(|words| decoded(words.as_bytes()));
    Some((code.unwrap_or(UNKNOWN), words))
}

/// `grpc-message` is percent-encoded; what is not stays as it is (gRPC over HTTP2, "Status-Message").
fn decoded(mut text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    while let Some((first, rest)) = text.split_first() {
        let code = rest.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        text = rest.get(if byte.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn ended((code, words): (i32, Option<String>)) -> Judgement {
    match code {
        // An Envoy goes on without the server then, with the caller's own token on the request.
        0 => Judgement::wrong("the stream ended with OK before the answer"),
        code => Judgement { outcome: Outcome::Status(code), words },
    }
}

const CANCELLED: i32 = 1;
const UNKNOWN: i32 = 2;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNIMPLEMENTED: i32 = 12;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// gRPC's document "HTTP to gRPC Status Code Mapping".
fn no_grpc(status: StatusCode) -> Judgement {
    let code = match status.as_u16() {
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => UNIMPLEMENTED,
        429 | 502..=504 => UNAVAILABLE,
        _ => UNKNOWN,
    };
    Judgement { outcome: Outcome::Status(code), words: Some(format!("HTTP status {}", status.as_u16())) }
}

/// gRPC over HTTP2, "Errors": what a reset means; everything else is the connection.
fn broken(error: h2::Error) -> Judgement {
    let words = Some(error.to_string());
    let outcome = match error.reason() {
        Some(reason) if error.is_reset() => Outcome::Status(match reason {
            Reason::REFUSED_STREAM => UNAVAILABLE,
            Reason::CANCEL => CANCELLED,
            Reason::ENHANCE_YOUR_CALM => RESOURCE_EXHAUSTED,
            Reason::INADEQUATE_SECURITY => PERMISSION_DENIED,
            _ => INTERNAL,
        }),
        _ => Outcome::Broken,
    };
    Judgement { outcome, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_server_are_decoded() {
        for (text, words) in [
            ("too many streams", "too many streams"),
            ("too%20many%20%e2%82%ac", "too many €"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%1b[31m", "\u{1b}[31m"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", "8".parse().unwrap());
            headers.insert("grpc-message", text.parse().unwrap());
            assert_eq!(status(&headers), Some((8, Some(words.to_owned()))));
        }
        let mut headers = HeaderMap::new();
        assert_eq!(status(&headers), None);
        headers.insert("grpc-status", "many".parse().unwrap());
        assert_eq!(status(&headers), Some((UNKNOWN, None)));
    }

    #[test]
    fn a_message_is_read_once_all_of_it_is_there() {
        assert_eq!(length(&[]), Ok(None));
        assert_eq!(length(&[0, 0, 0, 0, 2, 7]), Ok(None));
        assert_eq!(length(&[0, 0, 0, 0, 2, 7, 7, 7]), Ok(Some(2)));
        assert_eq!(length(&[0, 0, 0, 0, 0]), Ok(Some(0)));
        assert!(length(&[1, 0, 0, 0, 0]).is_err() && length(&[0, 255, 0, 0, 0]).is_err());
    }
}
