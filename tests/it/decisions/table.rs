//! The cases: who calls, with which proof of MFA, for what, and what they try to smuggle in.

use crate::support::{Request, World};

use Expected::{Allowed, NotServed, Refused};

/// What must come out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    /// The service answers, with its own key and nothing of the caller's.
    Allowed,
    /// This status and this code, and nothing arrives.
    Refused(u16, &'static str),
    /// Refused by bouncer or by Envoy before it, and nothing arrives.
    NotServed,
}

/// One line of the table: what is said of it, which service is asked, by which request, what comes out.
pub(super) type Case = (&'static str, &'static str, fn(&World) -> Request, Expected);

const MISSING: Expected = Refused(401, "missing_token");
const INVALID: Expected = Refused(401, "invalid_token");
const STEP_UP: Expected = Refused(401, "insufficient_user_authentication");
const MALFORMED: Expected = Refused(400, "invalid_request");

pub(super) const WHO: &[Case] = &[
    ("a person with a token", "openai", |w| chat().bearer(&w.token("alice")), Allowed),
    ("a token signed with ES256", "openai", |w| chat().bearer(&w.token("alice-es256")), Allowed),
    ("a workload", "openai", |w| chat().bearer(&w.token("batch")), Allowed),
    (
        "scheme in lower case",
        "openai",
        |w| chat().header("authorization", format!("bearer {}", w.token("alice"))),
        Allowed,
    ),
    (
        "token where azure's SDK puts its key",
        "azure",
        |w| chat().header("api-key", w.token("alice")),
        Allowed,
    ),
    (
        "token where anthropic's SDK puts its key",
        "anthropic",
        |w| message().header("x-api-key", w.token("alice")),
        Allowed,
    ),
    (
        "token where google's SDK puts its key",
        "openai",
        |w| chat().header("x-goog-api-key", w.token("alice")),
        Allowed,
    ),
    ("token in another header than the key's", "azure", |w| chat().bearer(&w.token("alice")), Allowed),
    ("no token", "openai", |_| chat(), MISSING),
    ("no token at anthropic", "anthropic", |_| message(), MISSING),
    (
        "a token in the query",
        "openai",
        |w| post(&format!("{CHAT}?access_token={}", w.token("alice"))),
        MISSING,
    ),
    (
        "a token in a cookie",
        "openai",
        |w| chat().header("cookie", format!("token={}", w.token("alice"))),
        MISSING,
    ),
    (
        "a certificate that the caller made up",
        "openai",
        |_| chat().header("x-forwarded-client-cert", XFCC),
        MISSING,
    ),
    ("no JWT at all", "openai", |_| chat().bearer("sk-a-key-of-the-callers-own"), INVALID),
    ("another audience", "openai", |w| chat().bearer(&w.token_for("alice", "other")), INVALID),
    ("expired", "openai", |w| chat().bearer(&w.token("alice-expired")), INVALID),
    ("a changed signature", "openai", |w| chat().bearer(&with_part(&w.token("alice"), 2, flipped)), INVALID),
    (
        "claims of another token",
        "openai",
        |w| chat().bearer(&with_part(&w.token("alice"), 1, |_| part(&w.token("batch"), 1))),
        INVALID,
    ),
    (
        "alg none",
        "openai",
        |w| chat().bearer(&with_part(&w.token("alice"), 0, |_| ALG_NONE.to_owned())),
        INVALID,
    ),
    ("another scheme", "openai", |_| chat().header("authorization", "Basic YWxpY2U6c2VjcmV0"), INVALID),
    (
        "two authorization headers",
        "openai",
        |w| chat().bearer(&w.token("alice")).bearer(&w.token("batch")),
        INVALID,
    ),
    (
        "two tokens in two headers",
        "openai",
        |w| chat().bearer(&w.token("alice")).header("x-api-key", w.token("batch")),
        INVALID,
    ),
    (
        "a token that is not text",
        "openai",
        |_| chat().header("authorization", b"Bearer \xff\xfe.a.b"),
        NotServed,
    ),
];

pub(super) const MFA: &[Case] = &[
    ("amr has mfa", "openai-mfa", |w| chat().bearer(&w.token("alice-mfa")), Allowed),
    ("acr alone", "openai-mfa", |w| chat().bearer(&w.token("alice-acr")), Allowed),
    ("one factor", "openai-mfa", |w| chat().bearer(&w.token("alice")), STEP_UP),
    ("too long ago", "openai-mfa", |w| chat().bearer(&w.token("alice-stale")), STEP_UP),
    ("nobody knows when", "openai-mfa", |w| chat().bearer(&w.token("alice-timeless")), STEP_UP),
    (
        "a workload, never",
        "openai-mfa",
        |w| chat().bearer(&w.token("batch")),
        Refused(403, "mfa_not_possible"),
    ),
    ("no token is no step-up", "openai-mfa", |_| chat(), MISSING),
];

pub(super) const WHERE: &[Case] = &[
    ("nobody's", "nobody", |w| chat().bearer(&w.token("alice")), Refused(403, "no_provider")),
    (
        "a provider that the caller names",
        "nobody",
        |w| chat().bearer(&w.token("alice")).header("x-bouncer-provider", "openai"),
        Refused(403, "no_provider"),
    ),
    (
        "a plain path with a query",
        "openai",
        |w| post("/v1/models/?next=//a/../b").bearer(&w.token("alice")),
        Allowed,
    ),
    ("an encoded slash", "openai", |w| post("/v1/chat%2Fcompletions").bearer(&w.token("alice")), MALFORMED),
    (
        "a doubly encoded slash",
        "openai",
        |w| post("/v1/chat%252Fcompletions").bearer(&w.token("alice")),
        MALFORMED,
    ),
    ("an empty segment", "openai", |w| post("/v1//chat/completions").bearer(&w.token("alice")), MALFORMED),
    ("a dot segment", "openai", |w| post("/v1/../v1/chat/completions").bearer(&w.token("alice")), MALFORMED),
    ("an encoded dot segment", "openai", |w| post("/v1/%2e%2e/v1/chat").bearer(&w.token("alice")), MALFORMED),
    ("a path parameter", "openai", |w| post("/v1;a=b/chat").bearer(&w.token("alice")), MALFORMED),
    ("a backslash", "openai", |w| post("/v1\\chat").bearer(&w.token("alice")), NotServed),
    ("an encoded NUL", "openai", |w| post("/v1/chat%00").bearer(&w.token("alice")), MALFORMED),
    ("a fragment", "openai", |w| post("/v1/chat#x").bearer(&w.token("alice")), NotServed),
    (
        "a tunnel",
        "openai",
        |w| Request::new("CONNECT", "openai.llm.example:443").bearer(&w.token("alice")),
        NotServed,
    ),
];

pub(super) const SMUGGLED: &[Case] = &[
    (
        "lenient spellings",
        "anthropic",
        |w| {
            ["X_Api_Key", "x.api.key", "X_API.KEY", "x_goog_api_key", "Api_Key"]
                .iter()
                .fold(message().bearer(&w.token("alice")), |request, name| request.header(name, MINE))
        },
        Allowed,
    ),
    (
        "credentials of every vendor",
        "openai",
        |w| {
            [
                "proxy-authorization",
                "ocp-apim-subscription-key",
                "x-amz-security-token",
                "x-amz-date",
                "x-goog-user-project",
                "openai-organization",
                "openai-project",
                "anthropic-workspace-id",
                "cookie",
                "x-forwarded-client-cert",
                "OpenAI_Organization",
                "X_Amz_Security_Token",
            ]
            .iter()
            .fold(chat().bearer(&w.token("alice")), |request, name| request.header(name, MINE))
        },
        Allowed,
    ),
    (
        "the same name twice",
        "openai",
        |w| chat().bearer(&w.token("alice")).header("openai-project", MINE).header("OpenAI-Project", MINE),
        Allowed,
    ),
    (
        "a blank after the name",
        "openai",
        |w| chat().bearer(&w.token("alice")).header("x-api-key ", MINE),
        NotServed,
    ),
    (
        "a path that the caller says it had before",
        "openai",
        |w| {
            ["x-envoy-original-path", "x-original-url", "x-rewrite-url", "x-forwarded-uri"]
                .iter()
                .fold(chat().bearer(&w.token("alice")), |request, name| request.header(name, "/v1//x"))
        },
        Allowed,
    ),
    (
        "hints at another provider and another caller",
        "openai",
        |w| {
            ["x-tenant", "x-ai-provider", "x-bouncer-provider", "x-bouncer-half", "x-model", "x-user"]
                .iter()
                .fold(chat().bearer(&w.token("alice")), |request, name| request.header(name, "azure"))
        },
        Allowed,
    ),
    (
        "a body that names another service",
        "openai",
        |w| {
            let body = r#"{"model":"anthropic/claude","api_base":"http://169.254.169.254","base_url":"x"}"#;
            Request::post(CHAT, body).bearer(&w.token("alice"))
        },
        Allowed,
    ),
    (
        "a retry that the caller made up",
        "openai",
        |w| chat().bearer(&w.token("alice")).header("x-envoy-attempt-count", "7"),
        Allowed,
    ),
];

const CHAT: &str = "/v1/chat/completions";
const MINE: &str = "a-credential-of-the-callers-own";
const XFCC: &str = "Hash=00;URI=spiffe://mesh.example/ns/jobs/sa/batch";
/// `{"alg":"none"}`
const ALG_NONE: &str = "eyJhbGciOiJub25lIn0";

fn post(path: &str) -> Request {
    Request::post(path, r#"{"model":"m","messages":[]}"#).header("content-type", "application/json")
}

fn chat() -> Request {
    post(CHAT)
}

fn message() -> Request {
    post("/v1/messages")
}

fn part(token: &str, n: usize) -> String {
    token.split('.').nth(n).unwrap().to_owned()
}

fn with_part(token: &str, n: usize, change: impl Fn(String) -> String) -> String {
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts[n] = change(parts[n].clone());
    parts.join(".")
}

/// Another first letter: the last one may hold bits that nobody reads.
fn flipped(text: String) -> String {
    let first = if text.starts_with('A') { "B" } else { "A" };
    format!("{first}{}", &text[1..])
}
