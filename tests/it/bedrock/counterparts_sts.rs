//! IAM and STS by themselves: what `moto` enforces, and what is enforced in front of it.

use super::example;
use crate::support::aws::{
    AccessKey, Bedrock, Client, Failure, Hop, MODEL, Moto, PROFILE_ARN, Session, Sts, unix_of,
};
use crate::support::{Answer, Idp, Request, send, unix_now};

type Outcome = Result<Session, (u16, String)>;

#[test]
fn moto_enforces_signatures_permissions_and_trust() {
    let moto = Moto::start();
    let hops = [Hop::external_id("gateway", "ours"), Hop::new("llm"), Hop::new("bedrock")];
    let user = moto.chain("bouncer", "llm-session", &hops);
    let assume = |key: &AccessKey, role: &str, more: &[(&str, &str)]| {
        let arn = Moto::role_arn(role);
        let fields = [("RoleArn", &*arn), ("RoleSessionName", "llm-session")];
        outcome(&moto, &moto.sts(key, "AssumeRole", &[&fields, more].concat()))
    };
    let forged = AccessKey { secret: "other".to_owned(), ..user.clone() };
    let ours = [("ExternalId", "ours")];
    refused(assume(&forged, "gateway", &ours), "SignatureDoesNotMatch");
    refused(assume(&example(), "gateway", &ours), "InvalidClientTokenId");
    refused(assume(&user, "gateway", &[("ExternalId", "theirs")]), "AccessDenied");
    refused(assume(&user, "bedrock", &[]), "AccessDenied");

    let gateway = assume(&user, "gateway", &ours).unwrap();
    assert_eq!(gateway.role, Moto::role_arn("gateway"));
    assert_eq!((gateway.name.as_str(), gateway.external_id.as_deref()), ("llm-session", Some("ours")));
    refused(assume(&gateway.key, "bedrock", &[]), "AccessDenied");
    let llm = assume(&gateway.key, "llm", &[]).unwrap();
    let tokenless = AccessKey { token: None, ..llm.key.clone() };
    refused(assume(&tokenless, "bedrock", &[]), "InvalidClientTokenId");
    let bedrock = assume(&llm.key, "bedrock", &[]).unwrap();

    // The role's credentials sign, at moto and at the Bedrock that knows them from moto.
    let ours = Bedrock::start("us-east-1");
    ours.ask_for_keys(moto.key_source());
    for model in [MODEL, PROFILE_ARN] {
        let shown = Client::signing(&ours.url(), &bedrock.key).ask("boto3-invoke", model);
        assert_eq!(shown["text"], "Hello.", "{shown}");
        // An empty object is all that moto answers.
        let shown = Client::signing(&moto.url(), &bedrock.key).ask("boto3-invoke", model);
        assert_eq!(
            (&shown["class"], &shown["message"]),
            (&"KeyError".into(), &"'content'".into()),
            "{shown}"
        );
    }
    let shown = Client::signing(&moto.url(), &gateway.key).ask("boto3-invoke", MODEL);
    assert!(shown["message"].as_str().unwrap().contains("AccessDenied"), "{shown}");

    moto.revoke("bedrock");
    refused(assume(&llm.key, "bedrock", &[]), "AccessDenied");
    moto.trust(hops[2], &[Moto::session_arn("llm", "llm-session")]);
    assume(&llm.key, "bedrock", &[]).unwrap();
    moto.allow_role("llm", &[]);
    refused(assume(&llm.key, "bedrock", &[]), "AccessDenied");
    let newer = moto.new_key("bouncer");
    moto.delete_key("bouncer", &user.id);
    refused(assume(&user, "gateway", &[]), "InvalidClientTokenId");
    assume(&newer, "gateway", &[]).unwrap();
}

#[test]
fn sts_is_strict_where_moto_is_not() {
    let moto = Moto::start();
    let hops = [Hop::external_id("gateway", "ours"), Hop::new("llm")];
    let user = moto.chain("bouncer", "llm-session", &hops);
    let sts = Sts::start(&moto, "us-east-1");
    sts.require_external_id("gateway", "ours");
    let assume = |key: &AccessKey, role: &str, more: &[(&str, &str)]| {
        let arn = Moto::role_arn(role);
        let fields = [("RoleArn", &*arn), ("RoleSessionName", "llm-session")];
        outcome(&moto, &sts.call(key, "AssumeRole", &[&fields, more].concat()))
    };
    refused(assume(&user, "gateway", &[]), "AccessDenied");
    refused(assume(&user, "gateway", &[("ExternalId", "theirs")]), "AccessDenied");
    refused(assume(&user, "llm", &[]), "AccessDenied");
    refused(assume(&example(), "llm", &[]), "InvalidClientTokenId");
    let forged = AccessKey { secret: "other".to_owned(), ..user.clone() };
    refused(assume(&forged, "llm", &[]), "SignatureDoesNotMatch");
    let tags = [
        ("ExternalId", "ours"),
        ("DurationSeconds", "7200"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "a b+c"),
        ("SourceIdentity", "alice"),
    ];
    let gateway = assume(&user, "gateway", &tags).unwrap();
    let long = assume(&gateway.key, "llm", &[("DurationSeconds", "3601")]);
    assert_eq!(long.unwrap_err(), (400, "ValidationError".to_owned()));
    sts.fail_next([Failure::new(503, "ServiceUnavailable", "later")]);
    assert_eq!(assume(&gateway.key, "llm", &[]).unwrap_err(), (503, "ServiceUnavailable".to_owned()));
    assume(&gateway.key, "llm", &[("DurationSeconds", "3600")]).unwrap();

    let asked = sts.take();
    let statuses: Vec<_> = asked.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [403, 403, 403, 403, 403, 200, 400, 503, 200]);
    assert_eq!(asked[5].action, "AssumeRole");
    assert_eq!(asked[5].access_key_id.as_deref(), Some(&*user.id));
    assert_eq!(asked[5].field("Tags.member.1.Value"), "a b+c");
    assert_eq!(asked[5].field("SourceIdentity"), "alice");
    assert_eq!(asked[8].access_key_id.as_deref(), Some(&*gateway.key.id));
    assert!(asked.is_sorted_by(|one, next| one.at <= next.at));

    sts.sessions_live(5);
    let answer = sts.call(
        &user,
        "AssumeRole",
        &[
            ("RoleArn", &Moto::role_arn("gateway")),
            ("RoleSessionName", "llm-session"),
            ("ExternalId", "ours"),
        ],
    );
    let text = answer.text();
    let until = text.split_once("<Expiration>").unwrap().1.split('<').next().unwrap();
    let digits: String = until.chars().filter(|c| !"-:".contains(*c)).collect();
    assert!(unix_of(&digits).unwrap() <= unix_now() as i64 + 5, "{until}");
}

#[test]
fn sts_takes_the_web_identity_of_its_issuer() {
    let moto = Moto::start();
    moto.web_identity_role("llm");
    let (sts, idp) = (Sts::start(&moto, "us-east-1"), Idp::shared());
    let assume = |token: &str| {
        let body = format!(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName=pod&WebIdentityToken={token}",
            Moto::role_arn("llm")
        );
        let request = Request::post("/", body)
            .header("host", sts.url().replace("http://", ""))
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = send(sts.address, &request);
        let of_its_kind = answer.text().starts_with("<AssumeRoleWithWebIdentityResponse");
        assert_eq!(of_its_kind, answer.status == 200, "{}", answer.text());
        outcome(&moto, &answer)
    };
    let token = idp.token_for("batch", "sts.amazonaws.com");
    let invalid = (400, "InvalidIdentityToken".to_owned());
    assert_eq!(assume(&token).unwrap_err(), invalid);
    sts.trust_issuer(&idp);
    let session = assume(&token).unwrap();
    assert_eq!(assume(&idp.token("batch")).unwrap_err(), invalid);
    assert_eq!(assume(&token[..token.len() - 4]).unwrap_err(), invalid);
    assert_eq!(assume("x.y.z").unwrap_err(), invalid);
    assert!(
        sts.take().iter().all(|one| one.access_key_id.is_none() && one.field("RoleSessionName") == "pod")
    );

    let bedrock = Bedrock::start("us-east-1");
    bedrock.ask_for_keys(moto.key_source());
    let shown = Client::signing(&bedrock.url(), &session.key).ask("boto3-invoke", MODEL);
    assert_eq!(shown["text"], "Hello.", "{shown}");
}

/// The session that STS handed out, or the status and the code of its refusal.
fn outcome(moto: &Moto, answer: &Answer) -> Outcome {
    match answer.text().split_once("<Code>") {
        Some((_, rest)) => Err((answer.status, rest.split('<').next().unwrap().to_owned())),
        None => Ok(moto.sessions().pop().unwrap()),
    }
}

fn refused(outcome: Outcome, code: &str) {
    assert_eq!(outcome.unwrap_err(), (403, code.to_owned()));
}
