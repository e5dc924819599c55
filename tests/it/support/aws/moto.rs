//! AWS's IAM and STS: the real `moto_server`, which verifies signatures, permissions and trust from the first request of
//! a case on.
//!
//! It checks the permission `sts:AssumeRole`, the principals of the trust policy (a role's session by the ARN of the
//! session) and an external id that is wrong. It does not see an external id that is missing, the expiry of a session, a
//! skewed clock, a duration, tags or a source identity; a role that was deleted makes it answer 500. It verifies a form
//! as it would have written it (Python's `urlencode`), so that `%20` where it writes `+` is a wrong signature.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use super::{Arrived, Key, Verifier, encoding, instant};
use crate::support::{Answer, Process, Request, local, send, tool, unix_now};

/// A running server; its account is [`Moto::ACCOUNT`].
pub(crate) struct Moto {
    pub(crate) address: SocketAddr,
    /// Ends with it.
    _process: Process,
    admin: AccessKey,
}

/// Credentials of AWS.
#[derive(Clone, Debug)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// Who speaks to the server without a client of AWS.
pub(super) struct Signer {
    pub(super) key: AccessKey,
}

/// A role of a chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    pub(crate) role: &'static str,
    /// What the one before must show.
    pub(crate) external_id: Option<&'static str>,
}

/// An assumed role that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) role: String,
    pub(crate) name: String,
    pub(crate) external_id: Option<String>,
    pub(crate) key: AccessKey,
}

impl Hop {
    pub(crate) const fn new(role: &'static str) -> Self {
        Self { role, external_id: None }
    }

    pub(crate) const fn external_id(role: &'static str, external_id: &'static str) -> Self {
        Self { role, external_id: Some(external_id) }
    }
}

impl Moto {
    pub(crate) const ACCOUNT: &'static str = "123456789012";

    pub(crate) fn start() -> Self {
        let process = Process::start(
            "moto",
            Command::new(tool("aws/bin/moto_server"))
                .args(["-H", "127.0.0.1", "-p", "0"])
                // The calls that make the administrator; whatever comes next is verified.
                .env("INITIAL_NO_AUTH_ACTION_COUNT", "3"),
        );
        let address = process.wait_for("where it listens", |line| {
            let port = line.split_once("Running on http://127.0.0.1:")?.1.trim();
            Some(local(port.parse().ok()?))
        });
        let nobody = AccessKey { id: "nobody".to_owned(), secret: String::new(), token: None };
        let mut moto = Self { address, _process: process, admin: nobody };
        moto.admin = moto.user("admin", &[("*", "*")]);
        moto
    }

    /// The endpoint of every service.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The ARN of a role of this account.
    pub(crate) fn role_arn(role: &str) -> String {
        format!("arn:aws:iam::{}:role/{role}", Self::ACCOUNT)
    }

    /// The ARN of a role's session, as which the next hop knows it.
    pub(crate) fn session_arn(role: &str, session: &str) -> String {
        format!("arn:aws:sts::{}:assumed-role/{role}/{session}", Self::ACCOUNT)
    }

    /// The ARN of a user.
    pub(crate) fn user_arn(user: &str) -> String {
        format!("arn:aws:iam::{}:user/{user}", Self::ACCOUNT)
    }

    /// An IAM user who may do this: actions, each with a resource.
    pub(crate) fn user(&self, name: &str, allowed: &[(&str, &str)]) -> AccessKey {
        self.iam("CreateUser", &[("UserName", name)]);
        let key = self.new_key(name);
        self.allow_user(name, allowed);
        key
    }

    /// A further key of a user.
    pub(crate) fn new_key(&self, user: &str) -> AccessKey {
        let text = self.iam("CreateAccessKey", &[("UserName", user)]);
        let tag = |name: &str| {
            let after = text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name}: {text}")).1;
            after.split('<').next().unwrap_or_default().to_owned()
        };
        AccessKey { id: tag("AccessKeyId"), secret: tag("SecretAccessKey"), token: None }
    }

    /// Takes a key away.
    pub(crate) fn delete_key(&self, user: &str, id: &str) {
        self.iam("DeleteAccessKey", &[("UserName", user), ("AccessKeyId", id)]);
    }

    /// What a user may do from now on; nothing else.
    pub(crate) fn allow_user(&self, user: &str, allowed: &[(&str, &str)]) {
        let document = policy(allowed);
        self.iam(
            "PutUserPolicy",
            &[("UserName", user), ("PolicyName", "allowed"), ("PolicyDocument", &document)],
        );
    }

    /// A role that these principals (ARNs) may assume, and what its sessions may do.
    pub(crate) fn role(&self, hop: Hop, trusted: &[String], allowed: &[(&str, &str)]) {
        let document = trust(trusted, hop.external_id);
        self.iam("CreateRole", &[("RoleName", hop.role), ("AssumeRolePolicyDocument", &document)]);
        self.allow_role(hop.role, allowed);
    }

    /// What a role's sessions may do from now on, those that are there too.
    pub(crate) fn allow_role(&self, role: &str, allowed: &[(&str, &str)]) {
        let document = policy(allowed);
        self.iam(
            "PutRolePolicy",
            &[("RoleName", role), ("PolicyName", "allowed"), ("PolicyDocument", &document)],
        );
    }

    /// Who may assume a role from now on; nobody: the hop is revoked.
    pub(crate) fn trust(&self, hop: Hop, trusted: &[String]) {
        let document = trust(trusted, hop.external_id);
        self.iam("UpdateAssumeRolePolicy", &[("RoleName", hop.role), ("PolicyDocument", &document)]);
    }

    /// A role for callers with a web identity, who may ask Bedrock: [`super::Sts`] verifies their token.
    pub(crate) fn web_identity_role(&self, role: &'static str) {
        self.role(Hop::new(role), &[Self::user_arn("admin")], &[("bedrock:InvokeModel*", "*")]);
    }

    /// Nobody assumes this role any more.
    pub(crate) fn revoke(&self, role: &'static str) {
        self.trust(Hop::new(role), &[Self::user_arn("nobody-at-all")]);
    }

    /// A user and a chain of roles: each may assume the next one only, from sessions of this name, and the last may ask
    /// Bedrock. The answer is the user's key.
    pub(crate) fn chain(&self, user: &str, session: &str, hops: &[Hop]) -> AccessKey {
        let arns: Vec<_> = hops.iter().map(|hop| Self::role_arn(hop.role)).collect();
        let next = |n: usize| match arns.get(n) {
            Some(arn) => ("sts:AssumeRole", arn.as_str()),
            None => ("bedrock:InvokeModel*", "*"),
        };
        let key = self.user(user, &[next(0)]);
        let mut trusted = Self::user_arn(user);
        for (n, hop) in hops.iter().enumerate() {
            self.role(*hop, &[trusted], &[next(n + 1)]);
            trusted = Self::session_arn(hop.role, session);
        }
        key
    }

    /// What STS handed out so far, in order.
    pub(crate) fn sessions(&self) -> Vec<Session> {
        sessions(self.address)
    }

    /// Keys as the services of AWS know them: of assumed roles too, whose secrets no case sees.
    pub(crate) fn key_source(&self) -> impl Fn(&str) -> Option<Key> + Send + Sync + use<> {
        let address = self.address;
        move |id| {
            let users = data(address)["iam"]["AccessKey"].as_array().cloned().unwrap_or_default();
            let user = users.iter().find(|key| key["access_key_id"] == id && !key["user_name"].is_null());
            let user = user.map(|key| Key { secret: text(key, "secret_access_key"), token: None });
            let session = || sessions(address).into_iter().find(|session| session.key.id == id);
            user.or_else(|| session().map(|one| Key { secret: one.key.secret, token: one.key.token }))
        }
    }

    /// One action of IAM's query API, signed by the administrator.
    pub(crate) fn iam(&self, action: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.signer().call(self.address, "iam", action, fields);
        assert_eq!(answer.status, 200, "{action}: {}", answer.text());
        answer.text()
    }

    /// One action of STS with these credentials.
    pub(crate) fn sts(&self, key: &AccessKey, action: &str, fields: &[(&str, &str)]) -> Answer {
        Signer { key: key.clone() }.call(self.address, "sts", action, fields)
    }

    /// The administrator.
    pub(super) fn signer(&self) -> Signer {
        Signer { key: self.admin.clone() }
    }
}

impl Signer {
    /// One action of a query API.
    pub(super) fn call(
        &self,
        moto: SocketAddr,
        service: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let version = if service == "iam" { "2010-05-08" } else { "2011-06-15" };
        let named = [("Action", action), ("Version", version)];
        let body: Vec<_> = named
            .iter()
            .chain(fields)
            .map(|(name, value)| format!("{name}={}", encoding::encode(value).replace("%20", "+")))
            .collect();
        let body = body.join("&");
        let date = instant::format(unix_now() as i64);
        let mut headers = vec![
            ("host".to_owned(), moto.to_string()),
            ("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned()),
            ("x-amz-date".to_owned(), date.clone()),
        ];
        let AccessKey { id, secret, token } = &self.key;
        headers.extend(token.iter().map(|token| ("x-amz-security-token".to_owned(), token.clone())));
        let arrived = Arrived { method: "POST", target: "/", headers: &headers, body: body.as_bytes() };
        let authorization = Verifier::new("us-east-1", service).authorization(&arrived, id, secret, &date);
        let request = Request::post("/", body.as_bytes()).header("authorization", authorization);
        send(moto, &headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
    }
}

/// Everything that the server keeps.
fn data(address: SocketAddr) -> Value {
    send(address, &Request::get("/moto-api/data.json").header("host", address.to_string())).json()
}

fn sessions(address: SocketAddr) -> Vec<Session> {
    let data = data(address);
    let sessions = data["sts"]["AssumedRole"].as_array().cloned().unwrap_or_default();
    let session = |one: &Value| Session {
        role: text(one, "role_arn"),
        name: text(one, "session_name"),
        external_id: one["external_id"].as_str().map(str::to_owned),
        key: AccessKey {
            id: text(one, "access_key_id"),
            secret: text(one, "secret_access_key"),
            token: Some(text(one, "session_token")),
        },
    };
    sessions.iter().map(session).collect()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn policy(allowed: &[(&str, &str)]) -> String {
    // A policy needs a statement, and this action is never refused.
    let statements: Vec<_> = [("sts:GetCallerIdentity", "*")]
        .iter()
        .chain(allowed)
        .map(|(action, resource)| json!({"Effect": "Allow", "Action": action, "Resource": resource}))
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn trust(trusted: &[String], external_id: Option<&str>) -> String {
    let mut statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": trusted}});
    if let Some(id) = external_id {
        statement["Condition"] = json!({"StringEquals": {"sts:ExternalId": id}});
    }
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}
