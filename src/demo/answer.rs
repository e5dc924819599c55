//! The wire shapes of two LLM vendors: answers, streams and errors as their SDKs expect them.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Whose wire the provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    OpenAi,
    Anthropic,
}

/// Why the provider does not answer.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    NoKey,
    WrongKey,
    NotJson,
}

impl Vendor {
    /// The vendor's name: also its cluster in Envoy, its entry in `providers.d` and its secret.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    /// What every demo key of this vendor starts with.
    pub(super) fn key_prefix(self) -> &'static str {
        match self {
            Self::OpenAi => "sk-demo-",
            Self::Anthropic => "sk-ant-demo-",
        }
    }

    /// A whole answer that says `text`.
    pub(super) fn answer(self, text: &str) -> Response {
        let body = match self {
            Self::OpenAi => json!({
                "id": "chatcmpl-demo", "object": "chat.completion", "created": 0, "model": "demo",
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }),
            Self::Anthropic => json!({
                "id": "msg_demo", "type": "message", "role": "assistant", "model": "demo", "stop_reason": "end_turn",
                "stop_sequence": null, "content": [{"type": "text", "text": text}],
                "usage": {"input_tokens": 1, "output_tokens": 1},
            }),
        };
        Json(body).into_response()
    }

    /// The same as server-sent events, one word an event.
    pub(super) fn stream(self, text: &str) -> Response {
        let words = text.split_inclusive(' ');
        let events: String = match self {
            Self::OpenAi => {
                let chunk = |delta: Value, finish: Value| {
                    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
                    let id = "chatcmpl-demo";
                    let body = json!({"id": id, "object": "chat.completion.chunk", "created": 0, "model": "demo",
                        "choices": [choice]});
                    format!("data: {body}\n\n")
                };
                let first = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
                let last = chunk(json!({}), json!("stop")) + "data: [DONE]\n\n";
                let middle = words.map(|word| chunk(json!({"content": word}), Value::Null));
                std::iter::once(first).chain(middle).chain([last]).collect()
            }
            Self::Anthropic => {
                let event = |kind: &str, mut body: Value| {
                    if let Value::Object(body) = &mut body {
                        body.insert("type".into(), kind.into());
                    }
                    format!("event: {kind}\ndata: {body}\n\n")
                };
                let message = json!({"id": "msg_demo", "type": "message", "role": "assistant", "model": "demo",
                    "content": [], "stop_reason": null, "stop_sequence": null,
                    "usage": {"input_tokens": 1, "output_tokens": 1}});
                let block = json!({"index": 0, "content_block": {"type": "text", "text": ""}});
                let end = json!({"delta": {"stop_reason": "end_turn", "stop_sequence": null},
                    "usage": {"output_tokens": 1}});
                let middle = words.map(|word| {
                    event(
                        "content_block_delta",
                        json!({"index": 0, "delta": {"type": "text_delta", "text": word}}),
                    )
                });
                [event("message_start", json!({"message": message})), event("content_block_start", block)]
                    .into_iter()
                    .chain(middle)
                    .chain([
                        event("content_block_stop", json!({"index": 0})),
                        event("message_delta", end),
                        event("message_stop", json!({})),
                    ])
                    .collect()
            }
        };
        ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response()
    }

    /// An error as the vendor words it.
    pub(super) fn refuse(self, why: Refusal) -> Response {
        let (status, kind, code, message) = match (self, why) {
            (Self::OpenAi, Refusal::NoKey) => {
                (401, "invalid_request_error", Value::Null, "You didn't provide an API key.")
            }
            (Self::OpenAi, Refusal::WrongKey) => {
                (401, "invalid_request_error", json!("invalid_api_key"), "Incorrect API key provided.")
            }
            (Self::OpenAi, Refusal::NotJson) => {
                (400, "invalid_request_error", Value::Null, "The body of the request is not JSON.")
            }
            (Self::Anthropic, Refusal::NoKey) => {
                (401, "authentication_error", Value::Null, "x-api-key header is required")
            }
            (Self::Anthropic, Refusal::WrongKey) => {
                (401, "authentication_error", Value::Null, "invalid x-api-key")
            }
            (Self::Anthropic, Refusal::NotJson) => {
                (400, "invalid_request_error", Value::Null, "The body of the request is not JSON.")
            }
        };
        let body = match self {
            Self::OpenAi => json!({"error": {"message": message, "type": kind, "param": null, "code": code}}),
            Self::Anthropic => json!({"type": "error", "error": {"type": kind, "message": message}}),
        };
        (StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED), Json(body)).into_response()
    }

    /// The text that an answer of [`Vendor::answer`] says, if `body` is one.
    pub(super) fn text_of(self, body: &Value) -> Option<&str> {
        let place = match self {
            Self::OpenAi => "/choices/0/message/content",
            Self::Anthropic => "/content/0/text",
        };
        body.pointer(place)?.as_str()
    }
}
