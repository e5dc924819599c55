//! Which provider a request is for, from what Envoy says of it.
//!
//! 1. Where Envoy's own configuration names a provider, that one it is: ext_authz `context_extensions.provider` or ext_proc
//!    `x-bouncer-provider`, and `bouncer.provider` in the metadata of host, cluster or route. All that speak must agree: a
//!    name that nobody has is [`Find::Unknown`], two different ones are [`Find::Ambiguous`].
//! 2. Else the section `match` decides. An entry takes the request when any of its facts fits.
//! 3. Cluster, route and metadata are the operator's word. `:authority` and path are what the caller wrote: they select an
//!    entry only where every operator's fact that the entry lists *and* Envoy reports fits too. A forged `:authority` so
//!    never sends a credential to a cluster outside the entry's list (THREATS I3, H13).
//! 4. Facts that point to two entries are [`Find::Ambiguous`]. There is no order, no longest match, no guess.
//!
//! Two entries that list the same value of a fact, or patterns that one value could fit, are a [`Conflict`]: then each fact
//! of a request points to one entry at most, and looking it up is one hash and the few globs.
//!
//! The host of `:authority` is compared without port, ASCII case and one final dot; with userinfo or a blank in it, it fits
//! nothing. A path prefix is literal and ends where a segment ends: `/openai` takes `/openai` and `/openai/x`, `/openai/`
//! takes `/openai/x`, neither takes `/openaix`. No other header is ever read here.

mod authority;
mod index;
mod prefixes;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use self::authority::Host;
use self::index::{Index, NAMED_BY};
use super::{AuthType, Glob, ProviderKind};
use crate::policy::MfaRule;
use crate::request::{EnvoyFacts, MetadataSource, Path, RequestView};

/// One configured provider: the part of it that decides. Its credential lies in `token::Store` under the same index.
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl Provider {
    /// Whether its own paths have encoded slashes: ARNs of models do.
    #[must_use]
    pub fn takes_escaped_slashes(&self) -> bool {
        self.kind == ProviderKind::Bedrock || self.auth == AuthType::AwsSigV4
    }
}

/// The section `match`. A request belongs to the entry when any of these fits; see [`Catalog::find`] for who is asked first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
pub struct Catalog {
    providers: Vec<Provider>,
    index: Index,
}

/// Two entries that could take the same request, or that have the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Positions of the two, the lower one first.
    pub entries: (usize, usize),
    /// The shared fact in words, as `cluster "openai"` or `cluster "open*" and "openai"`.
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

/// The entries that facts point to; two are enough to give up.
#[derive(Default)]
struct Votes {
    first: Option<usize>,
    second: Option<usize>,
}

impl Catalog {
    /// Indexes the providers.
    ///
    /// # Errors
    /// The entries that stand in each other's way, sorted by position. Of many that share one value, each is named with the
    /// first of them; after a thousand it is enough.
    pub fn new(providers: Vec<Provider>) -> Result<Self, Vec<Conflict>> {
        let index = Index::new(&providers)?;
        Ok(Self { providers, index })
    }

    /// All of them, in the order of the configuration.
    #[must_use]
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// Whether some entry selects by path, so that a path with two readings cannot be left alone.
    #[must_use]
    pub fn reads_paths(&self) -> bool {
        !self.index.path.is_empty()
    }

    /// Finds the provider of a request. `path` is none where the path has two readings and nobody selects by path.
    #[must_use]
    pub fn find(&self, view: &RequestView<'_>, path: Option<Path<'_>>) -> Find<'_> {
        self.find_named(&view.envoy).unwrap_or_else(|| self.find_matching(view, path))
    }

    /// Rule 1; none where Envoy names nobody.
    fn find_named(&self, envoy: &EnvoyFacts<'_>) -> Option<Find<'_>> {
        let mut votes = Votes::default();
        if let Some(name) = envoy.named_provider {
            let Some(entry) = self.index.named(name) else {
                return Some(Find::Unknown);
            };
            votes.add(entry);
        }
        for value in metadata(envoy, NAMED_BY.0, NAMED_BY.1) {
            let Some(entry) = self.index.named_in_metadata(&value) else {
                return Some(Find::Unknown);
            };
            votes.add(entry);
        }
        votes.first.is_some().then(|| self.count(&votes))
    }

    /// Rules 2 to 4.
    fn find_matching(&self, view: &RequestView<'_>, path: Option<Path<'_>>) -> Find<'_> {
        let mut votes = Votes::default();
        let cluster = view.envoy.cluster.map(|name| self.index.cluster.find(name));
        let route = view.envoy.route.map(|name| self.index.route.find(name));
        for entry in [cluster, route].into_iter().flatten().flatten() {
            votes.add(entry);
        }
        for table in &self.index.metadata {
            for value in metadata(&view.envoy, &table.namespace, &table.key) {
                if let Some(entry) = table.values.get(&*value) {
                    votes.add(*entry);
                }
            }
        }

        let host = if self.index.authority.is_empty() { None } else { Host::parse(view.authority) };
        let authority = host.and_then(|host| self.index.authority.find(host.as_str()));
        let path = path.and_then(|path| self.index.path.find(path.as_str()));
        for entry in [authority, path].into_iter().flatten() {
            let backed = self.providers.get(entry).is_some_and(|provider| {
                let listed = &provider.matches;
                (listed.cluster.is_empty() || cluster.is_none_or(|found| found == Some(entry)))
                    && (listed.route.is_empty() || route.is_none_or(|found| found == Some(entry)))
                    && listed.metadata.as_ref().is_none_or(|listed| listed.fits_if_reported(&view.envoy))
            });
            if backed {
                votes.add(entry);
            }
        }
        self.count(&votes)
    }

    fn count(&self, votes: &Votes) -> Find<'_> {
        let provider =
            |entry: Option<usize>| entry.and_then(|entry| Some((entry, self.providers.get(entry)?)));
        match (provider(votes.first), provider(votes.second)) {
            (Some((entry, provider)), None) => Find::Provider(entry, provider),
            (Some((_, one)), Some((_, other))) => Find::Ambiguous(one, other),
            (None, _) => Find::Nobody,
        }
    }
}

impl MetadataMatch {
    fn fits_if_reported(&self, envoy: &EnvoyFacts<'_>) -> bool {
        let mut values = metadata(envoy, &self.namespace, &self.key).peekable();
        values.peek().is_none() || values.any(|value| value == self.value)
    }
}

impl Votes {
    fn add(&mut self, entry: usize) {
        match self.first {
            None => self.first = Some(entry),
            Some(first) if first == entry => {}
            Some(_) => self.second = Some(entry),
        }
    }
}

/// What host, cluster and route say under `namespace` and `key`.
fn metadata<'a>(envoy: &EnvoyFacts<'a>, namespace: &str, key: &str) -> impl Iterator<Item = Cow<'a, str>> {
    let lookup = envoy.metadata;
    [MetadataSource::Host, MetadataSource::Cluster, MetadataSource::Route]
        .into_iter()
        .filter_map(move |source| lookup.lookup(source, namespace, key))
}
