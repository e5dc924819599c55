//! When AWS refuses: which refusals renew keys, what the caller sees, and what the operator reads.

use std::sync::Arc;

use serde_json::json;

use super::placements::PROMPT;
use super::wiring::converse;
use super::{everywhere, user, with_tls_version};
use crate::support::aws::{AccessKey, Failure, Hop, Moto, SigningSetup, SigningWorld, Sts};
use crate::support::{
    Answer, Certificates, Cluster, Files, Front, Placement, Request, Route, Version, eventually, field, send,
    unix_now,
};

/// What becomes of an answer: it stays here, or it is only looked at.
const FEEDBACK: [&str; 2] = ["answer", "observe"];

/// IAM and STS with a user who may assume a role.
struct Aws {
    moto: Moto,
    sts: Sts,
    user: AccessKey,
}

/// Entries `answer-role`, `observe-role` with that role and `answer-keys`, `observe-keys` with keys of their own.
struct World<'a> {
    world: SigningWorld,
    aws: &'a Aws,
}

impl Aws {
    fn start() -> Self {
        let moto = Moto::start();
        let user = moto.chain("bouncer", "llm", &[Hop::new("bedrock")]);
        let sts = Sts::start(&moto, "us-east-1");
        Self { moto, sts, user }
    }

    fn world(&self, placement: Placement, version: Version) -> World<'_> {
        let (user, sts) = (self.user.clone(), self.sts.url());
        let setup = SigningSetup {
            filter: with_tls_version,
            upstream: Some(Arc::new(Certificates::new())),
            configure: Box::new(move |config, files| {
                let own = config["providers"][0].clone();
                let mut entries = Vec::new();
                for feedback in FEEDBACK {
                    for kind in ["role", "keys"] {
                        let name = format!("{feedback}-{kind}");
                        let mut entry = own.clone();
                        entry["feedback"] = json!(feedback);
                        entry["credential_ref"] = json!(name);
                        entry["match"]["cluster"] = json!([name]);
                        let key = if kind == "role" { user.clone() } else { self::user(&old(feedback)) };
                        mount(files, &name, &key);
                        if kind == "role" {
                            entry["aws"]["roles"] = json!([{"arn": Moto::role_arn("bedrock")}]);
                            entry["aws"]["sts_endpoint"] = json!(sts);
                        }
                        entry["name"] = json!(name);
                        entries.push(entry);
                    }
                }
                config["providers"] = json!(entries);
            }),
            front: Box::new(clusters),
            ..SigningSetup::new(placement, version)
        };
        let world = setup.start();
        world.secrets.add(&self.user.secret);
        world.bedrock.ask_for_keys(self.moto.key_source());
        FEEDBACK.iter().for_each(|feedback| world.bedrock.know(&self::user(&old(feedback))));
        World { world, aws: self }
    }
}

fn old(feedback: &str) -> String {
    format!("OLD{}", feedback.to_uppercase())
}

/// A cluster for each entry, all with the one host.
fn clusters(front: &mut Front) {
    let host = front.clusters[0].clone();
    let names: Vec<_> = FEEDBACK
        .iter()
        .flat_map(|feedback| ["role", "keys"].map(|kind| format!("{feedback}-{kind}")))
        .collect();
    front.clusters = names.iter().map(|name| Cluster { name: name.clone(), ..host.clone() }).collect();
    front.routes = names
        .iter()
        .map(|name| Route { domain: format!("{name}.example"), cluster: name.clone(), ..Route::default() })
        .collect();
}

fn mount(files: &Files, name: &str, key: &AccessKey) {
    files.mount_secrets(name, &[("access_key_id", &key.id), ("secret_access_key", &key.secret)]);
}

impl World<'_> {
    fn ask(&self, name: &str) -> Answer {
        self.ask_for(name, &converse())
    }

    fn ask_for(&self, name: &str, path: &str) -> Answer {
        let request = Request::post(path, PROMPT).bearer(&self.world.token("alice"));
        let answer = send(self.world.address(), &request.header("host", format!("{name}.example")));
        self.world.note(&answer);
        answer
    }

    /// The key of a request that is answered, after a good signature.
    #[track_caller]
    fn key(&self, name: &str) -> String {
        self.world.bedrock.take();
        let answer = self.ask(name);
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert!(answer.header("x-amzn-requestid").is_some() && answer.text().contains("Hello."));
        self.world.bedrock.take().remove(0).verified().access_key_id.clone()
    }

    /// The answer to a request that AWS refuses with `kind`: as it is where it is only observed, else with this status.
    #[track_caller]
    fn refused(&self, name: &str, kind: &str, status: u16) {
        let answer = self.ask(name);
        if name.starts_with("observe") {
            assert_eq!(answer.status, 403, "{name}: {answer:?}");
            let theirs = answer.header("x-amzn-errortype").unwrap();
            assert!(theirs.starts_with(&format!("{kind}:http://internal.amazon.com/")), "{theirs}");
            assert!(answer.header("x-amzn-requestid").is_some());
            return;
        }
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert_eq!(answer.header("x-amzn-requestid"), None);
        let again = (status == 503).then_some("1");
        assert_eq!(answer.header("retry-after").as_deref(), again, "{name}");
    }

    /// Waits for a log line on a refusal with this action.
    fn told(&self, name: &str, action: &str) -> String {
        self.world.bouncer.process.wait_for(action, |line| {
            let of_it =
                field(line, "message")? == "refused by the provider" && field(line, "provider")? == name;
            (of_it && field(line, "action")?.contains(action)).then(|| line.to_owned())
        })
    }

    /// What is untouched in either mode: AWS's words come through and STS is not asked.
    fn passes(&self, name: &str) {
        let before = self.key(name);
        self.aws.sts.take();
        for failure in [
            Failure::access_denied(),
            Failure::throttled(),
            Failure::new(403, "ServiceQuotaExceededException", "Too much."),
            Failure::new(403, "", "A proxy's word."),
            Failure::new(400, "ExpiredTokenException", "Of something else."),
        ] {
            self.world.bedrock.fail_next([failure.clone()]);
            let answer = self.ask(name);
            assert_eq!(
                (answer.status, &*answer.json()["message"].to_string()),
                (failure.status, &*json!(failure.message).to_string())
            );
            assert_eq!(answer.header("x-amzn-errortype").is_some(), !failure.kind.is_empty());
        }
        assert_eq!(self.key(name), before);
        let streamed = self.ask_for(name, &converse().replace("converse", "converse-stream"));
        assert_eq!(streamed.header("content-type").as_deref(), Some("application/vnd.amazon.eventstream"));
        assert!(streamed.status == 200 && streamed.body.windows(4).any(|text| text == b"Hel\""));
        assert!(self.aws.sts.take().is_empty());
    }

    /// The keys end before their time: once others are had, and not again within half a minute.
    fn expire(&self, name: &str) {
        let first = self.key(name);
        self.world.bedrock.expire(&first);
        self.refused(name, "ExpiredTokenException", 503);
        let second = self.key(name);
        assert_ne!(first, second);
        assert_eq!(self.aws.sts.take().len(), 1, "{name}");
        self.told(name, "it is being renewed");
        self.world.bedrock.expire(&second);
        for _ in 0..3 {
            self.refused(name, "ExpiredTokenException", 502);
        }
        self.told(name, "it was renewed for that less than 30 s ago");
        assert!(self.aws.sts.take().is_empty(), "{name}");
    }

    /// Keys that were deleted, until the secret has others.
    fn delete(&self, name: &str) -> AccessKey {
        let first = self.key(name);
        self.world.bedrock.forget(&first);
        self.refused(name, "UnrecognizedClientException", 503);
        let new = user(&format!("NEW{}", name.to_uppercase().replace('-', "")));
        self.world.bedrock.know(&new);
        self.world.secrets.add(&new.secret);
        mount(self.world.bouncer.files(), name, &new);
        self.world.bouncer.process.wait_for("the new keys", |line| {
            let of_it = field(line, "message")? == "credential rotated" && field(line, "provider")? == name;
            (of_it && field(line, "reason")? == "secret_changed").then_some(())
        });
        assert_eq!(self.key(name), new.id);
        new
    }

    /// A secret key that is not the one of its id: the signature is wrong, and the clock is right.
    fn mistake(&self, name: &str, key: &AccessKey) {
        let host = self.world.bedrock.address.port();
        self.world.bedrock.know(&AccessKey { secret: "another".to_owned(), ..key.clone() });
        self.refused(name, "InvalidSignatureException", 502);
        let line = self.told(name, "what arrived is not what was signed, or the secret key is wrong");
        assert!(field(&line, "action").unwrap().contains("`bouncer sigv4 explain`"), "{line}");
        let told = ["host", "region", "service"].map(|name| field(&line, name).unwrap());
        assert_eq!(told, [&format!("127.0.0.1:{host}"), "us-east-1", "bedrock"]);
        self.world.bedrock.know(key);
        assert_eq!(self.key(name), key.id, "nothing was renewed");
    }
}

#[test]
fn each_refusal_of_aws_has_its_own_remedy_and_what_is_the_callers_passes() {
    let aws = Aws::start();
    for (version, placement) in everywhere() {
        let world = aws.world(placement, version);
        for feedback in FEEDBACK {
            let (role, keys) = (format!("{feedback}-role"), format!("{feedback}-keys"));
            world.passes(&role);
            world.expire(&role);
            let new = world.delete(&keys);
            world.mistake(&keys, &new);
            // No more than ten lines a second are told.
            let told = unix_now();
            eventually("another second", || (unix_now() > told + 1.0).then_some(()));
        }
        for session in aws.moto.sessions() {
            world.world.secrets.add(&session.key.secret);
            world.world.secrets.add(session.key.token.as_deref().unwrap());
        }
    }
}
