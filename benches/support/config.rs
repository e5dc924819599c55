//! Configurations of bouncer and their secrets, in a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::Failure;
use super::issuer::{AUDIENCE, Issuer};
use super::question::CLUSTER;

/// The provider's key: as long as the keys of OpenAI projects are, or a short reply would flatter the no-ops.
pub(crate) static KEY: LazyLock<String> = LazyLock::new(|| format!("sk-proj-{}", "bench0".repeat(26)));

/// The entry that a check names.
pub(crate) const ENTRY: &str = "openai-prod";

/// More entries are a file each.
const MOST_IN_A_FILE: usize = 2_000;

/// How the one entry gets its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// From a file.
    ApiKey,
    /// A token of an hour from the bench's token endpoint.
    Token,
    /// One of two seconds, renewed every second.
    ShortToken,
    /// A token, and the headers of the provider's answer are looked at.
    Feedback,
}

/// Writes a configuration with `entries` entries, one of them for [`CLUSTER`], into `folder`.
///
/// # Returns
/// The file.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write(
    folder: &Path,
    issuer: &Issuer,
    credential: Credential,
    entries: usize,
) -> Result<PathBuf, Failure> {
    write_with(folder, issuer, credential, entries, &json!({}))
}

/// The same with these `limits`.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write_with(
    folder: &Path,
    issuer: &Issuer,
    credential: Credential,
    count: usize,
    limits: &Value,
) -> Result<PathBuf, Failure> {
    let secret = folder.join("secrets/openai-credential");
    fs::create_dir_all(&secret)?;
    for (key, value) in
        [("api_key", KEY.as_str()), ("client_id", "bench"), ("client_secret", "secret of bench")]
    {
        let file = secret.join(key);
        // Written once: a secret that is written again is a change.
        if !file.exists() {
            fs::write(file, value)?;
        }
    }
    let first = entry(ENTRY, CLUSTER, issuer, credential);
    let more = (1..count)
        .map(|number| entry(&format!("openai-{number:05}"), &cluster(number), issuer, Credential::ApiKey));
    let mut entries = vec![first];
    // A file holds 1 MiB.
    let apart = (count > MOST_IN_A_FILE).then(|| folder.join("entries"));
    match &apart {
        None => entries.extend(more),
        Some(apart) => {
            fs::create_dir_all(apart)?;
            for (number, entry) in more.enumerate() {
                fs::write(apart.join(format!("{number:05}.yaml")), entry.to_string())?;
            }
        }
    }
    let socket = folder.join("bouncer.sock");
    let mut config = json!({
        "listen": {"grpc": ["127.0.0.1:0", format!("unix:{}", socket.display())]},
        "admin": {"listen": "127.0.0.1:0"},
        "callers": {"jwt": [{
            "issuer": issuer.issuer, "audiences": [AUDIENCE], "jwks_uri": issuer.jwks_uri,
            "algorithms": ["RS256", "EdDSA"],
        }]},
        "mfa": {"amr": ["mfa"], "max_age": "8h"},
        "providers": entries,
        "limits": limits,
        "secrets": {"store": "file", "file": {"root": "secrets"}},
    });
    if let (Some(_), Some(fields)) = (apart, config.as_object_mut()) {
        fields.insert("providers_dir".to_owned(), "entries".into());
    }
    let file = folder.join("bouncer.yaml");
    // Put in place at once: half a configuration would be taken for a bad one.
    let new = folder.join("bouncer.yaml.new");
    fs::write(&new, config.to_string())?;
    fs::rename(&new, &file)?;
    Ok(file)
}

/// The cluster of the entry with this number.
#[must_use]
pub(crate) fn cluster(number: usize) -> String {
    if number == 0 { CLUSTER.to_owned() } else { format!("openai-{number:05}") }
}

fn entry(name: &str, cluster: &str, issuer: &Issuer, credential: Credential) -> Value {
    let mut entry = json!({
        "name": name, "provider": "openai", "credential_ref": "openai-credential", "mfa_required": true,
        "match": {"cluster": [cluster]},
    });
    let endpoint = match credential {
        Credential::ApiKey => None,
        Credential::Token | Credential::Feedback => Some(issuer.token_endpoint()),
        Credential::ShortToken => Some(issuer.short_token_endpoint()),
    };
    if let Some(fields) = entry.as_object_mut() {
        match endpoint {
            None => {
                fields.insert("auth_type".to_owned(), "api_key".into());
            }
            Some(endpoint) => {
                let feedback = if credential == Credential::Feedback { "answer" } else { "off" };
                fields.insert("auth_type".to_owned(), "oauth2".into());
                fields.insert("token_endpoint".to_owned(), endpoint.into());
                fields.insert("feedback".to_owned(), feedback.into());
            }
        }
    }
    entry
}
