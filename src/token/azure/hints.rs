//! What an operator should look at when Microsoft Entra refuses. Hints only: Microsoft asks that no program depend on these
//! numbers, so nothing is decided by them
//! (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).

use super::{ENTRA, MANAGED_IDENTITY, SourceError};
use crate::token::SourceErrorKind;

/// The numbers that a gateway meets, and what to do.
const HINTS: [(&str, &str); 17] = [
    ("7000215", "client_secret is wrong: it is the secret's value that is needed, not its ID"),
    ("7000222", "client_secret has expired: make a new one and put it into the secret"),
    ("700027", "the certificate is not registered with the application, or its private key is another one's"),
    ("700024", "the assertion is outside its time: compare the clocks; a federated token file may be stale"),
    ("7000229", "the application has no service principal in this tenant: an administrator must consent"),
    ("700016", "the application is not in this tenant: compare client_id and tenant_id"),
    ("700211", "no federated credential of the application has the issuer of this token"),
    ("700212", "no federated credential of the application has the audience of this token"),
    ("700213", "no federated credential of the application has the subject of this token"),
    (
        "70021",
        "no federated credential of the application fits this token: compare issuer, subject and audience",
    ),
    ("70011", "the scope is not known: client credentials need the form https://RESOURCE/.default"),
    ("1002012", "the scope is not of the form https://RESOURCE/.default"),
    ("500011", "the resource in the scope is not known in this tenant"),
    ("90002", "the tenant is not known: compare tenant_id, and authority_host with the cloud that it is in"),
    ("50076", "a policy demands MFA of a person: use an identity of an application"),
    ("50079", "a policy demands that a person enroll in MFA: use an identity of an application"),
    ("53003", "a Conditional Access policy blocks this: have the workload exempted from it"),
];

/// The hint for what Entra or the managed identity answered.
pub(in crate::token) fn hint(error: &SourceError) -> Option<&'static str> {
    match (&error.kind, error.leg) {
        (SourceErrorKind::OAuth { description, .. }, ENTRA) => numbered(description.as_deref()?),
        (SourceErrorKind::OAuth { status: 400, .. }, MANAGED_IDENTITY) => {
            Some("the machine has no such identity: assign it, or compare client_id and the scope")
        }
        (SourceErrorKind::Outbound(_), MANAGED_IDENTITY) => {
            Some("there is no metadata service here: outside Azure the entry needs a credential_ref")
        }
        _ => None,
    }
}

/// The hint for a sentence that begins with `AADSTS` and a number.
fn numbered(description: &str) -> Option<&'static str> {
    let rest = description.trim_start().strip_prefix("AADSTS")?;
    let end = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = rest.get(..end)?;
    HINTS.iter().find(|(known, _)| *known == number).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_number_has_its_hint_and_nothing_else_has() {
        let secret = numbered("AADSTS7000215: Invalid client secret provided. Trace ID: x").unwrap();
        assert!(secret.contains("not its ID"));
        assert!(numbered("AADSTS700024: Client assertion is not within its valid time range.").is_some());
        for other in
            ["", "AADSTS", "AADSTS1: x", "AADSTS70002150: x", "aadsts7000215", "x AADSTS7000215", "7000215"]
        {
            assert_eq!(numbered(other), None, "{other:?}");
        }
    }

    #[test]
    fn each_number_stands_once() {
        for (at, (number, _)) in HINTS.iter().enumerate() {
            assert_eq!(HINTS.iter().position(|(other, _)| other == number), Some(at));
        }
    }
}
