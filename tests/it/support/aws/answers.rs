//! What Bedrock answers: the operations of `bedrock-runtime`, and the errors in AWS's words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::bedrock::Failure;
use super::event_stream::event;
use super::{Arrived, Fault};

/// An answer but for its `date` and its framing.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

pub(super) enum Body {
    Whole(String),
    /// Messages of an event stream.
    Events(Vec<Vec<u8>>),
}

impl Reply {
    fn json(status: u16, value: &Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned()), request_id()];
        Self { status, headers, body: Body::Whole(value.to_string()) }
    }

    fn events(events: Vec<Vec<u8>>) -> Self {
        let headers = vec![("content-type", "application/vnd.amazon.eventstream".to_owned()), request_id()];
        Self { status: 200, headers, body: Body::Events(events) }
    }

    /// An error as AWS's JSON protocols write it.
    pub(super) fn refusal(failure: &Failure) -> Self {
        let mut reply = Self::json(failure.status, &json!({"message": failure.message}));
        if !failure.kind.is_empty() {
            let kind = format!("{}:http://internal.amazon.com/coral/com.amazon.coral.service/", failure.kind);
            reply.headers.push(("x-amzn-errortype", kind));
        }
        reply
    }
}

fn request_id() -> (&'static str, String) {
    ("x-amzn-requestid", "f7f4d1a0-0d6c-4c8c-9b0e-000000000000".to_owned())
}

/// What a signed request gets.
pub(super) fn answer(request: &Arrived<'_>) -> Reply {
    let path = request.target.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method, &*segments) {
        ("GET", ["async-invoke"]) => Reply::json(200, &json!({"asyncInvokeSummaries": []})),
        ("POST", ["openai", "v1", "chat", "completions"]) => Reply::json(200, &chat_completion()),
        ("POST", ["model", _, "invoke"]) => Reply::json(200, &message()),
        ("POST", ["model", _, "invoke-with-response-stream"]) => {
            let chunk = |value: &Value| {
                let bytes = STANDARD.encode(value.to_string());
                event("chunk", &json!({"bytes": bytes, "p": "abcdefgh"}).to_string())
            };
            Reply::events(message_events().iter().map(chunk).collect())
        }
        ("POST", ["model", _, "converse"]) => Reply::json(
            200,
            &json!({
                "output": {"message": {"role": "assistant", "content": [{"text": "Hello."}]}},
                "stopReason": "end_turn", "metrics": {"latencyMs": 1},
                "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
            }),
        ),
        ("POST", ["model", _, "converse-stream"]) => {
            let events = [
                ("messageStart", json!({"role": "assistant"})),
                ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": "Hel"}})),
                ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": "lo."}})),
                ("contentBlockStop", json!({"contentBlockIndex": 0})),
                ("messageStop", json!({"stopReason": "end_turn"})),
                (
                    "metadata",
                    json!({
                        "metrics": {"latencyMs": 1},
                        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
                    }),
                ),
            ];
            Reply::events(events.iter().map(|(name, payload)| event(name, &payload.to_string())).collect())
        }
        ("POST", ["model", _, "count-tokens"]) => Reply::json(200, &json!({"inputTokens": 1})),
        // An ARN whose slash was decoded on the way is two segments.
        (
            "POST",
            ["model", .., "invoke" | "invoke-with-response-stream" | "converse" | "converse-stream"],
        ) => {
            let message = "The provided model identifier is invalid.";
            Reply::refusal(&Failure::new(400, "ValidationException", message))
        }
        _ => Reply::refusal(&Failure::new(404, "UnknownOperationException", "")),
    }
}

/// What AWS says of a fault.
pub(super) fn refused(fault: &Fault) -> Failure {
    let invalid = "The security token included in the request is invalid.";
    let (kind, message) = match fault {
        Fault::Missing => ("MissingAuthenticationTokenException", "Missing Authentication Token".to_owned()),
        Fault::Incomplete(what) => {
            ("IncompleteSignatureException", format!("Authorization header requires '{what}' parameter."))
        }
        Fault::UnknownKey(_) | Fault::Token(_) => ("UnrecognizedClientException", invalid.to_owned()),
        Fault::Scope(what) => {
            ("InvalidSignatureException", format!("Credential should be scoped correctly: {what}."))
        }
        Fault::Date(what) => ("InvalidSignatureException", format!("Signature expired: {what} (- 5 min.)")),
        Fault::Header(what) | Fault::Body(what) => ("InvalidSignatureException", what.clone()),
        Fault::Signature { canonical, string_to_sign, .. } => (
            "InvalidSignatureException",
            format!(
                "The request signature we calculated does not match the signature you provided. Check your AWS \
                 Secret Access Key and signing method. Consult the service documentation for details.\n\n\
                 The Canonical String for this request should have been\n'{canonical}'\n\n\
                 The String-to-Sign should have been\n'{string_to_sign}'\n"
            ),
        ),
    };
    Failure::new(403, kind, &message)
}

/// A message of Anthropic's API.
fn message() -> Value {
    json!({
        "id": "msg_bdrk_1", "type": "message", "role": "assistant", "model": "claude",
        "stop_reason": "end_turn", "stop_sequence": null, "content": [{"type": "text", "text": "Hello."}],
        "usage": {"input_tokens": 1, "output_tokens": 1},
    })
}

fn message_events() -> Vec<Value> {
    let mut begun = message();
    begun["content"] = json!([]);
    begun["stop_reason"] = json!(null);
    let delta = |text: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
    vec![
        json!({"type": "message_start", "message": begun}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        delta("Hel"),
        delta("lo."),
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": 1},
        }),
        json!({"type": "message_stop"}),
    ]
}

fn chat_completion() -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    })
}
