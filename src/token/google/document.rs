//! Files of credentials as Google writes them: JSON, bounded, and nothing in them that is not understood.

use serde::de::DeserializeOwned;

use super::KeyFault;

/// No such file is longer.
const LIMIT: usize = 64 << 10;

/// The one universe whose hosts are known.
const UNIVERSE: &str = "googleapis.com";

/// Reads a file of credentials.
///
/// # Errors
/// [`KeyFault`] names the field at most: the parser's own sentences show values.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, KeyFault> {
    if text.len() > LIMIT {
        return Err(KeyFault::TooLarge);
    }
    serde_json::from_str(text).map_err(|error| unknown_field(&error.to_string()).unwrap_or(KeyFault::NotJson))
}

fn unknown_field(sentence: &str) -> Option<KeyFault> {
    let (name, _) = sentence.strip_prefix("unknown field `")?.split_once('`')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let fit = name.len() <= 64 && name.bytes().all(plain);
    Some(KeyFault::UnknownField(if fit { name.to_owned() } else { "?".to_owned() }))
}

/// The text of `field`, which must be there, without control characters or spaces, and in bounds.
pub(super) fn required(field: &'static str, value: Option<String>) -> Result<String, KeyFault> {
    let value = value.filter(|value| !value.is_empty()).ok_or(KeyFault::Missing(field))?;
    let fit = value.len() <= 2_048 && value.bytes().all(|byte| byte.is_ascii_graphic());
    if fit { Ok(value) } else { Err(KeyFault::Unfit(field)) }
}

/// Refuses what was written for other machinery than this.
pub(super) fn foreign(
    universe: Option<&str>,
    quota_project: Option<&str>,
    user_project: Option<&str>,
) -> Result<(), KeyFault> {
    if universe.is_some_and(|universe| universe != UNIVERSE) {
        return Err(KeyFault::Universe);
    }
    // Who pays is said in one place; a file that says otherwise would be overruled in silence.
    if quota_project.is_some() && quota_project != user_project {
        return Err(KeyFault::QuotaProject);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(rename = "a")]
        _a: Option<String>,
    }

    #[test]
    fn what_is_not_understood_is_named_and_no_value_is() {
        let unknown = |name: &str| KeyFault::UnknownField(name.to_owned());
        let long = format!(r#"{{"{}":1}}"#, "x".repeat(65));
        let huge = format!(r#"{{"a":"{}"}}"#, "x".repeat(64 << 10));
        for (text, fault) in [
            ("", KeyFault::NotJson),
            ("[]", KeyFault::NotJson),
            (r#""hunter2""#, KeyFault::NotJson),
            (r#"{"a":{"hunter2":1}}"#, KeyFault::NotJson),
            (r#"{"a":"x","a":"hunter2"}"#, KeyFault::NotJson),
            (r#"{"a":"x"} hunter2"#, KeyFault::NotJson),
            (r#"{"b":"hunter2"}"#, unknown("b")),
            (r#"{"b\nhunter2":1}"#, unknown("?")),
            (&long, unknown("?")),
            (&huge, KeyFault::TooLarge),
        ] {
            let found = parse::<Sample>(text).unwrap_err();
            assert_eq!(found, fault, "{text:.40}");
            assert!(!format!("{found} {found:?}").contains("hunter2"));
        }
        assert!(parse::<Sample>(r#"{"a":"x"}"#).is_ok());
    }
}
