//! The section `tls` of an entry.

use crate::config::place::At;
use crate::config::raw;
use crate::token::{ClientIdentity, ClientTls};

/// Reads `tls`. None is told.
pub(super) fn client_tls(raw: Option<&raw::ClientTls>, at: &At<'_>) -> Option<ClientTls> {
    let Some(raw) = raw else { return (!at.was_skipped()).then(ClientTls::default) };
    let ca = raw.ca.as_deref().map(|text| at.relative(text));
    let identity = match (&raw.certificate, &raw.private_key) {
        (Some(certificate), Some(private_key)) => Some(ClientIdentity {
            certificate: at.relative(certificate),
            private_key: at.relative(private_key),
        }),
        (None, None) => None,
        (Some(_), None) => return at.key("private_key").missing("the file with the key of certificate"),
        (None, Some(_)) => return at.key("certificate").missing("the file with the chain of private_key"),
    };
    Some(ClientTls { ca, identity })
}
