//! The name of a role's session, which AWS shows in its records.

use aws_lc_rs::digest::{SHA256, digest};

use super::fit::is_word;

/// The most characters that AWS takes.
const LONGEST: usize = 64;

/// What tells two names apart whose beginnings are the same.
const DIGITS: usize = 8;

/// `bouncer-` and the entry's name. What AWS does not allow becomes `-`; a name that had to be changed or cut ends with a
/// part of its digest, so that two entries never share one.
pub(super) fn session_name(entry: &str) -> String {
    let whole = format!("bouncer-{entry}");
    let allowed = |c: char| u8::try_from(c).is_ok_and(|byte| byte.is_ascii() && is_word(byte));
    let mut name: String = whole.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    if name != whole || name.len() > LONGEST {
        name.truncate(LONGEST - DIGITS - 1);
        let digest = digest(&SHA256, whole.as_bytes());
        let digits: String =
            digest.as_ref().iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
        name = format!("{name}-{digits}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::aws::fit::is_session_name;

    #[test]
    fn a_name_that_aws_takes_stays_as_it_is() {
        assert_eq!(session_name("bedrock-prod.eu_1"), "bouncer-bedrock-prod.eu_1");
        assert_eq!(session_name(&"x".repeat(56)), format!("bouncer-{}", "x".repeat(56)));
    }

    #[test]
    fn others_are_made_fit_and_stay_apart() {
        let long = |last: &str| session_name(&format!("{}{last}", "x".repeat(70)));
        let names = [
            session_name("spiffe://a/b"),
            session_name("spiffe:--a-b:"),
            long("a"),
            long("b"),
            session_name("é"),
        ];
        for (at, name) in names.iter().enumerate() {
            assert!(is_session_name(name), "{name}");
            assert!(names.iter().skip(at + 1).all(|other| other != name), "{name}");
        }
        assert!(names[0].starts_with("bouncer-spiffe---a-b-"));
        assert_eq!(names[2].len(), 64);
    }
}
