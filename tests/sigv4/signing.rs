//! What every case needs: a signer, a request in words, and files that lie inside a crate that is depended on.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use bouncer::base::{Clock as _, ManualClock, Secret, UnixTime};
use bouncer::credential::{AwsKeys, ClockSkews, Signer, SigningError, SigningSettings};
use bouncer::request::{Body, EnvoyFacts, Half, NoMetadata, PeerFacts, RequestView};
use serde_json::Value;

/// A request as it leaves.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) host: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// The value of each line of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) authorization: String,
    pub(crate) date: String,
    pub(crate) token: Option<String>,
}

impl Request {
    pub(crate) fn signed_by(&self, signer: &Signer, at: UnixTime) -> Result<Lines, SigningError> {
        let envoy = EnvoyFacts {
            named_provider: None,
            cluster: None,
            route: None,
            metadata: &NoMetadata,
            peer: PeerFacts::default(),
            upstream: true,
            verified: None,
        };
        let view = RequestView {
            method: &self.method,
            authority: &self.host,
            raw_path: &self.path,
            headers: self.content_type.iter().map(|value| ("content-type", value.as_bytes())).collect(),
            envoy,
            half: Half::Whole,
            body: if self.body.is_empty() { Body::Empty } else { Body::Whole(&self.body) },
        };
        let (set, _) = signer.sign(&view, ManualClock::at(at).now(), &ClockSkews::default())?;
        let value = |name: &str| {
            let line = set.iter().find(|line| line.name == name)?;
            Some(String::from_utf8(line.value.wire().to_vec()).unwrap())
        };
        Ok(Lines {
            authorization: value("authorization").unwrap(),
            date: value("x-amz-date").unwrap(),
            token: value("x-amz-security-token"),
        })
    }
}

pub(crate) fn signer(keys: AwsKeys, region: &str, service: &str) -> Signer {
    let settings = SigningSettings {
        region: Some(region.to_owned()),
        service: Some(service.to_owned()),
        ..SigningSettings::default()
    };
    Signer::new(keys, None, Arc::new(settings))
}

pub(crate) fn keys(id: &str, secret: &str, token: Option<&str>) -> AwsKeys {
    AwsKeys {
        access_key_id: id.to_owned(),
        secret_access_key: Secret::new(secret.to_owned()),
        session_token: token.map(|token| Secret::new(token.to_owned())),
    }
}

/// Where the sources of a crate lie that is depended on.
pub(crate) fn sources_of(name: &str) -> PathBuf {
    static METADATA: OnceLock<Value> = OnceLock::new();
    let metadata = METADATA.get_or_init(|| {
        // Of the packages of other platforms nothing is there, and nothing is wanted.
        let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &platform])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    });
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == name).unwrap();
    let mut folder = PathBuf::from(package["manifest_path"].as_str().unwrap());
    folder.pop();
    folder
}

/// Unix time of `2026-01-01T00:00:00Z` and its kind.
pub(crate) fn unix(text: &str) -> UnixTime {
    let time = DateTime::from_str(text, Format::DateTime).unwrap();
    UnixTime(time.secs().try_into().unwrap())
}
