//! `bouncer sigv4 explain`.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use thiserror::Error;

use super::ExplainArgs;
use super::answer::Answer;
use super::causes;
use super::compare::{Difference, TOKEN, differences, hides};
use super::curl::{self, CurlError};
use super::input;
use super::report::{Ink, Report, Verdict};
use super::request::{GivenBody, GivenRequest, RequestError};
use super::told::unix;
use crate::base::{Clock as _, Now, Secret, SystemClock, UnixTime, printable};
use crate::config::{self, Config, CredentialSettings, report};
use crate::credential::{AwsKeys, Explanation, Signer, SigningError, SigningSettings};
use crate::request::{Body, BodyFault, EnvoyFacts, Half, Headers, PayloadHash, RequestView};
use crate::telemetry::harden;
use crate::token::Grant;

/// Why nothing is explained.
#[derive(Debug, Error)]
pub(super) enum ExplainError {
    #[error("--request and --answer cannot both be standard input")]
    OneStandardInput,
    #[error("{0}: {1}")]
    File(String, io::Error),
    #[error("{0}: {1}")]
    Request(String, RequestError),
    #[error("--curl: {0}")]
    Curl(#[from] CurlError),
    #[error("{0}")]
    Config(String),
    #[error("there is no provider {0:?}; providers are: {1}")]
    NoProvider(String, String),
    #[error("the provider {0:?} does not sign: its auth_type is {1}")]
    NotAws(String, &'static str),
    #[error("{0}; or --provider, --host, --region and --service here")]
    Signing(SigningError),
}

pub(super) fn run(args: &ExplainArgs) -> ExitCode {
    if let Err(error) = harden() {
        let _nobody_hears = writeln!(io::stderr(), "bouncer: the process could not be hardened: {error}");
    }
    let ink = if io::stdout().is_terminal() { Ink::Colour } else { Ink::Plain };
    match explained(args, SystemClock.now()) {
        Ok(report) => {
            let written = io::stdout().write_all(report.text(ink).as_bytes());
            if written.is_ok() && report.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let _nobody_hears = writeln!(io::stderr(), "bouncer: {error}");
            match error {
                ExplainError::OneStandardInput => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

pub(super) fn explained(args: &ExplainArgs, now: Now) -> Result<Report, ExplainError> {
    let standard = |path: &Option<_>| path.as_deref().is_some_and(|path: &Path| path.as_os_str() == "-");
    if standard(&args.request) && standard(&args.answer) {
        return Err(ExplainError::OneStandardInput);
    }
    let settings = settings(args)?;
    let read = |path: &Path| {
        input::text(path).map_err(|error| ExplainError::File(path.display().to_string(), error))
    };
    let request = match (&args.request, &args.curl) {
        (Some(path), _) => GivenRequest::read(&read(path)?)
            .map_err(|error| ExplainError::Request(path.display().to_string(), error))?,
        (None, line) => curl::read(line.as_deref().unwrap_or_default(), Path::new("."))?,
    };
    let answer = args.answer.as_deref().map(read).transpose()?.map(|body| Answer::read(&body));
    explain(args, &settings, &request, answer.as_ref(), now)
}

fn settings(args: &ExplainArgs) -> Result<SigningSettings, ExplainError> {
    let mut settings = match &args.provider {
        None => SigningSettings::default(),
        Some(name) => {
            let config = config::load(&args.config.path())
                .map_err(|faults| ExplainError::Config(report::text(&faults).trim_end().to_owned()))?;
            of_entry(&config, name)?
        }
    };
    for (given, set) in [
        (&args.host, &mut settings.host),
        (&args.region, &mut settings.region),
        (&args.service, &mut settings.service),
    ] {
        if given.is_some() {
            set.clone_from(given);
        }
    }
    Ok(settings)
}

fn of_entry(config: &Config, name: &str) -> Result<SigningSettings, ExplainError> {
    let Some(entry) = config.providers.iter().find(|entry| &*entry.provider.name == name) else {
        let known: Vec<_> = config.providers.iter().map(|entry| &*entry.provider.name).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(ExplainError::NoProvider(name.to_owned(), known));
    };
    match &entry.credential {
        CredentialSettings::Token(settings) => match &settings.grant {
            Grant::Aws(settings) => Ok(settings.signing.clone()),
            _ => Err(ExplainError::NotAws(name.to_owned(), entry.provider.auth.as_str())),
        },
        CredentialSettings::ApiKey { .. } => {
            Err(ExplainError::NotAws(name.to_owned(), entry.provider.auth.as_str()))
        }
    }
}

fn explain(
    args: &ExplainArgs,
    settings: &SigningSettings,
    request: &GivenRequest,
    answer: Option<&Answer>,
    now: Now,
) -> Result<Report, ExplainError> {
    let mut notes = Vec::new();
    let (at, time_from) = time(args, request, answer, now);
    let theirs = answer.and_then(|answer| answer.canonical.as_ref());
    let given = request.all(TOKEN).next();
    let assumed =
        given.is_none() && theirs.is_some_and(|theirs| theirs.headers.iter().any(|(name, _)| name == TOKEN));
    let token = given.or(assumed.then_some(""));
    let keys = AwsKeys {
        // Neither stands in what is explained.
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("none".to_owned()),
        session_token: token.map(|token| Secret::new(token.to_owned())),
    };
    let signer = Signer::new(keys, None, Arc::new(settings.clone()));
    let headers: Headers<'_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let view = RequestView {
        method: &request.method,
        authority: &request.authority,
        raw_path: &request.raw_path,
        headers,
        envoy: EnvoyFacts::default(),
        half: Half::Whole,
        body: match &request.body {
            GivenBody::Bytes(bytes) if bytes.is_empty() => Body::Empty,
            GivenBody::Bytes(bytes) => Body::Whole(bytes),
            GivenBody::Hash(hash) => Body::Hashed(*hash),
        },
    };
    let now = Now { unix: at, ..now };
    let Explanation { host, region, service, canonical, string, refusal } =
        signer.explain(&view, now).map_err(ExplainError::Signing)?;
    let mut shown = canonical.shown();
    if assumed {
        for (_, value) in shown.headers.iter_mut().filter(|(name, _)| name == TOKEN) {
            "<redacted, not in the request>".clone_into(value);
        }
        notes.push(
            "AWS's answer has a session token, so the keys are temporary; the token is not compared"
                .to_owned(),
        );
    }
    if token.is_some() {
        let compared = answer.map_or("", |_| "; so the lines are compared, and it is not");
        notes.push(format!(
            "the request hash has the session token in it, as the request here gives it{compared}"
        ));
    }
    notes.extend(hints(request));
    let facts = vec![
        ("host", host.clone(), host_from(args, settings, request, &host)),
        ("region", region.clone(), scope_from(args, settings, &region, Part::Region)),
        ("service", service.clone(), scope_from(args, settings, &service, Part::Service)),
        ("time", string.time.clone(), time_from.to_owned()),
        ("body", body(request), String::new()),
    ];
    let verdict = answer.map(|answer| verdict(answer, differences(&shown, &string, answer), hides(&shown)));
    Ok(Report {
        facts,
        request: shown,
        string,
        notes,
        refusal: refusal.map(|refusal| refusal.to_string()).or_else(|| length_fault(request, &view)),
        answer: verdict,
    })
}

fn time(
    args: &ExplainArgs,
    request: &GivenRequest,
    answer: Option<&Answer>,
    now: Now,
) -> (UnixTime, &'static str) {
    let theirs = answer.and_then(|answer| answer.string.as_ref());
    let own = request.all("x-amz-date").next();
    args.time
        .map(|time| (time, "--time"))
        .or_else(|| Some((unix(own?)?, "x-amz-date of the request")))
        .or_else(|| Some((unix(&theirs?.time)?, "the answer")))
        .unwrap_or((now.unix, "now"))
}

fn body(request: &GivenRequest) -> String {
    match &request.body {
        GivenBody::Bytes(bytes) => format!("{} bytes", bytes.len()),
        GivenBody::Hash(_) => "known by its hash".to_owned(),
    }
}

enum Part {
    Region,
    Service,
}

fn host_from(args: &ExplainArgs, settings: &SigningSettings, request: &GivenRequest, host: &str) -> String {
    if args.host.is_some() {
        "--host".to_owned()
    } else if settings.host.is_some() {
        "aws.host of the entry".to_owned()
    } else if host == request.authority {
        "the request".to_owned()
    } else {
        "the region's own endpoint; Envoy has to send this host".to_owned()
    }
}

fn scope_from(args: &ExplainArgs, settings: &SigningSettings, value: &str, part: Part) -> String {
    let (flag, set, flag_name, setting) = match part {
        Part::Region => (&args.region, &settings.region, "--region", "aws.region of the entry"),
        Part::Service => (&args.service, &settings.service, "--service", "aws.service of the entry"),
    };
    let from = if flag.is_some() {
        flag_name
    } else if set.is_some() {
        setting
    } else {
        match part {
            Part::Region if settings.ambient_region.as_deref() == Some(value) => "AWS_REGION",
            _ => "the host",
        }
    };
    from.to_owned()
}

/// Where a signature is made, the body has been seen, and this has been compared.
fn length_fault(request: &GivenRequest, view: &RequestView<'_>) -> Option<String> {
    match (view.content_length(), &request.body) {
        (Some(length), GivenBody::Bytes(body)) if length != body.len() => Some(BodyFault::Length.to_string()),
        _ => None,
    }
}

/// What looks like one of the mistakes that are made most.
fn hints(request: &GivenRequest) -> Vec<String> {
    let mut notes = Vec::new();
    let (path, query) = request.raw_path.split_once('?').unwrap_or((&request.raw_path, ""));
    if path.to_ascii_lowercase().contains("%2f") {
        notes.push("the path has %2F: Envoy leaves it alone with path_with_escaped_slashes_action KEEP_UNCHANGED only".to_owned());
    }
    if path.contains("%25") {
        notes.push("the path has %25: it may have been encoded twice before it came here".to_owned());
    }
    if query.contains('+') {
        notes.push("the query has a +: AWS and clients read it as a plus or as a blank".to_owned());
    }
    if let (GivenBody::Bytes(body), Some(sent)) = (&request.body, request.all("x-amz-content-sha256").next())
        && sent.len() == 64
        && sent != PayloadHash::of(body).hex()
    {
        notes.push("x-amz-content-sha256 is the hash of another body".to_owned());
    }
    if request.all("authorization").next().is_some() {
        notes.push(
            "authorization of the request is the caller's own: bouncer takes it off and signs anew"
                .to_owned(),
        );
    }
    let expands = |text: &str| {
        text.split('$').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '{'))
    };
    if expands(&request.raw_path) || request.all("content-type").any(expands) {
        notes.push("a $NAME stands in the request, and nothing expands it here".to_owned());
    }
    notes
}

fn verdict(answer: &Answer, differences: Vec<Difference>, hidden: bool) -> Verdict {
    let mut told: Vec<_> = answer.told.iter().map(causes::told).collect();
    let compared = answer.canonical.is_some() || answer.string.is_some();
    let code = answer.code.as_deref().map_or_else(String::new, |code| format!("{}: ", printable(code, 64)));
    let is = if compared {
        let parts = match (&answer.canonical, &answer.string) {
            (Some(_), Some(_)) => "its canonical request and its string to sign are there",
            (Some(_), None) => "its canonical request is there",
            _ => "its string to sign is there",
        };
        if differences.is_empty() {
            format!("{code}{parts}, and no line differs")
        } else {
            format!("{code}{parts}")
        }
    } else if told.is_empty() {
        let broken = answer.broken.unwrap_or("none of the forms of a refused signature");
        format!("{code}a message of {} bytes: {broken}", answer.length)
    } else {
        format!("{code}it names the reason itself")
    };
    if compared && differences.is_empty() && told.is_empty() {
        let hidden = if hidden { ", or a value differs that is not shown" } else { "" };
        told.push((
            format!("AWS received the request that is explained here, so it was signed with another key than AWS has{hidden}"),
            "the secret: secret_access_key is not that of access_key_id, or has a blank or line end; or session_token is another's",
        ));
    }
    Verdict { is, differences, told }
}

impl Report {
    /// Whether nothing differs, the answer could be read and bouncer would sign.
    fn is_fine(&self) -> bool {
        // Without a word on what it means, the answer is nothing that is known.
        let differs = |verdict: &Verdict| !verdict.differences.is_empty() || verdict.told.is_empty();
        self.refusal.is_none() && !self.answer.as_ref().is_some_and(differs)
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
