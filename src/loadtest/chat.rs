//! A chat completion of OpenAI's Python SDK behind an Envoy, and its answer: the header lines that are the same in each. Only
//! data, so that the benches, which must not pay for `Questions`, take the same file.

/// Of the request, without pseudo headers, token, and what depends on caller or body.
pub(super) const REQUEST: [(&str, &str); 15] = [
    ("accept", "application/json"),
    ("accept-encoding", "gzip, deflate"),
    ("content-type", "application/json"),
    ("user-agent", "OpenAI/Python 2.8.1"),
    ("x-stainless-lang", "python"),
    ("x-stainless-package-version", "2.8.1"),
    ("x-stainless-os", "Linux"),
    ("x-stainless-arch", "x64"),
    ("x-stainless-runtime", "CPython"),
    ("x-stainless-runtime-version", "3.12.3"),
    ("x-stainless-async", "false"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-read-timeout", "600"),
    ("x-forwarded-proto", "https"),
    ("x-request-id", "0d3b1c8e-2f5a-4b8e-9a43-9f1f6a9a3d11"),
];

/// The headers of a provider's answer.
pub(super) const RESPONSE: [(&str, &str); 12] = [
    (":status", "200"),
    ("date", "Fri, 27 Nov 2026 04:00:00 GMT"),
    ("content-type", "application/json"),
    ("openai-version", "2020-10-01"),
    ("openai-processing-ms", "412"),
    ("openai-organization", "org-of-the-provider"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-request-id", "req_4f1b2c3d4e5f60718293a4b5c6d7e8f9"),
    ("x-envoy-upstream-service-time", "431"),
    ("server", "envoy"),
];
