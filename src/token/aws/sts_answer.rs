//! What STS answers, in XML: read whole and small, without a document type, so that nothing in it can grow or reach out.

use roxmltree::{Document, Node, ParsingOptions};

use super::fit;
use crate::base::{Secret, UnixTime};
use crate::credential::AwsKeys;
use crate::token::expires_at;

/// An answer has some twenty.
const MOST_NODES: u32 = 512;

/// The credentials of the answer to `action`; none where they are not all there.
pub(super) fn credentials(body: &[u8], action: &str) -> Option<(AwsKeys, UnixTime)> {
    let document = document(body)?;
    let result = child(document.root_element(), &format!("{action}Result"))?;
    let credentials = child(result, "Credentials")?;
    let secret = |name| text(credentials, name).filter(|text| fit::is_secret(text));
    let keys = AwsKeys {
        access_key_id: text(credentials, "AccessKeyId").filter(|text| fit::is_key_id(text))?.to_owned(),
        secret_access_key: Secret::new(secret("SecretAccessKey")?.to_owned()),
        session_token: Some(Secret::new(secret("SessionToken")?.to_owned())),
    };
    Some((keys, expires_at::parse(text(credentials, "Expiration")?)?))
}

/// The code of a refusal.
pub(super) fn code(body: &[u8]) -> Option<String> {
    let document = document(body)?;
    let root = document.root_element();
    let error = if root.tag_name().name() == "Error" {
        root
    } else {
        // In the middle, servers that stand for AWS say it once more.
        child(root, "Error").or_else(|| child(child(root, "Errors")?, "Error"))?
    };
    text(error, "Code").map(str::to_owned)
}

fn document(body: &[u8]) -> Option<Document<'_>> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(str::from_utf8(body).ok()?, options).ok()
}

/// The only child `name`.
fn child<'a, 'd>(node: Node<'a, 'd>, name: &str) -> Option<Node<'a, 'd>> {
    let mut found = node.children().filter(|child| child.tag_name().name() == name);
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

/// The text of the only child `name`, whole.
fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let child = child(node, name)?;
    let mut parts = child.children();
    let only = parts.next().filter(|part| part.is_text() && parts.next().is_none())?;
    only.text().map(str::trim_ascii)
}

#[cfg(test)]
#[path = "sts_answer_tests.rs"]
mod tests;
