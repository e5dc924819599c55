//! Before the load: what comes of one request, in words, and what to do about it.

use std::sync::Arc;
use std::time::Duration;

use super::{Failed, say};
use crate::loadtest::{Issuer, LoadtestError, Outcome, Plan, Probe, Questions, probe};

/// A load of wrong answers tells nothing: the first one has to be right.
pub(super) async fn first_answer(
    plan: &Plan,
    questions: &Arc<Questions>,
    wait: Duration,
    issuer: Option<&Issuer>,
) -> Result<(), Failed> {
    let mut told = None;
    let asked = probe(plan, questions, wait, |probe| {
        if told.as_ref() != Some(probe) {
            say(&format!(
                "waiting for the first right answer (at most {} s): {}",
                wait.as_secs(),
                words(probe)
            ));
            told = Some(probe.clone());
        }
    });
    let last = tokio::select! {
        last = asked => last.map_err(LoadtestError::Connect)?,
        _ = tokio::signal::ctrl_c() => return Err(Failed::Wrong("stopped before the first right answer".to_owned())),
    };
    match last.outcome {
        Outcome::Right => Ok(()),
        _ => Err(Failed::Wrong(format!(
            "the first answer was not the expected one: {}\n{}",
            words(&last),
            advice(&last, issuer)
        ))),
    }
}

/// What came, as a person would say it.
fn words(probe: &Probe) -> String {
    let what = match probe.outcome {
        Outcome::Right => "right".to_owned(),
        Outcome::Refused(200) => "permitted where a refusal was expected".to_owned(),
        Outcome::Refused(status) => format!("refused with {status}"),
        Outcome::Wrong(why) => why.to_owned(),
        Outcome::Status(code) => format!("gRPC status {code}"),
        Outcome::TimedOut => "no answer in time".to_owned(),
        Outcome::Broken => "the connection broke".to_owned(),
    };
    probe.words.as_ref().map_or(what.clone(), |words| format!("{what}, {words}"))
}

fn advice(probe: &Probe, issuer: Option<&Issuer>) -> String {
    match (probe.outcome, issuer) {
        (Outcome::Refused(401 | 503), Some(issuer)) => format!(
            "The server has to know the callers' issuer: callers.jwt: [{{issuer: {}, audiences: [...]}}] with the audience of \
             --audience; --jwks-listen keeps the port the same in every run.",
            issuer.url()
        ),
        (Outcome::Refused(401), None) => "The server does not accept the caller: see its log.".to_owned(),
        (Outcome::Refused(403), _) => {
            "No entry takes the request, or none for this caller: --cluster or --provider name one.".to_owned()
        }
        (Outcome::Refused(_), _) => "--expect takes a refusal as the right answer.".to_owned(),
        (Outcome::Status(12), _) => {
            "The server does not offer this service: --protocol ext_proc or ext_authz.".to_owned()
        }
        (Outcome::Status(16), _) => {
            "The server does not accept this peer: --tls-certificate and --tls-key of an allowed one.".to_owned()
        }
        (Outcome::Wrong(_), _) => {
            "An Envoy would act on that answer. --credential-header names the header of a credential that is not known here."
                .to_owned()
        }
        (Outcome::TimedOut | Outcome::Broken, _) => {
            "Is this the server's gRPC address, and does it want TLS (--tls-ca)?".to_owned()
        }
        _ => "See the server's log.".to_owned(),
    }
}
