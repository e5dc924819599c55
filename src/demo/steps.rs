//! The steps: what is asked, what must come back, and the commands to repeat each by hand.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::answer::Vendor;
use super::error::Error;
use super::llm::{Llm, masked};
use super::screen::Screen;
use super::workdir::{Numbers, WorkDir};

/// How long a swapped key may take to be the one that is used.
const TAKE_OVER: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(100);

/// Whether all that a run promised was so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every fact of every step.
    Held,
    /// At least one was not.
    Missed,
}

/// What the steps need of the running demo.
pub(super) struct Stage<'a> {
    pub(super) screen: &'a Screen,
    pub(super) client: &'a reqwest::Client,
    pub(super) numbers: Numbers,
    pub(super) dir: &'a WorkDir,
    pub(super) llm: &'a Arc<Llm>,
    /// The keys in the secret store: OpenAI's, Anthropic's.
    pub(super) keys: [String; 2],
}

struct Step {
    title: &'static str,
    caller: Option<Caller>,
    vendor: Vendor,
    expect: Expect,
}

/// Who asks for a token, and the shell variable that holds it.
#[derive(Clone, Copy)]
struct Caller {
    variable: &'static str,
    form: &'static str,
}

/// What must come back.
enum Expect {
    /// 200, by the key of the store and without the caller's token.
    Answer,
    /// The same with the new key, after the one in the store was swapped.
    AnswerWithNewKey,
    /// A refusal by bouncer, before the provider saw anything.
    Refusal { status: u16, challenge: Option<&'static str>, code: &'static str },
}

/// What came back.
struct Reply {
    status: u16,
    challenge: Option<String>,
    body: String,
}

const ALICE: Caller = Caller { variable: "TOKEN", form: "client_id=alice" };
const ALICE_MFA: Caller = Caller { variable: "MFA_TOKEN", form: "client_id=alice -d mfa=true" };
const BATCH: Caller = Caller { variable: "BATCH_TOKEN", form: "client_id=batch" };

const STEPS: [Step; 6] = [
    Step {
        title: "Without a token: refused, in the words of the provider",
        caller: None,
        vendor: Vendor::OpenAi,
        expect: Expect::Refusal { status: 401, challenge: Some("Bearer"), code: "missing_token" },
    },
    Step {
        title: "Alice, known to the issuer: the provider sees its own key and not her token",
        caller: Some(ALICE),
        vendor: Vendor::OpenAi,
        expect: Expect::Answer,
    },
    Step {
        title: "Alice without MFA to the provider that requires it: challenged to step up (RFC 9470)",
        caller: Some(ALICE),
        vendor: Vendor::Anthropic,
        expect: Expect::Refusal {
            status: 401,
            challenge: Some("Bearer error=\"insufficient_user_authentication\""),
            code: "authentication_error",
        },
    },
    Step {
        title: "Alice with MFA: answered",
        caller: Some(ALICE_MFA),
        vendor: Vendor::Anthropic,
        expect: Expect::Answer,
    },
    Step {
        title: "A workload can never pass MFA: forbidden, and not sent round in circles",
        caller: Some(BATCH),
        vendor: Vendor::Anthropic,
        expect: Expect::Refusal { status: 403, challenge: None, code: "permission_error" },
    },
    Step {
        title: "The key is swapped in the secret store: the next request carries the new one, nothing restarts",
        caller: Some(ALICE),
        vendor: Vendor::OpenAi,
        expect: Expect::AnswerWithNewKey,
    },
];

/// Shows every step, does it and verifies it.
///
/// # Errors
/// Where a step could not be done at all.
pub(super) async fn run(stage: &Stage<'_>) -> Result<Verdict, Error> {
    let mut verdict = Verdict::Held;
    let mut shown = HashSet::new();
    for (number, step) in STEPS.iter().enumerate() {
        stage.screen.title(format_args!("{}. {}", number + 1, step.title));
        let token = match step.caller {
            Some(caller) => {
                if shown.insert(caller.variable) {
                    stage.screen.command(stage.token_command(caller));
                }
                Some(stage.token(caller).await?)
            }
            None => None,
        };
        if let Verdict::Missed = stage.step(step, token.as_deref()).await? {
            verdict = Verdict::Missed;
        }
    }
    Ok(verdict)
}

impl Stage<'_> {
    async fn step(&self, step: &Step, token: Option<&str>) -> Result<Verdict, Error> {
        let screen = self.screen;
        let key = match step.expect {
            Expect::AnswerWithNewKey => {
                screen.command(self.swap_command(step.vendor));
                let key = self.llm.new_key(step.vendor)?;
                self.dir.put_key(step.vendor.name(), &key)?;
                key
            }
            Expect::Answer | Expect::Refusal { .. } => self.key(step.vendor).to_owned(),
        };
        screen.command(self.request_command(step));
        let calls = self.llm.calls();
        let reply = match step.expect {
            Expect::AnswerWithNewKey => self.ask_until_swapped(step.vendor, token, &masked(&key)).await?,
            Expect::Answer | Expect::Refusal { .. } => self.ask(step.vendor, token).await?,
        };
        screen.answer(&format!("HTTP {}", reply.status));
        if let Some(challenge) = &reply.challenge {
            screen.answer(&format!("www-authenticate: {challenge}"));
        }
        screen.answer(&reply.body);
        let mut verdict = Verdict::Held;
        for (fact, found) in self.facts(step, &reply, token, &masked(&key), calls) {
            screen.fact(&fact, found.as_ref().map(|()| ()).map_err(String::as_str));
            if found.is_err() {
                verdict = Verdict::Missed;
            }
        }
        Ok(verdict)
    }

    /// Each promise of the step, and what was found instead where it was broken.
    fn facts(
        &self,
        step: &Step,
        reply: &Reply,
        token: Option<&str>,
        key: &str,
        calls_before: u64,
    ) -> Vec<(String, Result<(), String>)> {
        let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        let so = |held: bool, found: String| if held { Ok(()) } else { Err(found) };
        match step.expect {
            Expect::Refusal { status, challenge, code } => {
                let (place, named) = match step.vendor {
                    Vendor::OpenAi => ("/error/code", "code"),
                    Vendor::Anthropic => ("/error/type", "type"),
                };
                let got = body.pointer(place).and_then(Value::as_str).unwrap_or("nothing");
                let theirs = reply.challenge.as_deref();
                let challenged = match challenge {
                    Some(start) => theirs.is_some_and(|theirs| theirs.starts_with(start)),
                    None => theirs.is_none(),
                };
                let calls = self.llm.calls() - calls_before;
                vec![
                    (format!("refused with {status}"), so(reply.status == status, reply.status.to_string())),
                    (
                        format!("www-authenticate: {}", challenge.unwrap_or("none")),
                        so(challenged, theirs.unwrap_or("none").to_owned()),
                    ),
                    (
                        format!("an error that {} SDKs read, {named} {code}", step.vendor.name()),
                        so(got == code, got.to_owned()),
                    ),
                    (
                        String::from("the provider saw nothing of it"),
                        so(calls == 0, format!("{calls} requests")),
                    ),
                ]
            }
            Expect::Answer | Expect::AnswerWithNewKey => {
                let text = step.vendor.text_of(&body).unwrap_or("no answer");
                let new = if matches!(step.expect, Expect::AnswerWithNewKey) { "new " } else { "" };
                let leaked = token.is_some_and(|token| self.llm.last_request_has(token));
                vec![
                    (String::from("answered with 200"), so(reply.status == 200, reply.status.to_string())),
                    (format!("the provider saw its {new}key {key}"), so(text.contains(key), text.to_owned())),
                    (
                        String::from("the caller's token did not reach it"),
                        so(!leaked && text.ends_with("; no caller token"), text.to_owned()),
                    ),
                ]
            }
        }
    }

    /// Asks until the provider sees `key`; gives up with the last answer. A request that fails on the way ends it too.
    async fn ask_until_swapped(
        &self,
        vendor: Vendor,
        token: Option<&str>,
        key: &str,
    ) -> Result<Reply, Error> {
        let mut rounds = TAKE_OVER.as_millis() / AGAIN.as_millis();
        loop {
            let reply = self.ask(vendor, token).await?;
            rounds -= 1;
            if rounds == 0 || reply.status != 200 || reply.body.contains(key) {
                return Ok(reply);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn ask(&self, vendor: Vendor, token: Option<&str>) -> Result<Reply, Error> {
        let mut request = self.client.post(self.url(vendor)).header("content-type", "application/json");
        if let (Some(token), (name, prefix)) = (token, token_place(vendor)) {
            request = request.header(name, format!("{prefix}{token}"));
        }
        let reply = request.body(body(vendor)).send().await.map_err(Error::NoAnswer)?;
        let challenge = reply.headers().get("www-authenticate");
        Ok(Reply {
            status: reply.status().as_u16(),
            challenge: challenge.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            body: reply.text().await.map_err(Error::NoAnswer)?,
        })
    }

    async fn token(&self, caller: Caller) -> Result<String, Error> {
        let form = format!("grant_type=client_credentials&{}", caller.form.replace(" -d ", "&"));
        let request = self.client.post(format!("{}/token", self.issuer()));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let body = request.send().await.map_err(Error::NoAnswer)?.text().await.map_err(Error::NoAnswer)?;
        let body: Value = serde_json::from_str(&body).map_err(|_| Error::NoToken)?;
        body.get("access_token").and_then(Value::as_str).map(str::to_owned).ok_or(Error::NoToken)
    }

    /// The command that puts a token into the caller's shell variable.
    fn token_command(&self, caller: Caller) -> String {
        let Caller { variable, form } = caller;
        let issuer = self.issuer();
        let cut = r#"sed -E 's/.*"access_token":"([^"]+)".*/\1/'"#;
        format!("{variable}=$(curl -s {issuer}/token -d grant_type=client_credentials -d {form} | {cut})")
    }

    fn request_command(&self, step: &Step) -> String {
        let token = step.caller.map_or_else(String::new, |caller| {
            let (name, prefix) = token_place(step.vendor);
            format!(" -H \"{name}: {prefix}${}\"", caller.variable)
        });
        let url = self.url(step.vendor);
        format!("curl -i {url}{token} -H 'content-type: application/json' -d '{}'", body(step.vendor))
    }

    fn swap_command(&self, vendor: Vendor) -> String {
        let name = vendor.name();
        let next = quoted(&self.dir.path("next").to_string_lossy());
        let key = quoted(&self.dir.path("secrets").join(name).join("api_key").to_string_lossy());
        let port = self.numbers.provider;
        format!("curl -s -X POST http://127.0.0.1:{port}/demo/keys/{name} -o {next} && mv {next} {key}")
    }

    fn key(&self, vendor: Vendor) -> &str {
        let [openai, anthropic] = &self.keys;
        match vendor {
            Vendor::OpenAi => openai,
            Vendor::Anthropic => anthropic,
        }
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.numbers.issuer)
    }

    fn url(&self, vendor: Vendor) -> String {
        let path = match vendor {
            Vendor::OpenAi => "openai/v1/chat/completions",
            Vendor::Anthropic => "anthropic/v1/messages",
        };
        format!("http://127.0.0.1:{}/{path}", self.numbers.envoy)
    }
}

/// Where the vendor's SDK puts its API key, so where callers of an unmodified SDK put their token.
fn token_place(vendor: Vendor) -> (&'static str, &'static str) {
    match vendor {
        Vendor::OpenAi => ("authorization", "Bearer "),
        Vendor::Anthropic => ("x-api-key", ""),
    }
}

fn body(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::OpenAi => {
            r#"{"model":"demo","messages":[{"role":"user","content":"Which key do you see?"}]}"#
        }
        Vendor::Anthropic => {
            r#"{"model":"demo","max_tokens":64,"messages":[{"role":"user","content":"Which key do you see?"}]}"#
        }
    }
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
