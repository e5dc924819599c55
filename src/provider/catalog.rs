//! Which provider a request is for, from what Envoy says of it.

use std::sync::Arc;

use super::{AuthType, Glob, ProviderKind};
use crate::policy::MfaRule;
use crate::request::{Path, RequestView};

/// One configured provider: the part of it that decides. Its credential lies in `token::Store` under the same index.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Unique name.
    pub name: Arc<str>,
    /// Which service.
    pub kind: ProviderKind,
    /// How its credential comes about.
    pub auth: AuthType,
    /// The rule, where MFA is required.
    pub mfa: Option<MfaRule>,
    /// Which requests are its own, beside those for which Envoy names it.
    pub matches: Match,
}

/// The section `match`. A request belongs to the entry when any of these fits; see [`Catalog::find`] for who is asked first.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// `xds.cluster_name`.
    pub cluster: Vec<Glob>,
    /// `xds.route_name`.
    pub route: Vec<Glob>,
    /// `:authority` without its port, ASCII case folded.
    pub authority: Vec<Glob>,
    /// Beginning of the path; ends at a segment's end or in `/`.
    pub path_prefix: Vec<String>,
    /// Metadata with this value.
    pub metadata: Option<MetadataMatch>,
}

/// `match.metadata`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are Envoy's")]
pub struct MetadataMatch {
    pub namespace: String,
    pub key: String,
    pub value: String,
}

/// All providers, indexed by every fact that can select one.
#[derive(Debug)]
pub struct Catalog {}

/// Two entries that could take the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Positions of the two.
    pub entries: (usize, usize),
    /// The shared fact in words, as `cluster "openai"`.
    pub fact: String,
}

/// Whose request it is.
#[derive(Debug)]
pub enum Find<'a> {
    /// This provider's; the index is its place in the configuration.
    Provider(usize, &'a Provider),
    /// Nobody's.
    Nobody,
    /// Envoy names a provider that is not configured.
    Unknown,
    /// Facts point to two providers.
    Ambiguous(&'a Provider, &'a Provider),
}

impl Catalog {
    /// Indexes the providers.
    ///
    /// # Errors
    /// Every pair of entries that could take the same request.
    pub fn new(_providers: Vec<Provider>) -> Result<Self, Vec<Conflict>> {
        todo!()
    }

    /// All of them, in the order of the configuration.
    #[must_use]
    pub fn providers(&self) -> &[Provider] {
        todo!()
    }

    /// Whether some entry selects by path, so that a path with two readings cannot be left alone.
    #[must_use]
    pub fn reads_paths(&self) -> bool {
        todo!()
    }

    /// Finds the provider of a request. `path` is none where the path has two readings and nobody selects by path.
    #[must_use]
    pub fn find(&self, _view: &RequestView<'_>, _path: Option<Path<'_>>) -> Find<'_> {
        todo!()
    }
}
