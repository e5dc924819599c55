//! What a host of AWS says of itself.

use std::borrow::Cow;

/// A host of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AwsHost<'h> {
    /// Name of the service in a signature; none where the host leaves it open.
    pub(super) service: Option<&'static str>,
    /// Region.
    pub(super) region: Cow<'h, str>,
}

/// Endpoint prefixes, and the names that are signed for them.
const SERVICES: [(&str, &str); 5] = [
    ("bedrock-runtime", "bedrock"),
    ("bedrock-mantle", "bedrock-mantle"),
    ("bedrock-agent-runtime", "bedrock"),
    ("runtime.sagemaker", "sagemaker"),
    ("execute-api", "execute-api"),
];

/// Reads `host`, with or without a port. None for one that is no regional endpoint of AWS.
pub(super) fn aws_host(host: &str) -> Option<AwsHost<'_>> {
    let host = host.split_once(':').map_or(host, |(name, _)| name);
    let name = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"]
        .iter()
        .find_map(|suffix| host.strip_suffix(suffix))?;
    let name = name.strip_suffix(".vpce").unwrap_or(name);
    let (prefix, region) = name.rsplit_once('.')?;
    let prefix = prefix.strip_suffix("-fips").unwrap_or(prefix);
    let ends = |(own, _): &&(&str, &'static str)| {
        prefix.strip_suffix(own).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let service = SERVICES.iter().find(ends).map(|(_, name)| *name);
    super::region::is_region(region).then_some(AwsHost { service, region: region.into() })
}
