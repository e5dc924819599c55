//! STS in front of `moto`: it writes down what was asked and is strict where `moto` is not: the time of a signature, an
//! external id that is missing, an hour at most for chained roles, the token of a web identity. The rest is `moto`'s.

use std::collections::{HashMap, VecDeque};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use super::super::{Answer, Idp, Request, http, local, send, unix_now};
use super::bedrock::KeySource;
use super::moto::{Moto, Signer};
use super::{AccessKey, Arrived, Failure, Fault, Key, Verifier, encoding, instant};

/// A running endpoint. It ends with the value; its `moto` must live longer.
pub(crate) struct Sts {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

/// One action that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) action: String,
    /// The form, decoded: `Tags.member.1.Key` and the like.
    pub(crate) fields: HashMap<String, String>,
    /// Who signed; nobody signs for a web identity.
    pub(crate) access_key_id: Option<String>,
    pub(crate) status: u16,
    /// When it came, in seconds of Unix time.
    pub(crate) at: f64,
}

struct Shared {
    moto: SocketAddr,
    admin: Signer,
    keys: KeySource,
    verifier: Verifier,
    external_ids: Mutex<HashMap<String, String>>,
    issuer: Mutex<Option<(String, SocketAddr)>>,
    failures: Mutex<VecDeque<Failure>>,
    lives: Mutex<Option<i64>>,
    asked: Mutex<Vec<Asked>>,
    /// When sessions end whose life was shortened, in seconds of Unix time.
    ends: Mutex<HashMap<String, i64>>,
    /// Keys of sessions, which do not change.
    known: Mutex<HashMap<String, Key>>,
    over: AtomicBool,
}

impl Sts {
    /// In this region.
    pub(crate) fn start(moto: &Moto, region: &str) -> Self {
        let listener = TcpListener::bind(local(0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            moto: moto.address,
            admin: moto.signer(),
            keys: Box::new(moto.key_source()),
            verifier: Verifier::new(region, "sts"),
            external_ids: Mutex::default(),
            issuer: Mutex::default(),
            failures: Mutex::default(),
            lives: Mutex::default(),
            asked: Mutex::default(),
            ends: Mutex::default(),
            known: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Who assumes this role must show this external id.
    pub(crate) fn require_external_id(&self, role: &str, external_id: &str) {
        self.shared.external_ids.lock().unwrap().insert(Moto::role_arn(role), external_id.to_owned());
    }

    /// Takes web identities of this issuer whose audience is `sts.amazonaws.com`, for roles of
    /// [`Moto::web_identity_role`].
    pub(crate) fn trust_issuer(&self, idp: &Idp) {
        *self.shared.issuer.lock().unwrap() = Some((idp.issuer.clone(), idp.address));
    }

    /// Credentials that are handed out from now on expire after so many seconds, whatever was asked for.
    pub(crate) fn sessions_live(&self, seconds: i64) {
        *self.shared.lives.lock().unwrap() = Some(seconds);
    }

    /// Keys as `moto` has them, without the sessions that have ended.
    pub(crate) fn key_source(&self) -> impl Fn(&str) -> Option<Key> + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move |id| shared.key(id)
    }

    /// The next actions are answered so, one each.
    pub(crate) fn fail_next(&self, failures: impl IntoIterator<Item = Failure>) {
        self.shared.failures.lock().unwrap().extend(failures);
    }

    /// One action with these credentials.
    pub(crate) fn call(&self, key: &AccessKey, action: &str, fields: &[(&str, &str)]) -> Answer {
        Signer { key: key.clone() }.call(self.address, "sts", action, fields)
    }

    /// What was asked for so far, taken away.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.shared.asked.lock().unwrap())
    }
}

impl Drop for Sts {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl Asked {
    /// A field, empty where it is not there.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

fn serve(mut stream: &TcpStream, shared: &Shared) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (first, headers) = http::head(&mut reader).ok()?;
        let body = http::body(&mut reader, &headers).ok()?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let request = Arrived { method, target, headers: &headers, body: &body };
        let fields = form(&body);
        let action = fields.get("Action").cloned().unwrap_or_default();
        let mut asked = Asked { action, fields, access_key_id: None, status: 200, at: unix_now() };
        let text = match shared.answer(&request, &mut asked) {
            Ok(text) => text,
            Err(failure) => {
                asked.status = failure.status;
                format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                     <Code>{}</Code><Message>{}</Message></Error><RequestId>0</RequestId></ErrorResponse>",
                    failure.kind, failure.message
                )
            }
        };
        let (status, length) = (asked.status, text.len());
        shared.asked.lock().unwrap().push(asked);
        write!(
            stream,
            "HTTP/1.1 {status} .\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\n\r\n{text}"
        )
        .ok()?;
    }
}

impl Shared {
    fn answer(&self, request: &Arrived<'_>, asked: &mut Asked) -> Result<String, Failure> {
        if let Some(failure) = self.failures.lock().unwrap().pop_front() {
            return Err(failure);
        }
        let text = if asked.action == "AssumeRoleWithWebIdentity" {
            self.web_identity(asked)?
        } else {
            let signer = self.signer(request)?;
            let id = asked.access_key_id.insert(signer);
            // Keys of assumed roles begin so, and roles assumed with them are chained.
            let long = asked.fields.get("DurationSeconds").and_then(|text| text.parse().ok()) > Some(3600);
            if id.starts_with("ASIA") && long {
                let message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
                return Err(Failure::new(400, "ValidationError", message));
            }
            let required = self.external_ids.lock().unwrap().get(asked.field("RoleArn")).cloned();
            if required.is_some_and(|required| asked.field("ExternalId") != required) {
                return Err(Failure::new(
                    403,
                    "AccessDenied",
                    "User is not authorized to perform: sts:AssumeRole",
                ));
            }
            self.forward(asked)
        };
        Ok(self.aged(text))
    }

    /// The same action for `moto`, signed anew with the caller's key: `moto` takes the form in one spelling only.
    fn forward(&self, asked: &mut Asked) -> String {
        let id = asked.access_key_id.clone().unwrap_or_default();
        let Some(Key { secret, token }) = self.key(&id) else {
            panic!("{id} was verified");
        };
        let signer = Signer { key: AccessKey { id, secret, token } };
        let fields = asked.fields.iter().filter(|(name, _)| !["Action", "Version"].contains(&name.as_str()));
        let fields: Vec<_> = fields.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = signer.call(self.moto, "sts", &asked.action, &fields);
        asked.status = answer.status;
        answer.text()
    }

    fn key(&self, id: &str) -> Option<Key> {
        if self.has_ended(id) {
            return None;
        }
        let known = self.known.lock().unwrap().get(id).cloned();
        known.or_else(|| {
            let key = (self.keys)(id)?;
            if id.starts_with("ASIA") {
                self.known.lock().unwrap().insert(id.to_owned(), key.clone());
            }
            Some(key)
        })
    }

    /// A second is what is cut off when an end is written.
    fn has_ended(&self, id: &str) -> bool {
        self.ends.lock().unwrap().get(id).is_some_and(|end| (*end as f64) + 1.0 <= unix_now())
    }

    fn signer(&self, request: &Arrived<'_>) -> Result<String, Failure> {
        let verdict = self.verifier.verify(request, |id| self.key(id), unix_now() as i64);
        verdict.map(|verified| verified.access_key_id).map_err(|fault| {
            let kind = match fault {
                Fault::Missing => "MissingAuthenticationToken",
                Fault::Incomplete(_) => "IncompleteSignature",
                Fault::UnknownKey(ref id) if self.has_ended(id) => "ExpiredToken",
                Fault::UnknownKey(_) | Fault::Token(_) => "InvalidClientTokenId",
                _ => "SignatureDoesNotMatch",
            };
            Failure::new(403, kind, &format!("{fault:?}").replace(['<', '>', '&'], "."))
        })
    }

    /// Verifies the token, and has the administrator assume the role.
    fn web_identity(&self, asked: &mut Asked) -> Result<String, Failure> {
        let refusal = |what: String| Failure::new(400, "InvalidIdentityToken", &what);
        let issuer = self.issuer.lock().unwrap().clone();
        let (issuer, address) = issuer.ok_or_else(|| refusal("no issuer is trusted".to_owned()))?;
        let token = asked.field("WebIdentityToken");
        let header = decode_header(token).map_err(|error| refusal(error.to_string()))?;
        let path =
            issuer.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        let request =
            Request::get(&format!("/{path}/jwks").replace("//", "/")).header("host", address.to_string());
        let keys: JwkSet = serde_json::from_slice(&send(address, &request).body).unwrap();
        let key = header.kid.as_deref().and_then(|kid| keys.find(kid));
        let key = key.ok_or_else(|| refusal("another issuer's key".to_owned()))?;
        let mut wanted = Validation::new(header.alg);
        wanted.set_audience(&["sts.amazonaws.com"]);
        wanted.set_issuer(&[&issuer]);
        let key = DecodingKey::from_jwk(key).unwrap();
        decode::<Value>(token, &key, &wanted).map_err(|error| refusal(error.to_string()))?;
        let fields: Vec<_> = ["RoleArn", "RoleSessionName", "DurationSeconds"]
            .into_iter()
            .filter_map(|name| Some((name, asked.fields.get(name)?.as_str())))
            .collect();
        let answer = self.admin.call(self.moto, "sts", "AssumeRole", &fields);
        asked.status = answer.status;
        let named = |text: String, tag: &str| {
            text.replace(&format!("AssumeRole{tag}"), &format!("AssumeRoleWithWebIdentity{tag}"))
        };
        Ok(named(named(answer.text(), "Response"), "Result"))
    }

    /// The answer with the expiry that the case wants.
    fn aged(&self, text: String) -> String {
        let lives = *self.lives.lock().unwrap();
        let (Some(lives), Some((before, rest))) = (lives, text.split_once("<Expiration>")) else {
            return text;
        };
        let after = rest.split_once("</Expiration>").map_or("", |(_, after)| after);
        let end = unix_now() as i64 + lives;
        if let Some((_, id)) = text.split_once("<AccessKeyId>") {
            let id = id.split('<').next().unwrap_or_default();
            self.ends.lock().unwrap().insert(id.to_owned(), end);
        }
        let until = instant::iso(end);
        format!("{before}<Expiration>{until}</Expiration>{after}")
    }
}

fn form(body: &[u8]) -> HashMap<String, String> {
    let text = String::from_utf8_lossy(body).replace('+', " ");
    let decoded = |text: &str| String::from_utf8_lossy(&encoding::decode(text)).into_owned();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}
