//! The metadata server of a machine or pod on Google Cloud
//! (<https://cloud.google.com/compute/docs/access/authenticate-workloads>).

use url::Url;

use super::{METADATA, call_failed};
use crate::base::Secret;
use crate::token::{
    AnswerFault, GoogleSettings, Legs, Minting, Origin, Outward, TokenCall, TokenSource, answer,
};

/// What tells the metadata server from whoever else answers at its name.
const FLAVOR: &str = "metadata-flavor";

/// The service account that is attached to where this runs.
#[derive(Debug)]
pub(super) struct MetadataServer {
    url: Url,
    scopes: Vec<String>,
    outward: Outward,
}

impl MetadataServer {
    pub(super) fn new(settings: &GoogleSettings, outward: &Outward) -> Self {
        let mut url = settings.metadata.clone();
        url.set_path("/computeMetadata/v1/instance/service-accounts/default/token");
        url.set_query(None);
        if !settings.scopes.is_empty() {
            url.query_pairs_mut().append_pair("scopes", &settings.scopes.join(","));
        }
        Self { url, scopes: settings.scopes.clone(), outward: outward.clone() }
    }
}

impl TokenSource for MetadataServer {
    /// It caches by itself: a token may have four minutes left when it comes, and come again.
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a> {
        Box::pin(async move {
            let call = TokenCall::get(METADATA, &self.url)
                .at_metadata()
                .with_header(FLAVOR, Secret::new("Google".to_owned()));
            let answer = self.outward.call(call, legs).await?;
            let read = if answer.header(FLAVOR) == Some("Google") {
                answer::token(&answer, &self.scopes)
            } else {
                Err(AnswerFault::NotMetadata.into())
            };
            let token = read.map_err(|kind| call_failed(METADATA, &self.url, kind, legs))?;
            legs.brought(token.left(answer.began));
            Ok(token)
        })
    }

    fn name(&self) -> &'static str {
        "metadata"
    }

    fn origin(&self) -> Origin {
        Origin::of(&self.url)
    }
}
