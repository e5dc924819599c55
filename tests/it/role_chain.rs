//! Chains of roles at the real `moto`, as `bouncer token` walks them: signatures, trust policies and external IDs are
//! verified there.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::aws::{AccessKey, Hop, Moto, Sts};
use crate::support::{Files, Secrets};

const REGION: &str = "eu-west-1";
const SESSION: &str = "bouncer-bedrock-prod";
const CHAIN: [Hop; 3] = [Hop::external_id("a", "tenant-1"), Hop::new("b"), Hop::new("c")];

struct World {
    files: Files,
    secrets: Secrets,
    moto: Moto,
    sts: Sts,
}

/// An entry with these roles, whose secret holds a user's keys; the user may assume the first role of [`CHAIN`].
fn world(roles: &Value) -> World {
    let moto = Moto::start();
    let key = moto.chain("user", SESSION, &CHAIN);
    let sts = Sts::start(&moto, REGION);
    sts.require_external_id("a", "tenant-1");
    let (files, secrets) = (Files::new(), Secrets::default());
    let config = json!({
        "listen": {"grpc": "127.0.0.1:0"},
        "callers": {"mtls": {"trust_domains": ["mesh.example"]}},
        "providers": [{
            "name": "bedrock-prod", "provider": "bedrock", "auth_type": "aws_sigv4", "credential_ref": "aws",
            "aws": {"region": REGION, "sts_endpoint": sts.url(), "roles": roles},
        }],
    });
    files.write("bouncer.yaml", &config.to_string());
    let world = World { files, secrets, moto, sts };
    world.hold(&key);
    world
}

impl World {
    fn hold(&self, key: &AccessKey) {
        self.secrets.add(&key.secret);
        self.files.write_secret("aws", "access_key_id", &key.id);
        self.files.write_secret("aws", "secret_access_key", &key.secret);
    }

    /// Exit code and what was printed; none of the keys is in it.
    fn token(&self) -> (i32, String) {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_bouncer"))
            .args(["token", "bedrock-prod", "--config", "bouncer.yaml"])
            .current_dir(self.files.path("."))
            .env("RUST_LOG", "trace")
            .output()
            .unwrap();
        for session in self.moto.sessions() {
            self.secrets.add(&session.key.secret);
            self.secrets.add(session.key.token.as_deref().unwrap());
        }
        let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        self.secrets.check("stdout", &out);
        self.secrets.check("stderr", &err);
        (status.code().unwrap(), out)
    }

    fn asked(&self) -> Vec<(String, u16)> {
        self.sts.take().iter().map(|asked| (asked.field("RoleArn").to_owned(), asked.status)).collect()
    }
}

fn roles(external_id: &str) -> Value {
    let arn = |role: &str| Moto::role_arn(role);
    json!([
        {"arn": arn("a"), "external_id": external_id, "duration": "2h", "tags": {"team": "a b=é"}, "transitive_tags": ["team"]},
        {"arn": arn("b"), "duration": "15m"},
        {"arn": arn("c")},
    ])
}

#[test]
fn a_chain_of_three_roles_is_walked_and_each_hop_is_shown() {
    let world = world(&roles("tenant-1"));
    let (code, out) = world.token();
    assert_eq!(code, 0, "{out}");
    let asked = CHAIN.map(|hop| (Moto::role_arn(hop.role), 200));
    assert_eq!(world.asked(), asked);
    for (number, hop, life) in [(1, "a", "2h"), (2, "b", "15m"), (3, "c", "1h")] {
        let leg = format!("assume role (hop {number}, {})", Moto::role_arn(hop));
        let line = out.lines().find(|line| line.starts_with(&leg));
        assert!(line.is_some_and(|line| line.contains(life) && line.ends_with("ok")), "{leg}: {out}");
    }
}

#[test]
fn a_wrong_external_id_a_revoked_hop_and_a_wrong_key_are_told_apart() {
    let world = world(&roles("tenant-2"));
    let (code, out) = world.token();
    assert!(code == 1 && out.contains("hop 1, ") && out.contains("AccessDenied"), "{out}");
    assert_eq!(world.asked(), [(Moto::role_arn("a"), 403)]);
    let own = self::world(&roles("tenant-1"));
    own.moto.revoke("b");
    let (code, out) = own.token();
    assert!(code == 1 && out.contains("hop 2, ") && out.contains("AccessDenied"), "{out}");
    assert_eq!(own.asked().last(), Some(&(Moto::role_arn("b"), 403)));
    own.files.write_secret("aws", "secret_access_key", "another");
    let (code, out) = own.token();
    assert!(
        code == 1 && out.contains("SignatureDoesNotMatch") && out.contains("secret_access_key is not"),
        "{out}"
    );
}
