//! A configuration with a provider of each kind of credential, a caller, and a request.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bouncer::base::{FingerprintKey, Secret};
use bouncer::cache::{Handle, Held};
use bouncer::config::{Feedback, Limits, OnNoProvider};
use bouncer::credential::{ApiKey, AwsKeys, BEDROCK_RUNTIME, Bearer, Credential, Signer, SigningSettings};
use bouncer::identity::{Algorithm, Callers, CallersSettings, IssuerSettings, KeySet};
use bouncer::pipeline::Snapshot;
use bouncer::policy::MfaRule;
use bouncer::provider::{AuthType, Catalog, Glob, Match, Provider, ProviderKind};
use bouncer::request::{EnvoyFacts, Half, Headers, RequestView};
use bouncer::token::{Slot, Store};
use serde_json::json;

use crate::chat;

const ISSUER: &str = "https://idp.example.com";
const AUDIENCE: &str = "llm-gateway";
pub(crate) const BEDROCK: &str = "bedrock-runtime.us-east-1.amazonaws.com";

/// The headers of a chat completion of the Python SDK, the pseudo-headers aside.
pub(crate) fn headers(bearer: &str) -> impl Iterator<Item = (&str, &str)> {
    chat::REQUEST.into_iter().chain([
        ("content-length", "2411"),
        ("openai-organization", "org-of-the-caller"),
        ("cookie", "session=c2Vzc2lvbiBvZiB0aGUgY2FsbGVy"),
        ("authorization", bearer),
    ])
}

/// An issuer with a key of each kind.
pub(crate) struct Idp {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl Idp {
    pub(crate) fn new() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"),
            ed25519: Ed25519KeyPair::generate().expect("a key"),
        }
    }

    fn key_set(&self) -> KeySet {
        // RSAPublicKey of RFC 8017: for 2048 bits the modulus always stands at 9..265 and the exponent is 65537.
        let modulus = self.rsa.public_key().as_ref().get(9..265).expect("its layout");
        // SEC 1: a byte 4, x, y.
        let (x, y) = self.p256.public_key().as_ref().get(1..).expect("a point").split_at(32);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let keys = json!({"keys": [
            {"kty": "RSA", "kid": "RS256", "n": text(modulus), "e": "AQAB"},
            {"kty": "EC", "crv": "P-256", "kid": "ES256", "x": text(x), "y": text(y)},
            {"kty": "OKP", "crv": "Ed25519", "kid": "EdDSA", "x": text(self.ed25519.public_key().as_ref())},
        ]});
        KeySet::parse(keys.to_string().as_bytes()).expect("a key set")
    }

    /// `Bearer` and a token of a person with MFA, good for an hour.
    pub(crate) fn bearer(&self, algorithm: Algorithm) -> String {
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("a time").as_secs();
        let name = algorithm.name();
        let head = json!({"alg": name, "typ": "JWT", "kid": name});
        let claims = json!({
            "iss": ISSUER, "sub": "00u1a2b3c4d5e6f7g8h9", "aud": AUDIENCE,
            "iat": now, "nbf": now, "exp": now + 3600, "auth_time": now - 60,
            "jti": "5f0c6a3e-8f2b-4a63-9c5d-0e6b1f0d7a42",
            "amr": ["pwd", "otp", "mfa"], "acr": "urn:example:loa:2",
            "email": "jane.doe@example.com", "name": "Jane Doe", "groups": ["engineering", "llm-users", "search"],
        });
        let [head, claims] = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let text = format!("{head}.{claims}");
        let signature = match algorithm {
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                let random = SystemRandom::new();
                self.rsa
                    .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
                    .expect("a signature");
                signature
            }
            Algorithm::Es256 => {
                self.p256.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature").as_ref().to_vec()
            }
            _ => self.ed25519.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("Bearer {text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Those who may call; as many verified tokens are remembered.
    pub(crate) fn callers(&self, verified_tokens: usize) -> Callers {
        let issuer = IssuerSettings {
            issuer: ISSUER.into(),
            audiences: vec![AUDIENCE.to_owned()],
            jwks_uri: None,
            algorithms: Algorithm::ALL.to_vec(),
            token_from: ["authorization", "x-api-key", "api-key", "x-goog-api-key"]
                .map(str::to_owned)
                .to_vec(),
            groups_claim: Some("groups".to_owned()),
            workloads: Vec::new(),
            leeway: Duration::from_secs(30),
        };
        let settings =
            CallersSettings { jwt: vec![issuer], mtls: None, max_token: 16 << 10, verified_tokens };
        let callers = Callers::new(settings);
        callers.issuers().first().expect("one").keys.store(Some(Arc::new(self.key_set())));
        callers
    }
}

/// What people have to have done.
pub(crate) fn mfa() -> MfaRule {
    MfaRule {
        amr: vec!["mfa".to_owned()],
        acr_values: Vec::new(),
        max_age: Some(Duration::from_secs(8 * 3600)),
    }
}

/// One that signs for Bedrock.
pub(crate) fn signer() -> Signer {
    let keys = AwsKeys {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
        session_token: Some(Secret::new("t".repeat(800))),
    };
    let settings = SigningSettings { endpoint_prefix: Some(BEDROCK_RUNTIME), ..SigningSettings::default() };
    Signer::new(keys, None, Arc::new(settings))
}

/// Three providers by cluster: `api_key`, `token`, `sigv4`.
pub(crate) fn snapshot(idp: &Idp) -> Snapshot {
    let provider = |name: &str, kind, auth| Provider {
        name: name.into(),
        kind,
        auth,
        mfa: Some(mfa()),
        matches: Match { cluster: vec![Glob::new(name).expect("a name")], ..Match::default() },
    };
    let providers = vec![
        provider("api_key", ProviderKind::OpenAi, AuthType::ApiKey),
        provider("token", ProviderKind::OpenAi, AuthType::OAuth2),
        provider("sigv4", ProviderKind::Bedrock, AuthType::AwsSigV4),
    ];
    let key = Secret::new(format!("sk-proj-{}", "bench0".repeat(26)));
    let api_key = ApiKey { key, organization: None, project: None, expires_at: None };
    let kind = ProviderKind::OpenAi;
    let token = Secret::new("t".repeat(900));
    let credentials = [
        api_key.credential(kind, &kind.api_key_placement()).expect("a key"),
        Bearer { token: &token, user_project: None, beta: None }.credential().expect("a token"),
        Credential::Signer(Box::new(signer())),
    ];
    let fingerprints = FingerprintKey::random().expect("randomness");
    let slots = credentials.map(|credential| {
        let (handle, id) = (Handle::default(), credential.fingerprint(&fingerprints));
        handle.put(Held::new(credential, id, None));
        Slot::Fixed(Arc::new(handle))
    });
    Snapshot {
        generation: 1,
        catalog: Catalog::new(providers).expect("no conflicts"),
        callers: Arc::new(idp.callers(1_000)),
        tokens: Store::new(slots, fingerprints),
        feedback: vec![Feedback::Off; 3].into(),
        credential_headers: ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"]
            .map(str::to_owned)
            .to_vec(),
        clocks: Arc::default(),
        max_body: Limits::default().max_body,
        on_no_provider: OnNoProvider::Deny,
    }
}

/// A request of the bearer that is routed to this cluster.
pub(crate) fn view<'a>(cluster: &'a str, bearer: &'a str) -> RequestView<'a> {
    let (authority, path) = match cluster {
        "sigv4" => (BEDROCK, "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"),
        _ => ("llm.example.com", "/v1/chat/completions"),
    };
    let pseudo = [(":method", "POST"), (":scheme", "https"), (":authority", authority), (":path", path)];
    let lines = pseudo.into_iter().chain(headers(bearer));
    let headers: Headers<'_> = lines.map(|(name, value)| (name, value.as_bytes())).collect();
    let envoy = EnvoyFacts { cluster: Some(cluster), upstream: cluster == "sigv4", ..EnvoyFacts::default() };
    RequestView::new(headers, envoy, Half::Whole).expect("a request")
}
