//! The steps: what is asked, and what must come back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::answer::Vendor;
use super::by_hand::{self, Caller};
use super::error::Error;
use super::facts::{Arrived, Expect, Reply, facts};
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

const ALICE: Caller = Caller { variable: "TOKEN", form: &["client_id=alice"] };
const ALICE_MFA: Caller = Caller { variable: "MFA_TOKEN", form: &["client_id=alice", "mfa=true"] };
const BATCH: Caller = Caller { variable: "BATCH_TOKEN", form: &["client_id=batch"] };

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
                    stage.screen.command(by_hand::token_command(stage.numbers, caller));
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
        let (screen, vendor) = (self.screen, step.vendor);
        let key = match step.expect {
            Expect::AnswerWithNewKey => {
                let stored = self.dir.key(vendor.name());
                screen.command(by_hand::swap_command(self.numbers, vendor, &self.dir.path("next"), &stored));
                let key = self.llm.new_key(vendor)?;
                self.dir.put_key(vendor.name(), &key)?;
                key
            }
            Expect::Answer | Expect::Refusal { .. } => self.key(vendor).to_owned(),
        };
        let key = masked(&key);
        screen.command(by_hand::request_command(self.numbers, vendor, step.caller));
        let calls = self.llm.calls();
        let reply = match step.expect {
            Expect::AnswerWithNewKey => self.ask_until_swapped(vendor, token, &key).await?,
            Expect::Answer | Expect::Refusal { .. } => self.ask(vendor, token).await?,
        };
        let arrived = match token {
            _ if self.llm.calls() == calls => Arrived::Nothing,
            Some(token) if self.llm.last_request_has(token) => Arrived::WithCallersToken,
            Some(_) | None => Arrived::WithoutCallersToken,
        };
        self.show(vendor, &reply);
        let mut verdict = Verdict::Held;
        for (fact, instead) in facts(&step.expect, vendor, &reply, arrived, &key) {
            screen.fact(&fact, instead.as_deref());
            if instead.is_some() {
                verdict = Verdict::Missed;
            }
        }
        Ok(verdict)
    }

    fn show(&self, vendor: Vendor, reply: &Reply) {
        self.screen.answer(&format!("HTTP {}", reply.status));
        if let Some(challenge) = &reply.challenge {
            self.screen.answer(&format!("www-authenticate: {challenge}"));
        }
        // Of an answer only what the model says; the rest is the vendor's frame.
        let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        self.screen.answer(vendor.text_of(&body).unwrap_or(&reply.body));
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
        let url = by_hand::provider_url(self.numbers, vendor);
        let mut request = self.client.post(url).header("content-type", "application/json");
        if let (Some(token), (name, prefix)) = (token, by_hand::token_place(vendor)) {
            request = request.header(name, format!("{prefix}{token}"));
        }
        let reply = request.body(by_hand::question(vendor)).send().await.map_err(Error::NoAnswer)?;
        let challenge = reply.headers().get("www-authenticate");
        Ok(Reply {
            status: reply.status().as_u16(),
            challenge: challenge.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
            body: reply.text().await.map_err(Error::NoAnswer)?,
        })
    }

    async fn token(&self, caller: Caller) -> Result<String, Error> {
        let form = format!("grant_type=client_credentials&{}", caller.form.join("&"));
        let request = self.client.post(by_hand::token_url(self.numbers)).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let body = request.send().await.map_err(Error::NoAnswer)?.text().await.map_err(Error::NoAnswer)?;
        let body: Value = serde_json::from_str(&body).map_err(|_| Error::NoToken)?;
        body.get("access_token").and_then(Value::as_str).map(str::to_owned).ok_or(Error::NoToken)
    }

    fn key(&self, vendor: Vendor) -> &str {
        let [openai, anthropic] = &self.keys;
        match vendor {
            Vendor::OpenAi => openai,
            Vendor::Anthropic => anthropic,
        }
    }
}
