//! Tests of `token.rs`: what an operator reads.

use url::Url;

use super::*;
use crate::app::Obtained;
use crate::base::{Clock as _, Expiry, FingerprintKey, ManualClock, Secret, UnixTime};
use crate::cache::Provenance;
use crate::provider::{AuthType, ProviderKind};
use crate::token::{Description, Leg, OAuthCode, Origin, SecretFault, SourceError, SourceErrorKind};

enum Second {
    Ok,
    Failed,
}

fn legs_of(second: Second) -> Legs {
    let to = Origin::of(&Url::parse("https://idp.internal.example.com/token?client=1").unwrap());
    let mut legs = Legs::default();
    let millis = Duration::from_millis;
    legs.push(Leg {
        name: "discovery",
        hop: None,
        to: to.clone(),
        took: millis(12),
        lives: None,
        succeeded: true,
    });
    let (lives, succeeded) = match second {
        Second::Ok => (Some(Duration::from_secs(3_600)), true),
        Second::Failed => (None, false),
    };
    legs.push(Leg { name: "token endpoint", hop: None, to, took: millis(141), lives, succeeded });
    legs
}

fn trial_of(legs: Legs, result: Result<Obtained, TrialError>) -> Trial {
    Trial {
        provider: "custom-openai".into(),
        kind: ProviderKind::parse("custom-openai").unwrap(),
        auth: AuthType::Oidc,
        secret: Some("internal-llm-oidc".to_owned()),
        source: Some("client_credentials"),
        legs,
        at: ManualClock::at(UnixTime(1_798_675_200)).now(),
        took: Duration::from_millis(155),
        result,
    }
}

fn good(scopes: [&str; 2]) -> Trial {
    let trial =
        trial_of(legs_of(Second::Ok), Err(SecretFault::NoKey { name: String::new(), keys: "" }.into()));
    let scopes = scopes.map(Box::from).into();
    let provenance = Provenance { source: "client_credentials", scopes, role: None };
    let obtained = Obtained {
        id: FingerprintKey::new(&Secret::new(vec![7; 32])).of(b"token"),
        expiry: Some(Expiry::at(trial.at, UnixTime(1_798_678_799))),
        provenance: Some(Arc::new(provenance)),
    };
    Trial { result: Ok(obtained), ..trial }
}

#[test]
fn a_token_s_way_is_shown_leg_by_leg() {
    let id = FingerprintKey::new(&Secret::new(vec![7; 32])).of(b"token");
    let expected = format!(
        "provider     custom-openai (custom, oidc)\n\
         source       client_credentials\n\
         secret       internal-llm-oidc\n\
         scopes       llm:read a\\u{{1b}}[2J\\u{{202e}}\n\
         expires      2026-12-31T00:59:59Z (in 59m 59s)\n\
         fingerprint  {id}\n\
         took         155 ms\n\
         \n\
         leg             went to                           took    life\n\
         discovery       https://idp.internal.example.com  12 ms   -     ok\n\
         token endpoint  https://idp.internal.example.com  141 ms  1h    ok\n"
    );
    assert_eq!(text(&good(["llm:read", "a\u{1b}[2J\u{202e}"]), Key::Installation), expected);
}

#[test]
fn the_sample_in_readme_is_what_is_printed() {
    let sample = format!("```text\n{}```\n", text(&good(["llm:read", "llm:invoke"]), Key::Process));
    assert!(include_str!("../../README.md").contains(&sample), "{sample}");
}

#[test]
fn a_refusal_says_which_leg_whose_fault_and_what_to_change() {
    let to = Some(Origin::of(&Url::parse("https://idp.internal.example.com/token").unwrap()));
    let description = Description::new("bad\r\nclient", []);
    let kind = SourceErrorKind::OAuth {
        code: OAuthCode::InvalidClient,
        status: 401,
        description,
        retry_after: None,
    };
    let error = SourceError::new("token endpoint", to, kind);
    let text = text(&trial_of(legs_of(Second::Failed), Err(error.into())), Key::Process);
    for expected in [
        "failed    token endpoint at https://idp.internal.example.com: invalid_client (status 401): badclient\n",
        "fault of  the operator\n",
        "change    the secret \"internal-llm-oidc\": the server does not know this client_id",
        "token endpoint  https://idp.internal.example.com  141 ms  -     FAILED\n",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn a_secret_that_cannot_be_used_has_no_legs() {
    let error = SecretFault::NoKey { name: "internal-llm-oidc".to_owned(), keys: "client_id" };
    let text = text(&trial_of(Legs::default(), Err(error.into())), Key::Process);
    assert!(
        text.contains("failed    secret \"internal-llm-oidc\" has none of the keys client_id\n"),
        "{text}"
    );
    assert!(!text.contains("went to") && !text.contains("expires"), "{text}");
}

#[test]
fn lives_have_their_two_largest_units() {
    for (seconds, text) in [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3_599, "59m 59s"),
        (3_600, "1h"),
        (3_601, "1h"),
        (90_000, "1d 1h"),
        (86_400 * 400, "400d"),
    ] {
        assert_eq!(life(Duration::from_secs(seconds)), text);
    }
}

#[test]
fn every_code_has_its_own_advice() {
    let advice = |code| {
        let kind = SourceErrorKind::OAuth {
            code,
            status: 400,
            description: Description::default(),
            retry_after: None,
        };
        advice(&SourceError::new("token endpoint", None, kind), None)
    };
    for code in ["invalid_client", "invalid_grant", "invalid_scope", "invalid_target", "unauthorized_client"]
    {
        assert!(advice(OAuthCode::parse(code)).len() > 40, "{code}");
    }
    assert_ne!(advice(OAuthCode::InvalidScope), advice(OAuthCode::InvalidTarget));
}
