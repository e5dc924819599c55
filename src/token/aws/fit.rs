//! What AWS allows where the secret says something; nothing else gets into a request
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).

use crate::credential::is_valid_region;
use crate::token::{KeyFault, Material, SecretFault};

/// The value of `key`, where it is there and `allows` it. `rule` is what AWS allows, for people.
pub(super) fn checked(
    material: &Material,
    key: &'static str,
    rule: &'static str,
    allows: impl Fn(&str) -> bool,
) -> Result<Option<String>, SecretFault> {
    match material.find(key) {
        None => Ok(None),
        Some(value) if allows(value.expose()) => Ok(Some(value.expose().clone())),
        Some(_) => {
            let name = material.name().to_owned();
            Err(SecretFault::Key { name, key, what: KeyFault::Aws(rule) })
        }
    }
}

/// `region`.
pub(super) fn region(material: &Material) -> Result<Option<String>, SecretFault> {
    checked(material, "region", "lower-case letters, digits and `-`, such as us-east-1", is_valid_region)
}

/// `role_arn`.
pub(super) fn role_arn(material: &Material) -> Result<Option<String>, SecretFault> {
    checked(material, "role_arn", "arn:aws:iam::ACCOUNT:role/NAME", is_role)
}

/// Whether it is a role's ARN, in any partition.
pub(super) fn is_role(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, region, account, role) = (next(), next(), next(), next(), next(), next());
    let name = role.strip_prefix("role/").unwrap_or_default();
    text.len() <= 2_048
        && (arn, service, region) == ("arn", "iam", "")
        && partition.starts_with("aws")
        && partition.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| is_word(byte) || byte == b'/')
}

/// Whether it is an `ExternalId`.
pub(super) fn is_external_id(text: &str) -> bool {
    (2..=1_224).contains(&text.len()) && text.bytes().all(|byte| is_word(byte) || b":/".contains(&byte))
}

/// Whether it is a `RoleSessionName`.
pub(super) fn is_session_name(text: &str) -> bool {
    (2..=64).contains(&text.len()) && text.bytes().all(is_word)
}

/// Whether it is an access key's ID.
pub(super) fn is_key_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether it can be a secret key or a session token: what can stand in a header.
pub(super) fn is_secret(text: &str) -> bool {
    (1..=16 << 10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `[\w+=,.@-]`
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_of_every_partition_are_known_and_nothing_else_is() {
        for role in [
            "arn:aws:iam::123456789012:role/bedrock",
            "arn:aws-cn:iam::123456789012:role/path/to/name+=,.@-_",
            "arn:aws-us-gov:iam::123456789012:role/x",
        ] {
            assert!(is_role(role), "{role}");
        }
        for other in [
            "",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::12345678901:role/x",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:sts::123456789012:assumed-role/x/y",
            "arn:aws:iam:us-east-1:123456789012:role/x",
            "arn:AWS:iam::123456789012:role/x",
            "arn:aws:iam::123456789012:role/x y",
            "arn:aws:iam::123456789012:role/é",
            "arn:aws:iam::123456789012:role/x:y",
            "xarn:aws:iam::123456789012:role/x",
        ] {
            assert!(!is_role(other), "{other}");
        }
        assert!(!is_role(&format!("arn:aws:iam::123456789012:role/{}", "x".repeat(2_048))));
    }

    #[test]
    fn lengths_and_alphabets_are_those_of_aws() {
        for (is, good, bad) in [
            (is_external_id as fn(&str) -> bool, &["ab", "a:/=,.@+-_"][..], &["a", "a b", "é1"][..]),
            (is_session_name, &["ab", "a=,.@+-_"], &["a", "a:b", "a/b"]),
            (is_key_id, &["AKIDEXAMPLE", "a_1"], &["", "a-b", "a/b"]),
            (is_secret, &["wJalr/+="], &["", "a b", "a\n", "é"]),
        ] {
            assert!(good.iter().all(|text| is(text)), "{good:?}");
            assert!(bad.iter().all(|text| !is(text)), "{bad:?}");
        }
        assert!(is_session_name(&"x".repeat(64)) && !is_session_name(&"x".repeat(65)));
        assert!(is_external_id(&"x".repeat(1_224)) && !is_external_id(&"x".repeat(1_225)));
    }
}
