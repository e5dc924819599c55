//! The real clients of Bedrock, run by `tests/aws/clients.py`.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::AccessKey;
use crate::support::tool;

/// A model id with a colon: boto3 sends `%3A`, the anthropic client `:`.
pub(crate) const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
/// An ARN, whose slash is `%2F` on the wire.
pub(crate) const PROFILE_ARN: &str =
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123";

/// A client and what it shows of itself.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    base_url: String,
    environment: Vec<(&'static str, String)>,
    arguments: Vec<String>,
}

impl Client {
    /// What every operation is called; the first four are boto3's.
    pub(crate) const ALL: [&'static str; 6] = [
        "boto3-invoke",
        "boto3-invoke-stream",
        "boto3-converse",
        "boto3-converse-stream",
        "anthropic-create",
        "anthropic-stream",
    ];

    /// With a bearer token, as for a Bedrock API key. boto3 wants an https URL for it.
    pub(crate) fn bearer(base_url: &str, token: &str) -> Self {
        Self::with(base_url, vec![("AWS_BEARER_TOKEN_BEDROCK", token.to_owned())])
    }

    /// Signing by itself.
    pub(crate) fn signing(base_url: &str, key: &AccessKey) -> Self {
        let mut environment =
            vec![("AWS_ACCESS_KEY_ID", key.id.clone()), ("AWS_SECRET_ACCESS_KEY", key.secret.clone())];
        environment.extend(key.token.iter().map(|token| ("AWS_SESSION_TOKEN", token.clone())));
        Self::with(base_url, environment)
    }

    fn with(base_url: &str, environment: Vec<(&'static str, String)>) -> Self {
        Self { base_url: base_url.to_owned(), environment, arguments: Vec::new() }.region("us-east-1")
    }

    /// Trusts this certificate authority and no other.
    pub(crate) fn trusting(mut self, ca: PathBuf) -> Self {
        let ca = ca.into_os_string().into_string().unwrap();
        self.environment.extend([("AWS_CA_BUNDLE", ca.clone()), ("SSL_CERT_FILE", ca)]);
        self
    }

    /// The region of its scope; us-east-1 otherwise.
    pub(crate) fn region(mut self, region: &str) -> Self {
        // The anthropic client's name for it, and boto3's.
        self.environment.extend(["AWS_REGION", "AWS_DEFAULT_REGION"].map(|name| (name, region.to_owned())));
        self
    }

    /// A prompt of so many bytes.
    pub(crate) fn prompt_of(mut self, bytes: usize) -> Self {
        self.arguments.extend(["--prompt-bytes".to_owned(), bytes.to_string()]);
        self
    }

    /// boto3 only: the body is changed after it was signed.
    pub(crate) fn tampering(mut self) -> Self {
        self.arguments.push("--tamper".to_owned());
        self
    }

    /// Runs one of [`Client::ALL`]. The answer has `text` and `pieces`, or `class`, `code`, `status` and `message` of the
    /// exception.
    pub(crate) fn ask(&self, operation: &str, model: &str) -> Value {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aws/clients.py");
        let mut command = Command::new(tool("aws/bin/python"));
        command.args([script, operation, &self.base_url, model]).args(&self.arguments);
        // Nothing of the machine's own AWS.
        command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        let output = command.envs(self.environment.iter().cloned()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{operation}: {errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}
