//! What is left of a request when the mutation was done.

use proptest::prelude::*;

use super::*;
use crate::base::{Secret, SecretBytes};
use crate::credential::{ApiKey, Bearer};
use crate::provider::ProviderKind;

/// PROVIDERS section 1, once more and in one row, so that a name lost in the code is missed here.
const NAMES: [&str; 10] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "ocp-apim-subscription-key",
    "openai-organization",
    "openai-project",
    "anthropic-workspace-id",
    "x-forwarded-client-cert",
    "cookie",
];
const FAMILIES: [&str; 3] = ["x-amz-", "x-goog-", "x-aigw-"];

type Line = (String, Vec<u8>);

fn lines_of(credential: Credential) -> Lines {
    match credential {
        Credential::Lines(lines) => lines,
        Credential::Signer(_) => panic!("signs nothing"),
    }
}

fn api_key(kind: ProviderKind) -> Lines {
    let key =
        ApiKey { key: secret("sk-1"), organization: Some(secret("org-1")), project: None, expires_at: None };
    lines_of(key.credential(kind, &kind.api_key_placement()).unwrap())
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// Does to `lines` what Envoy does: removes every line of a name, then writes each set header over what is there.
fn applied(lines: &[Line], mutation: &HeaderMutation<'_>) -> Vec<Line> {
    let gone = |name: &str| {
        mutation.remove.iter().any(|removed| removed.eq_ignore_ascii_case(name.as_bytes()))
            || mutation.set.iter().any(|set| set.name.eq_ignore_ascii_case(name.as_bytes()))
    };
    let mut left: Vec<Line> = lines.iter().filter(|(name, _)| !gone(name)).cloned().collect();
    for set in &mutation.set {
        left.push((String::from_utf8(set.name.to_vec()).unwrap(), set.value.wire().to_vec()));
    }
    left
}

fn headers(lines: &[Line]) -> Headers<'_> {
    lines.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
}

fn lines(list: &[(&str, &str)]) -> Vec<Line> {
    list.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

/// What arrives at the provider of what the caller sent.
#[track_caller]
fn check(kind: ProviderKind, sent: &[(&str, &str)], arrives: &[(&str, &str)]) {
    let sent = lines(sent);
    let mutation = exchange(&api_key(kind), &["x-caller-token".to_owned()], &headers(&sent));
    assert_eq!(applied(&sent, &mutation), lines(arrives));
}

#[test]
fn the_provider_sees_its_own_key_once_and_nothing_of_the_callers() {
    check(
        ProviderKind::OpenAi,
        &[
            (":path", "/v1/responses"),
            ("authorization", "Bearer caller"),
            ("x-stainless-lang", "python"),
            ("authorization", "Bearer caller-2"),
            ("openai-organization", "theirs"),
            ("openai-project", "theirs"),
            ("x-caller-token", "t"),
        ],
        &[
            (":path", "/v1/responses"),
            ("x-stainless-lang", "python"),
            ("authorization", "Bearer sk-1"),
            ("openai-organization", "org-1"),
        ],
    );
    check(
        ProviderKind::AzureOpenAi,
        &[("authorization", "Bearer caller"), ("Api_Key", "caller"), ("api-key", "a,b"), ("user-agent", "x")],
        &[("user-agent", "x"), ("api-key", "sk-1")],
    );
}

#[test]
fn anthropic_gets_a_version_unless_the_caller_sent_one() {
    check(
        ProviderKind::Anthropic,
        &[("x-api-key", "caller")],
        &[("x-api-key", "sk-1"), ("anthropic-version", "2023-06-01")],
    );
    check(
        ProviderKind::Anthropic,
        &[("anthropic-version", "2099-01-01"), ("anthropic-beta", "a,b")],
        &[("anthropic-version", "2099-01-01"), ("anthropic-beta", "a,b"), ("x-api-key", "sk-1")],
    );
}

#[test]
fn every_lenient_spelling_of_every_stripped_name_is_removed() {
    let members =
        ["x-amz-security-token", "x-amz-date", "x-goog-user-project", "x-goog-api-key", "x-aigw-key"];
    for name in NAMES.into_iter().chain(members) {
        let spellings = [
            name.to_owned(),
            name.to_uppercase(),
            name.replace('-', "_"),
            name.replace('-', "."),
            format!(" {name}\t"),
        ];
        for spelling in spellings {
            let sent = vec![(spelling.clone(), b"secret".to_vec())];
            assert_eq!(strip(&[], &headers(&sent)).remove.as_slice(), [spelling.as_bytes()]);
        }
    }
}

#[test]
fn names_that_only_resemble_a_credential_stay() {
    for name in [
        "authorizations",
        "x-authorization-time",
        "api-keys",
        "xapi-key",
        "x-amzn-trace-id",
        "x-google",
        "cookie2",
        "x-amz",
        "anthropic-version",
        "anthropic-beta",
        "openai-beta",
        "set-cookie",
        "content-type",
        "accept",
        "",
        " ",
        ":authority",
        "x-request-id",
        "x-forwarded-for",
        "proxy-connection",
    ] {
        let sent = vec![(name.to_owned(), Vec::new())];
        assert!(strip(&[], &headers(&sent)).remove.is_empty(), "{name}");
    }
}

#[test]
fn token_headers_are_removed_however_the_operator_wrote_them() {
    let sent = lines(&[("my-token", "1"), ("My.Token", "2"), ("my-token", "3"), ("my-tokens", "4")]);
    let found = strip(&["My_Token".to_owned()], &headers(&sent));
    assert_eq!(found.remove.as_slice(), [b"my-token", b"My.Token"]);
}

#[test]
fn the_credentials_own_header_is_replaced_in_every_spelling() {
    for name in ["x-llm-key", "x_llm.key"] {
        let value = HeaderValue::Sensitive(SecretBytes::new(b"ours".to_vec()));
        let set = Box::new([SetHeader { name: Bytes::from_static(name.as_bytes()), value }]);
        let credential = Lines { set, default: Box::default(), listed: None };
        let sent = lines(&[("x-llm-key", "1"), ("X_LLM_Key", "2"), ("x_llm.key", "3"), ("x-llm-keys", "4")]);
        let mutation = exchange(&credential, &[], &headers(&sent));
        assert_eq!(applied(&sent, &mutation), lines(&[("x-llm-keys", "4"), (name, "ours")]));
    }
}

/// What becomes of the caller's flags beside a token that needs one.
#[track_caller]
fn flags(sent: &[&str], arrive: &[&str]) {
    let (token, beta) = (secret("t"), Some("oauth-2025-04-20"));
    let credential = Bearer { token: &token, user_project: None, beta }.credential().unwrap();
    let credential = lines_of(credential);
    let named = |values: &[&str]| -> Vec<Line> {
        values.iter().map(|value| ("anthropic-beta".to_owned(), value.as_bytes().to_vec())).collect()
    };
    let sent = named(sent);
    let mutation = exchange(&credential, &[], &headers(&sent));
    let mut left = applied(&sent, &mutation);
    // Without a version Anthropic takes no token either.
    assert_eq!(left.iter().filter(|(name, _)| name == "anthropic-version").count(), 1);
    left.retain(|(name, _)| name == "anthropic-beta");
    assert_eq!(left, named(arrive));
}

#[test]
fn the_flag_that_a_token_needs_stands_beside_the_callers_own_and_once() {
    let ours = "oauth-2025-04-20";
    flags(&[], &[ours]);
    flags(&[""], &[ours]);
    flags(&[" , ,"], &[ours]);
    flags(&["a"], &["a,oauth-2025-04-20"]);
    flags(&["a, b ", "c"], &["a,b,c,oauth-2025-04-20"]);
    // As it came, lines and blanks too.
    flags(&["a , oauth-2025-04-20", "b"], &["a , oauth-2025-04-20", "b"]);
    flags(&["oauth-2025-04-20,a,oauth-2025-04-20"], &["a,oauth-2025-04-20"]);
    flags(&[ours, ours], &[ours]);
}

#[test]
fn a_flag_that_only_contains_the_other_is_another() {
    flags(&["x-oauth-2025-04-20"], &["x-oauth-2025-04-20,oauth-2025-04-20"]);
    flags(&["oauth-2025-04-201,oauth"], &["oauth-2025-04-201,oauth,oauth-2025-04-20"]);
    flags(&["OAUTH-2025-04-20"], &["OAUTH-2025-04-20,oauth-2025-04-20"]);
}

#[test]
fn a_mutation_prints_no_key() {
    let sent = lines(&[("authorization", "Bearer caller-secret")]);
    let text = format!("{:?}", exchange(&api_key(ProviderKind::OpenAi), &[], &headers(&sent)));
    assert!(!text.contains("sk-1") && !text.contains("org-1") && !text.contains("caller-secret"), "{text}");
}

/// Names that are credentials, in spellings that servers forgive, and names that are none.
fn any_name() -> impl Strategy<Value = String> {
    let known = prop::sample::select(
        [
            NAMES.as_slice(),
            &["x-amz-date", "X-Goog-x", "x-aigw-1", "my-token", "x-request-id", "x-amz", "accept"],
        ]
        .concat(),
    );
    let known =
        (known, prop::collection::vec(0..6_u8, 40), prop::bool::ANY).prop_map(|(name, changes, blank)| {
            let mut name: String = name
                .chars()
                .zip(changes)
                .map(|(letter, change)| match (letter, change) {
                    ('-', 0) => '_',
                    ('-', 1) => '.',
                    (letter, 2) => letter.to_ascii_uppercase(),
                    (letter, _) => letter,
                })
                .collect();
            if blank {
                name.push(' ');
            }
            name
        });
    prop_oneof![known, "[a-zA-Z_.:-]{0,12}", "\\PC{0,6}"]
}

proptest! {
    #[test]
    fn no_credential_of_the_caller_survives_and_every_other_line_does(
        sent in prop::collection::vec((any_name(), prop::collection::vec(any::<u8>(), 0..4)), 0..30),
        kind in prop::sample::select(vec![
            ProviderKind::OpenAi, ProviderKind::AzureOpenAi, ProviderKind::Anthropic, ProviderKind::Custom,
        ]),
    ) {
        let credential = api_key(kind);
        let mutation = exchange(&credential, &["my-token".to_owned()], &headers(&sent));
        let mut left = applied(&sent, &mutation);
        for set in credential.set.iter().chain(&credential.default) {
            let name = str::from_utf8(&set.name).unwrap();
            let ours = left.iter().filter(|(left, _)| left.trim_ascii().eq_ignore_ascii_case(name)).count();
            prop_assert_eq!(ours, 1, "{} is there once", name);
            left.retain(|(left, value)| left != name || *value != set.value.wire());
        }
        // Said in another way than `Sent` says it.
        let secret = |name: &str| {
            let folded = name.trim_ascii().to_ascii_lowercase().replace(['_', '.'], "-");
            NAMES.contains(&folded.as_str()) || folded == "my-token"
                || FAMILIES.iter().any(|family| folded.starts_with(family))
        };
        let harmless: Vec<Line> = sent.iter().filter(|(name, _)| !secret(name)).cloned().collect();
        prop_assert_eq!(left, harmless);
    }
}
