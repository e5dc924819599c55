//! What Envoy says of a request, read from attributes and metadata; and the facts that travel between the two halves.

use std::borrow::Cow;
use std::collections::BTreeMap;

use prost_types::{ListValue, Struct, Value, value::Kind};

use super::structs::{Json, find_struct, json, members, metadata_text, text_form_lookup, texts};
use super::wire::WireError;
use crate::request::{MetadataLookup, MetadataSource, PeerFacts, VerifiedFacts};

/// Namespace of dynamic metadata in which the downstream half leaves what it verified.
pub(super) const NAMESPACE: &str = "bouncer";

/// Attributes of an ext_proc message. Texts stay where they are; metadata is read only when somebody asks.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    pub(super) cluster: Option<&'a str>,
    pub(super) route: Option<&'a str>,
    pub(super) peer: PeerFacts<'a>,
    /// Whether there is an attribute that only a filter on the upstream side gets.
    pub(super) upstream: bool,
    host_metadata: Option<&'a str>,
    cluster_metadata: Option<&'a str>,
    route_metadata: Option<&'a str>,
}

impl<'a> Attributes<'a> {
    pub(super) fn read(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        for member in members(message) {
            let (name, value) = member?;
            match name {
                b"xds.cluster_name" => set(&mut self.cluster, some, value)?,
                b"xds.route_name" => set(&mut self.route, some, value)?,
                b"xds.cluster_metadata" => set(&mut self.cluster_metadata, text_form, value)?,
                b"xds.route_metadata" => set(&mut self.route_metadata, text_form, value)?,
                b"xds.upstream_host_metadata" => {
                    self.upstream = true;
                    set(&mut self.host_metadata, text_form, value)?;
                }
                b"upstream.address" => self.upstream = true,
                b"connection.uri_san_peer_certificate" => set(&mut self.peer.uri_san, some, value)?,
                b"connection.mtls" => {
                    if let Json::Flag(flag) = json(value)? {
                        self.peer.mtls = Some(flag);
                    }
                }
                // Of what nobody asks for, nothing is read: the filter may send much of it.
                _ => {}
            }
        }
        Ok(())
    }
}

impl MetadataLookup for Attributes<'_> {
    fn lookup(&self, source: MetadataSource, namespace: &str, key: &str) -> Option<Cow<'_, str>> {
        let text = match source {
            MetadataSource::Host => self.host_metadata,
            MetadataSource::Cluster => self.cluster_metadata,
            MetadataSource::Route => self.route_metadata,
        };
        // Unreadable, it counts as a value that nobody has: it may name a provider, and must not leave the choice to the
        // caller's words.
        text_form_lookup(text?, namespace, key).unwrap_or(Some(Cow::Borrowed("")))
    }
}

/// The route metadata of an ext_authz message; it has no other.
pub(super) struct RouteMetadata<'a>(pub(super) Option<&'a [u8]>);

impl MetadataLookup for RouteMetadata<'_> {
    fn lookup(&self, source: MetadataSource, namespace: &str, key: &str) -> Option<Cow<'_, str>> {
        match source {
            MetadataSource::Route => metadata_text(self.0?, namespace, key).map(Cow::Borrowed),
            MetadataSource::Host | MetadataSource::Cluster => None,
        }
    }
}

/// The facts in `metadata_context`; none when the namespace is not there, when it does not say whether a person calls, or
/// when a member has another type than we write.
pub(super) fn verified_facts(metadata_context: &[u8]) -> Option<VerifiedFacts> {
    let (mut facts, mut workload) = (VerifiedFacts::default(), None);
    for member in members(find_struct(metadata_context, NAMESPACE)?) {
        let (name, value) = member.ok()?;
        match (name, json(value).ok()?) {
            (b"issuer", Json::Text(text)) => text.clone_into(&mut facts.issuer),
            (b"subject", Json::Text(text)) => text.clone_into(&mut facts.subject),
            (b"kind", Json::Text("person")) => workload = Some(false),
            (b"kind", Json::Text("workload")) => workload = Some(true),
            (b"groups", Json::List(list)) => facts.groups = texts(list).ok()??,
            (b"amr", Json::List(list)) => facts.amr = texts(list).ok()??,
            (b"acr", Json::List(list)) => facts.acr = texts(list).ok()??,
            (b"auth_time", Json::Number(number)) => facts.auth_time = Some(seconds(number)?),
            (b"not_after", Json::Number(number)) => facts.not_after = seconds(number)?,
            (b"via", Json::Text(text)) => facts.via = Some(text.to_owned()),
            // Another type, or a member of a later version that may narrow what the others grant.
            _ => return None,
        }
    }
    // A default here would make a person of whom nobody spoke, and a person can pass MFA.
    Some(VerifiedFacts { workload: workload?, ..facts })
}

/// `dynamic_metadata` of an ext_proc answer: the top-level member is the namespace.
pub(super) fn facts_metadata(facts: &VerifiedFacts) -> Struct {
    let list = |items: &[String]| {
        Kind::ListValue(ListValue {
            values: items.iter().map(|item| value(Kind::StringValue(item.clone()))).collect(),
        })
    };
    let kind = if facts.workload { "workload" } else { "person" };
    let mut fields = BTreeMap::from([
        ("issuer".to_owned(), value(Kind::StringValue(facts.issuer.clone()))),
        ("subject".to_owned(), value(Kind::StringValue(facts.subject.clone()))),
        ("kind".to_owned(), value(Kind::StringValue(kind.to_owned()))),
        ("groups".to_owned(), value(list(&facts.groups))),
        ("amr".to_owned(), value(list(&facts.amr))),
        ("acr".to_owned(), value(list(&facts.acr))),
        ("not_after".to_owned(), value(number(facts.not_after))),
    ]);
    if let Some(auth_time) = facts.auth_time {
        fields.insert("auth_time".to_owned(), value(number(auth_time)));
    }
    if let Some(via) = &facts.via {
        fields.insert("via".to_owned(), value(Kind::StringValue(via.clone())));
    }
    let namespace = value(Kind::StructValue(Struct { fields }));
    Struct { fields: BTreeMap::from([(NAMESPACE.to_owned(), namespace)]) }
}

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

/// Seconds of a calendar fit a double exactly for the next 285 million years; more is cut to that.
#[allow(clippy::cast_precision_loss, reason = "cut to what a double holds exactly")]
fn number(seconds: u64) -> Kind {
    Kind::NumberValue(seconds.min(1 << 53) as f64)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn seconds(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number)).then_some(number as u64)
}

/// Takes a text; another type is as good as nothing.
fn set<'a>(
    place: &mut Option<&'a str>,
    take: fn(&'a str) -> Option<&'a str>,
    value: &'a [u8],
) -> Result<(), WireError> {
    if let Json::Text(text) = json(value)? {
        *place = take(text);
    }
    Ok(())
}

/// Envoy sends an attribute that it does not know as an empty text.
fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// And metadata that is not there, as a host's often is, as this word.
fn text_form(text: &str) -> Option<&str> {
    some(text).filter(|text| *text != "NULL")
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::wire::pb::envoy::config::core::v3::Metadata;
    use super::*;

    fn facts() -> VerifiedFacts {
        VerifiedFacts {
            issuer: "https://idp".into(),
            subject: "alice".into(),
            groups: vec!["a".into()],
            amr: vec!["pwd".into(), "otp".into()],
            acr: vec!["c1".into()],
            auth_time: Some(1_700_000_000),
            not_after: 1_700_003_600,
            via: Some("spiffe://mesh/app".into()),
            workload: false,
        }
    }

    fn as_context(metadata: Struct) -> Vec<u8> {
        let filter_metadata = metadata
            .fields
            .into_iter()
            .filter_map(|(name, value)| match value.kind {
                Some(Kind::StructValue(inner)) => Some((name, inner)),
                _ => None,
            })
            .collect();
        Metadata { filter_metadata }.encode_to_vec()
    }

    #[test]
    fn facts_survive_the_way_through_dynamic_metadata() {
        assert_eq!(verified_facts(&as_context(facts_metadata(&facts()))), Some(facts()));
    }

    #[test]
    fn facts_with_a_wrong_type_are_no_facts() {
        let mut metadata = facts_metadata(&facts());
        if let Some(Kind::StructValue(inner)) =
            metadata.fields.get_mut(NAMESPACE).and_then(|v| v.kind.as_mut())
        {
            inner.fields.insert("not_after".into(), value(Kind::StringValue("later".into())));
        }
        assert_eq!(verified_facts(&as_context(metadata)), None);
    }

    #[test]
    fn facts_that_do_not_say_who_calls_are_no_facts() {
        let mut metadata = facts_metadata(&facts());
        if let Some(Kind::StructValue(inner)) =
            metadata.fields.get_mut(NAMESPACE).and_then(|v| v.kind.as_mut())
        {
            inner.fields.remove("kind");
        }
        assert_eq!(verified_facts(&as_context(metadata)), None);
    }

    #[test]
    fn metadata_names_somebody_nobody_or_cannot_be_read() {
        let good = r#"filter_metadata { key: "bouncer" value { fields { key: "provider" value { string_value: "x" } } } }"#;
        for (text, found) in [(good, Some("x")), ("", None), ("NULL", None), ("filter_metadata {", Some(""))]
        {
            let message = Struct {
                fields: BTreeMap::from([(
                    "xds.upstream_host_metadata".to_owned(),
                    value(Kind::StringValue(text.to_owned())),
                )]),
            }
            .encode_to_vec();
            let mut attributes = Attributes::default();
            attributes.read(&message).unwrap();
            let named = attributes.lookup(MetadataSource::Host, NAMESPACE, "provider");
            assert_eq!(named.as_deref(), found, "{text}");
            assert!(attributes.upstream);
        }
    }

    #[test]
    fn another_namespace_has_no_facts() {
        let mut metadata = facts_metadata(&facts());
        let inner = metadata.fields.remove(NAMESPACE).unwrap();
        metadata.fields.insert("envoy.filters.http.jwt_authn".into(), inner);
        assert_eq!(verified_facts(&as_context(metadata)), None);
    }
}
