//! What a step promises, fact by fact, and what was found instead where one is broken.

use serde_json::Value;

use super::answer::Vendor;

/// What must come back.
pub(super) enum Expect {
    /// 200, by the key of the store and without the caller's token.
    Answer,
    /// The same with the new key, after the one in the store was swapped.
    AnswerWithNewKey,
    /// A refusal by bouncer, before the provider saw anything.
    Refusal {
        /// HTTP.
        status: u16,
        /// How `www-authenticate` starts; none when there must not be one.
        challenge: Option<&'static str>,
        /// `error.code` of OpenAI's errors, `error.type` of Anthropic's.
        code: &'static str,
    },
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    /// `www-authenticate`.
    pub(super) challenge: Option<String>,
    pub(super) body: String,
}

/// What the provider saw of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrived {
    Nothing,
    /// A request that had the caller's token somewhere.
    WithCallersToken,
    WithoutCallersToken,
}

/// A fact, and what was found instead where it did not hold.
pub(super) type Fact = (String, Option<String>);

/// The facts of `expect`. `key` is the masked key that the provider should see.
pub(super) fn facts(
    expect: &Expect,
    vendor: Vendor,
    reply: &Reply,
    arrived: Arrived,
    key: &str,
) -> Vec<Fact> {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    match *expect {
        Expect::Refusal { status, challenge, code } => {
            let (place, named) = match vendor {
                Vendor::OpenAi => ("/error/code", "code"),
                Vendor::Anthropic => ("/error/type", "type"),
            };
            let got = body.pointer(place).and_then(Value::as_str).unwrap_or("nothing");
            let theirs = reply.challenge.as_deref();
            let challenged = match challenge {
                Some(start) => theirs.is_some_and(|theirs| theirs.starts_with(start)),
                None => theirs.is_none(),
            };
            let wanted = challenge.unwrap_or("none");
            let error = format!("an error that the {} SDK reads, {named} {code}", vendor.name());
            vec![
                fact(format!("refused with {status}"), reply.status == status, reply.status),
                fact(format!("www-authenticate: {wanted}"), challenged, theirs.unwrap_or("none")),
                fact(error, got == code, got),
                fact("the provider saw nothing of it", arrived == Arrived::Nothing, "it did"),
            ]
        }
        Expect::Answer | Expect::AnswerWithNewKey => {
            let text = vendor.text_of(&body).unwrap_or("no answer");
            let new = if matches!(expect, Expect::AnswerWithNewKey) { "new " } else { "" };
            let kept = arrived == Arrived::WithoutCallersToken && text.ends_with("; no caller token");
            vec![
                fact("answered with 200", reply.status == 200, reply.status),
                fact(format!("the provider saw its {new}key {key}"), text.contains(key), text),
                fact("the caller's token did not reach it", kept, text),
            ]
        }
    }
}

fn fact(fact: impl Into<String>, held: bool, found: impl ToString) -> Fact {
    (fact.into(), (!held).then(|| found.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(
        expect: &Expect,
        vendor: Vendor,
        reply: (u16, Option<&str>, &str),
        arrived: Arrived,
    ) -> Vec<String> {
        let (status, challenge, body) = reply;
        let reply = Reply { status, challenge: challenge.map(str::to_owned), body: body.to_owned() };
        let facts = facts(expect, vendor, &reply, arrived, "…abcd");
        facts.into_iter().filter(|(_, instead)| instead.is_some()).map(|(fact, _)| fact).collect()
    }

    #[test]
    fn each_part_of_a_refusal_is_looked_at() {
        const STEP_UP: &str = "Bearer error=\"insufficient_user_authentication\", max_age=\"1\"";
        const BODY: &str = r#"{"type":"error","error":{"type":"authentication_error","message":"x"}}"#;
        let challenge = Some("Bearer error=\"insufficient_user_authentication\"");
        let expect = Expect::Refusal { status: 401, challenge, code: "authentication_error" };
        let no_challenge = Expect::Refusal { status: 401, challenge: None, code: "authentication_error" };
        let none = Arrived::Nothing;
        let check = |reply, arrived| broken(&expect, Vendor::Anthropic, reply, arrived);
        assert_eq!(check((401, Some(STEP_UP), BODY), none), [""; 0]);
        assert_eq!(check((403, Some(STEP_UP), BODY), none), ["refused with 401"]);
        assert_eq!(check((401, Some("Bearer"), BODY), none).len(), 1);
        assert_eq!(check((401, None, BODY), none).len(), 1);
        assert_eq!(check((401, Some(STEP_UP), "{}"), none).len(), 1);
        assert_eq!(
            check((401, Some(STEP_UP), BODY), Arrived::WithoutCallersToken),
            ["the provider saw nothing of it"]
        );
        assert_eq!(broken(&no_challenge, Vendor::Anthropic, (401, Some("Bearer"), BODY), none).len(), 1);
        // The dialect of another vendor is not this one's.
        assert_eq!(broken(&expect, Vendor::OpenAi, (401, Some(STEP_UP), BODY), none).len(), 1);
    }

    #[test]
    fn each_part_of_an_answer_is_looked_at() {
        let body = |text: &str| serde_json::json!({"choices": [{"message": {"content": text}}]}).to_string();
        let good = body("I saw authorization: Bearer …abcd; no caller token");
        let other_key = body("I saw authorization: Bearer …0000; no caller token");
        let told = body("I saw authorization: Bearer …abcd; A CALLER TOKEN in cookie");
        let without = Arrived::WithoutCallersToken;
        for expect in [Expect::Answer, Expect::AnswerWithNewKey] {
            let check =
                |status, body: &str, arrived| broken(&expect, Vendor::OpenAi, (status, None, body), arrived);
            assert_eq!(check(200, &good, without), [""; 0]);
            assert_eq!(check(500, &good, without), ["answered with 200"]);
            assert_eq!(check(200, &other_key, without).len(), 1);
            assert_eq!(check(200, &told, without), ["the caller's token did not reach it"]);
            assert_eq!(check(200, &good, Arrived::WithCallersToken), ["the caller's token did not reach it"]);
            assert_eq!(check(200, "", Arrived::Nothing).len(), 2);
        }
    }
}
