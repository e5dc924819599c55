//! What a token is asked for: scopes, audience, resources, further parameters.

use std::collections::BTreeMap;

use url::Url;

use super::secret::is_prefixed_key;
use crate::config::place::At;
use crate::config::raw::{Items, OneOrMore};
use crate::config::words;

/// Parameters that the protocol, or another key of the entry, decides.
const OWN: [(&str, &str); 21] = [
    ("grant_type", "the key grant"),
    ("client_id", "the secret that credential_ref names"),
    ("client_secret", "the secret that credential_ref names"),
    ("client_assertion", "the secret that credential_ref names"),
    ("client_assertion_type", "the key client_auth"),
    ("refresh_token", "the secret that credential_ref names"),
    ("scope", "the key scopes"),
    ("resource", "the key resource"),
    ("audience", "the key audience"),
    ("assertion", "the key subject_token"),
    ("requested_token_type", "nothing: an access token is asked for"),
    ("code", "nothing: no person takes part"),
    ("code_verifier", "nothing: no person takes part"),
    ("device_code", "nothing: no person takes part"),
    ("auth_req_id", "nothing: no person takes part"),
    ("redirect_uri", "nothing: no person takes part"),
    ("username", "nothing: no person takes part"),
    ("password", "nothing: no person takes part"),
    ("request", "nothing: parameters go in the body of the request"),
    ("dpop_jkt", "nothing: the token has to be a bearer token"),
    ("token", "the secret that credential_ref names"),
];
const OWN_FAMILIES: [(&str, &str); 2] =
    [("subject_token", "the key subject_token"), ("actor_token", "the key actor_token")];

/// Nobody calls something else so.
const SECRET: [&str; 4] = ["secret", "password", "api_key", "apikey"];

/// Bounds of `extra_params`.
const MOST: usize = 32;
const LONGEST: usize = 1_024;

/// Reads `scopes`. What is wrong is told and left out.
pub(super) fn scopes(raw: Option<&Items<String>>, at: &At<'_>) -> Vec<String> {
    let items = raw.into_iter().flat_map(Items::iter);
    // RFC 6749 section 3.3.
    let fit = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
    };
    let right = items.filter(|(index, text)| {
        if !fit(text) {
            at.index(*index).fault(
                "is not a scope",
                "one scope an element: printable ASCII without blanks, \" and \\".to_owned(),
            );
        }
        fit(text)
    });
    right.map(|(_, text)| text.clone()).collect()
}

/// Reads `audience`. None is told.
pub(super) fn audience(text: &str, at: &At<'_>) -> Option<String> {
    if is_printable(text) && text.len() <= LONGEST {
        return Some(text.to_owned());
    }
    at.fault("is not an audience", "at most 1024 printable characters".to_owned());
    None
}

/// Reads `resource` (RFC 8707). What is wrong is told and left out. They stay as they are written: servers compare them so.
pub(super) fn resource(raw: &OneOrMore, at: &At<'_>) -> Vec<String> {
    let one = |text: &String, at: &At<'_>| match absolute(text) {
        Ok(()) => Some(text.clone()),
        Err(what) => {
            at.fault(what, "an absolute URI without a fragment, as https://api.example.com".to_owned());
            None
        }
    };
    match raw {
        OneOrMore::One(text) => one(text, at).into_iter().collect(),
        OneOrMore::More(items) => {
            items.iter().filter_map(|(index, text)| one(text, &at.index(index))).collect()
        }
    }
}

fn absolute(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err("is empty, or has a blank, a backslash or a character outside ASCII");
    }
    let uri = Url::parse(text).map_err(|_| "is not an absolute URI")?;
    if text.contains('#') {
        return Err("has a fragment in it");
    }
    if !uri.username().is_empty() || uri.password().is_some() {
        return Err("has a user or a password in it");
    }
    Ok(())
}

/// Reads `extra_params`. What is wrong is told and left out. Values are never repeated.
pub(super) fn extra(raw: &BTreeMap<String, String>, at: &At<'_>) -> Vec<(String, String)> {
    if raw.len() > MOST {
        at.fault("has too many parameters", format!("at most {MOST}"));
    }
    let right = raw.iter().take(MOST).filter(|(name, value)| is_further(name, value, &at.key(name)));
    right.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn is_further(name: &str, value: &str, at: &At<'_>) -> bool {
    let low = name.to_ascii_lowercase();
    let own = OWN.iter().find(|(own, _)| *own == low);
    if let Some((_, decides)) =
        own.or_else(|| OWN_FAMILIES.iter().find(|(family, _)| low.starts_with(family)))
    {
        let what = format!("{} is not a further parameter", words::quoted(name));
        at.fault_at_key(what, format!("what decides it is {decides}"));
    } else if name.is_empty() || name.len() > 64 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        at.fault_at_key("is not the name of a parameter", "at most 64 printable characters".to_owned());
    } else if is_prefixed_key(value) || SECRET.iter().any(|word| low.contains(word)) {
        at.fault_at_key("looks like a secret, which belongs into the store", None);
    } else if !is_printable(value) || value.len() > LONGEST {
        at.fault("is not the value of a parameter", "at most 1024 printable characters".to_owned());
    } else {
        return true;
    }
    false
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}
