//! One table of cases for every placement and both Envoys: the same decisions, and the same things arrive.

mod table;

use crate::support::{Answer, Placement, Version, World};

use table::{Case, Expected, MFA, SMUGGLED, WHERE, WHO};

const REQUEST_ID: &str = "7f3e3d9c-0f4c-4f2f-9d6c-2b1f1e9f0a11";

/// The strip set of every provider, folded.
const CREDENTIALS: [&str; 10] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "ocp-apim-subscription-key",
    "openai-organization",
    "openai-project",
    "anthropic-workspace-id",
    "x-forwarded-client-cert",
    "cookie",
];

#[test]
fn downstream_oldest() {
    decide(Placement::Downstream, Version::Oldest);
}

#[test]
fn downstream_newest() {
    decide(Placement::Downstream, Version::Newest);
}

#[test]
fn upstream_oldest() {
    decide(Placement::Upstream, Version::Oldest);
}

#[test]
fn upstream_newest() {
    decide(Placement::Upstream, Version::Newest);
}

#[test]
fn pair_oldest() {
    decide(Placement::Pair, Version::Oldest);
}

#[test]
fn pair_newest() {
    decide(Placement::Pair, Version::Newest);
}

#[test]
fn ext_authz_oldest() {
    decide(Placement::ExtAuthz, Version::Oldest);
}

#[test]
fn ext_authz_newest() {
    decide(Placement::ExtAuthz, Version::Newest);
}

/// Runs the whole table and reports every line that came out otherwise.
fn decide(placement: Placement, version: Version) {
    let world = World::start(placement, version);
    let wrong: Vec<_> = [WHO, MFA, WHERE, SMUGGLED]
        .into_iter()
        .flatten()
        .filter_map(|case| check(&world, case).err().map(|why| format!("{} ({}): {why}", case.0, case.1)))
        .collect();
    assert!(wrong.is_empty(), "{placement:?} {version:?}:\n{}", wrong.join("\n"));
}

fn check(world: &World, (_, llm, request, expected): &Case) -> Result<(), String> {
    let request = request(world).header("x-request-id", REQUEST_ID).header("user-agent", "a test");
    let arrived = world.provider.arrived();
    let answer = world.ask(llm, request);
    let seen = world.seen();
    let got = format!("{} {}", answer.status, answer.text());
    match expected {
        Expected::Allowed => {
            let [seen] = seen.as_slice() else {
                return Err(format!("{} requests arrived; {got}", seen.len()));
            };
            same("status", &answer.status, &200)?;
            same("service", &seen.llm.as_str(), llm)?;
            arrived_clean(world, llm, &seen.headers)
        }
        Expected::Refused(status, code) => {
            nothing_arrived(world, arrived)?;
            same("status", &answer.status, status).map_err(|why| format!("{why}; {got}"))?;
            refused_well(llm, code, &answer)
        }
        Expected::NotServed => {
            nothing_arrived(world, arrived)?;
            if (400..500).contains(&answer.status) { Ok(()) } else { Err(got) }
        }
    }
}

/// The service's key stands there once, and of all that the caller sent nothing that is like a credential.
fn arrived_clean(world: &World, llm: &str, headers: &[(String, String)]) -> Result<(), String> {
    let (place, prefix) = match llm {
        "azure" => ("api-key", ""),
        "anthropic" => ("x-api-key", ""),
        _ => ("authorization", "Bearer "),
    };
    let classes = |name: &str| {
        let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
        CREDENTIALS.contains(&name.as_str()) || name.starts_with("x-amz-") || name.starts_with("x-goog-")
    };
    let credentials: Vec<_> = headers.iter().filter(|(name, _)| classes(name)).collect();
    let expected = (place.to_owned(), format!("{prefix}{}", world.key(llm)));
    if credentials != [&expected] {
        let names: Vec<_> = credentials.iter().map(|(name, _)| name).collect();
        return Err(format!("credentials arrived in {names:?}, not the service's own in {place} alone"));
    }
    // What is no credential stays.
    let kept = |name: &str| headers.iter().any(|(n, _)| n == name);
    if kept("user-agent") && kept("x-request-id") {
        Ok(())
    } else {
        Err("harmless headers are gone".to_owned())
    }
}

fn refused_well(llm: &str, code: &str, answer: &Answer) -> Result<(), String> {
    let body = answer.json();
    if llm == "anthropic" {
        same("type", &body["type"].as_str(), &Some("error"))?;
    } else {
        same("code", &body["error"]["code"].as_str(), &Some(code))?;
    }
    let sentence = body["error"]["message"].as_str().unwrap_or_default();
    if sentence.len() < 10 {
        return Err(format!("no sentence in {body}"));
    }
    same("x-request-id", &answer.header("x-request-id").as_deref(), &Some(REQUEST_ID))?;
    same("content-type", &answer.header("content-type").as_deref(), &Some("application/json"))?;
    let challenge = answer.header("www-authenticate");
    let challenge = challenge.as_deref();
    match code {
        "missing_token" => same("challenge", &challenge, &Some("Bearer")),
        "invalid_token" => same("challenge", &challenge, &Some(r#"Bearer error="invalid_token""#)),
        "insufficient_user_authentication" => {
            let challenge = challenge.unwrap_or_default();
            let begin = r#"Bearer error="insufficient_user_authentication", error_description=""#;
            let end = r#"", acr_values="urn:example:mfa", max_age="28800""#;
            let fits = challenge.starts_with(begin) && challenge.ends_with(end);
            if fits { Ok(()) } else { Err(format!("challenge {challenge}")) }
        }
        _ => same("challenge", &challenge, &None),
    }
}

fn nothing_arrived(world: &World, before: u64) -> Result<(), String> {
    same("requests that arrived", &(world.provider.arrived() - before), &0)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, expected: &T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what} is {got:?}, not {expected:?}")) }
}
