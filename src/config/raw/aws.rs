//! `aws` of an entry, as it is written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationText, Items};

/// A longer chain than anybody has.
pub(in crate::config) const MOST_ROLES: usize = 10;
/// As many as STS takes, with a session and as transitive ones
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>, whose patterns those below are).
pub(in crate::config) const MOST_TAGS: usize = 50;

/// AWS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Aws {
    /// Region of the service. Default: the secret's, the host's, $AWS_REGION.
    #[schemars(regex(pattern = "^[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}$"))]
    pub(in crate::config) region: Option<String>,
    /// Name in the signature. Default: the host's; for provider bedrock: bedrock.
    #[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"))]
    pub(in crate::config) service: Option<String>,
    /// Host in the signature, with its port where the request has one: as Envoy sends it, where this filter cannot see it.
    #[schemars(regex(
        pattern = r"^(\[[0-9a-f:.]{2,45}\]|[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?)(:[1-9][0-9]{0,4})?$"
    ))]
    pub(in crate::config) host: Option<String>,
    /// STS. Default: the region's own.
    pub(in crate::config) sts_endpoint: Option<String>,
    /// Roles, assumed one after the other.
    #[schemars(length(max = MOST_ROLES))]
    pub(in crate::config) roles: Option<Items<Role>>,
}

/// A role to assume.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Role {
    /// The role.
    #[schemars(
        required,
        regex(
            pattern = "^arn:aws(-cn|-us-gov|-eusc|-iso|-iso-[bef])?:iam::[0-9]{12}:role/([!-.0-~][!-~]{0,509}/)?[A-Za-z0-9_+=,.@-]{1,64}$"
        )
    )]
    pub(in crate::config) arn: Option<String>,
    /// What the role's owner asks of whom is not of its account.
    #[schemars(regex(pattern = "^[A-Za-z0-9_+=,.@:/-]{2,1224}$"))]
    pub(in crate::config) external_id: Option<String>,
    /// Name of the session in CloudTrail. Default: bouncer- and the entry's name.
    #[schemars(regex(pattern = "^[A-Za-z0-9_+=,.@-]{2,64}$"))]
    pub(in crate::config) session_name: Option<String>,
    /// How long the session lives, 15m to 12h; no longer than 1h where the role is assumed by another one. Default 1h.
    pub(in crate::config) duration: Option<DurationText>,
    /// Tags of the session.
    #[schemars(
        extend(
            "maxProperties" = MOST_TAGS,
            "propertyNames" = { "pattern": r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$", "maxLength": 128 },
            "additionalProperties" = { "type": "string", "pattern": r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$", "maxLength": 256 },
        )
    )]
    pub(in crate::config) tags: Option<BTreeMap<String, String>>,
    /// Those of its tags that the roles behind it have too.
    #[schemars(length(max = MOST_TAGS))]
    pub(in crate::config) transitive_tags: Option<Items<String>>,
    /// Whom the session stands for; the same along the chain.
    #[schemars(regex(pattern = "^[A-Za-z0-9_+=,.@-]{2,64}$"))]
    pub(in crate::config) source_identity: Option<String>,
}
